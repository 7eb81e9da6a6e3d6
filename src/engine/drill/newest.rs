//! Which backup of a schedule is drilled.

use super::error::Error;
use crate::engine::model::schedule::SCHEDULE_LABEL;
use crate::engine::report::Phase;
use crate::engine::store::{BackupState, BackupStore};

/// Names the newest good backup of a schedule.
///
/// `partial` also takes one that is `PartiallyFailed`.
pub async fn newest_good(
    store: &BackupStore,
    schedule: &str,
    partial: bool,
) -> Result<String, Error> {
    let entries = store.backups().await.map_err(Error::Location)?;
    let good = entries.into_iter().filter_map(|entry| {
        let BackupState::Committed(backup) = entry.state else { return None };
        let is_of = backup.metadata.labels.get(SCHEDULE_LABEL).is_some_and(|it| it == schedule);
        let is_good = match backup.phase() {
            Phase::Completed => true,
            Phase::PartiallyFailed => partial,
            _ => false,
        };
        (is_of && is_good).then_some((backup.status.start_timestamp, entry.name))
    });
    let newest = good.max().map(|(_, name)| name);
    newest.ok_or_else(|| Error::NoGoodBackup {
        schedule: schedule.to_owned(),
        location: store.url().to_owned(),
    })
}
