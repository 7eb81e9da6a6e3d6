//! What others see of `bowline schedule run`: a line for each event, notices, and metrics.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::LocalBoxFuture;

use crate::cli::endpoint::Site;
use crate::cli::error::CliError;
use crate::cli::outlets::OutletArgs;
use crate::cli::settings::Settings;
use crate::cli::units::counted;
use crate::engine::context::Context;
use crate::engine::model::schedule::Schedule;
use crate::engine::report::chain;
use crate::engine::schedule::attempt::{Attempted, Error};
use crate::engine::schedule::expire::{self, BackupFate, Fate};
use crate::engine::schedule::metrics::{Figures, Metrics};
use crate::engine::schedule::runner::{Attendant, Happening};
use crate::engine::schedule::standing;
use crate::engine::store;

/// How old may be what is told of how schedules stand; what this process does shows at once.
const REFRESH: Duration = Duration::from_mins(1);

/// What others see of this process: a line for each event, and its endpoint.
pub(super) struct Station<'a> {
    settings: &'a Settings,
    context: &'a Context,
    outlets: OutletArgs,
    state: Mutex<State>,
    metrics: Metrics,
}

#[derive(Debug, Default)]
struct State {
    /// How many schedules are run; none before they were read.
    schedules: Option<usize>,
    /// Why they cannot be read.
    trouble: Option<String>,
    going_on: usize,
    /// When it was read last how the schedules stand; none if that has changed since.
    read: Option<Instant>,
}

impl<'a> Station<'a> {
    pub(super) fn new(settings: &'a Settings, context: &'a Context, outlets: OutletArgs) -> Self {
        let (state, metrics) = (Mutex::default(), Metrics::default());
        Self { settings, context, outlets, state, metrics }
    }

    fn state<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn say(&self, text: &str) {
        self.settings.note(&format!("{} {text}", self.settings.clock.now()));
    }

    /// Tells of a run, and removes what has expired once it has made a backup.
    async fn conclude(&self, schedule: &Schedule, result: &Result<Attempted, Error>) {
        let (settings, store) = (self.settings, &self.context.store);
        let attempted = result.as_ref();
        self.outlets.tell_attempt(settings, store.url(), schedule, attempted).await;
        self.count(schedule, result).await;
        if let Ok(Attempted::Made(_)) = result {
            self.expire(schedule.name()).await;
        }
        self.outlets.tell_standing(settings, store, schedule).await;
        self.state(|state| state.read = None);
    }

    /// Adds a run to the metrics, as its records have it.
    async fn count(&self, schedule: &Schedule, result: &Result<Attempted, Error>) {
        let backup = match result {
            Ok(Attempted::Made(report)) => Some(report.name.as_str()),
            Ok(Attempted::LeftOut { .. }) => return,
            Err(_) => None,
        };
        let recorded = match backup {
            Some(backup) => self.context.store.schedule_run(schedule.name(), backup).await,
            None => Ok(None),
        };
        match recorded {
            Ok(Some(run)) => self.metrics.add_run(&run),
            _ => self.metrics.add_failure(schedule.name()),
        }
    }

    async fn expire(&self, schedule: &str) {
        let request = expire::Request { schedules: vec![schedule.to_owned()], dry_run: false };
        match expire::expire(&expire::Tools::of(self.context), &request).await {
            Ok(report) => report.backups.iter().for_each(|it| self.expired(schedule, it)),
            Err(error) => {
                let error = CliError::of(&error);
                let what = format!("the older backups of schedule {schedule} were not expired");
                self.settings.complain(&error.within(what));
            }
        }
    }

    fn expired(&self, schedule: &str, fate: &BackupFate) {
        match fate.verdict {
            Fate::Removed => {
                self.metrics.add_deletion(schedule, true);
                self.say(&format!("backup {} had expired and was deleted", fate.name));
            }
            Fate::Failed => self.metrics.add_deletion(schedule, false),
            _ => {}
        }
    }

