//! What backups and restores a location holds.

use std::collections::BTreeSet;

use futures::TryStreamExt as _;

use super::backup_store::{BackupStore, Error, malformed};
use super::layout::{BACKUPS, BackupKeys, RestoreKeys, check_name, run_of};
use crate::engine::model::backup::{Attempt, Backup, ProviderRecord};
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
#[derive(Clone, Debug)]
pub struct RestoreEntry {
    /// What was asked.
    pub record: RestoreRecord,
    /// What came of it, as the newest run that came to its end says.
    pub result: Option<RestoreReport>,
    /// How many runs were begun.
    pub runs: u32,
    /// The keys of the logs that were written whole, in the order of the runs.
    pub logs: Vec<String>,
}

impl RestoreEntry {
    /// Whether the newest run runs still, or was interrupted.
    pub fn is_unfinished(&self) -> bool {
        self.result.as_ref().is_none_or(|result| result.run < self.runs)
    }
}

impl BackupStore {
    /// Names all backups, good or not, in order; one of which only its tombstone is left, too.
    pub async fn backup_names(&self) -> Result<Vec<String>, Error> {
        let mut names: BTreeSet<_> =
            self.store.list_directories(BACKUPS).await?.into_iter().collect();
        names.extend(self.deleting_names().await?);
        Ok(names.into_iter().collect())
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
        match self.json_if_there::<Backup>(&keys.metadata()).await {
            Ok(None) => self.uncommitted(keys).await,
            Ok(Some(backup)) => Ok(Some(match backup.validate(name) {
                Ok(()) => BackupState::Committed(Box::new(backup)),
                Err(reason) => BackupState::Invalid(reason.to_string()),
            })),
            Err(Error::Malformed { source, .. }) => {
                Ok(Some(BackupState::Invalid(source.to_string())))
            }
            Err(error) if error.is_damage() => Ok(Some(BackupState::Invalid(error.to_string()))),
            Err(error) => Err(error),
        }
    }

    /// Whether an incomplete backup lacks nothing but the end of its snapshots, and its commit.
    pub async fn is_finishable(&self, name: &str) -> Result<bool, Error> {
        self.exists(&BackupKeys(name).pending()).await
    }

    /// Reads the records of the providers that a backup asked for snapshots, by provider.
    ///
    /// Fails if only one of them cannot be read: its snapshots would be forgotten.
    pub async fn providers(&self, name: &str) -> Result<Vec<ProviderRecord>, Error> {
        let keys = BackupKeys(name);
        let found: Vec<_> = self.store.list(&keys.prefix()).try_collect().await?;
        let mut records = Vec::new();
        for key in found.into_iter().map(|object| object.key) {
            let Some(provider) = keys.provider_of(&key) else { continue };
            let record: ProviderRecord = self.json(&key).await?;
            if record.provider != provider {
                let reason = format!("it names provider \"{}\"", record.provider);
                return Err(malformed(&key, reason));
            }
            records.push(record);
        }
        Ok(records)
    }

    async fn uncommitted(&self, keys: BackupKeys<'_>) -> Result<Option<BackupState>, Error> {
        match self.json_if_there(&keys.attempt()).await {
            Ok(Some(attempt)) => Ok(Some(BackupState::Incomplete(Some(attempt)))),
            Ok(None) => {
                let first = self.store.list(&keys.prefix()).try_next().await?;
                Ok(first.map(|_| BackupState::Incomplete(None)))
            }
            Err(error) if error.is_damage() => Ok(Some(BackupState::Incomplete(None))),
            Err(error) => Err(error),
        }
    }

    /// Looks up a restore; none if bowline made none of that name.
    pub async fn restore(&self, name: &str) -> Result<Option<RestoreEntry>, Error> {
        let keys = RestoreKeys(name);
        let record: Option<RestoreRecord> = self.json_if_there(&keys.record()).await?;
        let Some(record) = record else { return Ok(None) };
        if record.name != name {
            let reason = format!("it names itself \"{}\"", record.name);
            return Err(malformed(&keys.record(), reason));
        }
        let found = self.keys(&keys.prefix()).await?;
        let runs = found.iter().filter_map(|key| keys.begun_run(key)).max().unwrap_or(1);
        let logs = of_runs(&keys.logs(), &found).into_iter().map(str::to_owned).collect();
        let result = match of_runs(&keys.result(), &found).last() {
            Some(key) => self.json_if_there(key).await?,
            None => None,
        };
        Ok(Some(RestoreEntry { record, result, runs, logs }))
    }

    /// The key under which the newest run of a restore wrote a file; the first one's if none did.
    pub async fn newest(&self, name: &str, key: &str) -> Result<String, Error> {
        let found = self.keys(&RestoreKeys(name).prefix()).await?;
        Ok(of_runs(key, &found).last().copied().unwrap_or(key).to_owned())
    }

    /// The keys under which the runs of a restore wrote a file, the oldest run first.
    pub async fn of_all_runs(&self, name: &str, key: &str) -> Result<Vec<String>, Error> {
        let found = self.keys(&RestoreKeys(name).prefix()).await?;
        Ok(of_runs(key, &found).into_iter().map(str::to_owned).collect())
    }
}

/// The keys under which runs wrote a file, the oldest run first.
fn of_runs<'a>(key: &str, found: &'a [String]) -> Vec<&'a str> {
    let mut keys: Vec<_> =
        found.iter().filter_map(|it| Some((run_of(key, it)?, it.as_str()))).collect();
    keys.sort_unstable();
    keys.into_iter().map(|(_, key)| key).collect()
}
