//! The volumes that the restore of a drill made, with or without a persistent volume by now.

use std::time::Duration;

use bowline_api::{SnapshotterError, VolumeSnapshotter};

use super::take_down::{OPERATION, Work};
use crate::engine::clock::pause;
use crate::engine::model::drill::DrillVolume;
use crate::engine::report::{Problem, chain};
use crate::engine::restore;

/// How long to wait before a volume that is in use still, or not made yet, is removed again.
const INTERVAL: Duration = Duration::from_secs(5);

/// Removes every volume that the restore made; those that stay are named.
///
/// By the identity of the drill alone: no other volume is ever asked for.
pub(super) async fn remove(work: &Work<'_>) -> Vec<Problem> {
    let mut left = Vec::new();
    for volume in &work.record.volumes {
        let snapshotter = match work.context.snapshotters.reach(&volume.provider).await {
            Ok(snapshotter) => snapshotter,
            Err(error) => {
                let message = format!("a volume made from {} may be left", volume.volume_id);
                left.push(Problem::of_run(OPERATION, format!("{message}: {}", chain(&error))));
                continue;
            }
        };
        if let Err(error) = remove_one(work, snapshotter, volume).await {
            let message = format!("a volume made from {} is left", volume.volume_id);
            let problem = Problem::of_run(OPERATION, format!("{message}: {}", chain(&error)));
            left.push(problem.with_hint("it costs until it is deleted"));
        }
    }
    left
}

async fn remove_one(
    work: &Work<'_>,
    snapshotter: &dyn VolumeSnapshotter,
    volume: &DrillVolume,
) -> Result<(), SnapshotterError> {
    let origin = restore::origin(&work.record.uid, &volume.volume_id, &volume.persistent_volume);
    let Some(made) = snapshotter.volume_made_by(&origin).await? else { return Ok(()) };
    loop {
        match snapshotter.delete_volume(&made.id).await {
            Err(SnapshotterError::NotFound { .. }) => return Ok(()),
            Err(_) if !work.left().is_zero() => pause(INTERVAL.min(work.left())).await,
            other => return other,
        }
    }
}
