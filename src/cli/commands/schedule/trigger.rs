//! `bowline schedule trigger`.

use crate::cli::commands::Outcome;
use crate::cli::commands::backup::scheduled::{Work, carry_out};
use crate::cli::outlets::OutletArgs;
use crate::cli::output::OutputArgs;
use crate::cli::settings::Settings;
use crate::engine::schedule::change;

/// Make the backup that a schedule asks for, now
///
/// Also of a schedule that is paused; when the next one is due stays as it is.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  bowline schedule trigger nightly")]
pub struct Args {
    /// The schedule
    pub name: String,
    /// In which form the report is printed.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Who else is told.
    #[command(flatten)]
    pub outlets: OutletArgs,
}

pub(super) async fn run(settings: &Settings, args: Args) -> Outcome {
    let schedule = change::find(&settings.store()?, &args.name).await?.document;
    let (format, outlets) = (args.output.output, &args.outlets);
    let work = Work { paused_too: true, expire: false, format, outlets };
    Box::pin(carry_out(settings, &schedule, work)).await
}
