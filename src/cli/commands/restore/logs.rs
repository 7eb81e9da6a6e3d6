//! `bowline restore logs`.

use super::found::find;
use crate::cli::commands::Outcome;
use crate::cli::commands::logs::{LogArgs, Printed, outcome, print};
use crate::cli::settings::Settings;
use crate::engine::logs::Reader;

/// Print the log of a restore, also while it runs
///
/// A restore that runs writes its log to the storage location every few seconds, so that any machine
/// can read it; one that was interrupted leaves what it had written. Control characters are written
/// out, whether it goes to a terminal or not.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  bowline restore logs nightly-20260301020000
  bowline restore logs nightly-20260301020000 --follow")]
pub struct Args {
    /// The restore's name
    pub name: String,
    /// How much of it is printed.
    #[command(flatten)]
    pub log: LogArgs,
}

pub(super) async fn run(settings: &Settings, args: Args) -> Outcome {
    let store = settings.store()?;
    let local = settings.local_records();
    let reader = Reader::of_restore(&store, local.as_ref(), &args.name);
    let printed = print(reader, &args.log).await?;
    if printed == Printed::Nothing {
        // Either there is no such restore, or it left no log.
        find(settings, &store, &args.name).await?;
    }
    outcome(printed, "restore", &args.name)
}
