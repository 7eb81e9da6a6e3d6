//! The expiry itself.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Tools;
use super::decide::decide;
use super::error::Error;
use super::records;
use super::report::{BackupFate, Fate, Report};
use super::survey::Survey;
use super::users::Users;
use crate::engine::clock::{Clock, TOLERANCE};
use crate::engine::delete::{self, DeleteReport};
use crate::engine::event::{Event, Stage};
use crate::engine::report::{Phase, Problem, chain};
use crate::engine::schedule::handled::Handled;
use crate::engine::store::{self, BackupKeys};

/// What is asked.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The schedules whose backups are looked at; all backups if none is named.
    pub schedules: Vec<String>,
    /// Whether it is only told what would go.
    pub dry_run: bool,
}

/// An expiry under way.
struct Expiry<'a> {
    tools: &'a Tools,
    dry_run: bool,
    clock: Clock,
    /// When it was decided what goes.
    now: Timestamp,
    users: Users,
    warnings: Vec<Problem>,
    errors: Vec<Problem>,
}

/// Removes what no rule keeps and whose time has come, and finishes deletions that were begun.
///
/// What goes wrong with one of them does not keep the others; it is in the report.
pub async fn expire(tools: &Tools, request: &Request) -> Result<Report, Error> {
    tools.observer.observe(&Event::Stage(Stage::Planning));
    let (clock, difference) = clock(tools, request.dry_run).await?;
    let now = clock.now();
    let survey = Survey::make(&tools.store, request).await?;
    let mut fates = decide(&tools.store, &survey, now).await?;
    let (users, dry_run) = (Users::default(), request.dry_run);
    let (warnings, errors) = (difference.into_iter().collect(), Vec::new());
    let mut expiry = Expiry { tools, dry_run, clock, now, users, warnings, errors };
    for problem in &survey.errors {
        expiry.fail(problem.clone());
    }
    for fate in fates.iter_mut().rev().filter(|fate| fate.verdict == Fate::Remove) {
        if let Err(error) = expiry.remove(fate).await {
            let why = chain(&error);
            expiry.fail(Problem::of_run("expire", format!("backup \"{}\": {why}", fate.name)));
            fate.become_so(Fate::Failed, why);
        }
    }
    let runs = expiry.remove_records(&survey, &fates).await;
    Ok(expiry.report(fates, runs))
}

/// The one of the machine's clock and the store's that is behind, and how they differ, if they do:
/// whichever is wrong, what is to go must be over by both.
///
/// Asking for the store's writes an object, so a dry run goes by the machine's.
async fn clock(tools: &Tools, dry_run: bool) -> Result<(Clock, Option<Problem>), store::Error> {
    if dry_run {
        return Ok((tools.clock, None));
    }
    let (store, machine) = (tools.store.time().await?, tools.clock.now());
    let difference = difference(machine, store);
    if let Some(problem) = &difference {
        tools.observer.observe(&Event::Warning(problem));
    }
    Ok((Clock::set_to(store.min(machine)), difference))
}

/// Tells of a clock that is wrong, be it the machine's or the store's.
fn difference(machine: Timestamp, store: Timestamp) -> Option<Problem> {
    if machine.duration_since(store).abs() <= TOLERANCE {
        return None;
    }
    let message = format!(
        "by this machine's clock it is {machine}, by that of the storage location {store}; the \
         earlier one was gone by"
    );
    let hint = "set the one that is wrong: dry runs and schedules go by this machine's";
    Some(Problem::of_run("compare clocks", message).with_hint(hint))
}

impl Request {
    /// Whether this schedule is meant.
    pub(super) fn is_asked(&self, schedule: &str) -> bool {
        self.schedules.is_empty() || self.schedules.iter().any(|name| name == schedule)
    }
}

