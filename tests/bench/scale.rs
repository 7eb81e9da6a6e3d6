//! How far backup and restore are from what the API server itself can do.
//!
//! `cargo bench --bench scale -- --objects 10000,80000` makes clusters of these sizes and times, in
//! turn and repeated, the floors (raw lists, raw creates) and the release binary. What is told are
//! ratios of medians: seconds differ between machines, ratios hardly.

#![expect(clippy::print_stderr, clippy::print_stdout, reason = "test code: tells what it measures")]

mod chart;
mod floor;
mod load;
mod measure;
mod report;

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bowline_testkit::control_plane::Options;
use bowline_testkit::{Bowline, ControlPlane, S3Server};
use clap::Parser;

use load::Load;
use measure::Run;
use report::{Report, Runs, Size};

/// How long a run may take: it is measured, not tested.
const LIMIT: Duration = Duration::from_hours(2);
const BUCKET: &str = "backups";

/// Measures backups and restores of many objects against the API server's own speed.
#[derive(Debug, Parser)]
struct Args {
    /// How many objects the clusters have
    #[arg(long, value_name = "COUNT,...", value_delimiter = ',', default_value = "10000")]
    objects: Vec<usize>,
    /// How often everything is measured
    #[arg(long, value_name = "COUNT", default_value = "3")]
    runs: NonZeroUsize,
    /// How many requests are on their way at once, in the floor and in the tool
    #[arg(long, value_name = "COUNT", default_value = "30")]
    in_flight: NonZeroUsize,
    /// How often restores are measured, each with three fresh control planes [default: as often as
    /// backups]
    #[arg(long, value_name = "COUNT")]
    restores: Option<usize>,
    /// Show the sizes that an earlier run wrote with --json beside those of this one
    #[arg(long, value_name = "FILE")]
    add: Option<PathBuf>,
    /// Write the figures to this file as JSON, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Draw the figures into this file as SVG, too
    #[arg(long, value_name = "FILE")]
    chart: Option<PathBuf>,
    /// What cargo says to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let result = tokio::select! {
        result = run(&args) => result,
        _ = tokio::signal::ctrl_c() => return ExitCode::from(130),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> Result<()> {
    let mut report = match &args.add {
        Some(file) => read(file).with_context(|| format!("--add {}", file.display()))?,
        None => Report::default(),
    };
    report.sizes.retain(|size| !args.objects.contains(&size.objects));
    for &objects in &args.objects {
        let size = Box::pin(measure(args, objects)).await;
        report.sizes.push(size.with_context(|| format!("{objects} objects were not measured"))?);
    }
    report.sizes.sort_by_key(|size| size.objects);
    println!("\n{report}");
    if let Some(file) = &args.json {
        fs::write(file, serde_json::to_string_pretty(&report)? + "\n")?;
    }
    if let Some(file) = &args.chart {
        fs::write(file, chart::draw(&report))?;
    }
    Ok(())
}

fn read(file: &Path) -> Result<Report> {
    Ok(serde_json::from_slice(&fs::read(file)?)?)
}

/// One size: a cluster is filled, backed up and restored, as often as asked.
async fn measure(args: &Args, objects: usize) -> Result<Size> {
    let load = Load::new(objects);
    let bench = Bench::start(args).await?;
    let east = start("east").await?;
    tell(&format!("filling a cluster with {objects} objects"));
    let client = east.client().await?;
    floor::create(&client, &load, bench.in_flight).await?;
    let bowline = bench.bowline.on(&east);
    let mut runs = Runs::default();
    for number in 1..=args.runs.get() {
        runs.list_floor.push(floor::list(&client).await?);
        let name = format!("run-{number}");
        runs.backup.push(measure::run(&bowline, &["backup", "create", &name]).await?);
        tell(&format!("run {number}: {}", runs.newest()));
    }
    for _ in 0..args.runs.get() {
        runs.describe.push(measure::run(&bowline, &["backup", "describe", "run-1"]).await?);
    }
    drop((client, east));
    for number in 1..=args.restores.unwrap_or_else(|| args.runs.get()) {
        bench.restore(&load, &mut runs).await?;
        tell(&format!("run {number}: {}", runs.newest()));
    }
    Ok(Size::of(objects, runs))
}

/// What all runs of one size share.
struct Bench {
    bowline: Bowline,
    in_flight: usize,
    /// Where the backups are; none where S3 is not built in.
    _store: Option<S3Server>,
}

impl Bench {
    async fn start(args: &Args) -> Result<Self> {
        let in_flight = args.in_flight.get();
        let bowline = Bowline::new(env!("CARGO_BIN_EXE_bowline"))?.limit(LIMIT);
        if !cfg!(feature = "aws") {
            tell("built without S3: the backups go to a directory");
            return Ok(Self { bowline, in_flight, _store: None });
        }
        let store = S3Server::start().await?;
        store.client().create_bucket(BUCKET).await?;
        let location = format!("s3://{BUCKET}/scale");
        let bowline = bowline
            .env("AWS_ACCESS_KEY_ID", store.access_key())
            .env("AWS_SECRET_ACCESS_KEY", store.secret_key())
            .env("AWS_REGION", store.region())
            .env("AWS_ENDPOINT_URL_S3", &store.endpoint())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("BOWLINE_LOCATION", &location);
        Ok(Self { bowline, in_flight, _store: Some(store) })
    }

    /// Everything that is restored, each into a cluster of its own.
    async fn restore(&self, load: &Load, runs: &mut Runs) -> Result<()> {
        let west = start("floor").await?;
        let client = west.client().await?;
        runs.create_floor.push(floor::create(&client, load, self.in_flight).await?);
        drop((client, west));

        let west = start("west").await?;
        let bowline = self.bowline.on(&west);
        let from = "--from-backup=run-1";
        runs.plan
            .push(measure::run(&bowline, &["restore", "create", "plan", from, "--dry-run"]).await?);
        let in_flight = format!("--max-in-flight={}", self.in_flight);
        let name = format!("all-{}", runs.restore.len());
        let restore = ["restore", "create", &name, from, &in_flight];
        runs.restore.push(measure::run(&bowline, &restore).await?);
        load.check(&west.client().await?).await?;
        drop(west);

        let west = start("west").await?;
        let bowline = self.bowline.on(&west);
        let one = format!("--include-namespaces={}", Load::namespace(0));
        let name = format!("one-{}", runs.namespace.len());
        let restored = measure::run(&bowline, &["restore", "create", &name, from, &one]).await?;
        runs.namespace.push(restored);
        Ok(())
    }
}

async fn start(name: &str) -> Result<ControlPlane> {
    let cluster = ControlPlane::start_with(Options::new(name)).await;
    cluster.with_context(|| format!("the cluster {name} did not start"))
}

fn tell(text: &str) {
    eprintln!("{text}");
}

/// Checks that a run did what is to be measured.
fn succeeded(run: &Run, code: Option<i32>, stderr: &str) -> Result<()> {
    ensure!(code == Some(0), "{} ended with {code:?}:\n{stderr}", run.command);
    Ok(())
}
