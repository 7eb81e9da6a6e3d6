//! What is known of a schedule, in numbers.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::standing::{self, Good, Standing};
use crate::engine::model::schedule::{Run, Schedule};
use crate::engine::store::{BackupStore, Error};

/// What is known of a schedule.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Its name.
    pub schedule: String,
    /// Whether nothing is made for now.
    pub paused: bool,
    /// Whether there is no good backup within its interval, or none is made, or nobody can tell.
    pub overdue: bool,
    /// The seconds between two runs.
    pub interval: Option<u64>,
    /// When the next run is due.
    pub next: Option<Timestamp>,
    /// When the newest good backup was completed.
    pub last_success: Option<Timestamp>,
    /// How many runs were due since the newest one began, and not made; none if that is not known.
    pub missed: Option<u64>,
    /// How many of its backups there are, be they good or not; none if that is not known.
    pub backups: Option<u64>,
    /// The newest run that came to its end.
    pub last: Option<Run>,
}

impl Figures {
    /// Reads what is known of a schedule; `there` are the names of all backups.
    pub async fn read(
        store: &BackupStore,
        there: &BTreeSet<String>,
        schedule: Schedule,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let runs = store.schedule_runs(schedule.name()).await?;
        let backups = runs.iter().filter(|run| there.contains(*run)).count() as u64;
        let standing = standing::of(store, schedule, now).await?;
        Ok(Self { backups: Some(backups), ..Self::of(&standing, now) })
    }

    /// Reads what is known of all schedules in a location. Of one that cannot be read it is known that
    /// nobody can tell whether it has its backup.
    pub async fn read_all(store: &BackupStore, now: Timestamp) -> Result<Vec<Self>, Error> {
        Self::read_these(store, store.schedule_names().await?, now).await
    }

    /// The same of some schedules, as far as they are there.
    pub async fn read_these(
        store: &BackupStore,
        names: Vec<String>,
        now: Timestamp,
    ) -> Result<Vec<Self>, Error> {
        let there = store.backup_names().await?.into_iter().collect();
        let mut all = Vec::new();
        for schedule in names {
            match Self::read_named(store, &there, &schedule, now).await {
                Ok(figures) => all.extend(figures),
                Err(error) if error.is_damage() => {
                    all.push(Self { schedule, overdue: true, ..Self::default() });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }

    async fn read_named(
        store: &BackupStore,
        there: &BTreeSet<String>,
        schedule: &str,
        now: Timestamp,
    ) -> Result<Option<Self>, Error> {
        let Some(found) = store.schedule(schedule).await? else { return Ok(None) };
        Self::read(store, there, found.document, now).await.map(Some)
    }

    fn of(standing: &Standing, now: Timestamp) -> Self {
        let interval = standing.interval.and_then(|it| u64::try_from(it.as_secs()).ok());
        let mut runs = standing.runs.iter().map(|seen| &seen.run);
        Self {
            schedule: standing.schedule.name().to_owned(),
            paused: standing.schedule.spec.paused,
            overdue: standing.fault().is_some() || standing.is_overdue(now, Good::default(), None),
            interval,
            next: standing.next,
            last_success: standing.last_success,
            missed: Some(standing.missed),
            backups: None,
            last: runs.find(|run| run.result.is_some()).cloned(),
        }
    }
}
