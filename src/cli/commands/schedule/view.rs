//! How a schedule is shown, by several commands.

use serde::Serialize;

use jiff::Timestamp;

use crate::engine::model::keep::KeepRules;
use crate::engine::model::schedule::Schedule;
use crate::engine::schedule::standing::Standing;

/// A schedule and how it stands.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::cli) struct Shown<'a> {
    /// The schedule as it is kept.
    #[serde(flatten)]
    schedule: &'a Schedule,
    /// How it stands.
    status: Status,
}

/// How a schedule stands; the first two as Velero has them.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
struct Status {
    /// `Enabled`, or `FailedValidation` if no backup can be made of it.
    phase: &'static str,
    /// When its newest run began.
    last_backup: Option<Timestamp>,
    /// When its newest good backup was completed.
    last_success: Option<Timestamp>,
    /// When a backup is due next, or was and may still begin within its spread; none while it is
    /// paused.
    next_backup: Option<Timestamp>,
    /// How many times were due since the newest run, and nothing was begun within the spread.
    missed: u64,
    /// The longest time between two runs, in seconds.
    interval_seconds: Option<i64>,
}

impl<'a> Shown<'a> {
    pub(super) fn of(standing: &'a Standing) -> Self {
        let status = Status {
            phase: phase(standing),
            last_backup: standing.last_run,
            last_success: standing.last_success,
            next_backup: standing.next,
            missed: standing.missed,
            interval_seconds: standing.interval.map(|it| it.as_secs()),
        };
        Self { schedule: &standing.schedule, status }
    }
}

/// In Velero's words, whether the schedule can be followed.
pub(super) fn phase(standing: &Standing) -> &'static str {
    if standing.fault().is_none() { "Enabled" } else { "FailedValidation" }
}

/// How long its backups are kept; none if nobody removes them.
pub(super) fn kept(schedule: &Schedule) -> Option<String> {
    let keep = &schedule.bowline.keep;
    if keep.is_empty() { schedule.spec.template.ttl.clone() } else { Some(rules(keep).join(",")) }
}

/// `daily=7`
fn rules(keep: &KeepRules) -> Vec<String> {
    let KeepRules { last, hourly, daily, weekly, monthly, yearly, within, rest } = keep;
    let counts = [
        ("last", last),
        ("hourly", hourly),
        ("daily", daily),
        ("weekly", weekly),
        ("monthly", monthly),
        ("yearly", yearly),
    ];
    let counts = counts.into_iter().filter_map(|(name, count)| Some((name, (*count)?)));
    let within = within.iter().map(|span| format!("within={span}"));
    let rest = rest.iter().map(|(name, value)| format!("{name}={value}"));
    counts.map(|(name, count)| format!("{name}={count}")).chain(within).chain(rest).collect()
}
