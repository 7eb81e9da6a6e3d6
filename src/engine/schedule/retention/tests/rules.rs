//! The rules alone.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::apply;
use super::at;
use super::model::kept;
use crate::engine::model::keep::KeepRules;

/// Some years of backups, the newest first: a few a day, some of the same time, with gaps.
fn histories() -> impl Strategy<Value = Vec<Timestamp>> {
    let step =
        prop_oneof![Just(0), 1..5_000i64, 3_000..100_000i64, 80_000..90_000i64, 0..4_000_000i64];
    (prop::collection::vec(step, 0..60), 1_700_000_000..1_780_000_000i64).prop_map(
        |(steps, newest)| {
            let mut time = newest;
            let times = steps.iter().map(|step| {
                time -= step;
                at(time)
            });
            times.collect()
        },
    )
}

fn rules() -> impl Strategy<Value = (KeepRules, Option<i64>)> {
    let count = || prop_oneof![3 => Just(None), 1 => Just(Some(-1)), 4 => (0..9i32).prop_map(Some)];
    let counts = (count(), count(), count(), count(), count(), count());
    let hours = prop::option::of(1..4_000i64);
    (counts, hours).prop_map(|((last, hourly, daily, weekly, monthly, yearly), hours)| {
        let within = hours.map(|hours| format!("{hours}h").parse().unwrap());
        let counts =
            KeepRules { last, hourly, daily, weekly, monthly, yearly, ..KeepRules::default() };
        (KeepRules { within, ..counts }, hours)
    })
}

fn zones() -> impl Strategy<Value = TimeZone> {
    prop::sample::select(vec!["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"])
        .prop_map(|name| TimeZone::get(name).unwrap())
}

proptest! {
    #[test]
    fn what_stays_is_what_restic_keeps(
        times in histories(),
        (rules, hours) in rules(),
        zone in zones(),
    ) {
        let now = at(1_780_000_001);
        let reasons = apply(&rules, &times, &zone, now);
        let places = reasons.iter().enumerate().filter(|(_, reasons)| !reasons.is_empty());
        let places: std::collections::BTreeSet<_> = places.map(|(place, _)| place).collect();
        prop_assert_eq!(&places, &kept(&rules, hours, &times, &zone));
        // Of what stays nothing goes the next time.
        let left: Vec<_> = places.iter().map(|place| times[*place]).collect();
        let again = apply(&rules, &left, &zone, now);
        prop_assert!(again.iter().all(|reasons| !reasons.is_empty()));
    }
}

/// The reasons for each of these days, which are given as in a list of restic's.
fn reasons(rules: Value, times: &[&str]) -> Vec<String> {
    let rules: KeepRules = serde_json::from_value(rules).unwrap();
    let times: Vec<Timestamp> = times.iter().map(|time| time.parse().unwrap()).collect();
    let kept = apply(&rules, &times, &TimeZone::UTC, "2026-12-31T00:00:00Z".parse().unwrap());
    let text = |kept: Vec<super::super::Kept>| {
        kept.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    kept.into_iter().map(text).collect()
}

#[test]
fn each_rule_is_named_and_the_oldest_fills_one_that_is_not_used_up() {
    let days = [
        "2026-01-02T20:00:00Z",
        "2026-01-02T02:00:00Z",
        "2026-01-01T20:00:00Z",
        "2025-12-31T20:00:00Z",
        "2025-12-31T02:00:00Z",
    ];
    let found = reasons(json!({"last": 1, "daily": 2, "weekly": 5, "yearly": 3}), &days);
    let expected =
        ["last, daily, weekly, yearly", "", "daily", "yearly", "oldest weekly, oldest yearly"];
    assert_eq!(found, expected);
    assert_eq!(reasons(json!({"daily": 3}), &days), ["daily", "", "daily", "daily", ""]);
    let all = reasons(json!({"monthly": -1, "within": "12h"}), &days);
    assert_eq!(all, ["within 12h, monthly", "", "", "monthly", "oldest monthly"]);
}

#[test]
fn a_span_counts_from_the_newest_that_is_not_of_the_future_and_its_end_is_outside() {
    let days = [
        "2027-01-01T00:00:00Z",
        "2026-06-08T00:00:00Z",
        "2026-06-01T00:00:01Z",
        "2026-06-01T00:00:00Z",
    ];
    assert_eq!(
        reasons(json!({"within": "7d"}), &days),
        ["within 7d", "within 7d", "within 7d", ""]
    );
    assert_eq!(reasons(json!({"within": "9999y"}), &days), ["within 9999y"; 4]);
}

#[test]
fn the_hour_that_comes_twice_is_one_and_a_week_begins_on_monday() {
    let berlin = TimeZone::get("Europe/Berlin").unwrap();
    let now = at(1_900_000_000);
    let count = |rules: Value, times: [&str; 2]| {
        let rules: KeepRules = serde_json::from_value(rules).unwrap();
        let times = times.map(|time| time.parse().unwrap());
        let kept = apply(&rules, &times, &berlin, now);
        kept.iter().filter(|reasons| !reasons.is_empty()).count()
    };
    // Half past two, first in winter time and an hour earlier in summer time.
    let twice = ["2026-10-25T01:30:00Z", "2026-10-25T00:30:00Z"];
    assert_eq!(count(json!({"hourly": 1}), twice), 1);
    // Sunday and Monday, in Berlin.
    assert_eq!(count(json!({"weekly": 2}), ["2026-03-01T23:30:00Z", "2026-03-01T22:30:00Z"]), 2);
    assert_eq!(count(json!({"weekly": 1}), ["2026-03-01T22:30:00Z", "2026-02-28T22:30:00Z"]), 1);
}
