//! Where the time went: what `--timings` tells when all is done.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use serde::Serialize;

use super::table::{Table, cell};
use super::units;
use crate::engine::event::Stage;

/// In which form the timings are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TimingsFormat {
    /// For people.
    Table,
    /// One JSON document in one line.
    Json,
}

/// Notes how long each stage takes, until the process ends.
#[derive(Clone, Debug)]
pub(super) struct Timings(Arc<Mutex<Noted>>);

#[derive(Debug)]
struct Noted {
    began: Instant,
    stages: Vec<StageTime>,
    /// What the process had used when the stage began.
    cpu_before: Option<Duration>,
}

/// What one stage took.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct StageTime {
    stage: &'static str,
    wall_seconds: f64,
    /// Of all threads; absent where the system does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_seconds: Option<f64>,
    items: u64,
    bytes: u64,
}

/// What all of it took.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    stages: Vec<StageTime>,
    wall_seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_seconds: Option<f64>,
    /// The most memory that was resident at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    peak_memory_bytes: Option<u64>,
    /// Requests to the API server, repeated ones too.
    requests: u64,
}

impl Timings {
    /// Begins to count, now.
    pub(super) fn new() -> Self {
        let noted = Noted { began: Instant::now(), stages: Vec::new(), cpu_before: cpu() };
        Self(Arc::new(Mutex::new(noted)))
    }

    /// A stage is over.
    pub(super) fn note(&self, stage: Stage, wall: Duration, items: u64, bytes: u64) {
        let mut noted = self.noted();
        let now = cpu();
        let used = now.zip(noted.cpu_before).map(|(now, before)| now.saturating_sub(before));
        noted.cpu_before = now;
        noted.stages.push(StageTime {
            stage: stage.title(),
            wall_seconds: wall.as_secs_f64(),
            cpu_seconds: used.map(|used| used.as_secs_f64()),
            items,
            bytes,
        });
    }

    /// All that was noted, ending with a line break.
    pub(super) fn told(&self, format: TimingsFormat, requests: u64) -> String {
        let noted = self.noted();
        let document = Document {
            stages: noted.stages.clone(),
            wall_seconds: noted.began.elapsed().as_secs_f64(),
            cpu_seconds: cpu().map(|cpu| cpu.as_secs_f64()),
            peak_memory_bytes: peak_memory(),
            requests,
        };
        drop(noted);
        match format {
            TimingsFormat::Table => document.to_string(),
            // Plain numbers and names can be written.
            TimingsFormat::Json => serde_json::to_string(&document).unwrap_or_default() + "\n",
        }
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(["STAGE", "TIME", "CPU", "ITEMS", "BYTES"]);
        let seconds = |seconds: f64| format!("{seconds:.2} s");
        let some = |count: u64| Some(count).filter(|&count| count > 0);
        for stage in &self.stages {
            table.push([
                stage.stage.to_owned(),
                seconds(stage.wall_seconds),
                cell(stage.cpu_seconds.map(seconds)),
                cell(some(stage.items)),
                cell(some(stage.bytes).map(units::bytes)),
            ]);
        }
        let all = [
            "all".to_owned(),
            seconds(self.wall_seconds),
            cell(self.cpu_seconds.map(seconds)),
            String::new(),
            String::new(),
        ];
        table.push(all);
        write!(f, "{table}{} requests to the API server", self.requests)?;
        match self.peak_memory_bytes.map(units::bytes) {
            Some(peak) => writeln!(f, ", {peak} of memory at most"),
            None => writeln!(f),
        }
    }
}

/// The processor time that all threads have used; see `proc_pid_stat(5)`.
fn cpu() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program may hold blanks.
    let fields = stat.rsplit_once(')')?.1.split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).map(|field| field.parse::<u64>().unwrap_or(0)).sum();
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    Some(Duration::from_millis(ticks * 1000 / per_second))
}

/// The most memory that was resident at once; see `proc_pid_status(5)`.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(peak.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Document {
        let stage = |stage, wall_seconds, items, bytes| StageTime {
            stage,
            wall_seconds,
            cpu_seconds: Some(wall_seconds / 2.0),
            items,
            bytes,
        };
        Document {
            stages: vec![
                stage("checking", 0.25, 0, 0),
                stage("collecting objects", 3.5, 78_332, 21_000_000),
            ],
            wall_seconds: 4.125,
            cpu_seconds: Some(2.0),
            peak_memory_bytes: Some(64 << 20),
            requests: 412,
        }
    }

    #[test]
    fn people_get_a_line_for_each_stage_and_one_for_all() {
        let expected = "\
STAGE                TIME     CPU      ITEMS    BYTES
checking             0.25 s   0.12 s   <none>   <none>
collecting objects   3.50 s   1.75 s   78332    20.0 MiB
all                  4.12 s   2.00 s   <none>   <none>
412 requests to the API server, 64.0 MiB of memory at most
";
        assert_eq!(document().to_string(), expected);
    }

    #[test]
    fn what_the_system_does_not_tell_is_left_out() {
        let document = Document { cpu_seconds: None, peak_memory_bytes: None, ..document() };
        let told = document.to_string();
        assert!(told.ends_with("412 requests to the API server\n"), "{told}");
        let json = serde_json::to_value(&document).unwrap();
        assert_eq!(json.get("cpuSeconds"), None);
    }

    #[test]
    fn a_stage_gets_what_was_used_since_the_one_before() {
        let timings = Timings::new();
        timings.note(Stage::Preflight, Duration::from_millis(500), 1, 2);
        timings.noted().cpu_before = Some(Duration::ZERO);
        timings.note(Stage::Collecting, Duration::from_secs(2), 3, 4);
        let told: serde_json::Value =
            serde_json::from_str(&timings.told(TimingsFormat::Json, 5)).unwrap();
        let [first, second] = [&told["stages"][0], &told["stages"][1]];
        assert_eq!((&first["stage"], &first["wallSeconds"]), (&"checking".into(), &0.5.into()));
        assert_eq!((&second["items"], &second["bytes"]), (&3.into(), &4.into()));
        let cpu = |of: &serde_json::Value| of["cpuSeconds"].as_f64().unwrap();
        assert!(cpu(second) <= cpu(&told), "{told}");
        assert!(told["peakMemoryBytes"].as_u64().unwrap() > 1 << 20);
        assert_eq!(told["requests"], 5);
    }
}
