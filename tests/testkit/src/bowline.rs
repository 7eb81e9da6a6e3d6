//! Runs of the built `bowline` binary that neither see nor touch the user's own files.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::output::Output;
use crate::{Cloud, ControlPlane, wait};

/// How long a run may take before it is killed and reported as hanging.
const LIMIT: Duration = Duration::from_mins(3);

/// A sandbox for the binary: a home of its own, a fresh location, and nothing else inherited.
///
/// Clones share home and location but not the environment, so that one "machine" can be pointed at
/// several clusters.
#[derive(Debug, Clone)]
pub struct Bowline {
    program: PathBuf,
    home: Arc<TempDir>,
    runs: Arc<AtomicUsize>,
    environment: BTreeMap<String, String>,
    limit: Duration,
}

impl Bowline {
    /// A new sandbox; tests pass `env!("CARGO_BIN_EXE_bowline")`.
    pub fn new(program: impl Into<PathBuf>) -> Result<Self> {
        let home = tempfile::Builder::new().prefix("bowline-home-").tempdir()?;
        let sandbox = Self {
            program: program.into(),
            home: Arc::new(home),
            runs: Arc::default(),
            environment: BTreeMap::new(),
            limit: LIMIT,
        };
        fs::create_dir(sandbox.location())?;
        let location = format!("file://{}", sandbox.location().display());
        Ok(sandbox.with_home().env("BOWLINE_LOCATION", &location))
    }

    /// The same sandbox with this cluster's kubeconfig.
    #[must_use]
    pub fn on(&self, cluster: &ControlPlane) -> Self {
        self.clone().env("KUBECONFIG", &cluster.kubeconfig().display().to_string())
    }

    /// The same sandbox with an account in a cloud, and a location in its bucket.
    #[must_use]
    pub fn with_cloud(&self, cloud: &Cloud) -> Self {
        let environment = cloud.environment().into_iter();
        environment.fold(self.clone(), |sandbox, (name, value)| sandbox.env(name, &value))
    }

    /// The same sandbox with another variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The same sandbox without a variable.
    #[must_use]
    pub fn without_env(mut self, name: &str) -> Self {
        self.environment.remove(name);
        self
    }

    /// The same sandbox with another time limit for a run.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// The home directory of the sandbox.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The directory that is the object store, unless `BOWLINE_LOCATION` is changed.
    pub fn location(&self) -> PathBuf {
        self.home().join("location")
    }

    /// Runs a command to its end.
    pub async fn run(&self, arguments: &[&str]) -> Result<Output> {
        self.spawn(arguments)?.wait().await
    }

    /// Runs a command that people watch: its output goes where ours goes.
    pub async fn show(&self, arguments: &[&str]) -> Result<ExitStatus> {
        let terminal = ["TERM", "NO_COLOR"].into_iter();
        let terminal = terminal.filter_map(|name| Some((name, std::env::var(name).ok()?)));
        let status = self.command(arguments).envs(terminal).status().await;
        status.with_context(|| format!("failed to run {}", self.program.display()))
    }

    /// Starts a command that the test wants to disturb.
    pub fn spawn(&self, arguments: &[&str]) -> Result<Running> {
        let run = self.runs.fetch_add(1, Ordering::Relaxed);
        let stdout = self.home().join(format!("run-{run}.stdout"));
        let stderr = self.home().join(format!("run-{run}.stderr"));
        let child = self
            .command(arguments)
            .stdout(File::create(&stdout)?)
            .stderr(File::create(&stderr)?)
            .spawn()
            .with_context(|| format!("failed to run {}", self.program.display()))?;
        let command = format!("bowline {}", arguments.join(" "));
        Ok(Running { command, child, stdout, stderr, limit: self.limit })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).env_clear().envs(&self.environment).current_dir(self.home());
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    fn with_home(self) -> Self {
        let home = self.home().to_owned();
        let below = |path: &str| home.join(path).display().to_string();
        self.env("HOME", &below(""))
            .env("XDG_CONFIG_HOME", &below(".config"))
            .env("XDG_DATA_HOME", &below(".local/share"))
            .env("XDG_STATE_HOME", &below(".local/state"))
            .env("XDG_CACHE_HOME", &below(".cache"))
            .env("KUBECONFIG", &below(".kube/config"))
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
    }
}

