//! Schedules, the records of their runs, and holds.

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt as _;

use super::backup_store::{BackupStore, Error, SideFile, malformed};
use super::layout::{ATTEMPTS, BackupKeys, HOLDS, SCHEDULES, ScheduleKeys};
use crate::engine::model::schedule::{HoldRecord, Run, RunRecord, RunResult, Schedule};

/// A document that may be replaced, and the version of it that was read.
#[derive(Clone, Debug)]
pub struct Versioned<T> {
    /// The document.
    pub document: T,
    /// Means nothing but that it is still the same.
    pub version: String,
}

impl BackupStore {
    /// Names all schedules, in order.
    pub async fn schedule_names(&self) -> Result<Vec<String>, Error> {
        let name =
            |key: String| Some(key.strip_prefix(SCHEDULES)?.strip_suffix(".json")?.to_owned());
        let keys = self.keys(SCHEDULES).await?;
        Ok(keys.into_iter().filter_map(name).filter(|it| !it.contains('/')).collect())
    }

    /// Reads a schedule; none if there is none of that name.
    pub async fn schedule(&self, name: &str) -> Result<Option<Versioned<Schedule>>, Error> {
        let key = ScheduleKeys(name).document();
        // The version first: what is read after it is that, or newer, and then not replaced.
        let version = match self.store.head(&key).await {
            Ok(found) => found.version,
            Err(bowline_api::StoreError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let Some(document) = self.json_if_there::<Schedule>(&key).await? else { return Ok(None) };
        if document.name() != name {
            return Err(malformed(&key, format!("it names itself \"{}\"", document.name())));
        }
        Ok(Some(Versioned { document, version }))
    }

    /// Writes a schedule whose name must be free.
    pub async fn create_schedule(&self, schedule: &Schedule) -> Result<(), Error> {
        let key = ScheduleKeys(schedule.name()).document();
        self.create(&SideFile::json(key, schedule)?).await
    }

    /// Writes a schedule anew, if it is still the one that was read.
    pub async fn replace_schedule(&self, schedule: &Versioned<Schedule>) -> Result<(), Error> {
        let key = ScheduleKeys(schedule.document.name()).document();
        let file = SideFile::json(key, &schedule.document)?;
        self.store.replace(&file.key, file.content, &schedule.version).await?;
        Ok(())
    }

    /// Removes a schedule; its backups stay, and so do the records of its runs.
    pub async fn remove_schedule(&self, name: &str) -> Result<(), Error> {
        self.remove(&ScheduleKeys(name).document()).await
    }

    /// Writes that a run begins; fails if another one makes a backup of that name.
    pub async fn begin_run(&self, record: &RunRecord) -> Result<(), Error> {
        let key = ScheduleKeys(&record.schedule).run(&record.backup);
        self.create(&SideFile::json(key, record)?).await
    }

    /// Writes what came of a run; the first to say so is right.
    pub async fn end_run(&self, record: &RunRecord, result: &RunResult) -> Result<(), Error> {
        let key = ScheduleKeys(&record.schedule).result(&record.backup);
        match self.create(&SideFile::json(key, result)?).await {
            Err(error) if error.is_already_exists() => Ok(()),
            other => other,
        }
    }

    /// Reads a run of a schedule; none if there is none that makes that backup.
    pub async fn schedule_run(&self, schedule: &str, backup: &str) -> Result<Option<Run>, Error> {
        let keys = ScheduleKeys(schedule);
        let record: Option<RunRecord> = self.json_if_there(&keys.run(backup)).await?;
        let Some(record) = record else { return Ok(None) };
        let result: Option<RunResult> = self.json_if_there(&keys.result(backup)).await?;
        let result = result.filter(|result| result.uid == record.uid);
        Ok(Some(Run { record, result }))
    }

    /// Names the backups that runs of a schedule make, in order, and so by time.
    pub async fn schedule_runs(&self, schedule: &str) -> Result<Vec<String>, Error> {
        let prefix = ScheduleKeys(schedule).attempts();
        let keys = self.keys(&prefix).await?;
        let name = |key: &String| Some(key.strip_prefix(&prefix)?.split_once('/')?.0.to_owned());
        Ok(keys.iter().filter_map(name).collect::<BTreeSet<_>>().into_iter().collect())
    }

    /// Names the schedules of which there are runs, in order, be it that they are gone themselves.
    pub async fn recorded_schedules(&self) -> Result<Vec<String>, Error> {
        Ok(self.store.list_directories(ATTEMPTS).await?)
    }

    /// Removes the record and the log of a run; what says that there was one goes last.
    pub async fn remove_run(&self, schedule: &str, backup: &str) -> Result<(), Error> {
        let keys = ScheduleKeys(schedule);
        self.remove(&keys.log(backup)).await?;
        self.remove(&keys.result(backup)).await?;
        self.remove(&keys.run(backup)).await
    }

    /// Marks that a backup stays; gives back the mark that is there, be it an earlier one.
    pub async fn hold_backup(&self, record: HoldRecord) -> Result<HoldRecord, Error> {
        let key = BackupKeys(&record.backup).hold();
        match self.create(&SideFile::json(key.clone(), &record)?).await {
            Ok(()) => Ok(record),
            Err(error) if error.is_already_exists() => self.json(&key).await,
            Err(error) => Err(error),
        }
    }

    /// Reads the mark that a backup stays; none if there is none.
    pub async fn hold(&self, backup: &str) -> Result<Option<HoldRecord>, Error> {
        self.json_if_there(&BackupKeys(backup).hold()).await
    }

    /// Removes the mark that a backup stays.
    pub async fn release_backup(&self, backup: &str) -> Result<(), Error> {
        self.remove(&BackupKeys(backup).hold()).await
    }

    /// Reads all holds, by the backup's name.
    pub async fn held_backups(&self) -> Result<BTreeMap<String, HoldRecord>, Error> {
        let found: Vec<_> = self.store.list(HOLDS).try_collect().await?;
        let mut holds = BTreeMap::new();
        for key in found.into_iter().map(|object| object.key) {
            let Some(hold) = self.json_if_there::<HoldRecord>(&key).await? else { continue };
            holds.insert(hold.backup.clone(), hold);
        }
        Ok(holds)
    }
}
