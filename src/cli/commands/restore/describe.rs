//! `bowline restore describe`.

use super::create::{Summary, again};
use super::get::{Found, find};
use crate::cli::commands::Outcome;
use crate::cli::description::Description;
use crate::cli::exit::Exit;
use crate::cli::output::{OutputArgs, print};
use crate::cli::settings::Settings;
use crate::cli::table::cell;
use crate::engine::store::RestoreEntry;

/// Show all that is known of a restore
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  bowline restore describe nightly-20260301020000
  bowline restore describe nightly-20260301020000 -o json")]
pub struct Args {
    /// The restore's name
    pub name: String,
    /// In which form it is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

pub(super) async fn run(settings: &Settings, args: Args) -> Outcome {
    let store = settings.store()?;
    let found = find(settings, &store, &args.name).await?;
    print(args.output.output, &found, text)?;
    Ok(Exit::Done)
}

fn text(found: &Found) -> Description {
    let mut text = Description::default();
    let RestoreEntry { record, result } = &found.entry;
    text.line("Name", &record.name);
    text.line("Backup", &record.spec.backup_name);
    text.line("Phase", &found.phase().to_string());
    text.line("Started", &record.start_timestamp.to_string());
    for (from, to) in &record.spec.namespace_mapping {
        text.line("Namespace", &format!("{from} as {to}"));
    }
    if found.local {
        text.line("Records", "on this machine, since the location took none");
    }
    let Some(report) = result else {
        text.line("To go on", &again(&record.name, &record.spec.backup_name));
        return text;
    };
    text.line("Completed", &cell(report.completion_timestamp));
    text.list("Errors", &report.errors);
    text.list("Warnings", &report.warnings);
    text.section("Outcome", &Summary(report).to_string());
    text
}