/// A run that has not ended yet. Dropping it kills it.
#[derive(Debug)]
pub struct Running {
    command: String,
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
    limit: Duration,
}

impl Running {
    /// Waits for the end; a run that takes too long is killed and an error.
    pub async fn wait(mut self) -> Result<Output> {
        if let Ok(status) = timeout(self.limit, self.child.wait()).await {
            return self.output(status?.code());
        }
        self.child.kill().await?;
        let Output { stdout, stderr, .. } = self.output(None)?;
        anyhow::bail!("`{}` took over {:?}:\n{stdout}{stderr}", self.command, self.limit)
    }

    /// Ends the run at once (SIGKILL), as a crash would.
    pub async fn kill(mut self) -> Result<Output> {
        self.child.kill().await?;
        self.output(None)
    }

    /// Sends Ctrl-C (SIGINT).
    pub fn interrupt(&self) -> Result<()> {
        self.signal(Signal::INT)
    }

    /// Stops the run in its tracks (SIGSTOP).
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets a paused run go on (SIGCONT).
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// The process id, while it has not been waited for.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Whether it has ended by now.
    pub fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// What it has written to stderr so far.
    pub fn stderr(&self) -> Result<String> {
        read(&self.stderr)
    }

    /// Waits until stderr holds a text; a run that ends without it is an error at once.
    pub async fn wait_for_stderr(&self, text: &str) -> Result<()> {
        let what = format!("`{text}` on stderr of {}", self.command);
        let said = wait::until(&what, self.limit, async || {
            // Asked first: its last words may be the very text.
            let is_over = self.is_over();
            let stderr = self.stderr()?;
            Ok((is_over || stderr.contains(text)).then_some(stderr))
        });
        let said = said.await?;
        ensure!(
            said.contains(text),
            "`{}` ended without `{text}` on stderr:\n{said}",
            self.command
        );
        Ok(())
    }

    /// Whether it has ended, which whoever waits for it is still to be told.
    fn is_over(&self) -> bool {
        let Some(pid) = self.pid().and_then(|pid| Pid::from_raw(pid.cast_signed())) else {
            return true;
        };
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        !matches!(waitid(WaitId::Pid(pid), options), Ok(None))
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self.pid().and_then(|pid| Pid::from_raw(pid.cast_signed()));
        Ok(kill_process(pid.context("the run has ended")?, signal)?)
    }

    fn output(&self, code: Option<i32>) -> Result<Output> {
        Ok(Output { code, stdout: read(&self.stdout)?, stderr: read(&self.stderr)? })
    }
}

fn read(path: &Path) -> Result<String> {
    Ok(String::from_utf8_lossy(&fs::read(path)?).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_run_sees_nothing_of_the_callers_environment() {
        let sandbox = Bowline::new("/usr/bin/env").unwrap().env("GIVEN", "yes");
        let output = sandbox.run(&[]).await.unwrap().success();
        let home = sandbox.home().display().to_string();
        for line in output.lines().filter(|line| !line.starts_with("PATH=")) {
            assert!(line == "GIVEN=yes" || line.contains(&home), "{line}");
        }
    }

    #[tokio::test]
    async fn a_run_that_ends_without_saying_what_is_awaited_is_an_error_at_once() {
        let sandbox = Bowline::new("/bin/sh").unwrap();
        let running = sandbox.spawn(&["-c", "echo first >&2; echo last words >&2"]).unwrap();
        running.wait_for_stderr("last words").await.unwrap();
        let error = running.wait_for_stderr("never").await.unwrap_err().to_string();
        assert!(error.contains("ended without `never`") && error.contains("last words"), "{error}");
        assert_eq!(running.wait().await.unwrap().code, Some(0), "its end is told once more");
    }

    #[tokio::test]
    async fn a_run_that_hangs_is_killed_and_an_error() {
        let sandbox = Bowline::new("/bin/sleep").unwrap().limit(Duration::from_millis(50));
        let error = sandbox.run(&["1000"]).await.unwrap_err();
        assert!(error.to_string().starts_with("`bowline 1000` took over 50ms"), "{error}");
    }
}
