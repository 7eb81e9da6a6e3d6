//! `bowline schedule check`.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

use super::get::{Selected, select};
use crate::cli::commands::Outcome;
use crate::cli::commands::selection::SelectionArgs;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::{OutputArgs, print};
use crate::cli::settings::Settings;
use crate::cli::units::{age, counted};
use crate::cli::values;
use crate::engine::model::duration::GoDuration;
use crate::engine::report::chain;
use crate::engine::schedule::standing::{Good, Seen, Standing};

/// Tell which schedules lack a good backup
///
/// A good backup must be there of the newest time that was due, and may be late by --grace and by as
/// long as the one before it took. Needs no cluster. Ends in exit code 1, and a line for each, if one
/// is missing; says nothing on stdout if none is, as cron mail wants it.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  bowline schedule check
  bowline schedule check nightly --grace 2h -o json")]
pub struct Args {
    /// Which of them.
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// How late a backup may be beyond the schedule's spread (default: its starting deadline, else 1h
    /// or until the next one is due)
    #[arg(long, value_name = "DURATION", value_parser = values::not_negative)]
    pub grace: Option<GoDuration>,
    /// Take one for good in which something failed
    #[arg(long)]
    pub allow_partially_failed: bool,
    /// In which form it is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `{"items": [...]}`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::cli) struct Report {
    /// How each schedule stands.
    items: Vec<Item>,
}

/// How a schedule stands.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
struct Item {
    /// Its name.
    name: String,
    /// How it stands.
    state: State,
    /// Its newest good backup.
    backup: Option<String>,
    /// When that was completed.
    last_success: Option<Timestamp>,
    /// Until when the next good one is awaited.
    awaited_until: Option<Timestamp>,
    /// How many times were due since the newest run, and nothing was begun within the spread.
    missed: u64,
    /// What is wrong.
    reason: Option<String>,
}

/// How a schedule stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
enum State {
    /// It has its good backup, or that is still awaited.
    Good,
    /// It is paused, and not counted.
    Paused,
    /// It lacks a good backup.
    Overdue,
    /// It cannot be followed, or not even be read.
    Invalid,
}

pub(super) async fn run(settings: &Settings, args: Args) -> Outcome {
    let store = settings.store()?;
    let now = settings.clock.now();
    let Selected { found, unreadable } = select(&store, &args.selection, now).await?;
    if found.is_empty() && unreadable.is_empty() {
        let fault = format!("there are no schedules to check in {}", store.url());
        return Err(CliError::new(Exit::NotFound, fault)
            .with_hint("check --storage-location; bowline schedule get lists what there is"));
    }
    let good = Good { partially_failed: args.allow_partially_failed };
    let mut items: Vec<_> = found.iter().map(|it| Item::of(it, good, args.grace, now)).collect();
    items.extend(unreadable.iter().map(|(name, error)| Item::invalid(name, chain(error))));
    let report = Report { items };
    print(args.output.output, &report, |report| report)?;
    if args.output.is_table() {
        report.note(settings);
    }
    Ok(if report.is_good() { Exit::Done } else { Exit::Failed })
}

impl Item {
    fn of(standing: &Standing, good: Good, grace: Option<GoDuration>, now: Timestamp) -> Self {
        let newest = standing.newest_good(good);
        let grace = grace.and_then(GoDuration::to_std);
        let (state, reason) = match standing.fault() {
            Some(fault) => (State::Invalid, Some(fault)),
            None if standing.schedule.spec.paused => (State::Paused, None),
            None if standing.is_overdue(now, good, grace) => {
                (State::Overdue, Some(lacking(standing, good, now)))
            }
            None => (State::Good, None),
        };
        Self {
            name: standing.schedule.name().to_owned(),
            state,
            backup: newest.map(|seen| seen.run.record.backup.clone()),
            last_success: newest.and_then(|seen| seen.completed),
            awaited_until: standing.awaited_until(good, grace),
            missed: standing.missed,
            reason,
        }
    }

    /// One of which nothing is known.
    fn invalid(name: &str, reason: String) -> Self {
        Self {
            name: name.to_owned(),
            state: State::Invalid,
            backup: None,
            last_success: None,
            awaited_until: None,
            missed: 0,
            reason: Some(reason),
        }
    }
}

/// What is known of a good backup that is not there.
fn lacking(standing: &Standing, good: Good, now: Timestamp) -> String {
    let newest = standing.newest_good(good);
    let known = newest.and_then(|seen| Some((&seen.run.record.backup, seen.completed?)));
    let known = match known {
        Some((name, completed)) => {
            format!("the last good backup, {name}, is {} old", age(completed, now))
        }
        None => {
            format!(
                "it has no good backup, and is in force since {}",
                standing.schedule.bowline.since
            )
        }
    };
    let last = match standing.runs.first() {
        Some(seen) if newest != Some(seen) => ended(seen, now),
        Some(_) => "no run was begun since".to_owned(),
        None => "no run was ever begun".to_owned(),
    };
    format!("{known}; {last}")
}

/// What came of a run that made no good backup.
fn ended(seen: &Seen, now: Timestamp) -> String {
    let begun = age(seen.run.record.start_timestamp, now);
    let error = seen.run.result.as_ref().and_then(|result| result.error.as_deref());
    let error = error.map(|error| format!(": {error}")).unwrap_or_default();
    format!("the last run, begun {begun} ago, is {}{error}", seen.phase)
}

impl Report {
    fn is_good(&self) -> bool {
        self.items.iter().all(|item| matches!(item.state, State::Good | State::Paused))
    }

    /// Tells what is in order; that is no reason for a mail.
    fn note(&self, settings: &Settings) {
        let count = |state| self.items.iter().filter(|item| item.state == state).count();
        let paused = match count(State::Paused) {
            0 => String::new(),
            paused => format!(", {paused} of them paused"),
        };
        if self.is_good() {
            let schedules = counted(self.items.len(), "schedule");
            settings.note(&format!("no backup is missing: {schedules}{paused}"));
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.items.iter().try_for_each(|Item { name, reason, .. }| match reason {
            Some(reason) => writeln!(f, "schedule {name}: {reason}"),
            None => Ok(()),
        })
    }
}
