//! `bowline backup logs`.

use super::get::find;
use crate::cli::commands::Outcome;
use crate::cli::commands::logs::{LogArgs, Printed, outcome, print};
use crate::cli::settings::Settings;
use crate::engine::logs::Reader;

/// Print the log of a backup, also while it runs
///
/// A backup that runs writes its log to the storage location every few seconds, so that any machine
/// can read it; one that was interrupted leaves what it had written. Control characters are written
/// out, whether it goes to a terminal or not.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  bowline backup logs nightly
  bowline backup logs nightly --follow")]
pub struct Args {
    /// The backup's name
    pub name: String,
    /// How much of it is printed.
    #[command(flatten)]
    pub log: LogArgs,
}

pub(super) async fn run(settings: &Settings, args: Args) -> Outcome {
    let store = settings.store()?;
    let reader = Reader::of_backup(&store, &args.name);
    let printed = print(reader, &args.log).await?;
    if printed == Printed::Nothing {
        // Either there is no such backup, or it left no log.
        find(&store, &args.name).await?;
    }
    outcome(printed, "backup", &args.name)
}
