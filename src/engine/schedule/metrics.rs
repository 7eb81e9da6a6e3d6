//! What Prometheus is told of schedules, under Velero's names where it has them.
//!
//! Counters and durations are of one process: only one that goes on running has them. What is read
//! from the location, and so the same for everybody, is gauges.

use std::fmt;
use std::sync::atomic::AtomicU64;

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::figures::Figures;
use crate::engine::model::schedule::{Run, RunResult};
use crate::engine::report::Phase;

/// How long backups take, in seconds: Velero's bounds, a minute to four hours.
const DURATIONS: [f64; 9] =
    [60.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0, 7_200.0, 10_800.0, 14_400.0];

const LAST_STATUS: &str = "velero_backup_last_status";
const LAST_SUCCESS: &str = "velero_backup_last_successful_timestamp";
const LAST_DURATION: &str = "bowline_backup_last_duration_seconds";
const BACKUPS: &str = "velero_backup_total";
const ITEMS: &str = "velero_backup_items_total";
const ITEM_ERRORS: &str = "velero_backup_items_errors";
const BYTES: &str = "velero_backup_tarball_size_bytes";
const SNAPSHOTS: &str = "bowline_backup_last_snapshots";
const COMPLETED: &str = "bowline_backup_last_snapshots_completed";
const INTERVAL: &str = "velero_schedule_expected_interval_seconds";
const NEXT: &str = "bowline_schedule_next_run_timestamp_seconds";
const MISSED: &str = "bowline_schedule_missed_runs";
const PAUSED: &str = "bowline_schedule_paused";
const OVERDUE: &str = "bowline_schedule_overdue";

/// What is told, and added up.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    gauges: Gauges,
    counters: Counters,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    schedule: String,
}

type Level = Family<Labels, Gauge<f64, AtomicU64>>;
type Count = Family<Labels, Counter>;

#[derive(Debug, Default)]
struct Gauges {
    last_status: Level,
    last_success: Level,
    last_duration: Level,
    backups: Level,
    items: Level,
    item_errors: Level,
    bytes: Level,
    snapshots: Level,
    snapshots_completed: Level,
    interval: Level,
    next: Level,
    missed: Level,
    paused: Level,
    overdue: Level,
}

#[derive(Debug)]
struct Counters {
    attempts: Count,
    successes: Count,
    partial_failures: Count,
    failures: Count,
    warnings: Count,
    missed: Count,
    snapshot_attempts: Count,
    snapshot_successes: Count,
    snapshot_failures: Count,
    deletion_attempts: Count,
    deletion_successes: Count,
    deletion_failures: Count,
    durations: Family<Labels, Histogram>,
}

impl Default for Metrics {
    /// What a process that goes on running tells.
    fn default() -> Self {
        let mut metrics = Self::of_one_run();
        metrics.counters.register(&mut metrics.registry);
        metrics
    }
}

impl Metrics {
    /// What a process tells that ends with its run: no counters, which would begin anew each time.
    pub fn of_one_run() -> Self {
        let mut registry = Registry::default();
        let gauges = Gauges::default();
        gauges.register(&mut registry);
        Self { registry, gauges, counters: Counters::default() }
    }

    /// Tells how all schedules stand; what is told of others is forgotten.
    pub fn set(&self, figures: &[Figures]) {
        self.gauges.all().for_each(|(gauge, ..)| gauge.clear());
        for figures in figures {
            self.gauges.set(figures);
            self.counters.begin(&figures.schedule);
        }
    }

    /// Adds a run that came to its end.
    pub fn add_run(&self, run: &Run) {
        let Some(result) = &run.result else { return };
        let labels = Labels { schedule: run.record.schedule.clone() };
        self.counters.add(&labels, result);
        self.counters.durations.get_or_create(&labels).observe(seconds(run, result));
    }

    /// Adds a run that came to nothing, of which there is no record.
    pub fn add_failure(&self, schedule: &str) {
        let labels = Labels { schedule: schedule.to_owned() };
        self.counters.attempts.get_or_create(&labels).inc();
        self.counters.failures.get_or_create(&labels).inc();
    }

    /// Adds a run that nobody began in time: it failed, and was not attempted.
    pub fn add_late(&self, schedule: &str) {
        let labels = Labels { schedule: schedule.to_owned() };
        self.counters.failures.get_or_create(&labels).inc();
    }

    /// Adds runs that were due and not made.
    pub fn add_missed(&self, schedule: &str, runs: u64) {
        let labels = Labels { schedule: schedule.to_owned() };
        self.counters.missed.get_or_create(&labels).inc_by(runs);
    }

