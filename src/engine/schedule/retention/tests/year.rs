//! A year of runs, each followed by an expiry.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde_json::{Value, json};

use super::super::{Candidate, Policy, Verdict, judge};
use super::model::kept;
use super::{WEST, nightly};
use crate::engine::model::keep::KeepRules;
use crate::engine::report::Phase;
use crate::engine::schedule::Cron;

const ZONE: &str = "Europe/Berlin";

/// What came of a year.
struct Year {
    /// When good backups were made, the newest first.
    made: Vec<Timestamp>,
    /// Those that are left, the newest first.
    left: Vec<Timestamp>,
    /// The most that there were at once.
    most: usize,
}

/// Runs a schedule for a year; every 13th run fails in part.
fn year(cron: &str, rules: &KeepRules) -> Year {
    let cron = Cron::parse(cron, Some(ZONE)).unwrap();
    let zone = TimeZone::get(ZONE).unwrap();
    let mut now: Timestamp = "2025-11-22T12:00:00Z".parse().unwrap();
    let end = now.to_zoned(zone.clone()).checked_add(Span::new().years(1)).unwrap().timestamp();
    let policy = Policy { cluster_uid: WEST.to_owned(), keep: rules.clone(), zone: zone.clone() };
    let policies = BTreeMap::from([("nightly".to_owned(), policy)]);
    let mut backups: Vec<Candidate> = Vec::new();
    let mut year = Year { made: Vec::new(), left: Vec::new(), most: 0 };
    for run in 1.. {
        now = cron.next(now).unwrap();
        if now > end {
            break;
        }
        let phase = if run % 13 == 0 { Phase::PartiallyFailed } else { Phase::Completed };
        backups.push(nightly(now, phase));
        // The model is slow.
        let before = (run % 11 == 0).then(|| good(&backups));
        if phase == Phase::Completed {
            year.made.insert(0, now);
        }
        let found = judge(&backups, &policies, &BTreeMap::new(), now);
        let mut stays = found.iter().map(|it| it.verdict != Verdict::Remove);
        backups.retain(|_| stays.next().unwrap());
        if let Some(before) = before {
            let expected = kept(rules, None, &before, &zone).into_iter().map(|place| before[place]);
            assert_eq!(good(&backups), expected.collect::<Vec<_>>(), "at {now}");
        }
        year.most = year.most.max(backups.len());
    }
    year.left = good(&backups);
    year
}

/// When those were made that are whole, the newest first.
fn good(all: &[Candidate]) -> Vec<Timestamp> {
    let good = all.iter().rev().filter(|it| it.phase == Phase::Completed);
    good.filter_map(|it| it.time).collect()
}

/// Lets a year pass, and sees what is left: what the rules choose of all that was ever made.
fn check(cron: &str, rules: Value, runs: usize, most: usize) {
    let rules: KeepRules = serde_json::from_value(rules).unwrap();
    let year = year(cron, &rules);
    let of_all = kept(&rules, None, &year.made, &TimeZone::get(ZONE).unwrap());
    let mut of_all: Vec<_> = of_all.into_iter().map(|place| year.made[place]).collect();
    // The oldest of all fills a rule that is not used up; which one that is depends on what went before.
    let first = year.made.last().unwrap();
    of_all.retain(|time| time != first);
    let left: Vec<_> = year.left.iter().copied().filter(|time| time != first).collect();
    assert_eq!(left, of_all, "{cron}");
    assert_eq!(year.made.len() + runs / 13, runs, "{cron}");
    assert!(year.most <= most, "{cron}: {} at once", year.most);
}

#[test]
fn a_year_of_hourly_daily_and_weekly_runs_leaves_what_the_rules_say() {
    // A day of 23 hours and one of 25 are in it.
    check("0 * * * *", json!({"hourly": 24, "daily": 7, "weekly": 5, "monthly": 12}), 8_760, 90);
    check("0 2 * * *", json!({"daily": 14, "weekly": 8, "yearly": 3}), 365, 50);
    check("@weekly", json!({"last": 3, "monthly": -1}), 53, 35);
    check("30 1 * * 1-5", json!({"weekly": 4, "monthly": 6, "yearly": -1}), 260, 30);
}
