//! Finishing a backup whose archive is whole: its snapshots are awaited, and it is committed.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::commit::Commit;
use super::error::{Cause, Error};
use super::last_word::unless_ended;
use super::outcome::PENDING;
use super::pending::{self, Filed, Pending};
use super::replace::Remains;
use super::settle::{settle, snapshotter};
use crate::engine::clock::Clock;
use crate::engine::context::{Context, Holds, Snapshotters};
use crate::engine::event::{Observer, Stage};
use crate::engine::journal::{Earlier, Journal};
use crate::engine::model::filter::closest;
use crate::engine::report::{BackupReport, SnapshotReport, chain};
use crate::engine::store::{BackupKeys, BackupState, BackupStore, RunningLog, check_name};

/// What a backup is finished with. The cluster may be gone.
#[derive(Clone)]
pub struct Tools {
    /// Where the backup is kept.
    pub store: BackupStore,
    /// Who took its snapshots.
    pub snapshotters: Snapshotters,
    /// Is told what happens.
    pub observer: Arc<dyn Observer>,
    /// Tells the time.
    pub clock: Clock,
    /// Tells when somebody ends it.
    pub holds: Holds,
}

/// A backup that is finished.
#[derive(Clone, Debug)]
pub struct Finished {
    /// What became of it.
    pub report: BackupReport,
    /// Whether it had been finished before.
    pub earlier: bool,
}

impl Tools {
    /// What an operation that has more works with.
    pub fn of(context: &Context) -> Self {
        Self {
            store: context.store.clone(),
            snapshotters: context.snapshotters.clone(),
            observer: Arc::clone(&context.observer),
            clock: context.clock,
            holds: context.holds.clone(),
        }
    }
}

impl std::fmt::Debug for Tools {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tools").field("store", &self.store).finish_non_exhaustive()
    }
}

/// Finishes a backup that broke off while its snapshots were awaited; from any machine.
///
/// It does no harm if the run that began it still goes on, nor to do it twice.
pub async fn finish(tools: &Tools, name: &str) -> Result<Finished, Error> {
    check_name(name)?;
    match tools.store.backup(name).await.map_err(Error::Location)? {
        None => Err(not_found(tools, name).await),
        Some(BackupState::Deleting) => Err(Error::Deleting { name: name.to_owned() }),
        Some(BackupState::Invalid(reason)) => Err(Error::Invalid { name: name.to_owned(), reason }),
        Some(BackupState::Committed(_)) => finished_earlier(tools, name).await,
        Some(BackupState::Incomplete(attempt)) => {
            let pending = pending::read(&tools.store, name).await.map_err(Error::Location)?;
            let uid = attempt.map(|attempt| attempt.uid);
            let of_attempt = |it: &Filed<Pending>| Some(it.document.uid()) == uid.as_deref();
            let pending = pending.filter(of_attempt);
            let pending = pending.ok_or_else(|| Error::NotWhole { name: name.to_owned() })?;
            let report = go_on(tools, &pending).await?;
            Ok(Finished { report, earlier: false })
        }
    }
}

async fn not_found(tools: &Tools, name: &str) -> Error {
    match tools.store.backup_names().await {
        Ok(known) => {
            let similar = closest(name, &known).map(ToOwned::to_owned);
            let location = tools.store.url().to_owned();
            Error::NotFound { name: name.to_owned(), location, similar }
        }
        Err(error) => Error::Location(error),
    }
}

async fn finished_earlier(tools: &Tools, name: &str) -> Result<Finished, Error> {
    let report = tools.store.json_if_there(&BackupKeys(name).report()).await;
    let report = report.map_err(Error::Location)?;
    let report = report.ok_or_else(|| Error::Finished { name: name.to_owned() })?;
    Ok(Finished { report, earlier: true })
}

