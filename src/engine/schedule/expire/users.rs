//! Restores under way, which read a backup.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};

use crate::engine::store::{self, BackupStore, RestoreEntry};

/// How many restores are looked at at once.
const AT_ONCE: usize = 16;
/// After so long a restore that has not ended is taken for one that was given up.
const GIVEN_UP: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Restores that have begun and not ended, as far as they were seen.
#[derive(Debug, Default)]
pub(super) struct Users {
    seen: BTreeSet<String>,
    /// By the identity of the backup, the name of a restore that reads it.
    restores: BTreeMap<String, String>,
}

impl Users {
    /// The restore that reads the backup of this identity, if there is one.
    ///
    /// Looks anew each time, but at each restore only once: one that has ended meanwhile is still told.
    pub(super) async fn of(
        &mut self,
        store: &BackupStore,
        uid: &str,
        now: Timestamp,
    ) -> Result<Option<&str>, store::Error> {
        let mut names = store.restore_names().await?;
        names.retain(|name| !self.seen.contains(name));
        let looks = stream::iter(names)
            .map(|name| async move { look(store, &name).await.map(|found| (name, found)) });
        let mut looks = std::pin::pin!(looks.buffered(AT_ONCE));
        while let Some((name, found)) = looks.try_next().await? {
            if let Some(record) = found.filter(|it| is_under_way(it, now)).map(|it| it.record) {
                self.restores.insert(record.backup_uid, name.clone());
            }
            self.seen.insert(name);
        }
        Ok(self.restores.get(uid).map(String::as_str))
    }
}

/// Records are written whole before a restore begins: one that cannot be read is of none.
async fn look(store: &BackupStore, name: &str) -> Result<Option<RestoreEntry>, store::Error> {
    match store.restore(name).await {
        Err(error) if error.is_damage() => Ok(None),
        found => found,
    }
}

fn is_under_way(entry: &RestoreEntry, now: Timestamp) -> bool {
    entry.is_unfinished() && now.duration_since(entry.record.start_timestamp) < GIVEN_UP
}
