//! Removing a backup's snapshots, and no others.

use bowline_api::SnapshotterError;
use futures::{StreamExt as _, stream};

use super::identity::{Identity, Owner};
use super::known::Known;
use super::report::{DeletedSnapshot, SnapshotFate};
use super::sight::{by_provider, leaving};
use crate::engine::context::Snapshotters;
use crate::engine::journal::Journal;
use crate::engine::report::{Problem, chain};
use crate::engine::store::{self, BackupStore};

/// How many snapshots are removed at once.
const AT_ONCE: usize = 16;

/// Removes the snapshots of a backup, several at once, by provider.
///
/// Of each provider one that was seen goes last, and not before it is marked that it may be gone.
/// Until then, whoever sees none of them lacks the right credentials.
pub(super) async fn remove_all(
    store: &BackupStore,
    snapshotters: &Snapshotters,
    journal: &Journal,
    known: &Known,
) -> Result<Vec<DeletedSnapshot>, store::Error> {
    let mut all = Vec::new();
    for (provider, ids) in by_provider(&known.snapshots) {
        let removal = Removal { snapshotters, journal, identity: &known.identity, provider };
        let witness = known.witnesses.get(provider).map(String::as_str);
        let others = ids.iter().copied().filter(|id| Some(*id) != witness).collect();
        let mut removed = removal.remove_each(others).await;
        if let Some(witness) = witness {
            // One that is still there bears witness as well.
            if removed.iter().all(|it| it.state != SnapshotFate::Failed) {
                let mark = leaving(&known.identity, provider);
                store.mark_leaving(&known.identity.name, &mark).await?;
            }
            removed.extend(removal.remove_each(vec![witness]).await);
        }
        all.extend(removed);
    }
    all.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(all)
}

/// The removal of the snapshots of one provider.
#[derive(Clone, Copy)]
struct Removal<'a> {
    snapshotters: &'a Snapshotters,
    journal: &'a Journal,
    identity: &'a Identity,
    provider: &'a str,
}

/// What became of a snapshot, and why it is left if it is.
enum Fate {
    Deleted,
    Absent,
    Foreign(String),
}

impl Removal<'_> {
    async fn remove_each(self, ids: Vec<&str>) -> Vec<DeletedSnapshot> {
        stream::iter(ids)
            .map(|id| async move {
                let state = self.remove(id).await;
                DeletedSnapshot { provider: self.provider.to_owned(), id: id.to_owned(), state }
            })
            .buffered(AT_ONCE)
            .collect()
            .await
    }

    async fn remove(self, id: &str) -> SnapshotFate {
        let fate = match self.try_remove(id).await {
            Ok(Fate::Deleted) => SnapshotFate::Deleted,
            Ok(Fate::Absent) => SnapshotFate::Absent,
            Ok(Fate::Foreign(why)) => {
                let message = format!("snapshot {id} is left alone: {why}");
                self.journal.warn(Problem::of_run("delete snapshot", message));
                return SnapshotFate::Foreign;
            }
            Err(error) => {
                let why = chain(&error);
                let message = if why.contains(id) {
                    format!("not deleted: {why}")
                } else {
                    format!("snapshot {id} is not deleted: {why}")
                };
                self.journal.error(Problem::of_run("delete snapshot", message).with_hint(
                    "mend the cause and run the same command again: it finishes the deletion",
                ));
                return SnapshotFate::Failed;
            }
        };
        self.journal.note(&format!("snapshot {id} of provider {}: {fate}", self.provider));
        fate
    }

    /// Looks at a snapshot first: ids come from files that anybody with the bucket can write.
    async fn try_remove(self, id: &str) -> Result<Fate, SnapshotterError> {
        let Some(snapshotter) = self.snapshotters.of_provider(self.provider) else {
            let reason = format!("provider {} is not at hand", self.provider);
            return Err(SnapshotterError::Unreachable { what: format!("snapshot {id}"), reason });
        };
        let other = || {
            let name = &self.identity.name;
            Fate::Foreign(format!("its tags do not say that it is of backup \"{name}\""))
        };
        let snapshot = match snapshotter.snapshot(id).await {
            Ok(snapshot) if snapshot.shared_by.is_none() => snapshot,
            Err(SnapshotterError::NotFound { .. }) => return Ok(Fate::Absent),
            Ok(_) | Err(SnapshotterError::Refused { .. }) => return Ok(other()),
            Err(error) => return Err(error),
        };
        match self.identity.owner(&snapshot.tags) {
            Owner::Ours => {}
            Owner::Other => return Ok(other()),
            Owner::Elsewhere(location) => {
                let why = format!("its tags say that it is of the backup in {location}");
                return Ok(Fate::Foreign(why));
            }
        }
        snapshotter.delete_snapshot(id).await?;
        Ok(Fate::Deleted)
    }
}