    /// Reads how the schedules stand, unless that was done a moment ago.
    async fn refresh(&self) -> Result<(), store::Error> {
        if self.state(|state| state.read.is_some_and(|read| read.elapsed() < REFRESH)) {
            return Ok(());
        }
        let (store, now) = (&self.context.store, self.settings.clock.now());
        let mut figures = Vec::new();
        for name in store.schedule_names().await? {
            let Some(found) = store.schedule(&name).await? else { continue };
            figures.push(Figures::of(&standing::of(store, found.document, now).await?, now));
        }
        self.metrics.set(&figures);
        self.state(|state| state.read = Some(Instant::now()));
        Ok(())
    }

    fn looked(&self, schedules: usize) {
        let before = self.state(|state| {
            state.trouble = None;
            state.schedules.replace(schedules)
        });
        if before != Some(schedules) {
            self.say(&format!("running {}", counted(schedules, "schedule")));
        }
    }
}

impl Attendant for Station<'_> {
    fn observe(&self, happening: &Happening<'_>) {
        match happening {
            Happening::Looked { schedules, .. } => self.looked(*schedules),
            Happening::Unreachable(error) => {
                let trouble = chain(*error);
                self.say(&format!("the storage location cannot be read: {trouble}"));
                self.state(|state| state.trouble = Some(trouble));
            }
            Happening::NotRun { schedule, reason } => {
                self.say(&format!("schedule {schedule} is not run: {reason}"));
            }
            Happening::Begins { schedule, due } => {
                self.state(|state| state.going_on += 1);
                let missed = match due.missed {
                    0 => String::new(),
                    missed => format!(", for {missed} earlier ones too"),
                };
                self.say(&format!("schedule {schedule} begins the run of {}{missed}", due.at));
                self.metrics.add_missed(schedule, due.missed);
            }
            Happening::Ended { schedule, result } => {
                let schedule = schedule.name();
                self.state(|state| state.going_on = state.going_on.saturating_sub(1));
                match result {
                    Ok(Attempted::Made(report)) => self.say(&format!(
                        "schedule {schedule} made {}: {}, {}, {}",
                        report.name,
                        report.phase,
                        counted(usize::try_from(report.items).unwrap_or(usize::MAX), "object"),
                        counted(report.errors.len(), "error"),
                    )),
                    Ok(Attempted::LeftOut { reason }) => {
                        self.say(&format!("schedule {schedule} made no backup: {reason}"));
                    }
                    Err(error) => self.settings.complain(
                        &CliError::of(error).within(format!("schedule {schedule} failed")),
                    ),
                }
            }
            Happening::Stopping { runs: 0 } => self.say("stopping"),
            Happening::Stopping { runs } => {
                self.say(&format!("stopping once {} ended", counted(*runs, "run")));
            }
        }
    }

    fn after_run<'a>(
        &'a self,
        schedule: &'a Schedule,
        result: &'a Result<Attempted, Error>,
    ) -> LocalBoxFuture<'a, ()> {
        self.conclude(schedule, result).boxed_local()
    }
}

impl Site for Station<'_> {
    fn readiness(&self) -> Result<(), String> {
        self.state(|state| match (&state.trouble, state.schedules) {
            (Some(trouble), _) => Err(format!("the storage location cannot be read: {trouble}")),
            (None, None) => Err("the schedules were not read yet".to_owned()),
            (None, Some(_)) => Ok(()),
        })
    }

    async fn metrics(&self) -> Result<String, String> {
        self.refresh().await.map_err(|error| chain(&error))?;
        let (schedules, going_on) =
            self.state(|state| (state.schedules.unwrap_or_default(), state.going_on));
        let gauges = [
            ("bowline_runner_schedules", "How many schedules this process runs.", schedules),
            ("bowline_runner_runs", "How many runs go on in this process.", going_on),
        ];
        let lines = gauges.map(|(name, help, value)| {
            format!("# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n")
        });
        let rest = self.metrics.render().map_err(|error| chain(&error))?;
        Ok(lines.concat() + &rest)
    }
}
