//! Deleting a backup, in the order that makes every interruption harmless.

use std::sync::Arc;

use super::error::Error;
use super::known::{self, Known};
use super::report::{DeleteReport, DeletedSnapshot};
use super::{held, retention, sight, snapshots};
use crate::engine::clock::Clock;
use crate::engine::context::Snapshotters;
use crate::engine::event::{Observer, Stage};
use crate::engine::journal::Journal;
use crate::engine::model::tombstone::Tombstone;
use crate::engine::report::{Phase, Problem};
use crate::engine::store::{self, BackupKeys, BackupStore};

/// What is to be deleted.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The backup's name.
    pub name: &'a str,
    /// Its identity, if only that very one is meant and no other that has got the name since.
    pub uid: Option<&'a str>,
    /// Whether it is deleted even if none of its snapshots can be seen.
    pub ignore_missing_snapshots: bool,
}

/// The mark that this deletion goes by.
#[derive(Debug)]
struct Mark {
    tombstone: Tombstone,
    /// Whether this very run made it.
    is_new: bool,
}

/// Deletes a backup: its snapshots and its files.
///
/// Nothing is touched before it is certain that all of it may be removed, and can be reached.
pub async fn backup(
    store: &BackupStore,
    snapshotters: &Snapshotters,
    observer: &Arc<dyn Observer>,
    clock: Clock,
    request: Request<'_>,
) -> Result<DeleteReport, Error> {
    let name = request.name;
    let journal = Journal::of_backup(Arc::clone(observer), clock, name);
    journal.stage(Stage::Preflight);
    let mut known = known::find(store, snapshotters, &journal, request).await?;
    if request.uid.is_some_and(|uid| known.identity.uid.as_deref() != Some(uid)) {
        return Err(Error::Renewed { name: name.to_owned() });
    }
    held::check(store, &known.identity).await?;
    retention::check(store, clock, ("backup", name), &BackupKeys(name).prefix()).await?;
    sight::check_rights(snapshotters, &known.witnesses).await?;
    store.try_removal().await?;
    journal.stage(Stage::Deleting);
    let mark = mark(store, clock, &mut known).await?;
    let broken = |source| Error::Broken { noun: "backup", name: name.to_owned(), source };
    // Who holds it looks for the mark afterwards, as this looks for the hold: one of them sees the other.
    held::check(store, &known.identity).await.map_err(|error| match error {
        Error::Location(source) => broken(source),
        other => other,
    })?;
    let removed = remove(store, snapshotters, &journal, &known, &mark).await;
    Ok(report(clock, &journal, known, &mark, removed.map_err(broken)?))
}

/// Writes down what goes: the first change, and from then on it is being deleted.
///
/// Another run may have begun at the same time: what its mark holds goes, too.
async fn mark(store: &BackupStore, clock: Clock, known: &mut Known) -> Result<Mark, Error> {
    if let Some(tombstone) = known.tombstone.take() {
        return Ok(Mark { tombstone, is_new: false });
    }
    let own = tombstone(clock, known);
    let tombstone = store.mark_deleting(own.clone()).await?;
    if !known.identity.is_marked_by(&tombstone) {
        return Err(Error::other_backup(&known.identity));
    }
    for snapshot in &tombstone.snapshots {
        if !known.snapshots.iter().any(|other| other.id == snapshot.id) {
            known.snapshots.push(snapshot.clone());
        }
    }
    Ok(Mark { is_new: tombstone == own, tombstone })
}

fn tombstone(clock: Clock, known: &Known) -> Tombstone {
    Tombstone {
        name: known.identity.name.clone(),
        uid: known.identity.uid.clone(),
        snapshots: known.snapshots.clone(),
        start_timestamp: clock.now(),
    }
}

/// Makes it no backup any more, and removes the snapshots; their records only when they have gone.
///
/// A run that was held up may find that another one has finished, and that the name is used anew.
async fn remove(
    store: &BackupStore,
    snapshotters: &Snapshotters,
    journal: &Journal,
    known: &Known,
    mark: &Mark,
) -> Result<Vec<DeletedSnapshot>, store::Error> {
    let identity = &known.identity;
    if !identity.is_going(store).await? {
        step_back(store, journal, known, mark).await?;
        return Ok(Vec::new());
    }
    store.remove(&identity.keys().metadata()).await?;
    let snapshots = snapshots::remove_all(store, snapshotters, journal, known).await?;
    if !journal.problems().1.is_empty() {
        return Ok(snapshots);
    }
    if identity.is_going(store).await? {
        store.clear_attempt(&identity.name).await?;
        store.remove_marks(&identity.name).await?;
    } else {
        step_back(store, journal, known, mark).await?;
    }
    Ok(snapshots)
}

/// Leaves everything as it is but the marks of this very run.
async fn step_back(
    store: &BackupStore,
    journal: &Journal,
    known: &Known,
    mark: &Mark,
) -> Result<(), store::Error> {
    let (name, keys) = (&known.identity.name, known.identity.keys());
    for provider in known.witnesses.keys() {
        if store.is_leaving(name, &sight::leaving(&known.identity, provider)).await? {
            store.remove(&keys.leaving(provider)).await?;
        }
    }
    if mark.is_new && store.tombstone(name).await?.as_ref() == Some(&mark.tombstone) {
        store.remove(&keys.tombstone()).await?;
    }
    let message = "somebody else finished this deletion; what has the name now was left alone";
    journal.warn(Problem::of_run("delete", message.to_owned()));
    Ok(())
}

fn report(
    clock: Clock,
    journal: &Journal,
    known: Known,
    mark: &Mark,
    snapshots: Vec<DeletedSnapshot>,
) -> DeleteReport {
    let (warnings, errors) = journal.problems();
    let phase = Phase::of_errors(errors.len());
    DeleteReport {
        name: known.identity.name,
        uid: known.identity.uid,
        phase,
        location: known.identity.location,
        snapshots,
        warnings,
        errors,
        start_timestamp: mark.tombstone.start_timestamp,
        completion_timestamp: (phase == Phase::Completed).then(|| clock.now()),
    }
}