impl Expiry<'_> {
    /// Removes a backup, unless somebody reads or keeps it.
    async fn remove(&mut self, fate: &mut BackupFate) -> Result<(), delete::Error> {
        let store = &self.tools.store;
        if fate.phase != Phase::Deleting
            && let Some(uid) = &fate.uid
            && let Some(restore) = self.users.of(store, uid, self.now).await?
        {
            let reason = format!("restore \"{restore}\" has not ended and reads it");
            fate.become_so(Fate::Keep, reason);
            return Ok(());
        }
        if self.dry_run {
            let retained = store.retained(&BackupKeys(&fate.name).prefix(), self.now).await?;
            if let Some((_, retention)) = retained {
                fate.become_so(Fate::Retained, how_long(retention.until));
            }
            return Ok(());
        }
        match self.delete(fate).await {
            Ok(report) => self.deleted(fate, report),
            Err(delete::Error::Retained { until, .. }) => {
                fate.become_so(Fate::Retained, how_long(until));
            }
            Err(error @ delete::Error::Held { .. }) => {
                fate.become_so(Fate::Held, error.to_string());
            }
            Err(error @ delete::Error::Renewed { .. }) => {
                fate.become_so(Fate::Keep, error.to_string());
            }
            Err(delete::Error::NotFound { .. }) => {
                fate.become_so(Fate::Removed, "somebody else has removed it".to_owned());
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn delete(&self, fate: &BackupFate) -> Result<DeleteReport, delete::Error> {
        let Tools { store, snapshotters, observer, .. } = self.tools;
        let (name, uid) = (&fate.name, fate.uid.as_deref());
        let request = delete::Request { name, uid, ignore_missing_snapshots: false };
        delete::backup(store, snapshotters, observer, self.clock, request).await
    }

    /// What the deletion had to say was told already.
    fn deleted(&mut self, fate: &mut BackupFate, report: DeleteReport) {
        if report.phase == Phase::Completed {
            fate.verdict = Fate::Removed;
        } else {
            fate.become_so(Fate::Failed, "not all of it could be removed".to_owned());
        }
        fate.snapshots = report.snapshots;
        self.warnings.extend(report.warnings);
        self.errors.extend(report.errors);
    }

    /// Removes the records of runs that are long over; tells how many.
    async fn remove_records(&mut self, survey: &Survey, fates: &[BackupFate]) -> usize {
        let mut there = survey.names.clone();
        for fate in fates.iter().filter(|it| matches!(it.verdict, Fate::Removed | Fate::Remove)) {
            there.remove(&fate.name);
        }
        let (mut removed, mut handled) = (0, BTreeMap::new());
        for run in records::obsolete(survey, &there, self.now) {
            let handled = handled.entry(run.0).or_default();
            match self.remove_record(survey, run, handled).await {
                Ok(is_gone) => removed += usize::from(is_gone),
                Err(error) => self.fail(of_run(run, &error)),
            }
        }
        removed
    }

    async fn remove_record(
        &self,
        survey: &Survey,
        run: (&str, &str),
        handled: &mut Handled,
    ) -> Result<bool, store::Error> {
        let store = &self.tools.store;
        if records::is_needed(store, survey, run, handled, self.now).await? {
            return Ok(false);
        }
        records::remove(store, run, self.now, self.dry_run).await
    }

    fn fail(&mut self, problem: Problem) {
        self.tools.observer.observe(&Event::Error(&problem));
        self.errors.push(problem);
    }

    fn report(self, backups: Vec<BackupFate>, runs: usize) -> Report {
        Report {
            location: self.tools.store.url().to_owned(),
            dry_run: self.dry_run,
            phase: Phase::of_errors(self.errors.len()),
            backups,
            runs,
            warnings: self.warnings,
            errors: self.errors,
        }
    }
}

fn of_run((schedule, backup): (&str, &str), error: &store::Error) -> Problem {
    let message = format!("the run of \"{schedule}\" that made \"{backup}\": {}", chain(error));
    Problem::of_run("expire", message)
}

fn how_long(until: Option<Timestamp>) -> String {
    until.map_or_else(
        || "retained by a legal hold".to_owned(),
        |time| format!("retained until {time}"),
    )
}
