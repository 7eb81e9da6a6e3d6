//! The rules once more, one by one and with sets: simple, slow, and by the names of the periods.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::engine::model::keep::KeepRules;

/// The places of those that stay, of times that begin with the newest; `hours` is the span that all
/// stay within.
pub(super) fn kept(
    rules: &KeepRules,
    hours: Option<i64>,
    times: &[Timestamp],
    zone: &TimeZone,
) -> BTreeSet<usize> {
    let count = |count: Option<i32>| match count {
        Some(-1) => usize::MAX,
        count => usize::try_from(count.unwrap_or(0)).unwrap_or(0),
    };
    let mut kept: BTreeSet<usize> = (0..times.len()).take(count(rules.last)).collect();
    for (rule, period) in [
        (rules.hourly, "%Y-%m-%d %H"),
        (rules.daily, "%Y-%m-%d"),
        (rules.weekly, "%G week %V"),
        (rules.monthly, "%Y-%m"),
        (rules.yearly, "%Y"),
    ] {
        let mut periods = BTreeSet::new();
        let name = |time: &Timestamp| time.to_zoned(zone.clone()).strftime(period).to_string();
        let newest = |(_, time): &(usize, &Timestamp)| periods.insert(name(time));
        let newest: Vec<usize> =
            times.iter().enumerate().filter(newest).map(|(place, _)| place).collect();
        kept.extend(newest.iter().take(count(rule)));
        if newest.len() < count(rule) {
            kept.extend(times.len().checked_sub(1));
        }
    }
    if let (Some(hours), Some(newest)) = (hours, times.first()) {
        let age = |time: &Timestamp| newest.duration_since(*time);
        let young = |place: &usize| age(&times[*place]) < SignedDuration::from_hours(hours);
        kept.extend((0..times.len()).filter(young));
    }
    kept
}
