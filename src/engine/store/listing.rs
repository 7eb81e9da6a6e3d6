//! What backups and restores a location holds.

use futures::TryStreamExt as _;
use serde::Serialize;

use super::backup_store::{BackupStore, Error, malformed};
use super::layout::{BACKUPS, BackupKeys, RESTORES, RestoreKeys, check_name};
use crate::engine::model::backup::{Attempt, Backup};
use crate::engine::model::restore::RestoreRecord;
use crate::engine::report::RestoreReport;

/// A directory below `backups/`.
#[derive(Clone, Debug)]
pub struct BackupEntry {
    /// The name of the backup.
    pub name: String,
    /// What it holds.
    pub state: BackupState,
}

/// What is there under a backup's name.
#[derive(Clone, Debug)]
pub enum BackupState {
    /// A backup; its phase tells whether it is good.
    Committed(Box<Backup>),
    /// An attempt that was not committed: it runs, or it was killed.
    Incomplete(Option<Attempt>),
    /// A deletion that was not finished.
    Deleting,
    /// Something is there, but not a backup.
    Invalid(String),
}

/// A directory below `restores/`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoreEntry {
    /// What was asked.
    pub record: RestoreRecord,
    /// What came of it; none if it runs or was interrupted.
    pub result: Option<RestoreReport>,
}

impl BackupStore {
    /// Names all backups, good or not.
    pub async fn backup_names(&self) -> Result<Vec<String>, Error> {
        Ok(self.store.list_directories(BACKUPS).await?)
    }

    /// Lists the backups, by name.
    pub async fn backups(&self) -> Result<Vec<BackupEntry>, Error> {
        let mut entries = Vec::new();
        for name in self.backup_names().await? {
            if let Some(state) = self.backup(&name).await? {
                entries.push(BackupEntry { name, state });
            }
        }
        Ok(entries)
    }

    /// Looks up what is there under a backup's name; none if the name is free.
    pub async fn backup(&self, name: &str) -> Result<Option<BackupState>, Error> {
        if let Err(invalid) = check_name(name) {
            return Ok(Some(BackupState::Invalid(invalid.to_string())));
        }
        let keys = BackupKeys(name);
        if self.exists(&keys.tombstone()).await? {
            return Ok(Some(BackupState::Deleting));
        }
        match self.json::<Backup>(&keys.metadata()).await {
            Ok(backup) => Ok(Some(match backup.validate(name) {
                Ok(()) => BackupState::Committed(Box::new(backup)),
                Err(reason) => BackupState::Invalid(reason.to_string()),
            })),
            Err(error) if error.is_not_found() => self.uncommitted(keys).await,
            Err(Error::Malformed { source, .. }) => {
                Ok(Some(BackupState::Invalid(source.to_string())))
            }
            Err(error) => Err(error),
        }
    }

    async fn uncommitted(&self, keys: BackupKeys<'_>) -> Result<Option<BackupState>, Error> {
        match self.json::<Attempt>(&keys.attempt()).await {
            Ok(attempt) => Ok(Some(BackupState::Incomplete(Some(attempt)))),
            Err(error) if error.is_not_found() => {
                let first = self.store.list(&keys.prefix()).try_next().await?;
                Ok(first.map(|_| BackupState::Incomplete(None)))
            }
            Err(Error::Malformed { .. }) => Ok(Some(BackupState::Incomplete(None))),
            Err(error) => Err(error),
        }
    }

    /// Lists the restores that bowline made, by name.
    pub async fn restores(&self) -> Result<Vec<RestoreEntry>, Error> {
        let mut entries = Vec::new();
        for name in self.store.list_directories(RESTORES).await? {
            entries.extend(self.restore(&name).await?);
        }
        Ok(entries)
    }

    /// Looks up a restore; none if bowline made none of that name.
    pub async fn restore(&self, name: &str) -> Result<Option<RestoreEntry>, Error> {
        let keys = RestoreKeys(name);
        let record: RestoreRecord = match self.json(&keys.record()).await {
            Err(error) if error.is_not_found() => return Ok(None),
            other => other?,
        };
        if record.name != name {
            let reason = format!("it names itself \"{}\"", record.name);
            return Err(malformed(&keys.record(), reason));
        }
        let result = match self.json(&keys.result()).await {
            Ok(result) => Some(result),
            Err(error) if error.is_not_found() => None,
            Err(error) => return Err(error),
        };
        Ok(Some(RestoreEntry { record, result }))
    }
}
