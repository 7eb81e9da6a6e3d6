//! From the words that were typed to the exit code.

use std::ffi::OsString;
use std::future::pending;
use std::io::IsTerminal as _;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::args::{Cli, Command};
use super::commands::{self, Outcome};
use super::environment::Environment;
use super::error::CliError;
use super::exit::Exit;
use super::output::OutputFormat;
use super::settings::Settings;
use super::style::Style;
use super::{Screen, logging, usage};
use crate::engine::context::Holds;

/// How long work that nobody waits for any more may take to clear up behind itself.
const TIDY_UP: Duration = Duration::from_secs(5);

/// Runs the program as the process was called.
pub fn main() -> ExitCode {
    run(&std::env::args_os().collect::<Vec<_>>(), Environment::read()).into()
}

fn run(args: &[OsString], environment: Environment) -> Exit {
    let style = Style::new(std::io::stderr().is_terminal() && !environment.no_color);
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return usage::answer(&error, args, style),
    };
    let command = cli.command.command();
    let format = command.format();
    let settings = Settings::new(cli.global, environment, Screen::stderr(), style);
    let exit = match start(&settings, command) {
        Ok(exit) => exit,
        Err(error) => error.tell(format, style),
    };
    settings.tell_timings();
    exit
}

fn start(settings: &Settings, command: Command) -> Outcome {
    logging::start(settings.log_level(), settings.screen.clone(), settings.style)?;
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        return Err(CliError::new(Exit::Failed, "the TLS library was set up twice"));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let tidy_up = command.tidy_up();
    let exit = runtime.block_on(unless_interrupted(settings, carry_out(settings, command)));
    // Copies that were given up clear away what they had made; a name look-up must not keep us.
    runtime.shutdown_timeout(tidy_up);
    exit
}

/// Carries a command out until it is done, or a signal ends it.
///
/// The first signal lets what can stop cleanly do so, and has pods released that are held still for
/// their snapshots; the second does not wait.
async fn unless_interrupted(settings: &Settings, work: impl Future<Output = Outcome>) -> Outcome {
    let mut signals = Signals::new();
    let mut work = pin!(work);
    tokio::select! {
        // First, so that no signal comes before it is waited for.
        biased;
        () = signals.next() => {}
        outcome = &mut work => return outcome,
    }
    let stops = settings.stop.ask();
    if stops {
        settings.note("stopping: what is on its way is awaited; a second Ctrl-C ends it at once");
    } else if settings.holds.any() {
        settings.note("interrupted: the post hooks of pods whose pre hooks were run come first");
    }
    let released = async {
        settings.holds.close().await;
        if stops {
            pending::<()>().await;
        }
    };
    tokio::select! {
        biased;
        () = signals.insisting() => Err(left_frozen(settings, interruption(settings))),
        () = released => Err(interruption(settings)),
        outcome = work => match outcome {
            // It was ended, and says no more than that.
            Err(_) if !stops => Err(interruption(settings)),
            outcome => outcome,
        },
    }
}

#[expect(clippy::future_not_send, reason = "it is not moved to another thread")]
async fn carry_out(settings: &Settings, command: Command) -> Outcome {
    match command {
        Command::Backup(command) => commands::backup::run(settings, command).await,
        Command::Restore(command) => commands::restore::run(settings, command).await,
        Command::Schedule(command) => commands::schedule::run(settings, command).await,
        Command::Location(command) => commands::location::run(settings, command).await,
        Command::Version(args) => commands::version::run(settings, &args).await,
        Command::Completion(args) => commands::completion::run(&args),
        Command::Complete(args) => commands::complete::run(settings, &args).await,
    }
}

/// Ctrl-C, the signal that ends a service, and the end of a terminal. None is missed between two
/// waits.
struct Signals {
    interrupt: Option<Signal>,
    terminate: Option<Signal>,
    hangup: Option<Signal>,
}

