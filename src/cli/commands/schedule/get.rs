//! `bowline schedule get`.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;

use super::view::{Shown, kept, phase};
use crate::cli::commands::Outcome;
use crate::cli::commands::labels::LabelColumnArgs;
use crate::cli::commands::lookup::{failed, none_to_show, not_found, selectors};
use crate::cli::commands::selection::{Document, SelectionArgs};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::{OutputArgs, print};
use crate::cli::settings::Settings;
use crate::cli::table::{Table, cell};
use crate::cli::units::age;
use crate::engine::schedule::standing::{self, Standing};
use crate::engine::store::{self, BackupStore};

/// List schedules
///
/// For programs, the schedule that is asked for by its name is one object; all else is a list.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  bowline schedule get
  bowline schedule get nightly -o json")]
pub struct Args {
    /// Which of them.
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// Which labels are shown.
    #[command(flatten)]
    pub columns: LabelColumnArgs,
    /// In which form they are printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

pub(super) async fn run(settings: &Settings, args: Args) -> Outcome {
    let store = settings.store()?;
    let now = settings.clock.now();
    let selected = select(&store, &args.selection, now).await?;
    let Selected { found, unreadable } = &selected;
    if found.is_empty() && unreadable.is_empty() && args.output.is_table() {
        return Ok(none_to_show(settings, "schedules", args.selection.selector.as_ref(), &store));
    }
    let shown: Vec<_> = found.iter().map(Shown::of).collect();
    print(args.output.output, &selected.document(&args.selection, &shown), |_| {
        let mut table = Table::new(HEADER);
        table.extend(found.iter().map(|standing| row(standing, now)));
        let labels: Vec<_> = found.iter().map(|it| Some(&it.schedule.metadata.labels)).collect();
        args.columns.add_to(&mut table, &labels);
        table
    })?;
    Ok(complain(settings, unreadable))
}

/// The schedules that are asked for.
pub(super) struct Selected {
    /// How those stand that can be read, in order.
    pub found: Vec<Standing>,
    /// Those that cannot, by name, and why not: one of them hides no other.
    pub unreadable: Vec<(String, store::Error)>,
}

/// What programs are told of schedules, those included that cannot be read.
#[derive(Debug, Serialize)]
pub(super) struct Listing<'a, T> {
    #[serde(flatten)]
    read: Document<'a, T>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Unreadable<'a>>,
}

#[derive(Debug, Serialize)]
struct Unreadable<'a> {
    name: &'a str,
    error: CliError,
}

impl Selected {
    /// What programs are told: `read` is what is told of those that can be read.
    pub(super) fn document<'a, T>(
        &'a self,
        selection: &SelectionArgs,
        read: &'a [T],
    ) -> Listing<'a, T> {
        let errors = self.unreadable.iter();
        let errors = errors.map(|(name, error)| Unreadable { name, error: CliError::of(error) });
        Listing { read: selection.document(read), errors: errors.collect() }
    }
}

/// Tells which schedules cannot be read.
pub(super) fn complain(settings: &Settings, unreadable: &[(String, store::Error)]) -> Exit {
    for (_, error) in unreadable {
        settings.complain(&CliError::of(error));
    }
    if unreadable.is_empty() { Exit::Done } else { Exit::PartlyFailed }
}

/// Looks how those stand that are asked for; an error if one that is named does not exist, or cannot
/// be read.
pub(super) async fn select(
    store: &BackupStore,
    selection: &SelectionArgs,
    now: Timestamp,
) -> Result<Selected, CliError> {
    let known = store.schedule_names().await.map_err(failed)?;
    let typed: BTreeSet<_> = selection.names.iter().collect();
    let is_named = !typed.is_empty();
    let names = if is_named { typed } else { known.iter().collect() };
    let (mut found, mut unreadable) = (Vec::new(), Vec::new());
    for name in names {
        let mut pass_over = |error: store::Error| {
            if is_named || !error.is_damage() {
                return Err(failed(error));
            }
            unreadable.push((name.clone(), error));
            Ok(())
        };
        let schedule = match store.schedule(name).await {
            Ok(Some(schedule)) => schedule.document,
            Ok(None) => {
                let known = known.iter().map(String::as_str);
                return Err(not_found("schedule", name, known, store.url()));
            }
            Err(error) => {
                pass_over(error)?;
                continue;
            }
        };
        if !selection.takes(Some(&schedule.metadata.labels)) {
            continue;
        }
        match standing::of(store, schedule, now).await {
            Ok(standing) => found.push(standing),
            Err(error) => pass_over(error)?,
        }
    }
    Ok(Selected { found, unreadable })
}

const HEADER: [&str; 9] =
    ["NAME", "STATUS", "CREATED", "SCHEDULE", "KEPT", "LAST BACKUP", "NEXT", "SELECTOR", "PAUSED"];

fn row(standing: &Standing, now: Timestamp) -> [String; 9] {
    let schedule = &standing.schedule;
    let template = &schedule.spec.template;
    [
        schedule.name().to_owned(),
        phase(standing).to_owned(),
        cell(schedule.metadata.creation_timestamp.map(|time| age(time, now))),
        schedule.spec.schedule.clone(),
        cell(kept(schedule)),
        cell(standing.last_run.map(|time| age(time, now))),
        cell(standing.next.map(|time| age(now.min(time), time))),
        cell(selectors(template.label_selector.as_ref(), &template.or_label_selectors)),
        schedule.spec.paused.to_string(),
    ]
}
