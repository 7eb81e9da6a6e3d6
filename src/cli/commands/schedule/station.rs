//! What others see of `bowline schedule run`: a line for each event, notices, and metrics.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::LocalBoxFuture;
use jiff::Timestamp;

use crate::cli::endpoint::Site;
use crate::cli::error::CliError;
use crate::cli::outlets::OutletArgs;
use crate::cli::settings::Settings;
use crate::cli::units::counted;
use crate::engine::context::Context;
use crate::engine::model::schedule::Schedule;
use crate::engine::report::chain;
use crate::engine::schedule::attempt::{Attempted, Error};
use crate::engine::schedule::due::Occurrence;
use crate::engine::schedule::expire::{self, BackupFate, Fate};
use crate::engine::schedule::figures::Figures;
use crate::engine::schedule::metrics::Metrics;
use crate::engine::schedule::runner::{Attendant, Happening};
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
    /// The schedules of the runs that go on.
    going_on: Vec<String>,
    /// When it was read last how the schedules stand; none if that has changed since.
    read: Option<Instant>,
    /// By schedule, the due time of which it was told last that it failed and is tried again.
    failing: BTreeMap<String, Timestamp>,
}

impl State {
    /// Whether a run that is over is to be told and counted: one that is tried again, once a minute
    /// at that, is so only the first time.
    fn is_news(
        &mut self,
        schedule: &str,
        due: Timestamp,
        result: &Result<Attempted, Error>,
    ) -> bool {
        !matches!(result, Err(error) if error.is_passing())
            || self.failing.insert(schedule.to_owned(), due) != Some(due)
    }
}

/// How many times went by without a run, now that one for them is over; none while it is tried again.
fn missed(due: Occurrence, result: &Result<Attempted, Error>) -> u64 {
    match result {
        // Every one that it stands for, and itself.
        Err(Error::TooLate { .. }) => due.missed + 1,
        Err(error) if error.is_passing() => 0,
        Ok(Attempted::LeftOut { .. }) => 0,
        Ok(Attempted::Made(_)) | Err(_) => due.missed,
    }
}

