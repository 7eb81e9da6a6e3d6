//! Runs of the binary, with what they cost.

use std::time::Instant;

use anyhow::{Context as _, Result};
use bowline_testkit::Bowline;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a run cost.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Run {
    #[serde(skip)]
    pub command: String,
    pub wall_seconds: f64,
    pub cpu_seconds: f64,
    pub peak_rss_mib: f64,
    pub requests: u64,
    /// The seconds of each stage.
    pub stages: Vec<(String, f64)>,
}

/// Runs a command to its good end.
///
/// Memory and processor time are the program's own words (`--timings`): what a parent is told of its
/// children includes its own memory at their start.
pub(crate) async fn run(bowline: &Bowline, arguments: &[&str]) -> Result<Run> {
    let arguments = [arguments, &["--timings=json", "--quiet"]].concat();
    let started = Instant::now();
    let output = bowline.run(&arguments).await?;
    let wall = started.elapsed();
    let told =
        output.stderr.lines().rev().find_map(|line| serde_json::from_str::<Value>(line).ok());
    let told = told.with_context(|| format!("no timings: {}", output.stderr))?;
    let number = |field: &str| told[field].as_f64().unwrap_or_default();
    let stages = told["stages"].as_array().into_iter().flatten();
    let stages = stages.filter_map(|stage| {
        Some((stage["stage"].as_str()?.to_owned(), stage["wallSeconds"].as_f64()?))
    });
    let run = Run {
        command: format!("bowline {}", arguments.join(" ")),
        wall_seconds: wall.as_secs_f64(),
        cpu_seconds: number("cpuSeconds"),
        peak_rss_mib: number("peakMemoryBytes") / f64::from(1 << 20),
        requests: told["requests"].as_u64().unwrap_or_default(),
        stages: stages.collect(),
    };
    crate::succeeded(&run, output.code, &output.stderr)?;
    Ok(run)
}
