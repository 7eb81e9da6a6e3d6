//! Child processes that end with the harness, whatever ends it.

use std::fs::{self, File, OpenOptions};
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};

/// Starts the program beside a shell that waits for the end of its own stdin.
///
/// Only the harness holds the other end, so that stdin ends with the harness, even by SIGKILL; the
/// shell then ends the program and its own group. File 3 of the program is a pipe that nobody
/// writes to: its end tells the harness that the program has ended.
const SUPERVISOR: &str = r#"
"$@" </dev/null 3>&1 1>&2 &
p=$!
trap '' HUP INT TERM
echo $p
exec 1>&2
read -r _
kill -CONT $p
kill -TERM $p
{ sleep 3; kill -KILL $p; } &
wait $p
kill -KILL 0
"#;

/// How long a program may take to end when it is asked to.
const GRACE: Duration = Duration::from_secs(5);

/// A program to run, with its arguments.
#[derive(Debug, Clone)]
pub struct Program {
    /// What it is called in messages, and its log file.
    pub name: &'static str,
    /// The binary.
    pub path: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Environment beside `PATH` and `HOME`; nothing is inherited.
    pub environment: Vec<(String, String)>,
}

/// A running program of the harness: its own process group, its log in a file.
///
/// Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    program: Program,
    directory: PathBuf,
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    supervisor: Child,
    pid: Pid,
    exit: ChildStdout,
}

impl Process {
    /// Starts a program in a directory, which gets its log, too.
    pub fn start(program: Program, directory: &Path) -> Result<Self> {
        let running = Running::start(&program, directory)?;
        let running = Mutex::new(Some(running));
        Ok(Self { program, directory: directory.to_owned(), running })
    }

    /// The program's process id, while it is held as running.
    pub fn pid(&self) -> Option<u32> {
        self.running().as_ref().map(|running| running.pid.as_raw_nonzero().get().cast_unsigned())
    }

    /// Whether the program has ended, by itself or by us.
    pub fn has_ended(&self) -> bool {
        self.running().as_ref().is_none_or(|running| running.has_ended(Duration::ZERO))
    }

    /// Stops the program in its tracks (SIGSTOP): connections stay open and get no answer.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets a paused program go on (SIGCONT).
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// Ends the program at once (SIGKILL) and waits until its ports are free.
    pub fn kill(&self) {
        if let Some(running) = self.running().take() {
            running.kill();
        }
    }

    /// Asks the program to end (SIGTERM), and kills it after a grace period.
    pub fn stop(&self) {
        if let Some(running) = self.running().take() {
            running.signal(Signal::CONT).ok();
            running.signal(Signal::TERM).ok();
            running.has_ended(GRACE);
            running.kill();
        }
    }

    /// Starts the program again as before: same arguments, same ports, same data, same log.
    pub fn restart(&self) -> Result<()> {
        self.kill();
        *self.running() = Some(Running::start(&self.program, &self.directory)?);
        Ok(())
    }

    /// What the program has logged.
    pub fn log(&self) -> String {
        let bytes = fs::read(log_path(&self.program, &self.directory)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The end of the log, for error messages.
    pub fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines.get(lines.len().saturating_sub(20)..).unwrap_or_default();
        format!("last lines of {}:\n{}", self.program.name, tail.join("\n"))
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        match self.running().as_ref() {
            Some(running) => running.signal(signal),
            None => bail!("{} is down", self.program.name),
        }
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Running {
    fn start(program: &Program, directory: &Path) -> Result<Self> {
        let mut supervisor = Command::new("sh")
            .args(["-c", SUPERVISOR, program.name])
            .arg(&program.path)
            .args(&program.arguments)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", directory)
            .envs(program.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(directory)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log_file(program, directory)?)
            .spawn()
            .with_context(|| format!("failed to start {}", program.name))?;
        let mut exit = supervisor.stdout.take().context("no pipe")?;
        let pid = read_pid(&mut exit).with_context(|| format!("no pid of {}", program.name))?;
        Ok(Self { supervisor, pid, exit })
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        ensure!(!self.has_ended(Duration::ZERO), "the program has ended");
        Ok(kill_process(self.pid, signal)?)
    }

    /// Whether the pipe that the program holds has ended, or ends in time.
    fn has_ended(&self, limit: Duration) -> bool {
        let mut files = [PollFd::new(&self.exit, PollFlags::IN)];
        let limit = Timespec::try_from(limit).ok();
        poll(&mut files, limit.as_ref()).is_ok_and(|ready| ready > 0)
    }

    /// Kills the program; its supervisor then ends the group, with what the program has started.
    fn kill(mut self) {
        self.signal(Signal::KILL).ok();
        drop(self.supervisor.stdin.take());
        self.supervisor.wait().ok();
    }
}

/// Reads the line with the pid, and not a byte more.
fn read_pid(pipe: &mut ChildStdout) -> Result<Pid> {
    let mut digits = String::new();
    let mut byte = [0];
    loop {
        pipe.read_exact(&mut byte)?;
        match byte {
            [b'\n'] => break,
            [digit] => digits.push(digit.into()),
        }
    }
    Pid::from_raw(digits.parse()?).context("pid 0")
}

fn log_path(program: &Program, directory: &Path) -> PathBuf {
    directory.join(format!("{}.log", program.name))
}

fn log_file(program: &Program, directory: &Path) -> Result<File> {
    let path = log_path(program, directory);
    let file = OpenOptions::new().create(true).append(true).open(&path);
    file.with_context(|| format!("failed to open {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, directory: &Path) -> Process {
        let arguments = vec!["-c".to_owned(), script.to_owned()];
        let path = PathBuf::from("/bin/sh");
        let program = Program { name: "shell", path, arguments, environment: Vec::new() };
        Process::start(program, directory).unwrap()
    }

    /// Whether a process goes away soon; a zombie, which init has yet to reap, has gone.
    fn goes_away(pid: u32) -> bool {
        let stat = || fs::read_to_string(format!("/proc/{pid}/stat"));
        (0..100).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            stat().map_or(true, |stat| stat.contains(") Z "))
        })
    }

    #[test]
    fn the_end_of_a_program_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let process = shell("echo ready; exit 3", directory.path());
        assert!(process.running().as_ref().unwrap().has_ended(GRACE));
        assert_eq!(process.log(), "ready\n");
    }

    #[test]
    fn a_killed_program_takes_its_children_along_and_starts_again() {
        let directory = tempfile::tempdir().unwrap();
        let process = shell("sleep 1000 & wait", directory.path());
        let first = process.pid().unwrap();
        assert!(!process.has_ended());
        process.kill();
        assert!(process.has_ended());
        process.restart().unwrap();
        assert!(!process.has_ended());
        assert_ne!(process.pid().unwrap(), first);
        let second = process.pid().unwrap();
        drop(process);
        assert!(goes_away(second));
    }

    #[test]
    fn a_program_that_ignores_the_request_to_end_is_killed() {
        let directory = tempfile::tempdir().unwrap();
        let process = shell("trap '' TERM; exec sleep 1000", directory.path());
        let pid = process.pid().unwrap();
        process.pause().unwrap();
        process.stop();
        assert!(goes_away(pid));
    }
}