/// What becomes of runs that are cut off.
pub(super) fn cut_off(schedules: &str) -> String {
    format!(
        "the next run of each schedule finishes or clears what the one that was cut off has begun \
         ({schedules})"
    )
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
    async fn conclude(
        &self,
        schedule: &Schedule,
        due: Timestamp,
        result: &Result<Attempted, Error>,
    ) {
        let (settings, store) = (self.settings, &self.context.store);
        if self.state(|state| state.is_news(schedule.name(), due, result)) {
            let attempted = result.as_ref();
            self.outlets.tell_attempt(settings, store.url(), schedule, attempted).await;
            self.count(schedule, result).await;
        }
        if let Ok(Attempted::Made(_)) = result {
            self.expire(schedule.name()).await;
        }
        self.outlets.tell_standings(settings, store, schedule).await;
        self.state(|state| state.read = None);
        self.hint();
    }

    /// Adds a run to the metrics, as its records have it.
    async fn count(&self, schedule: &Schedule, result: &Result<Attempted, Error>) {
        let backup = match result {
            Ok(Attempted::Made(report)) => Some(report.name.as_str()),
            Ok(Attempted::LeftOut { .. }) => return,
            Err(Error::TooLate { .. }) => return self.metrics.add_late(schedule.name()),
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
        let figures = Figures::read_all(&self.context.store, self.settings.clock.now()).await?;
        self.metrics.set(&figures);
        self.state(|state| state.read = Some(Instant::now()));
        Ok(())
    }

    fn began(&self, schedule: &str, Occurrence { at, missed }: Occurrence) {
        self.state(|state| state.going_on.push(schedule.to_owned()));
        self.hint();
        let earlier = match missed {
            0 => String::new(),
            missed => format!(", for {missed} earlier ones too"),
        };
        self.say(&format!("schedule {schedule} begins the run of {at}{earlier}"));
    }

    fn ended(&self, schedule: &str, due: Occurrence, result: &Result<Attempted, Error>) {
        self.state(|state| {
            let place = state.going_on.iter().position(|name| name == schedule);
            place.map(|place| state.going_on.remove(place))
        });
        self.metrics.add_missed(schedule, missed(due, result));
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
            Err(error) => self.failed(schedule, error),
        }
    }

    /// Says what becomes of the runs that go on, should they be cut off.
    fn hint(&self) {
        let names = self.state(|state| state.going_on.join(", "));
        if names.is_empty() {
            self.settings.forget_interruption();
        } else {
            self.settings.if_interrupted(cut_off(&names));
        }
    }

    fn failed(&self, schedule: &str, error: &Error) {
        let error = CliError::of(error).within(format!("schedule {schedule} failed"));
        self.settings.complain(&error);
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
            Happening::Begins { schedule, due } => self.began(schedule, *due),
            Happening::Ended { schedule, due, result } => {
                self.ended(schedule.name(), *due, result);
            }
            Happening::PassedOver { schedule, due, result } => {
                self.metrics.add_missed(schedule.name(), missed(*due, result));
                if let Err(error) = result {
                    self.failed(schedule.name(), error);
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
        due: Occurrence,
        result: &'a Result<Attempted, Error>,
    ) -> LocalBoxFuture<'a, ()> {
        self.conclude(schedule, due.at, result).boxed_local()
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
            self.state(|state| (state.schedules.unwrap_or_default(), state.going_on.len()));
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bowline_local::MemoryStore;
    use clap::Parser as _;
    use serde_json::json;

    use super::*;
    use crate::cli::Screen;
    use crate::cli::args::Cli;
    use crate::cli::environment::Environment;
    use crate::cli::style::Style;
    use crate::engine::clock::Clock;
    use crate::engine::cluster::Cluster;
    use crate::engine::cluster::fake::Reply;
    use crate::engine::context::{Holds, Limits, Snapshotters};
    use crate::engine::event::Silent;
    use crate::engine::stop::Stop;
    use crate::engine::store::BackupStore;

    fn settings() -> Settings {
        let global = Cli::try_parse_from(["bowline", "version", "--quiet"]).unwrap().global;
        Settings::new(global, Environment::default(), Screen::stderr(), Style::PLAIN)
    }

    fn context() -> Context {
        Context {
            cluster: Cluster::fake(|_| Reply::Refused),
            store: BackupStore::new(Arc::new(MemoryStore::new()), "memory:"),
            local_records: None,
            snapshotters: Snapshotters::new(Vec::new()),
            observer: Arc::new(Silent),
            clock: Clock::System,
            holds: Holds::default(),
            limits: Limits::default(),
            stop: Stop::default(),
        }
    }

    fn nightly() -> Schedule {
        serde_json::from_value(json!({
            "apiVersion": "velero.io/v1", "kind": "Schedule",
            "metadata": {"name": "nightly", "uid": "s1"},
            "spec": {"schedule": "0 2 * * *"},
            "bowline": {"clusterUid": "c1", "since": "2026-11-01T00:00:00Z"},
        }))
        .unwrap()
    }

    /// The run of that day, which stands for two others.
    fn due(day: i8) -> Occurrence {
        let at = jiff::civil::date(2026, 11, day).to_zoned(jiff::tz::TimeZone::UTC).unwrap();
        Occurrence { at: at.timestamp(), missed: 2 }
    }

    /// It fails, and is tried again.
    fn passing() -> Result<Attempted, Error> {
        let [schedule, owner, cluster] = ["nightly", "c1", "c2"].map(str::to_owned);
        Err(Error::Foreign { schedule, owner, cluster })
    }

    /// It is over, and made nothing.
    fn over() -> Result<Attempted, Error> {
        let [schedule, backup, by] = ["nightly", "nightly-1", "another"].map(str::to_owned);
        Err(Error::TakenOver { schedule, backup, by })
    }

    #[expect(clippy::future_not_send, reason = "it is not moved to another thread")]
    async fn carry_out(station: &Station<'_>, due: Occurrence, result: Result<Attempted, Error>) {
        let (schedule, result) = (&nightly(), &result);
        station.observe(&Happening::Begins { schedule: "nightly", due });
        station.observe(&Happening::Ended { schedule, due, result });
        station.after_run(schedule, due, result).await;
    }

    #[track_caller]
    fn assert_told(station: &Station<'_>, counts: [(&str, u64); 3]) {
        let told = station.metrics.render().unwrap();
        for (name, count) in counts {
            let line = format!("{name}{{schedule=\"nightly\"}} ");
            let found = told.lines().find_map(|it| it.strip_prefix(&line)).unwrap_or("0");
            assert_eq!(found, count.to_string(), "{name} in {told}");
        }
    }

    fn counts(attempts: u64, failures: u64, missed: u64) -> [(&'static str, u64); 3] {
        [
            ("velero_backup_attempt_total", attempts),
            ("velero_backup_failure_total", failures),
            ("bowline_schedule_missed_runs_seen_total", missed),
        ]
    }

    #[tokio::test]
    async fn a_run_that_is_tried_again_and_again_counts_once_and_stands_for_others_at_its_end() {
        let (settings, context) = (settings(), context());
        let station = Station::new(&settings, &context, OutletArgs::default());
        for _ in 0..3 {
            carry_out(&station, due(1), passing()).await;
        }
        assert_told(&station, counts(1, 1, 0));
        carry_out(&station, due(1), over()).await;
        assert_told(&station, counts(2, 2, 2));
        carry_out(&station, due(2), passing()).await;
        assert_told(&station, counts(3, 3, 2));
        let left_out = Attempted::LeftOut { reason: "another run goes on".to_owned() };
        carry_out(&station, due(2), Ok(left_out)).await;
        assert_told(&station, counts(3, 3, 2));
    }

    #[tokio::test]
    async fn a_run_that_nobody_began_in_time_is_missed_and_a_failure_but_no_attempt() {
        let (settings, context) = (settings(), context());
        let station = Station::new(&settings, &context, OutletArgs::default());
        let (schedule, due) = (&nightly(), due(1));
        let observe = |result: &Result<Attempted, Error>| {
            station.observe(&Happening::PassedOver { schedule, due, result });
        };
        observe(&passing());
        assert_told(&station, counts(0, 0, 0));
        let late = Err(Error::TooLate { schedule: "nightly".to_owned(), due: due.at });
        observe(&late);
        station.after_run(schedule, due, &late).await;
        assert_told(&station, counts(0, 1, 3));
    }

    #[test]
    fn a_failure_is_told_once_until_it_is_over_and_what_is_over_is_told() {
        let mut state = State::default();
        let mut told = |day, result| state.is_news("nightly", due(day).at, &result);
        assert_eq!([told(1, passing()), told(1, passing())], [true, false]);
        assert!(told(1, over()), "it has come to its end");
        assert_eq!([told(2, passing()), told(2, passing())], [true, false]);
    }

    #[tokio::test]
    async fn once_nothing_goes_on_an_interruption_names_no_schedule() {
        let (settings, context) = (settings(), context());
        let station = Station::new(&settings, &context, OutletArgs::default());
        let (schedule, due, result) = (&nightly(), due(1), &over());
        station.observe(&Happening::Begins { schedule: "nightly", due });
        station.observe(&Happening::Ended { schedule, due, result });
        assert_eq!(settings.interruption_hint(), Some(cut_off("nightly")), "its end is not told");
        station.after_run(schedule, due, result).await;
        assert_eq!(settings.interruption_hint(), None);
    }
}
