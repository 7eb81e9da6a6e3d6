//! `bowline backup release`.

use serde::Serialize;

use crate::cli::commands::Outcome;
use crate::cli::exit::Exit;
use crate::cli::output::{OutputArgs, print};
use crate::cli::settings::Settings;
use crate::engine::schedule::hold;

/// Release a backup that is held: rules and times mean it again
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  bowline backup release nightly-20260301020000-0a1b2c")]
pub struct Args {
    /// The backup's name
    pub name: String,
    /// In which form it is printed what was released.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// What was released.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(in crate::cli) struct Report {
    /// The backup.
    backup: String,
    /// Whether it was held until now.
    was_held: bool,
}

pub(super) async fn run(settings: &Settings, args: Args) -> Outcome {
    let store = settings.store()?;
    let found = hold::release(&store, &args.name).await?;
    let report = Report { backup: args.name, was_held: found.is_some() };
    print(args.output.output, &report, |it| {
        let how = if it.was_held { "is released" } else { "was not held" };
        format!("backup {} {how}\n", it.backup)
    })?;
    Ok(Exit::Done)
}
