//! The end of a run: what is recorded of it.

use jiff::Timestamp;

use crate::engine::model::backup::{Backup, annotations};
use crate::engine::model::schedule::RunResult;

/// The end of a run that made this backup.
pub(super) fn with(backup: &Backup, uid: &str, now: Timestamp) -> RunResult {
    let status = &backup.status;
    let bytes = backup.annotation(annotations::ARCHIVE_SIZE).and_then(|size| size.parse().ok());
    RunResult {
        phase: Some(backup.phase()),
        completion_timestamp: status.completion_timestamp.unwrap_or(now),
        items: status.progress.unwrap_or_default().items_backed_up,
        bytes: bytes.unwrap_or_default(),
        snapshots_attempted: status.volume_snapshots_attempted,
        snapshots_completed: status.volume_snapshots_completed,
        warnings: status.warnings,
        errors: status.errors,
        error: None,
        uid: uid.to_owned(),
    }
}

/// The end of a run that made none, and why.
pub(super) fn without(uid: &str, error: String, now: Timestamp) -> RunResult {
    RunResult {
        uid: uid.to_owned(),
        phase: None,
        error: Some(error),
        completion_timestamp: now,
        items: 0,
        bytes: 0,
        snapshots_attempted: 0,
        snapshots_completed: 0,
        warnings: 0,
        errors: 0,
    }
}