    /// Adds a backup that was to be deleted because it had expired.
    pub fn add_deletion(&self, schedule: &str, is_gone: bool) {
        let labels = Labels { schedule: schedule.to_owned() };
        let Counters { deletion_attempts, deletion_successes, deletion_failures, .. } =
            &self.counters;
        deletion_attempts.get_or_create(&labels).inc();
        let ended = if is_gone { deletion_successes } else { deletion_failures };
        ended.get_or_create(&labels).inc();
    }

    /// The whole of it as text, which Prometheus, its push gateway and node exporter read.
    pub fn render(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl Gauges {
    /// Each with its name and what it means.
    fn all(&self) -> impl Iterator<Item = (&Level, &'static str, &'static str)> {
        [
            (&self.last_status, LAST_STATUS, "Whether the last run made a good backup"),
            (
                &self.last_success,
                LAST_SUCCESS,
                "When the newest good backup was completed, in Unix time",
            ),
            (&self.last_duration, LAST_DURATION, "How long the last run took, in seconds"),
            (&self.backups, BACKUPS, "How many backups of the schedule there are, good or not"),
            (&self.items, ITEMS, "How many objects the last backup holds"),
            (&self.item_errors, ITEM_ERRORS, "How many errors the last run had"),
            (&self.bytes, BYTES, "How large the archive of the last backup is, in bytes"),
            (&self.snapshots, SNAPSHOTS, "How many snapshots the last run asked for"),
            (&self.snapshots_completed, COMPLETED, "How many snapshots of the last run completed"),
            (&self.interval, INTERVAL, "How long it is between two runs, in seconds"),
            (&self.next, NEXT, "When the next run is due, in Unix time"),
            (&self.missed, MISSED, "How many runs were due since the newest one began, not made"),
            (&self.paused, PAUSED, "Whether nothing is made for now"),
            (&self.overdue, OVERDUE, "Whether there is no good backup within the interval"),
        ]
        .into_iter()
    }

    fn register(&self, registry: &mut Registry) {
        for (gauge, name, meaning) in self.all() {
            registry.register(name, meaning, gauge.clone());
        }
    }

    fn set(&self, figures: &Figures) {
        let labels = Labels { schedule: figures.schedule.clone() };
        let set = |gauge: &Level, value: f64| {
            gauge.get_or_create(&labels).set(value);
        };
        set(&self.paused, truth(figures.paused));
        set(&self.overdue, truth(figures.overdue));
        let known = [
            (&self.missed, figures.missed.map(number)),
            (&self.backups, figures.backups.map(number)),
            (&self.interval, figures.interval.map(number)),
            (&self.next, figures.next.map(unix)),
            (&self.last_success, figures.last_success.map(unix)),
        ];
        for (gauge, value) in known.into_iter().filter_map(|(gauge, value)| Some((gauge, value?))) {
            set(gauge, value);
        }
        let last = figures.last.as_ref();
        let Some((run, result)) = last.and_then(|run| Some((run, run.result.as_ref()?))) else {
            return;
        };
        set(&self.last_status, truth(result.phase == Some(Phase::Completed)));
        set(&self.last_duration, seconds(run, result));
        set(&self.items, number(result.items));
        set(&self.item_errors, number(result.errors));
        set(&self.bytes, number(result.bytes));
        set(&self.snapshots, number(result.snapshots_attempted));
        set(&self.snapshots_completed, number(result.snapshots_completed));
    }
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            attempts: Count::default(),
            successes: Count::default(),
            partial_failures: Count::default(),
            failures: Count::default(),
            warnings: Count::default(),
            missed: Count::default(),
            snapshot_attempts: Count::default(),
            snapshot_successes: Count::default(),
            snapshot_failures: Count::default(),
            deletion_attempts: Count::default(),
            deletion_successes: Count::default(),
            deletion_failures: Count::default(),
            durations: Family::new_with_constructor(|| Histogram::new(DURATIONS)),
        }
    }
}

impl Counters {
    /// Begins to count at zero: a failure that is the first thing told of a counter is no increase.
    fn begin(&self, schedule: &str) {
        let labels = Labels { schedule: schedule.to_owned() };
        let counters = [
            &self.attempts,
            &self.successes,
            &self.partial_failures,
            &self.failures,
            &self.warnings,
            &self.missed,
            &self.snapshot_attempts,
            &self.snapshot_successes,
            &self.snapshot_failures,
            &self.deletion_attempts,
            &self.deletion_successes,
            &self.deletion_failures,
        ];
        for counter in counters {
            drop(counter.get_or_create(&labels));
        }
    }

