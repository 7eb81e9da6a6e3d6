//! From the words that were typed to the exit code.

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;

use super::args::{Cli, Command};
use super::commands::{self, Outcome};
use super::environment::Environment;
use super::error::CliError;
use super::exit::Exit;
use super::output::OutputFormat;
use super::settings::Settings;
use super::style::Style;
use super::{Screen, logging, usage};

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
    match start(&settings, command) {
        Ok(exit) => exit,
        Err(error) => error.tell(format, style),
    }
}

fn start(settings: &Settings, command: Command) -> Outcome {
    logging::start(settings.log_level(), settings.screen.clone(), settings.style)?;
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        return Err(CliError::new(Exit::Failed, "the TLS library was set up twice"));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let tidy_up = command.tidy_up();
    let exit = runtime.block_on(async {
        tokio::select! {
            // First, so that no signal comes before it is waited for.
            biased;
            () = interrupted() => Err(interruption(settings)),
            outcome = carry_out(settings, command) => outcome,
        }
    });
    // Copies that were given up clear away what they had made; a name look-up must not keep us.
    runtime.shutdown_timeout(tidy_up);
    exit
}

async fn carry_out(settings: &Settings, command: Command) -> Outcome {
    match command {
        Command::Backup(command) => commands::backup::run(settings, command).await,
        Command::Restore(command) => commands::restore::run(settings, command).await,
        Command::Location(command) => commands::location::run(settings, command).await,
        Command::Version(args) => commands::version::run(settings, &args).await,
        Command::Completion(args) => commands::completion::run(&args),
        Command::Complete(args) => commands::complete::run(settings, &args).await,
    }
}

/// Waits for Ctrl-C, or for the signal that ends a service.
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        result = tokio::signal::ctrl_c() => if result.is_err() { std::future::pending().await },
        _ = terminate.recv() => {}
    }
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
            Self::Location(command) => command.format(),
            Self::Version(args) => args.output.output,
            Self::Completion(_) | Self::Complete(_) => OutputFormat::Table,
        }
    }
}
