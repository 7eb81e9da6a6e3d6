//! A workbench of real clusters: starts them, runs a command in their midst, takes them down.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "test code: reads the environment and tells what it starts"
)]

use std::env;
use std::ffi::OsString;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ExitCode, ExitStatus};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use bowline_testkit::cache::RunDir;
use bowline_testkit::cloud::REGION;
use bowline_testkit::control_plane::{Options, write_kubeconfig};
use bowline_testkit::provisioner::Storage;
use bowline_testkit::{Cloud, ControlPlane, checkout, tools};
use clap::{Parser, ValueEnum};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal as SignalStream, SignalKind, signal};

/// Starts real Kubernetes control planes on this machine and runs a command with them.
///
/// The command gets `KUBECONFIG` (a context per cluster, the first one current), `bowline`, built
/// from this checkout, and `kubectl` first on its `PATH`, and an S3 and an EC2 server by `AWS_*`.
/// `BOWLINE_LOCATION` is an empty directory, or, where volumes are in EC2, a part of an empty bucket,
/// which `BOWLINE_S3_LOCATION` names in any case. Everything is taken down when the command ends; its
/// exit code is passed on.
#[derive(Debug, Parser)]
#[command(name = "cargo testenv", bin_name = "cargo testenv")]
struct Args {
    /// The clusters to start
    #[arg(long, value_delimiter = ',', default_value = "east", value_name = "NAMES")]
    clusters: Vec<String>,

    /// What the volumes of class `standard` are
    #[arg(long, value_enum, default_value_t = Volumes::Hostpath)]
    volumes: Volumes,

    /// Have the class `standard` in all clusters instead of the first one only
    #[arg(long)]
    storage_class_everywhere: bool,

    /// The command to run [default: $SHELL]
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Volumes {
    /// Directories of this host
    Hostpath,
    /// EBS volumes of the driver ebs.csi.aws.com, on an EC2 server of this host
    Ebs,
}

/// What of the caller's account in AWS would go before ours.
const FOREIGN: [&str; 4] =
    ["AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"];

/// The exit code of a command that Ctrl-C has ended.
const INTERRUPTED: u8 = 130;

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    match run(args).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<ExitCode> {
    let mut signals = Signals::new()?;
    let workbench = tokio::select! {
        workbench = Workbench::start(&args) => workbench?,
        _ = signals.any() => {
            eprintln!("interrupted before anything ran");
            return Ok(ExitCode::from(INTERRUPTED));
        }
    };
    let status = workbench.run(&args.command, &mut signals).await?;
    let start = Instant::now();
    drop(workbench);
    eprintln!("took everything down in {:.1?}", start.elapsed());
    Ok(exit_code(status))
}

/// The running clusters and the cloud, and what a command needs to use them.
#[derive(Debug)]
struct Workbench {
    _clusters: Vec<ControlPlane>,
    cloud: Cloud,
    run: RunDir,
    location: String,
}

impl Workbench {
    async fn start(args: &Args) -> Result<Self> {
        check_names(&args.clusters)?;
        let run = RunDir::create("testenv")?;
        let (bowline, (cloud, clusters)) =
            tokio::try_join!(checkout::build_bowline(), start_servers(args))?;
        write_kubeconfig(&run.path().join("kubeconfig"), &clusters.iter().collect::<Vec<_>>())?;
        let directory = run.path().join("location");
        std::fs::create_dir(&directory)?;
        let programs = run.path().join("bin");
        std::fs::create_dir(&programs)?;
        symlink(bowline, programs.join("bowline"))?;
        symlink(tools::kubernetes()?.kubectl, programs.join("kubectl"))?;
        let location = match args.volumes {
            Volumes::Hostpath => format!("file://{}", directory.display()),
            Volumes::Ebs => cloud.location(),
        };
        Ok(Self { _clusters: clusters, cloud, run, location })
    }

