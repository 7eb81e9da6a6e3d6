//! The volumes that the restore of a drill made, with or without a persistent volume by now.

use std::collections::BTreeSet;
use std::time::Duration;

use bowline_api::{SnapshotterError, VolumeOrigin, VolumeSnapshotter};
use futures::{StreamExt as _, stream};

use super::take_down::{OPERATION, Work};
use crate::engine::clock::pause;
use crate::engine::model::drill::DrillVolume;
use crate::engine::report::{Problem, chain};
use crate::engine::restore;

/// How long to wait before a volume that is in use still, or not made yet, is removed again.
const INTERVAL: Duration = Duration::from_secs(5);

/// Removes every volume that the restore made, but for those whose persistent volume is in use; those
/// that stay are named.
///
/// By the identity of the drill alone: no other volume is ever asked for.
pub(super) async fn remove(work: &Work<'_>, in_use: &BTreeSet<String>) -> Vec<Problem> {
    let origins = work.record.volumes.iter().map(|volume| {
        let DrillVolume { volume_id, persistent_volume, .. } = volume;
        (volume, restore::origin(&work.record.uid, volume_id, persistent_volume))
    });
    let free = origins.filter(|(_, origin)| !in_use.contains(&origin.persistent_volume));
    let ends = stream::iter(free)
        .map(|(volume, origin)| async move { remove_one(work, volume, &origin).await.err() })
        .buffered(work.context.limits.creates);
    ends.filter_map(async |left| left).collect().await
}

async fn remove_one(
    work: &Work<'_>,
    volume: &DrillVolume,
    origin: &VolumeOrigin,
) -> Result<(), Problem> {
    let DrillVolume { provider, volume_id, .. } = volume;
    let snapshotter = work.context.snapshotters.reach(provider).await.map_err(|error| {
        let message = format!("a volume made from {volume_id} may be left: {}", chain(&error));
        Problem::of_run(OPERATION, message)
    })?;
    delete(work, snapshotter, origin).await.map_err(|error| {
        let message = format!("a volume made from {volume_id} is left: {}", chain(&error));
        Problem::of_run(OPERATION, message).with_hint("it costs until it is deleted")
    })
}

async fn delete(
    work: &Work<'_>,
    snapshotter: &dyn VolumeSnapshotter,
    origin: &VolumeOrigin,
) -> Result<(), SnapshotterError> {
    let Some(made) = snapshotter.volume_made_by(origin).await? else { return Ok(()) };
    loop {
        match snapshotter.delete_volume(&made.id).await {
            Err(SnapshotterError::NotFound { .. }) => return Ok(()),
            Err(_) if !work.left().is_zero() => pause(INTERVAL.min(work.left())).await,
            other => return other,
        }
    }
}
