//! Removing backups and restores.

use bowline_api::{Retention, StoreError};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use serde::de::DeserializeOwned;

use super::backup_store::{BackupStore, Error, SideFile};
use super::layout::{BackupKeys, DELETING, ProbeKeys, RESTORES, RestoreKeys};
use crate::engine::model::tombstone::{Leaving, Tombstone};

/// How many keys are looked at, or removed, at once.
const AT_ONCE: usize = 16;
/// What is written to see whether it can be removed.
const PROBE: Bytes = Bytes::from_static(b"bowline was here\n");

impl BackupStore {
    /// Reads the mark of a backup that is being deleted; one that cannot be read tells nothing.
    pub async fn tombstone(&self, name: &str) -> Result<Option<Tombstone>, Error> {
        self.readable(&BackupKeys(name).tombstone()).await
    }

    /// Marks a backup as being deleted; gives back the mark that is there.
    pub async fn mark_deleting(&self, tombstone: Tombstone) -> Result<Tombstone, Error> {
        let key = BackupKeys(&tombstone.name).tombstone();
        match self.create(&SideFile::json(key.clone(), &tombstone)?).await {
            Ok(()) => return Ok(tombstone),
            Err(error) if error.is_already_exists() => {}
            Err(error) => return Err(error),
        }
        if let Some(found) = self.readable(&key).await? {
            return Ok(found);
        }
        self.overwrite(&SideFile::json(key, &tombstone)?).await?;
        Ok(tombstone)
    }

    /// Whether all snapshots of a provider but the last one were removed.
    pub async fn is_leaving(&self, name: &str, mark: &Leaving) -> Result<bool, Error> {
        let found = self.readable::<Leaving>(&BackupKeys(name).leaving(&mark.provider)).await?;
        Ok(found.as_ref() == Some(mark))
    }

    /// Marks that all snapshots of a provider but the last one were removed.
    pub async fn mark_leaving(&self, name: &str, mark: &Leaving) -> Result<(), Error> {
        let file = SideFile::json(BackupKeys(name).leaving(&mark.provider), mark)?;
        match self.create(&file).await {
            Err(error) if error.is_already_exists() => {}
            other => return other,
        }
        if self.is_leaving(name, mark).await? { Ok(()) } else { self.overwrite(&file).await }
    }

    /// Removes the marks of a deletion; the tombstone goes last.
    pub async fn remove_marks(&self, name: &str) -> Result<(), Error> {
        for key in self.keys(&BackupKeys(name).all_leaving()).await? {
            self.remove(&key).await?;
        }
        self.remove(&BackupKeys(name).tombstone()).await
    }

    /// Writes a file and removes it again, to see whether the store lets us.
    pub async fn try_removal(&self) -> Result<(), Error> {
        // The same key each time: what a killed run leaves is removed by the next one.
        let key = ProbeKeys("deletion").object();
        match self.store.create(&key, PROBE).await {
            Ok(()) | Err(StoreError::AlreadyExists { .. }) => self.remove(&key).await,
            Err(error) => Err(error.into()),
        }
    }

    /// Whether anything lies below a backup's name.
    pub async fn holds_files(&self, name: &str) -> Result<bool, Error> {
        Ok(self.store.list(&BackupKeys(name).prefix()).try_next().await?.is_some())
    }

    /// Reads a JSON document; what is absent or damaged tells nothing.
    pub async fn readable<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        match self.json_if_there(key).await {
            Err(error) if error.is_damage() => Ok(None),
            read => read,
        }
    }

    /// Writes a file in place of one that is worth nothing.
    async fn overwrite(&self, file: &SideFile) -> Result<(), Error> {
        self.remove(&file.key).await?;
        self.create(file).await
    }

    /// Names the backups that are being deleted, in order.
    pub async fn deleting_names(&self) -> Result<Vec<String>, Error> {
        let marks: Vec<_> = self.store.list(DELETING).try_collect().await?;
        let name = |key: &str| Some(key.strip_prefix(DELETING)?.strip_suffix(".json")?.to_owned());
        Ok(marks.iter().filter_map(|mark| name(&mark.key)).collect())
    }

    /// Names all restores, whoever made them.
    pub async fn restore_names(&self) -> Result<Vec<String>, Error> {
        Ok(self.store.list_directories(RESTORES).await?)
    }

    /// The key below `prefix` that the store keeps the longest from being removed, if it still does.
    ///
    /// A hold without an end is the longest.
    pub async fn retained(
        &self,
        prefix: &str,
        now: Timestamp,
    ) -> Result<Option<(String, Retention)>, Error> {
        let found: Vec<(String, Option<Retention>)> = stream::iter(self.keys(prefix).await?)
            .map(|key| async move {
                match self.store.retention(&key).await {
                    Ok(retention) => Ok((key, retention)),
                    Err(StoreError::NotFound { .. }) => Ok((key, None)),
                    Err(error) => Err(error),
                }
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        let still = |retention: &Retention| retention.until.is_none_or(|until| until > now);
        let retained = found
            .into_iter()
            .filter_map(|(key, retention)| Some((key, retention.filter(|it| still(it))?)));
        Ok(retained.max_by_key(|(_, retention)| (retention.until.is_none(), retention.until)))
    }

    /// Removes one file; one that does not exist is removed already.
    pub async fn remove(&self, key: &str) -> Result<(), Error> {
        Ok(self.store.delete(key).await?)
    }

    /// Removes everything below `prefix`, unfinished uploads too; the key `last` goes last.
    pub async fn remove_below(&self, prefix: &str, last: &str) -> Result<(), Error> {
        self.store.abort_uploads(prefix).await?;
        let mut keys = self.keys(prefix).await?;
        keys.retain(|key| key != last);
        self.remove_keys(keys).await?;
        self.remove(last).await
    }

    /// Removes every file below `prefix`.
    pub(super) async fn remove_all(&self, prefix: &str) -> Result<(), Error> {
        self.remove_keys(self.keys(prefix).await?).await
    }

    async fn remove_keys(&self, keys: Vec<String>) -> Result<(), Error> {
        let removals = stream::iter(keys).map(|key| async move { self.store.delete(&key).await });
        Ok(removals.buffer_unordered(AT_ONCE).try_collect().await?)
    }

    /// Removes what an attempt that was never committed left behind; its own record goes last.
    pub async fn clear_attempt(&self, name: &str) -> Result<(), Error> {
        let keys = BackupKeys(name);
        self.remove_all(&keys.running_logs()).await?;
        self.remove_drills(name).await?;
        self.remove_below(&keys.prefix(), &keys.attempt()).await
    }

    /// Removes the records of a restore; what was asked goes last, so that it stays listed until
    /// then.
    pub async fn remove_restore(&self, name: &str) -> Result<(), Error> {
        let keys = RestoreKeys(name);
        self.remove_all(&keys.running_logs()).await?;
        self.remove_below(&keys.prefix(), &keys.record()).await
    }

    pub(super) async fn keys(&self, prefix: &str) -> Result<Vec<String>, Error> {
        Ok(self.store.list(prefix).map_ok(|object| object.key).try_collect().await?)
    }
}
