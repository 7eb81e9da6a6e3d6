//! The end of a run: what is recorded of it.

use jiff::Timestamp;

use super::recorder::Recorder;
use crate::engine::backup::Tools;
use crate::engine::event::Event;
use crate::engine::model::backup::{Backup, annotations};
use crate::engine::model::schedule::{RunRecord, RunResult};
use crate::engine::report::{Problem, chain};

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

/// Records a run that could not begin, and why: it made nothing, and needs no lease for that.
///
/// If that fails it is told, and changes nothing of why the run ended.
pub(super) async fn record_failure(tools: &Tools, record: &RunRecord, reason: String) {
    let Tools { store, observer, clock, .. } = tools;
    // Packing into memory does not fail.
    let log = Recorder::new(observer, *clock, &record.backup).log(&reason).unwrap_or_default();
    let recorded = async {
        store.begin_run(record).await?;
        store.write_run_log(&record.schedule, &record.backup, log).await?;
        store.end_run(record, &without(&record.uid, reason, clock.now())).await
    };
    if let Err(error) = recorded.await {
        observer.observe(&Event::Warning(&Problem::of_run("record the run", chain(&error))));
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
