//! `bowline schedule pause` and `bowline schedule unpause`.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

use super::which::WhichArgs;
use crate::cli::commands::Outcome;
use crate::cli::commands::lookup::none_to_show;
use crate::cli::exit::Exit;
use crate::cli::output::{OutputArgs, print};
use crate::cli::settings::Settings;
use crate::cli::velero::Accepted;
use crate::engine::model::schedule::Schedule;
use crate::engine::schedule::change::{self, Change};
use crate::engine::schedule::standing;

/// Have no backups made for now
///
/// Whoever runs a schedule leaves it out; schedule trigger makes a backup all the same.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  bowline schedule pause nightly
  bowline schedule pause --all")]
pub struct PauseArgs {
    /// Which of them.
    #[command(flatten)]
    pub which: WhichArgs,
    /// In which form it is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Have backups made again
///
/// From the next time on that is due: nothing is made up for that was due meanwhile.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  bowline schedule unpause nightly
  bowline schedule unpause -l team=web")]
pub struct UnpauseArgs {
    /// Which of them.
    #[command(flatten)]
    pub which: WhichArgs,
    /// In which form it is printed.
    #[command(flatten)]
    pub output: OutputArgs,
    /// What Velero has besides.
    #[command(flatten)]
    pub accepted: Accepted,
}

/// `{"items": [...]}`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::cli) struct Report {
    /// What became of each.
    items: Vec<Item>,
}

/// What became of a schedule.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
struct Item {
    /// Its name.
    name: String,
    /// Whether it is paused.
    paused: bool,
    /// Whether it was not so before.
    changed: bool,
    /// When a backup is due next; none while it is paused.
    next: Option<Timestamp>,
}

pub(super) async fn pause(settings: &Settings, args: PauseArgs) -> Outcome {
    run(settings, &args.which, args.output, true).await
}

pub(super) async fn unpause(settings: &Settings, args: UnpauseArgs) -> Outcome {
    run(settings, &args.which, args.output, false).await
}

async fn run(settings: &Settings, which: &WhichArgs, output: OutputArgs, paused: bool) -> Outcome {
    let store = settings.store()?;
    let names = which.names(&store).await?;
    if names.is_empty() && output.is_table() {
        return Ok(none_to_show(settings, "schedules", which.selector.as_ref(), &store));
    }
    let now = settings.clock.now();
    let mut items = Vec::new();
    for name in &names {
        let change = if paused {
            change::pause(&store, name).await?
        } else {
            change::unpause(&store, name, now).await?
        };
        items.push(Item::of(&change, now));
    }
    print(output.output, &Report { items }, |report| report)?;
    Ok(Exit::Done)
}

impl Item {
    fn of(change: &Change, now: Timestamp) -> Self {
        let schedule = &change.after;
        Self {
            name: schedule.name().to_owned(),
            paused: schedule.spec.paused,
            changed: change.is_new(),
            next: next(schedule, now),
        }
    }
}

fn next(schedule: &Schedule, now: Timestamp) -> Option<Timestamp> {
    standing::Standing::new(schedule.clone(), Vec::new(), now).next
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.items.iter().try_for_each(|item| writeln!(f, "{item}"))
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, paused, changed, next } = self;
        write!(f, "schedule {name} is {}", if *paused { "paused" } else { "not paused" })?;
        f.write_str(if *changed { "" } else { " (it was so already)" })?;
        next.map_or(Ok(()), |next| write!(f, "; the next backup is due {next}"))
    }
}
