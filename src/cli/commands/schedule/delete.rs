//! `bowline schedule delete`.

use std::fmt;

use serde::Serialize;
use serde_json::json;

use super::which::WhichArgs;
use crate::cli::commands::Outcome;
use crate::cli::commands::deletion::{Deleted, exit, question};
use crate::cli::commands::lookup::{failed, none_to_show};
use crate::cli::confirmation::ConfirmArgs;
use crate::cli::exit::Exit;
use crate::cli::output::{OutputArgs, print};
use crate::cli::settings::Settings;
use crate::engine::model::schedule::SCHEDULE_LABEL;
use crate::engine::schedule::deploy;

/// Delete schedules
///
/// Their backups stay, and from then on none of them goes by a schedule's rules. What `schedule
/// deploy` has made in a cluster stays, too, and its jobs fail from then on: the command that removes
/// it is told.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  bowline schedule delete nightly
  bowline schedule delete nightly weekly --confirm
  bowline schedule delete --all --confirm")]
pub struct Args {
    /// Which of them.
    #[command(flatten)]
    pub which: WhichArgs,
    /// Whether to ask.
    #[command(flatten)]
    pub confirm: ConfirmArgs,
    /// In which form it is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// A schedule that is gone.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::cli) struct Report {
    /// Its name.
    name: String,
    /// What its backups can be found by.
    selector: String,
}

pub(super) async fn run(settings: &Settings, args: Args) -> Outcome {
    let store = settings.store()?;
    let names = args.which.names(&store).await?;
    if names.is_empty() && args.output.is_table() {
        return Ok(none_to_show(settings, "schedules", args.which.selector.as_ref(), &store));
    }
    let consequence = "Its backups stay, and no rule removes them any more.";
    if !names.is_empty() {
        args.confirm.ask(settings, &question("schedule", &names, consequence)).await?;
    }
    let is_alone = names.len() == 1;
    let mut all = Vec::new();
    for name in names {
        let removed = store.remove_schedule(&name).await.map_err(failed);
        let selector = format!("{SCHEDULE_LABEL}={name}");
        let report = removed.map(|()| Report { name: name.clone(), selector });
        all.push(Deleted::of(settings, &name, is_alone, report)?);
    }
    print(args.output.output, &json!({"items": &all}), |_| Summary(&all))?;
    all.iter().filter_map(Deleted::report).for_each(|it| note_deployment(settings, &it.name));
    Ok(exit(&all, |_| Exit::Done))
}

/// Tells how to remove what a cluster may go on to run: the location knows nothing of it.
fn note_deployment(settings: &Settings, schedule: &str) {
    settings.note(&format!(
        "if a cluster runs {schedule} (schedule deploy), its jobs fail from now on; to remove them \
         there: {}",
        deploy::removal(schedule)
    ));
}

struct Summary<'a>(&'a [Deleted<Report>]);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|deleted| match deleted {
            Deleted::Report(Report { name, selector }) => writeln!(
                f,
                "schedule {name} is deleted; its backups stay until bowline backup delete -l \
                 {selector}"
            ),
            Deleted::Failure { .. } => Ok(()),
        })
    }
}
