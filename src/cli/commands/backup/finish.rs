//! `bowline backup finish`.

use super::create::Summary;
use crate::cli::commands::Outcome;
use crate::cli::exit::Exit;
use crate::cli::output::{OutputArgs, print};
use crate::cli::settings::Settings;
use crate::engine::backup;

/// Finish a backup that was interrupted while its snapshots were awaited
///
/// Needs the storage location and the provider of the snapshots, but no cluster, so that any machine
/// will do. A backup that broke off earlier has to be made anew, with create --replace-incomplete.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  bowline backup finish nightly
  bowline backup finish nightly -o json")]
pub struct Args {
    /// The backup's name
    pub name: String,
    /// In which form the report is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

pub(super) async fn run(settings: &Settings, args: Args) -> Outcome {
    let progress = settings.progress();
    let tools = settings.finishing_tools(&progress)?;
    settings.if_interrupted(hint(&args.name));
    let finished = progress.during(backup::finish(&tools, &args.name)).await?;
    if finished.earlier {
        settings.note(&format!("backup {} was finished already", args.name));
    }
    print(args.output.output, &finished.report, Summary)?;
    Ok(Exit::of_phase(finished.report.phase))
}

/// How to go on where the wait for snapshots was interrupted.
pub(super) fn hint(name: &str) -> String {
    format!("its snapshots go on; to complete it, run bowline backup finish {name}")
}
