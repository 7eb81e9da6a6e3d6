//! What printing the log of a backup and of a restore has in common.

use std::time::Duration;

use super::Outcome;
use super::lookup::failed;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::print_part;
use crate::cli::style::printable_lines;
use crate::engine::clock::pause;
use crate::engine::logs::{Reader, State};

/// How long after one look at a log that is still written the next one is.
const PAUSE: Duration = Duration::from_secs(1);

/// Which log, and how much of it.
#[derive(clap::Args, Debug)]
pub struct LogArgs {
    /// Go on printing what is logged until the log is whole
    #[arg(short, long)]
    pub follow: bool,
}

/// How far a log was printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Printed {
    /// To its end, or as far as anybody reads it.
    All,
    /// To where it is; more may come.
    SoFar,
    /// There is none.
    Nothing,
    /// Some of it, and the rest went away.
    Gone,
}

/// Prints a log: what others wrote into it cannot act on the terminal, be there a pipe between or not.
pub(super) async fn print(mut log: Reader<'_>, args: &LogArgs) -> Result<Printed, CliError> {
    let mut is_begun = false;
    loop {
        let chunk = log.read_on().await.map_err(failed)?;
        is_begun |= !chunk.text.is_empty();
        if !print_part(&printable_lines(&chunk.text))? {
            return Ok(Printed::All);
        }
        match chunk.state {
            State::Whole => return Ok(Printed::All),
            State::Absent if is_begun => return Ok(Printed::Gone),
            State::Absent => return Ok(Printed::Nothing),
            State::Running if !args.follow && is_begun => return Ok(Printed::SoFar),
            State::Running if !args.follow => return Err(not_yet()),
            State::Running => pause(PAUSE).await,
        }
    }
}

fn not_yet() -> CliError {
    CliError::new(Exit::NotFound, "nothing was logged yet")
        .with_hint("what runs writes its log every few seconds; --follow waits for it")
}

/// How printing ends; `noun` and `name` tell of what the log was to be.
pub(super) fn outcome(printed: Printed, noun: &str, name: &str) -> Outcome {
    match printed {
        Printed::All | Printed::SoFar => Ok(Exit::Done),
        Printed::Nothing => {
            Err(CliError::new(Exit::NotFound, format!("there is no log of {noun} \"{name}\""))
                .with_hint(format!("bowline {noun} describe {name} shows all that is known of it")))
        }
        Printed::Gone => {
            Err(CliError::new(Exit::NotFound, format!("the log of {noun} \"{name}\" went away"))
                .with_hint("it broke off and was cleared, or it was deleted"))
        }
    }
}
