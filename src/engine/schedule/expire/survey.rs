//! What there is: backups, schedules, runs and holds.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::error::Error;
use super::perform::Request;
use crate::engine::model::backup::Attempt;
use crate::engine::model::filter::closest;
use crate::engine::model::schedule::{HoldRecord, Schedule};
use crate::engine::report::{Problem, chain};
use crate::engine::schedule::retention::{Candidate, Policy};
use crate::engine::schedule::template;
use crate::engine::store::{self, BackupState, BackupStore};

/// How many backups are looked at at once.
const AT_ONCE: usize = 16;

/// What there is; of a backup only what matters here.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// The names of all backups, also of those that are not looked at.
    pub names: BTreeSet<String>,
    pub candidates: Vec<Candidate>,
    pub incomplete: Vec<Incomplete>,
    /// Those whose deletion was begun.
    pub deleting: Vec<String>,
    /// Those that cannot be read, and why.
    pub invalid: Vec<(String, String)>,
    pub policies: BTreeMap<String, Policy>,
    /// Schedules whose rules are not known: none of their backups goes.
    pub unknown: BTreeSet<String>,
    /// By schedule, the names of the backups that its runs made or tried to make.
    pub runs: BTreeMap<String, Vec<String>>,
    pub held: BTreeMap<String, HoldRecord>,
    pub errors: Vec<Problem>,
}

/// A backup that was begun and is not committed.
#[derive(Debug)]
pub(super) struct Incomplete {
    pub name: String,
    pub attempt: Option<Attempt>,
}

impl Survey {
    pub(super) async fn make(store: &BackupStore, request: &Request) -> Result<Self, Error> {
        let mut survey = Self { held: store.held_backups().await?, ..Self::default() };
        let schedules = store.schedule_names().await?;
        survey.read_schedules(store, schedules.iter().filter(|it| request.is_asked(it))).await?;
        survey.read_runs(store, request).await?;
        survey.read_backups(store).await?;
        if !request.schedules.is_empty() {
            survey.limit_to(&request.schedules);
        }
        let unknown = request.schedules.iter().find(|it| !survey.knows(it));
        match unknown {
            None => Ok(survey),
            Some(name) => Err(Error::NotFound {
                name: name.clone(),
                location: store.url().to_owned(),
                similar: closest(name, &schedules).map(ToOwned::to_owned),
            }),
        }
    }

    async fn read_schedules(
        &mut self,
        store: &BackupStore,
        names: impl Iterator<Item = &String>,
    ) -> Result<(), store::Error> {
        for name in names {
            match store.schedule(name).await {
                Ok(None) => {}
                Ok(Some(schedule)) => self.read_rules(name, &schedule.document),
                Err(error) if error.is_damage() => self.give_up_on(name, &error),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn read_rules(&mut self, name: &str, schedule: &Schedule) {
        if let Err(error) = template::check(schedule) {
            return self.give_up_on(name, &error);
        }
        match Policy::of(schedule) {
            Ok(policy) => drop(self.policies.insert(name.to_owned(), policy)),
            Err(error) => self.give_up_on(name, &error),
        }
    }

    async fn read_runs(
        &mut self,
        store: &BackupStore,
        request: &Request,
    ) -> Result<(), store::Error> {
        for name in store.recorded_schedules().await?.into_iter().filter(|it| request.is_asked(it))
        {
            let runs = store.schedule_runs(&name).await?;
            self.runs.insert(name, runs);
        }
        Ok(())
    }

    fn give_up_on(&mut self, schedule: &str, error: &dyn std::error::Error) {
        let message = format!("schedule \"{schedule}\" cannot be used: {}", chain(error));
        let hint = "none of its backups goes until it can be read";
        self.errors.push(Problem::of_run("read schedule", message).with_hint(hint));
        self.unknown.insert(schedule.to_owned());
    }

    async fn read_backups(&mut self, store: &BackupStore) -> Result<(), store::Error> {
        let names = store.backup_names().await?;
        self.names.extend(names.iter().cloned());
        let reads = stream::iter(names)
            .map(|name| async move { store.backup(&name).await.map(|state| (name, state)) });
        let mut reads = std::pin::pin!(reads.buffered(AT_ONCE));
        while let Some((name, state)) = reads.try_next().await? {
            match state {
                None => {}
                Some(BackupState::Committed(backup)) => {
                    self.candidates.push(Candidate::of(&backup));
                }
                Some(BackupState::Incomplete(attempt)) => {
                    self.incomplete.push(Incomplete { name, attempt });
                }
                Some(BackupState::Deleting) => self.deleting.push(name),
                Some(BackupState::Invalid(reason)) => self.invalid.push((name, reason)),
            }
        }
        Ok(())
    }

    /// Leaves out all but the backups of these schedules; one that is no longer, or not yet, labelled
    /// is known by the record of its run.
    fn limit_to(&mut self, schedules: &[String]) {
        let is_asked = |name: &str| schedules.iter().any(|other| other == name);
        let made: BTreeSet<&String> = self.runs.values().flatten().collect();
        self.candidates.retain(|it| it.schedule.as_deref().is_some_and(is_asked));
        self.incomplete.retain(|it| made.contains(&it.name));
        self.deleting.retain(|name| made.contains(name));
        self.invalid.retain(|(name, _)| made.contains(name));
    }

    /// Whether there is a schedule of this name, be it that it cannot be read.
    pub(super) fn is_there(&self, schedule: &str) -> bool {
        self.policies.contains_key(schedule) || self.unknown.contains(schedule)
    }

    /// Whether there is such a schedule, or anything that one of that name has left.
    fn knows(&self, schedule: &str) -> bool {
        self.is_there(schedule)
            || self.runs.contains_key(schedule)
            || self.candidates.iter().any(|it| it.schedule.as_deref() == Some(schedule))
    }

    /// The schedule of a backup, by the record of the run that made it.
    pub(super) fn schedule_of(&self, backup: &str) -> Option<&str> {
        let made = |names: &Vec<String>| names.iter().any(|name| name == backup);
        self.runs.iter().find(|(_, names)| made(names)).map(|(schedule, _)| schedule.as_str())
    }
}