async fn go_on(tools: &Tools, pending: &Filed<Pending>) -> Result<BackupReport, Error> {
    let document = &pending.document;
    let volumes: Vec<_> = document.volumes.iter().map(|it| looked_at_anew(&it.report)).collect();
    let unreachable =
        |it: &&SnapshotReport| it.state == PENDING && snapshotter(tools, it).is_none();
    if let Some(volume) = volumes.iter().find(unreachable) {
        return Err(Error::NoSnapshotter {
            name: document.name().to_owned(),
            provider: volume.provider.clone().unwrap_or_default(),
        });
    }
    check_reach(tools, document.name(), &volumes).await?;
    let mut earlier = Earlier {
        warnings: document.warnings.clone(),
        errors: document.errors.clone(),
        log: document.log.clone(),
    };
    add_later_lines(&tools.store, document, &mut earlier.log).await;
    let observer = Arc::clone(&tools.observer);
    let journal = Journal::resume(observer, tools.clock, document.name(), earlier);
    let log = RunningLog::of_backup(&tools.store, &journal, document.name(), document.uid());
    complete(tools, &journal, &log, pending, volumes).await
}

/// Adds what the run that began it said once its record was written: that is in pieces of its log
/// alone, which go when the log is written whole.
async fn add_later_lines(store: &BackupStore, document: &Pending, log: &mut Vec<String>) {
    let prefix = document.keys().running_log(document.uid());
    match store.pieces(&prefix, 0).await {
        Ok(pieces) => {
            let known: BTreeSet<_> = log.iter().cloned().collect();
            let lines = pieces.iter().flat_map(|piece| piece.text.lines());
            log.extend(lines.filter(|line| !known.contains(*line)).map(str::to_owned));
        }
        Err(error) => tracing::debug!("pieces of the log cannot be read: {}", chain(&error)),
    }
}

/// Checks that the snapshots are looked for where they were taken.
async fn check_reach(tools: &Tools, name: &str, volumes: &[SnapshotReport]) -> Result<(), Error> {
    for record in tools.store.providers(name).await.map_err(Error::Location)? {
        let is_awaited = |volume: &SnapshotReport| {
            volume.state == PENDING && volume.provider.as_ref() == Some(&record.provider)
        };
        if volumes.iter().any(is_awaited) {
            let reached = tools.snapshotters.reach(&record).await;
            reached.map_err(|source| Error::OutOfReach { name: name.to_owned(), source })?;
        }
    }
    Ok(())
}

/// A volume as far as it is known to another run: a snapshot that was complete may be gone.
fn looked_at_anew(report: &SnapshotReport) -> SnapshotReport {
    let mut report = report.clone();
    if report.snapshot_id.is_some() {
        PENDING.clone_into(&mut report.state);
    }
    report
}

/// Awaits the snapshots and commits the backup. Where that breaks off, it can be done again.
pub(super) async fn complete(
    tools: &Tools,
    journal: &Journal,
    log: &RunningLog<'_>,
    pending: &Filed<Pending>,
    volumes: Vec<SnapshotReport>,
) -> Result<BackupReport, Error> {
    journal.stage(Stage::Snapshots);
    let done = Box::pin(async {
        let volumes = settle(tools, journal, &pending.document, volumes).await?;
        journal.stage(Stage::Committing);
        Commit { tools, journal, log, pending }.write(volumes).await
    });
    match unless_ended(&tools.holds, journal, log, done).await {
        Ok(report) => Ok(report),
        Err(source @ Cause::Replaced) => {
            log.close().await;
            let cleared = clear_late(tools, &pending.document).await;
            Err(Error::Broken { cleared, source: Box::new(source) })
        }
        Err(source) => {
            let (name, source) = (pending.document.name().to_owned(), Box::new(source));
            Err(Error::Unfinished { name, source })
        }
    }
}

/// Removes the snapshots of an attempt that was cleared meanwhile; tells whether they are gone.
async fn clear_late(tools: &Tools, pending: &Pending) -> bool {
    let (store, snapshotters) = (&tools.store, &tools.snapshotters);
    let remains = Remains { store, snapshotters, name: pending.name(), uid: Some(pending.uid()) };
    remains.clear_late(&pending.providers()).await.is_ok_and(|left| left.is_empty())
}