    /// The names get `_total` behind them.
    fn register(&self, registry: &mut Registry) {
        let mut add = |name: &str, meaning: &str, counter: &Count| {
            registry.register(name, meaning, counter.clone());
        };
        add("velero_backup_attempt", "Runs that were begun", &self.attempts);
        add("velero_backup_success", "Runs that made a good backup", &self.successes);
        add("velero_backup_partial_failure", "Backups that lack something", &self.partial_failures);
        add("velero_backup_failure", "Runs that made no backup", &self.failures);
        add("velero_backup_warning", "Warnings of all runs", &self.warnings);
        add("bowline_schedule_missed_runs_seen", "Runs that were due and not made", &self.missed);
        add("velero_volume_snapshot_attempt", "Snapshots asked for", &self.snapshot_attempts);
        add("velero_volume_snapshot_success", "Snapshots completed", &self.snapshot_successes);
        add("velero_volume_snapshot_failure", "Snapshots that failed", &self.snapshot_failures);
        add("velero_backup_deletion_attempt", "Expired backups", &self.deletion_attempts);
        add("velero_backup_deletion_success", "Expired backups deleted", &self.deletion_successes);
        add("velero_backup_deletion_failure", "Expired backups left", &self.deletion_failures);
        let meaning = "How long backups took, in seconds";
        registry.register("velero_backup_duration_seconds", meaning, self.durations.clone());
    }

    fn add(&self, labels: &Labels, result: &RunResult) {
        let add = |counter: &Count, by: u64| {
            counter.get_or_create(labels).inc_by(by);
        };
        add(&self.attempts, 1);
        add(
            match result.phase {
                Some(Phase::Completed) => &self.successes,
                Some(Phase::PartiallyFailed) => &self.partial_failures,
                _ => &self.failures,
            },
            1,
        );
        add(&self.warnings, result.warnings);
        let (attempted, completed) = (result.snapshots_attempted, result.snapshots_completed);
        add(&self.snapshot_attempts, attempted);
        add(&self.snapshot_successes, completed);
        add(&self.snapshot_failures, attempted.saturating_sub(completed));
    }
}

fn seconds(run: &Run, result: &RunResult) -> f64 {
    let span = result.completion_timestamp.duration_since(run.record.start_timestamp);
    span.as_secs_f64().max(0.0)
}

fn unix(time: Timestamp) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "seconds of this age fit")]
    let seconds = time.as_second() as f64;
    seconds
}

fn number(count: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a digit of a huge count is no matter")]
    let count = count as f64;
    count
}

