//! Runs of schedules that have come to no end.

use std::collections::BTreeMap;

use super::backup_store::{BackupStore, Error, SideFile};
use super::layout::{BackupKeys, ScheduleKeys};

impl BackupStore {
    /// Names the backups that runs of a schedule make which have a beginning and no end, in order.
    pub async fn unended_runs(&self, schedule: &str) -> Result<Vec<String>, Error> {
        let keys = ScheduleKeys(schedule);
        let prefix = keys.attempts();
        let mut runs: BTreeMap<String, (bool, bool)> = BTreeMap::new();
        for key in self.keys(&prefix).await? {
            let Some((backup, _)) = key.strip_prefix(&prefix).and_then(|it| it.split_once('/'))
            else {
                continue;
            };
            let (begun, ended) = runs.entry(backup.to_owned()).or_default();
            *begun |= key == keys.run(backup);
            *ended |= key == keys.result(backup);
        }
        Ok(runs
            .into_iter()
            .filter(|(_, run)| *run == (true, false))
            .map(|(name, _)| name)
            .collect())
    }

    /// The keys of the leases of single runs of a schedule.
    pub async fn run_leases(&self, schedule: &str) -> Result<Vec<String>, Error> {
        self.keys(&ScheduleKeys(schedule).run_leases()).await
    }

    /// Writes the log of a run that made no backup; one that is there stays.
    pub async fn write_run_log(
        &self,
        schedule: &str,
        backup: &str,
        packed: Vec<u8>,
    ) -> Result<(), Error> {
        let key = ScheduleKeys(schedule).log(backup);
        match self.create(&SideFile { key, content: packed.into() }).await {
            Err(error) if error.is_already_exists() => Ok(()),
            other => other,
        }
    }

    /// Makes the pieces of the log that a killed run left the log of that run, if there are any.
    pub async fn keep_pieces(&self, schedule: &str, backup: &str) -> Result<(), Error> {
        let mut text = String::new();
        for key in self.keys(&BackupKeys(backup).running_logs()).await? {
            text.push_str(&self.text(&key).await?.unwrap_or_default());
        }
        if text.is_empty() {
            return Ok(());
        }
        let file = SideFile::gz(ScheduleKeys(schedule).log(backup), text.as_bytes())?;
        match self.create(&file).await {
            Err(error) if error.is_already_exists() => Ok(()),
            other => other,
        }
    }
}
