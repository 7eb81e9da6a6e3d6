//! `bowline restore delete`.

use std::fmt;

use serde::Serialize;
use serde_json::json;

use super::get::names;
use crate::cli::commands::Outcome;
use crate::cli::commands::deletion::{Deleted, each_once, exit, question};
use crate::cli::commands::lookup::not_found;
use crate::cli::confirmation::ConfirmArgs;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::{OutputArgs, print};
use crate::cli::settings::Settings;
use crate::engine::delete;
use crate::engine::report::Phase;

/// Delete the records of restores
///
/// What was restored stays: objects, volumes and all. An interrupted restore cannot go on without
/// its record.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  bowline restore delete nightly-20260301020000
  bowline restore delete one two --confirm")]
pub struct Args {
    /// The restores' names
    #[arg(required = true)]
    pub names: Vec<String>,
    /// Whether to ask.
    #[command(flatten)]
    pub confirm: ConfirmArgs,
    /// In which form the report is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// A restore whose records are gone.
#[derive(Debug, Serialize)]
struct Report {
    name: String,
    phase: Phase,
}

pub(super) async fn run(settings: &Settings, args: Args) -> Outcome {
    let wanted = each_once(&args.names);
    let (store, local) = (settings.store()?, settings.local_records());
    let known = names(settings, &store).await?;
    if let Some(name) = wanted.iter().find(|name| !known.iter().any(|other| other == *name)) {
        return Err(not_found("restore", name, known.iter().map(String::as_str), store.url()));
    }
    let consequence = "Only records go; what was restored stays.";
    args.confirm.ask(settings, &question("restore", &wanted, consequence)).await?;
    settings.if_interrupted("run the same command again: it finishes the deletion".to_owned());
    let is_alone = wanted.len() == 1;
    let mut all = Vec::new();
    for name in wanted {
        let result = delete::restore(&store, local.as_ref(), settings.clock, name).await;
        let report = result.map(|()| Report { name: name.to_owned(), phase: Phase::Completed });
        all.push(Deleted::of(settings, name, is_alone, report.map_err(CliError::from))?);
    }
    print(args.output.output, &json!({"items": &all}), |_| Summary(&all))?;
    Ok(exit(&all, |_| Exit::Done))
}

struct Summary<'a>(&'a [Deleted<Report>]);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|deleted| match deleted {
            Deleted::Report(report) => writeln!(f, "restore {} is deleted", report.name),
            Deleted::Failure { .. } => Ok(()),
        })
    }
}