impl Signals {
    fn new() -> Self {
        Self {
            interrupt: signal(SignalKind::interrupt()).ok(),
            terminate: signal(SignalKind::terminate()).ok(),
            hangup: heeds_hangup().then(|| signal(SignalKind::hangup()).ok()).flatten(),
        }
    }

    /// Waits for one of them.
    async fn next(&mut self) {
        let Self { interrupt, terminate, hangup } = self;
        tokio::select! {
            () = received(interrupt) => {}
            () = received(terminate) => {}
            () = received(hangup) => {}
        }
    }

    /// Waits for one that somebody sent: of the end of a terminal a process is told twice, by its
    /// shell, too.
    async fn insisting(&mut self) {
        let Self { interrupt, terminate, .. } = self;
        tokio::select! {
            () = received(interrupt) => {}
            () = received(terminate) => {}
        }
    }
}

/// Whether the end of the terminal is to be told: not to what was begun under `nohup`.
///
/// Where that cannot be found out, the signal does what it does to any program.
fn heeds_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored_signals(&status).is_some_and(|mask| mask & 1 == 0)
}

fn ignored_signals(status: &str) -> Option<u64> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

async fn received(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => pending().await,
    }
}

/// Names the pods that nobody releases any more.
fn left_frozen(settings: &Settings, error: CliError) -> CliError {
    let frozen = [&settings.holds, &settings.holds_of_runs].map(Holds::frozen).concat();
    let pods: Vec<String> = frozen.iter().map(ToString::to_string).collect();
    if pods.is_empty() {
        return error;
    }
    let message = format!("interrupted before the post hooks of {} were run", pods.join(", "));
    let hint = error.hint.map(|hint| format!("; {hint}")).unwrap_or_default();
    let hint = format!("run these by hand (kubectl exec): what their pre hooks began lasts{hint}");
    CliError::new(Exit::Interrupted, message).with_hint(hint)
}

fn interruption(settings: &Settings) -> CliError {
    let error = CliError::new(Exit::Interrupted, "interrupted");
    match settings.interruption_hint() {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

impl Command {
    /// How long work that nobody waits for any more may take.
    fn tidy_up(&self) -> Duration {
        match self {
            Self::Complete(_) => Duration::ZERO,
            _ => TIDY_UP,
        }
    }

    /// In which form the command prints, so that its error is printed in the same one.
    fn format(&self) -> OutputFormat {
        match self {
            Self::Backup(command) => command.format(),
            Self::Restore(command) => command.format(),
            Self::Schedule(command) => command.format(),
            Self::Location(command) => command.format(),
            Self::Version(args) => args.output.output,
            Self::Completion(_) | Self::Complete(_) => OutputFormat::Table,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_that_nobody_releases_any_more_are_named_whoever_froze_them() {
        let global = Cli::try_parse_from(["bowline", "version"]).unwrap().global;
        let (environment, screen) = (Environment::default(), Screen::stderr());
        let settings = Settings::new(global, environment, screen, Style::PLAIN);
        let pod = |name: &str| format!("pods/shop/{name}").parse().unwrap();
        let [one, other] = [&settings.holds, &settings.holds_of_runs].map(|it| it.begin().unwrap());
        one.freeze(&pod("db-0"));
        other.freeze(&pod("db-1"));
        let error = left_frozen(&settings, interruption(&settings));
        let pods = "pods/shop/db-0, pods/shop/db-1";
        assert_eq!(error.message, format!("interrupted before the post hooks of {pods} were run"));
    }

    #[test]
    fn a_hangup_that_is_ignored_is_the_first_bit_of_the_mask() {
        let status = |mask: &str| format!("SigBlk:\t0000000000000001\nSigIgn:\t{mask}\n");
        assert_eq!(ignored_signals(&status("0000000000000001")), Some(1));
        assert_eq!(ignored_signals(&status("0000000000001006")), Some(0x1006));
        assert_eq!(ignored_signals("Name:\tx\n"), None);
    }
}