fn truth(is: bool) -> f64 {
    if is { 1.0 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::engine::model::schedule::RunRecord;

    fn run(phase: Option<Phase>) -> Run {
        let time = |text: &str| text.parse().unwrap();
        let record = RunRecord {
            schedule: "nightly".to_owned(),
            schedule_uid: "s1".to_owned(),
            cluster_uid: "c1".to_owned(),
            backup: "nightly-1".to_owned(),
            uid: "u1".to_owned(),
            due: None,
            missed: 0,
            start_timestamp: time("2026-11-22T02:00:00Z"),
            holder: "host".to_owned(),
            version: "0".to_owned(),
        };
        let result = RunResult {
            uid: "u1".to_owned(),
            phase,
            error: None,
            completion_timestamp: time("2026-11-22T02:01:30Z"),
            items: 40,
            bytes: 9_000,
            snapshots_attempted: 3,
            snapshots_completed: 2,
            warnings: 1,
            errors: 4,
        };
        Run { record, result: Some(result) }
    }

    fn lines(metrics: &Metrics) -> Vec<String> {
        let text = metrics.render().unwrap();
        text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    }

    #[test]
    fn what_stands_in_the_location_is_gauges_under_veleros_names() {
        let metrics = Metrics::of_one_run();
        let figures = Figures {
            schedule: "nightly".to_owned(),
            interval: Some(86_400),
            last_success: Some("2026-11-21T02:00:00Z".parse().unwrap()),
            missed: Some(2),
            backups: Some(14),
            overdue: true,
            last: Some(run(Some(Phase::PartiallyFailed))),
            ..Figures::default()
        };
        metrics.set(&[Figures { schedule: "gone".to_owned(), ..Figures::default() }]);
        metrics.set(&[figures]);
        let told = lines(&metrics);
        for line in [
            "velero_backup_last_status{schedule=\"nightly\"} 0.0",
            "velero_backup_last_successful_timestamp{schedule=\"nightly\"} 1795226400.0",
            "bowline_backup_last_duration_seconds{schedule=\"nightly\"} 90.0",
            "velero_backup_total{schedule=\"nightly\"} 14.0",
            "velero_backup_items_total{schedule=\"nightly\"} 40.0",
            "velero_schedule_expected_interval_seconds{schedule=\"nightly\"} 86400.0",
            "bowline_schedule_missed_runs{schedule=\"nightly\"} 2.0",
            "bowline_schedule_overdue{schedule=\"nightly\"} 1.0",
        ] {
            assert!(told.iter().any(|it| it == line), "{line} in {told:#?}");
        }
        assert!(told.iter().all(|line| !line.contains("gone")), "{told:#?}");
        assert!(
            told.iter().all(|line| !line.contains("next_run")),
            "unknown is not told: {told:#?}"
        );
    }

    #[test]
    fn runs_are_added_up_by_a_process_that_goes_on() {
        let metrics = Metrics::default();
        for phase in [Some(Phase::Completed), Some(Phase::PartiallyFailed), None] {
            metrics.add_run(&run(phase));
        }
        metrics.add_missed("nightly", 7);
        metrics.add_deletion("nightly", false);
        let told = lines(&metrics);
        for line in [
            "velero_backup_attempt_total{schedule=\"nightly\"} 3",
            "velero_backup_success_total{schedule=\"nightly\"} 1",
            "velero_backup_partial_failure_total{schedule=\"nightly\"} 1",
            "velero_backup_failure_total{schedule=\"nightly\"} 1",
            "velero_volume_snapshot_attempt_total{schedule=\"nightly\"} 9",
            "velero_volume_snapshot_failure_total{schedule=\"nightly\"} 3",
            "velero_backup_deletion_failure_total{schedule=\"nightly\"} 1",
            "bowline_schedule_missed_runs_seen_total{schedule=\"nightly\"} 7",
            "velero_backup_duration_seconds_bucket{le=\"300.0\",schedule=\"nightly\"} 3",
        ] {
            assert!(told.iter().any(|it| it == line), "{line} in {told:#?}");
        }
    }

    #[test]
    fn counters_of_a_schedule_begin_at_zero_so_that_the_first_failure_is_an_increase() {
        let metrics = Metrics::default();
        metrics.set(&[Figures { schedule: "nightly".to_owned(), ..Figures::default() }]);
        let told = lines(&metrics);
        let is_zero = |line: &&String| line.ends_with("_total{schedule=\"nightly\"} 0");
        assert_eq!(told.iter().filter(is_zero).count(), 12, "{told:#?}");
    }

    #[test]
    fn a_process_that_ends_with_its_run_has_no_counters() {
        let metrics = Metrics::of_one_run();
        metrics.add_run(&run(None));
        assert_eq!(lines(&metrics), Vec::<String>::new());
    }

    /// The names of ours in a text.
    fn names(text: &str) -> BTreeSet<String> {
        let is_name = |it: char| it.is_ascii_alphanumeric() || it == '_';
        let words = text.split(|it: char| !is_name(it));
        let ours = |word: &&str| word.starts_with("velero_") || word.starts_with("bowline_");
        words.filter(ours).map(str::to_owned).collect()
    }

    #[test]
    fn alerts_and_dashboard_ask_for_nothing_that_is_not_told() {
        let metrics = Metrics::default();
        let last = Some(run(Some(Phase::Completed)));
        metrics.add_run(&run(None));
        let (next, last_success) = (Some(Timestamp::UNIX_EPOCH), Some(Timestamp::UNIX_EPOCH));
        let (interval, missed, backups) = (Some(1), Some(0), Some(1));
        let known = Figures { interval, missed, backups, ..Figures::default() };
        let figures = Figures { next, last_success, last, ..known };
        metrics.set(&[figures]);
        let told = names(&lines(&metrics).join("\n"));
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/deploy");
        for file in ["alerts.yaml", "grafana-dashboard.json"] {
            let asked = names(&std::fs::read_to_string(format!("{directory}/{file}")).unwrap());
            assert!(asked.len() > 5, "{file}: {asked:?}");
            let unknown: Vec<_> = asked.difference(&told).collect();
            assert!(unknown.is_empty(), "{file} asks for {unknown:?}");
        }
    }
}
