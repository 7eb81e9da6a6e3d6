//! `bowline location check`.

use std::fmt;

use crate::cli::commands::Outcome;
use crate::cli::description::Description;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::{OutputArgs, print};
use crate::cli::plugins;
use crate::cli::settings::Settings;
use crate::cli::table::{Table, cell};
use crate::engine::location::{self, CheckReport, Guard};
use crate::engine::model::location::Location;

/// Try whether a location does what backups need of it
///
/// Writes a probe below metadata/bowline/probes/, reads and lists it, and removes it again. Tells
/// how the location guards its objects, too: versions, locks, encryption.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  bowline location check
  bowline location check 's3://bucket/prefix?region=eu-west-1' -o json")]
pub struct Args {
    /// The location, by name or by URL (default: the one in use)
    #[arg(value_name = "NAME|URL")]
    pub location: Option<String>,
    /// In which form the outcome is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

pub(super) async fn run(settings: &Settings, args: Args) -> Outcome {
    let location = match &args.location {
        Some(text) => settings.named(text)?,
        None => settings.chosen()?.location,
    };
    check_directory(&location)?;
    let store = plugins::store(&location)
        .map_err(|error| CliError::of(&error).within("the location is not valid"))?;
    settings.if_interrupted(
        "a probe may be left behind; a check that is run an hour later removes it".to_owned(),
    );
    let report = location::check(&store, settings.clock).await;
    print(args.output.output, &report, Text)?;
    Ok(exit(&report))
}

/// A directory that is not there is more likely mistyped than meant: a check must not make it.
fn check_directory(location: &Location) -> Result<(), CliError> {
    match location {
        Location::Directory(path) if !path.exists() => {
            let message = format!("directory \"{}\" does not exist", path.display());
            Err(CliError::new(Exit::Unreachable, message)
                .with_hint("is it the one you meant? the first backup, or mkdir -p, makes it"))
        }
        _ => Ok(()),
    }
}

fn exit(report: &CheckReport) -> Exit {
    match (report.is_good(), report.is_usable()) {
        (true, _) => Exit::Done,
        (false, true) => Exit::Failed,
        (false, false) => Exit::Unreachable,
    }
}

struct Text<'a>(&'a CheckReport);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CheckReport { location, steps, guard, warnings, hint } = self.0;
        let mut table = Table::new(["STEP", "OUTCOME", "TIME", "DETAIL"]);
        for step in steps {
            table.push([
                step.name.to_owned(),
                step.outcome.to_string(),
                format!("{}ms", step.milliseconds),
                cell(step.detail.as_ref()),
            ]);
        }
        let mut text = Description::default();
        text.line("Location", location);
        for (name, setting) in [
            ("Versioning", &guard.versioning),
            ("Object lock", &guard.object_lock),
            ("Encryption", &guard.encryption),
        ] {
            text.line(name, &Guard::in_words(setting).unwrap_or_default());
        }
        text.section("Steps", &table.to_string());
        text.list("Warnings", warnings);
        text.list("Hint", hint);
        write!(f, "{text}")
    }
}
