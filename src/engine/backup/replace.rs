//! Clearing what an attempt that was never committed left behind.
//!
//! Always by the attempt's UID: the name may be another run's by now, and its files and snapshots
//! are none of ours.

use bowline_api::VolumeSnapshotter;

use super::error::Cause;
use super::ownership::{committed, owner};
use crate::engine::context::{Context, Snapshotters};
use crate::engine::model::volume::tags;
use crate::engine::report::{Problem, chain};
use crate::engine::store::{BackupKeys, BackupStore, SideFile};

/// What an attempt left behind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Remains<'a> {
    pub store: &'a BackupStore,
    pub snapshotters: &'a Snapshotters,
    pub name: &'a str,
    /// The identity of the attempt; none if its record is gone.
    pub uid: Option<&'a str>,
}

impl<'a> Remains<'a> {
    pub(super) fn of(context: &'a Context, name: &'a str, uid: Option<&'a str>) -> Self {
        Self { store: &context.store, snapshotters: &context.snapshotters, name, uid }
    }

    /// Removes the snapshots of the attempt, and then its files.
    ///
    /// Touches nothing where not all of it can be reached. From the first deletion on nobody can
    /// finish the attempt: it would lack its snapshots.
    pub(super) async fn clear(&self) -> Result<Vec<Problem>, Cause> {
        if !self.is_in_place().await? {
            return Err(Cause::Replaced);
        }
        if self.is_committed().await? {
            return Err(Cause::Committed);
        }
        let asked = match self.asked().await? {
            Ok(asked) => asked,
            Err(problems) => return Ok(problems),
        };
        self.withdraw().await?;
        let problems = self.delete_snapshots(&asked).await;
        if problems.is_empty() && self.is_in_place().await? {
            self.store.clear_attempt(self.name).await?;
        }
        Ok(problems)
    }

    /// Removes the attempt's snapshots where its files are gone, or another's: those that it started
    /// after it was cleared.
    ///
    /// Whoever clears it just now, or has committed it, is left alone.
    pub(super) async fn clear_late(&self, providers: &[String]) -> Result<Vec<Problem>, Cause> {
        let is_deleted = self.store.exists(&BackupKeys(self.name).tombstone()).await?;
        if !is_deleted && self.is_in_place().await? {
            return Err(Cause::Replaced);
        }
        if committed(self.store, self.name).await?.as_deref() == self.uid {
            return Err(Cause::Committed);
        }
        let asked: Vec<_> =
            providers.iter().filter_map(|it| self.snapshotters.of_provider(it)).collect();
        Ok(self.delete_snapshots(&asked).await)
    }

    /// Whether the name is still that of this attempt.
    pub(super) async fn is_in_place(&self) -> Result<bool, Cause> {
        Ok(owner(self.store, self.name).await?.as_deref() == self.uid)
    }

    async fn is_committed(&self) -> Result<bool, Cause> {
        Ok(self.store.exists(&BackupKeys(self.name).metadata()).await?)
    }

    /// The providers that it asked for snapshots; or why not all of them can be reached.
    async fn asked(&self) -> Result<Result<Vec<&'a dyn VolumeSnapshotter>, Vec<Problem>>, Cause> {
        let (mut asked, mut problems) = (Vec::new(), Vec::new());
        for record in self.store.providers(self.name).await? {
            match self.snapshotters.reach(&record).await {
                Ok(snapshotter) => asked.push(snapshotter),
                Err(error) => problems.push(Problem::of_run("find snapshots", chain(&error))),
            }
        }
        Ok(if problems.is_empty() { Ok(asked) } else { Err(problems) })
    }

    /// Takes back what the attempt is finished by: from here on nobody commits it.
    ///
    /// A run that commits looks for it once more afterwards; so either that run sees that it is
    /// gone, or the commit is seen here.
    async fn withdraw(&self) -> Result<(), Cause> {
        let key = BackupKeys(self.name).pending();
        let content = self.store.bytes_if_there(&key).await?;
        self.store.withdraw_pending(self.name).await?;
        if !self.is_committed().await? {
            return Ok(());
        }
        if let Some(content) = content {
            let file = SideFile { key, content: content.into() };
            match self.store.create(&file).await {
                Err(error) if !error.is_already_exists() => return Err(error.into()),
                _ => {}
            }
        }
        Err(Cause::Committed)
    }

    /// Removes every snapshot that carries the attempt's UID.
    async fn delete_snapshots(&self, asked: &[&dyn VolumeSnapshotter]) -> Vec<Problem> {
        let mut problems = Vec::new();
        for snapshotter in asked {
            if let Some(uid) = self.uid {
                delete_tagged(*snapshotter, uid, &mut problems).await;
            }
        }
        problems
    }
}

async fn delete_tagged(
    snapshotter: &dyn VolumeSnapshotter,
    uid: &str,
    problems: &mut Vec<Problem>,
) {
    match snapshotter.snapshots_tagged(tags::BACKUP_UID, uid).await {
        Ok(found) => {
            for snapshot in found {
                if let Err(error) = snapshotter.delete_snapshot(&snapshot.id).await {
                    problems.push(Problem::of_run("delete snapshot", chain(&error)));
                }
            }
        }
        Err(error) => problems.push(Problem::of_run("find snapshots", chain(&error))),
    }
}
