//! `bowline backup hold`.

use jiff::Timestamp;
use serde::Serialize;

use crate::cli::commands::Outcome;
use crate::cli::exit::Exit;
use crate::cli::output::{OutputArgs, print};
use crate::cli::settings::Settings;
use crate::engine::model::schedule::HoldRecord;
use crate::engine::schedule::hold;

/// Hold a backup: it stays, whatever rules and times say, until it is released
///
/// Neither backup expire nor backup delete removes it. A Velero on the same bucket knows nothing of
/// that: it deletes a backup that has an expiration when its time comes.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  bowline backup hold nightly-20260301020000-0a1b2c
  bowline backup hold nightly-20260301020000-0a1b2c --reason \"before the migration\"")]
pub struct Args {
    /// The backup's name
    pub name: String,
    /// Why, for whoever wants to delete it
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// In which form the mark is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// The mark of a backup that is held.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::cli) struct Report {
    #[serde(flatten)]
    record: HoldRecord,
    /// When a Velero on the same bucket would delete it all the same; absent if it would not.
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration: Option<Timestamp>,
}

pub(super) async fn run(settings: &Settings, args: Args) -> Outcome {
    let store = settings.store()?;
    let held = hold::hold(&store, settings.clock, &args.name, args.reason).await?;
    if held.is_earlier {
        settings.note(&format!("backup {} was held already: its mark is left as it is", args.name));
    }
    if let Some(time) = held.expiration {
        let message =
            format!("a Velero on the same bucket deletes it on {time}: it knows no holds");
        settings.note(&message);
    }
    let report = Report { record: held.record, expiration: held.expiration };
    print(args.output.output, &report, |it| {
        format!("backup {} is held since {}\n", it.record.backup, it.record.since)
    })?;
    Ok(Exit::Done)
}
