//! Awaits the snapshots that were started.

use std::time::Duration;

use bowline_api::{SnapshotState, SnapshotterError, VolumeSnapshotter};
use futures::future::try_join_all;
use jiff::SignedDuration;
use tokio::time::Instant;

use super::error::Cause;
use super::finish::Tools;
use super::outcome::{PENDING, claim_of, complete, fail, label};
use super::pending::Pending;
use crate::engine::clock::pause;
use crate::engine::journal::Journal;
use crate::engine::model::volume::tags;
use crate::engine::report::{SnapshotReport, chain};

/// How long after the first look at a snapshot the second one is; then ever longer.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest time between two looks.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// How long a snapshot may be missing before it counts as lost: providers show what was just made
/// with some delay.
const GRACE: Duration = Duration::from_mins(1);
/// The age of a backup of which every snapshot has long been shown.
const OLD: SignedDuration = SignedDuration::from_hours(24);
/// By how many percent a snapshot has to have got further to be worth telling.
const STEP: u8 = 10;

/// Awaits all snapshots that are pending, all at once: a look is cheap, providers gather them.
///
/// A snapshot that failed is an error of the backup. Where it cannot be known how one is doing, this
/// fails, and can be done again.
pub(super) async fn settle(
    tools: &Tools,
    journal: &Journal,
    backup: &Pending,
    volumes: Vec<SnapshotReport>,
) -> Result<Vec<SnapshotReport>, Cause> {
    let pending = volumes.iter().filter(|volume| volume.state == PENDING).count();
    if pending > 0 {
        journal.expect(pending as u64);
    }
    let wait = Wait { tools, journal, uid: backup.uid(), grace: grace(tools, backup) };
    try_join_all(volumes.into_iter().map(|volume| wait.settled(volume))).await
}

/// The one that takes the snapshots of a provider.
pub(super) fn snapshotter<'a>(
    tools: &'a Tools,
    volume: &SnapshotReport,
) -> Option<&'a dyn VolumeSnapshotter> {
    let provider = volume.provider.as_deref()?;
    tools.snapshotters.iter().find(|snapshotter| snapshotter.provider() == provider)
}

/// How long a missing snapshot of this backup is waited for: not at all once it is old news.
fn grace(tools: &Tools, backup: &Pending) -> Duration {
    let began = backup.document.status.start_timestamp;
    let is_old = began.is_some_and(|began| tools.clock.now().duration_since(began) > OLD);
    if is_old { Duration::ZERO } else { GRACE }
}

struct Wait<'a> {
    tools: &'a Tools,
    journal: &'a Journal,
    uid: &'a str,
    grace: Duration,
}

impl Wait<'_> {
    async fn settled(&self, mut volume: SnapshotReport) -> Result<SnapshotReport, Cause> {
        if volume.state != PENDING {
            return Ok(volume);
        }
        match self.end(&volume).await? {
            Ok(()) => complete(self.journal, &mut volume),
            Err(message) => fail(self.journal, &mut volume, message.into()),
        }
        self.journal.item(&claim_of(&volume));
        Ok(volume)
    }

    /// Awaits the end of a snapshot, good or bad.
    async fn end(&self, volume: &SnapshotReport) -> Result<Result<(), String>, Cause> {
        let (Some(snapshotter), Some(id)) =
            (snapshotter(self.tools, volume), volume.snapshot_id.as_deref())
        else {
            return Err(Cause::NoSnapshotter(volume.provider.clone().unwrap_or_default()));
        };
        let (mut wait, mut told, mut missing) = (FIRST_PAUSE, None, None);
        loop {
            match snapshotter.snapshot(id).await.map(|snapshot| snapshot.state) {
                Ok(SnapshotState::Completed) => return Ok(Ok(())),
                Ok(SnapshotState::Failed(reason)) => {
                    return Ok(Err(format!("snapshot {id} failed: {reason}")));
                }
                Ok(SnapshotState::Pending(percent)) => {
                    missing = None;
                    self.tell(volume, percent, &mut told);
                }
                Err(SnapshotterError::NotFound { .. })
                    if missing.get_or_insert_with(Instant::now).elapsed() < self.grace => {}
                Err(error) => {
                    let lost = self.lost(snapshotter, error).await;
                    return lost
                        .map(Err)
                        .map_err(|source| Cause::Snapshot { claim: label(volume), source });
                }
            }
            pause(wait).await;
            wait = (wait * 2).min(LONGEST_PAUSE);
        }
    }

    /// Says why a snapshot cannot be had any more, where that is certain.
    async fn lost(
        &self,
        snapshotter: &dyn VolumeSnapshotter,
        error: SnapshotterError,
    ) -> Result<String, SnapshotterError> {
        let is_lost = match error {
            SnapshotterError::Damaged { .. } => true,
            SnapshotterError::NotFound { .. } => self.sees_others(snapshotter).await?,
            _ => false,
        };
        if is_lost { Ok(chain(&error)) } else { Err(error) }
    }

    /// Whether the provider knows any snapshot of this backup.
    ///
    /// If not, it is more likely that another account or region is asked than that all are gone.
    async fn sees_others(
        &self,
        snapshotter: &dyn VolumeSnapshotter,
    ) -> Result<bool, SnapshotterError> {
        Ok(!snapshotter.snapshots_tagged(tags::BACKUP_UID, self.uid).await?.is_empty())
    }

    fn tell(&self, volume: &SnapshotReport, percent: Option<u8>, told: &mut Option<u8>) {
        if let Some(percent) = percent
            && told.is_none_or(|told| percent >= told.saturating_add(STEP))
        {
            self.journal.volume(&label(volume), &format!("snapshot {percent} %"));
            *told = Some(percent);
        }
    }
}
