//! The demo: an application is backed up, its cluster is lost, and a fresh one takes over.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "test code: tells a story in the terminal"
)]

use std::collections::BTreeMap;
use std::fs;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use bowline_testkit::cache::RunDir;
use bowline_testkit::control_plane::Options;
use bowline_testkit::lab::{self, Kind, NAMESPACE, Tree};
use bowline_testkit::{Bowline, ControlPlane, checkout, tools};
use tokio::task::spawn_blocking;

/// The exit code after Ctrl-C.
const INTERRUPTED: u8 = 130;

#[tokio::main]
async fn main() -> ExitCode {
    let result = tokio::select! {
        result = tell() => result,
        _ = tokio::signal::ctrl_c() => return ExitCode::from(INTERRUPTED),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn tell() -> Result<()> {
    spawn_blocking(tools::kubernetes).await??;
    let program = checkout::build_bowline().await?;
    let start = Instant::now();
    let demo = Demo { bowline: Bowline::new(program)?, run: RunDir::create("demo")? };
    println!("{INTRODUCTION}");

    section("A cluster with an application");
    let east = demo.start("east", true).await?;
    let application = demo.deploy(&east).await?;

    section("Backup");
    demo.back_up(&east).await?;

    section("Disaster");
    lose(east, &application)?;

    section("A fresh cluster");
    let west = demo.start("west", false).await?;
    kubectl(&west, &["get", "namespaces,storageclasses,persistentvolumes"]).await?;

    section("Restore");
    demo.restore(&west).await?;

    section("Is it all back?");
    check(&west, &application).await?;
    drop(west);
    println!("\nAll of it took {:.0?}, and nothing is left running. {EPILOGUE}", start.elapsed());
    Ok(())
}

const INTRODUCTION: &str = "
An application is backed up, its cluster is lost, and a fresh one takes over.

The clusters are real: etcd, API server, controller manager and scheduler run on this machine.
Only the pods are played, by kwok, as there is no container runtime. The files are real, too.";

const APPLICATION: &str = "\
A stateful set with three volumes, and around it a deployment, a daemon set, a cron job, services,
an ingress, roles, a custom resource and more.";

const EPILOGUE: &str = "Now you:

  cargo testenv --clusters east,west    # a shell with two clusters, kubectl and bowline";

/// What the whole story needs.
struct Demo {
    bowline: Bowline,
    run: RunDir,
}

/// What must come back.
struct Application {
    directories: BTreeMap<String, PathBuf>,
    files: BTreeMap<String, Tree>,
}

impl Demo {
    async fn start(&self, name: &str, storage_class: bool) -> Result<ControlPlane> {
        let start = Instant::now();
        let volumes = Some(self.run.path().join("volumes"));
        let options = Options { storage_class, volumes, ..Options::new(name) };
        let cluster = ControlPlane::start_with(options).await?;
        println!("cluster {name} is ready after {:.1?}", start.elapsed());
        Ok(cluster)
    }

    async fn deploy(&self, east: &ControlPlane) -> Result<Application> {
        prompt("kubectl apply --filename docs/examples/lab.yaml");
        lab::deploy(east).await?;
        println!("{APPLICATION}");
        kubectl(east, &["get", "pods", "--namespace", NAMESPACE]).await?;
        let files = lab::write_files(east).await?;
        let directories = lab::volumes(&east.client().await?, NAMESPACE).await?;
        println!("\nOn each volume lie files of its own:");
        for (claim, tree) in &files {
            println!("  {claim}: {}", describe(tree));
        }
        Ok(Application { directories, files })
    }

    async fn back_up(&self, east: &ControlPlane) -> Result<()> {
        println!("Without --storage-location, it goes to a directory: $XDG_DATA_HOME/bowline.");
        let bowline = self.bowline(east);
        show(&bowline, &["backup", "create", "nightly"]).await?;
        show(&bowline, &["backup", "get"]).await
    }

    async fn restore(&self, west: &ControlPlane) -> Result<()> {
        let bowline = self.bowline(west);
        let restore = ["restore", "create", "--from-backup", "nightly"];
        prompt(&format!("bowline {} --dry-run | tail -n 1", restore.join(" ")));
        let plan = bowline.run(&[&restore[..], &["--dry-run"]].concat()).await?;
        ensure!(plan.code == Some(0), "there is no plan: {}", plan.stderr);
        println!("{}", plan.stdout.lines().last().unwrap_or_default());
        show(&bowline, &restore).await
    }

    /// The tool as a user of this cluster has it, with nothing set but the kubeconfig.
    fn bowline(&self, cluster: &ControlPlane) -> Bowline {
        self.bowline.on(cluster).without_env("BOWLINE_LOCATION")
    }
}

fn lose(east: ControlPlane, application: &Application) -> Result<()> {
    drop(east);
    for directory in application.directories.values() {
        fs::remove_dir_all(directory)?;
    }
    println!("cluster east is gone, with its etcd and its volumes; the backup is what is left");
    Ok(())
}

async fn check(west: &ControlPlane, application: &Application) -> Result<()> {
    kubectl(west, &["get", "pods", "--namespace", NAMESPACE]).await?;
    lab::wait_until_up(&west.client().await?, NAMESPACE).await?;
    let files = lab::read_files(west, NAMESPACE).await?;
    let directories = lab::volumes(&west.client().await?, NAMESPACE).await?;
    println!();
    for (claim, tree) in &application.files {
        let (old, new) = (&application.directories[claim], directories.get(claim));
        let new = new.with_context(|| format!("{claim} is not bound"))?;
        ensure!(old != new, "{claim} is on its old directory");
        ensure!(files.get(claim) == Some(tree), "the files of {claim} differ");
        println!("  {claim}: {}, byte for byte, on {}", describe(tree), name(new));
    }
    ensure!(west.provisioned().is_empty(), "an empty volume was made: {:?}", west.provisioned());
    Ok(())
}

fn section(title: &str) {
    let (on, off) = if is_colored() { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
    println!("\n{on}== {title}{off}");
}

fn prompt(command: &str) {
    let (on, off) = if is_colored() { ("\x1b[32m", "\x1b[0m") } else { ("", "") };
    println!("\n{on}$ {command}{off}");
}

fn is_colored() -> bool {
    std::io::stdout().is_terminal() && std::env::var("NO_COLOR").is_err()
}

/// Runs `bowline` before the reader's eyes.
async fn show(bowline: &Bowline, arguments: &[&str]) -> Result<()> {
    let command = format!("bowline {}", arguments.join(" "));
    prompt(&command);
    let status = bowline.show(arguments).await?;
    ensure!(status.success(), "`{command}` failed: {status}");
    Ok(())
}

/// Runs `kubectl` and shows what it prints.
async fn kubectl(cluster: &ControlPlane, arguments: &[&str]) -> Result<()> {
    let command = format!("kubectl {}", arguments.join(" "));
    prompt(&command);
    let output = cluster.kubectl(arguments).await?;
    print!("{}{}", output.stdout, output.stderr);
    ensure!(output.code == Some(0), "`{command}` failed");
    Ok(())
}

fn describe(tree: &Tree) -> String {
    let sizes = tree.values().filter_map(|entry| match entry.kind {
        Kind::File { size, .. } => Some(size),
        _ => None,
    });
    let sizes: Vec<u64> = sizes.collect();
    let others = tree.len() - sizes.len();
    let kib = sizes.iter().sum::<u64>() >> 10;
    format!("{} files of {kib} KiB, {others} directories and links", sizes.len())
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
