//! The rules themselves, as restic applies them: `ApplyPolicy` in its `snapshot_policy.go`.

use std::fmt;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::engine::model::keep::KeepRules;
use crate::engine::model::within::Within;

/// A rule that keeps backups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// It is one of the newest.
    Last,
    /// It is the newest of its hour.
    Hourly,
    /// It is the newest of its day.
    Daily,
    /// It is the newest of its week, which begins on Monday.
    Weekly,
    /// It is the newest of its month.
    Monthly,
    /// It is the newest of its year.
    Yearly,
    /// It is not older than is asked.
    Within(Within),
}

/// Why a rule keeps a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The rule.
    pub rule: Rule,
    /// Whether it is kept only because it is the oldest of all, and the rule not used up.
    pub is_oldest: bool,
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_oldest {
            f.write_str("oldest ")?;
        }
        match self.rule {
            Rule::Last => f.write_str("last"),
            Rule::Hourly => f.write_str("hourly"),
            Rule::Daily => f.write_str("daily"),
            Rule::Weekly => f.write_str("weekly"),
            Rule::Monthly => f.write_str("monthly"),
            Rule::Yearly => f.write_str("yearly"),
            Rule::Within(within) => write!(f, "within {within}"),
        }
    }
}

/// Tells why each of these backups is kept, the newest first; one without a reason goes.
///
/// Only hours, days and so on that have a backup are counted, on the calendar of `zone`. While a rule
/// is not used up it keeps the oldest of all, so that what there is reaches back as far as it can.
pub fn apply(
    rules: &KeepRules,
    newest_first: &[Timestamp],
    zone: &TimeZone,
    now: Timestamp,
) -> Vec<Vec<Kept>> {
    let newest = newest_first.iter().copied().find(|time| *time <= now);
    let within = rules.within.filter(|within| !within.is_zero());
    // A span that reaches back beyond all calendars keeps everything, as one of nothing but the future.
    let since = within.map(|it| (it, newest.and_then(|newest| it.before(newest, zone))));
    let mut buckets = buckets(rules);
    let judge = |(number, time): (usize, &Timestamp)| {
        let is_within = since.filter(|(_, since)| since.is_none_or(|since| *time > since));
        let is_within = is_within.map(|(it, _)| Kept { rule: Rule::Within(it), is_oldest: false });
        let (zoned, is_oldest) = (time.to_zoned(zone.clone()), number + 1 == newest_first.len());
        let counted = buckets.iter_mut().filter_map(|it| it.take(number, &zoned, is_oldest));
        is_within.into_iter().chain(counted).collect()
    };
    newest_first.iter().enumerate().map(judge).collect()
}

/// A rule that counts, and how far it has come.
struct Bucket {
    rule: Rule,
    /// How many more it keeps; none if all.
    left: Option<i32>,
    /// Of which period the last one was that it kept.
    period: Option<i64>,
}

fn buckets(rules: &KeepRules) -> Vec<Bucket> {
    let counts = [
        (Rule::Last, rules.last),
        (Rule::Hourly, rules.hourly),
        (Rule::Daily, rules.daily),
        (Rule::Weekly, rules.weekly),
        (Rule::Monthly, rules.monthly),
        (Rule::Yearly, rules.yearly),
    ];
    let counts = counts.into_iter().filter_map(|(rule, count)| match count? {
        -1 => Some((rule, None)),
        count if count > 0 => Some((rule, Some(count))),
        _ => None,
    });
    counts.map(|(rule, left)| Bucket { rule, left, period: None }).collect()
}

impl Bucket {
    fn take(&mut self, number: usize, time: &Zoned, is_oldest: bool) -> Option<Kept> {
        if self.left == Some(0) {
            return None;
        }
        let period = Some(period(self.rule, number, time));
        let is_new = self.period != period;
        if !is_new && !is_oldest {
            return None;
        }
        self.period = period;
        self.left = self.left.map(|left| left - 1);
        Some(Kept { rule: self.rule, is_oldest: !is_new })
    }
}

/// The hour, day and so on of a time, as a number that no other one of the same rule has.
fn period(rule: Rule, number: usize, time: &Zoned) -> i64 {
    let year = i64::from(time.year());
    let month = year * 100 + i64::from(time.month());
    let day = month * 100 + i64::from(time.day());
    match rule {
        Rule::Last | Rule::Within(_) => i64::try_from(number).unwrap_or(i64::MAX),
        Rule::Hourly => day * 100 + i64::from(time.hour()),
        Rule::Daily => day,
        Rule::Weekly => {
            let week = time.date().iso_week_date();
            i64::from(week.year()) * 100 + i64::from(week.week())
        }
        Rule::Monthly => month,
        Rule::Yearly => year,
    }
}