    /// Runs the command in our own process group, so that it has the terminal and its signals.
    async fn run(&self, command: &[String], signals: &mut Signals) -> Result<ExitStatus> {
        let path = self.run.path();
        let (program, arguments) = match command.split_first() {
            Some((program, arguments)) => (program.clone(), arguments),
            None => (env::var("SHELL").unwrap_or_else(|_| "/bin/sh".to_owned()), command),
        };
        eprintln!("running {program}; everything is taken down when it ends");
        let mut command = Command::new(&program);
        for name in FOREIGN {
            command.env_remove(name);
        }
        let mut child = command
            .args(arguments)
            .envs(self.cloud.environment())
            .env("KUBECONFIG", path.join("kubeconfig"))
            .env("BOWLINE_LOCATION", &self.location)
            .env("BOWLINE_S3_LOCATION", self.cloud.location())
            // As AWS' tools in Python read it.
            .env("AWS_DEFAULT_REGION", REGION)
            .env("PATH", path_with(&path.join("bin"))?)
            .spawn()
            .with_context(|| format!("failed to run {program}"))?;
        loop {
            tokio::select! {
                status = child.wait() => return Ok(status?),
                signal = signals.any() => forward(signal, &child),
            }
        }
    }
}

async fn start_servers(args: &Args) -> Result<(Cloud, Vec<ControlPlane>)> {
    eprintln!("starting the cloud (an S3 server, an EC2 server) ...");
    let cloud = Cloud::start().await?;
    let storage = match args.volumes {
        Volumes::Hostpath => Storage::HostPath,
        Volumes::Ebs => cloud.storage(),
    };
    let clusters = start_clusters(args, &storage).await?;
    Ok((cloud, clusters))
}

/// Starts all clusters at once; the first has the class `standard`.
async fn start_clusters(args: &Args, storage: &Storage) -> Result<Vec<ControlPlane>> {
    let starts = args.clusters.iter().enumerate().map(|(index, name)| async move {
        let start = Instant::now();
        let storage_class = index == 0 || args.storage_class_everywhere;
        eprintln!("starting {name} (etcd, API server, controllers, scheduler, one fake node) ...");
        let storage = storage.clone();
        let options = Options { storage_class, storage, ..Options::new(name) };
        let cluster = ControlPlane::start_with(options).await?;
        eprintln!("{name} is ready after {:.1?}", start.elapsed());
        anyhow::Ok(cluster)
    });
    futures::future::try_join_all(starts).await
}

fn check_names(names: &[String]) -> Result<()> {
    let is_name = |name: &String| {
        let mut letters = name.chars();
        letters.next().is_some_and(|first| first.is_ascii_lowercase())
            && letters.all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit())
    };
    for (index, name) in names.iter().enumerate() {
        ensure!(is_name(name), "a cluster's name is lowercase letters and digits, not `{name}`");
        ensure!(!names.iter().skip(index + 1).any(|one| one == name), "two clusters are `{name}`");
    }
    Ok(())
}

/// The caller's PATH behind a directory.
fn path_with(first: &Path) -> Result<OsString> {
    let rest = env::var_os("PATH").unwrap_or_default();
    let paths = [first.to_owned()].into_iter().chain(env::split_paths(&rest));
    Ok(env::join_paths(paths)?)
}

/// The signals that would otherwise end us before the clusters are taken down.
#[derive(Debug)]
struct Signals {
    interrupt: SignalStream,
    terminate: SignalStream,
    hang_up: SignalStream,
}

impl Signals {
    fn new() -> Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn any(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::INT,
            _ = self.terminate.recv() => Signal::TERM,
            _ = self.hang_up.recv() => Signal::HUP,
        }
    }
}

/// Passes a signal on, but not Ctrl-C: the terminal has sent it to the command, too.
fn forward(signal: Signal, child: &Child) {
    let pid = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed()));
    if let Some(pid) = pid.filter(|_| signal != Signal::INT) {
        kill_process(pid, signal).ok();
    }
}

/// The command's exit code; 128 and its number for a signal, as shells say it.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| Some(128 + status.signal()?));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX))
}
