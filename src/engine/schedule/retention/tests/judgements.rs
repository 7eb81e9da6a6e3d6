//! Rules, times, holds and clusters together.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use proptest::prelude::*;

use super::super::{Candidate, Judgement, Policy, Reason, Verdict, judge};
use super::{WEST, at, nightly, policy};
use crate::engine::model::keep::KeepRules;
use crate::engine::model::schedule::HoldRecord;
use crate::engine::report::Phase;

const NOW: i64 = 1_780_000_000;

fn policies(keep: KeepRules) -> BTreeMap<String, Policy> {
    BTreeMap::from([("nightly".to_owned(), policy(keep))])
}

fn last(count: i32) -> BTreeMap<String, Policy> {
    policies(KeepRules { last: Some(count), ..KeepRules::default() })
}

fn judged(all: &[Candidate], policies: &BTreeMap<String, Policy>) -> Vec<Judgement> {
    judge(all, policies, &BTreeMap::new(), at(NOW))
}

fn reasons(all: &[Candidate], policies: &BTreeMap<String, Policy>) -> Vec<Reason> {
    judged(all, policies).into_iter().map(|it| it.reasons[0].clone()).collect()
}

/// A backup so many days ago.
fn days_ago(days: i64, phase: Phase) -> Candidate {
    nightly(at(NOW - days * 86_400), phase)
}

/// The same, that expires so many days ago.
fn expired(days: i64, ago: i64) -> Candidate {
    let expiration = Some(at(NOW - ago * 86_400));
    Candidate { expiration, ..days_ago(days, Phase::Completed) }
}

fn hold(of: &Candidate) -> (String, HoldRecord) {
    let (backup, uid) = (of.name.clone(), of.uid.clone());
    let since = at(NOW - 60);
    (backup.clone(), HoldRecord { backup, uid, since, reason: Some("audit".to_owned()) })
}

#[test]
fn one_that_failed_in_part_takes_the_place_of_no_good_one_and_goes_with_the_good_ones_around_it() {
    use Phase::{Completed, PartiallyFailed};
    use Verdict::{Keep, Remove};

    let ages = [(1, PartiallyFailed), (2, PartiallyFailed), (3, Completed), (4, PartiallyFailed)];
    let more = [(5, Completed), (6, PartiallyFailed), (7, Completed)];
    let all: Vec<_> =
        ages.into_iter().chain(more).map(|(days, phase)| days_ago(days, phase)).collect();
    let verdicts: Vec<_> = judged(&all, &last(2)).iter().map(|it| it.verdict).collect();
    assert_eq!(verdicts, [Keep, Keep, Keep, Remove, Keep, Remove, Remove]);
    assert_eq!(reasons(&all, &last(2))[5], Reason::Superseded);
    let partly: Vec<_> = (1..5).map(|days| days_ago(days, PartiallyFailed)).collect();
    let verdicts: Vec<_> = judged(&partly, &last(2)).iter().map(|it| it.verdict).collect();
    assert_eq!(verdicts, [Keep, Keep, Remove, Remove], "where none is whole they are all there is");
}

#[test]
fn the_last_good_one_of_a_schedule_outlives_its_time_and_one_of_no_schedule_does_not() {
    let all = [expired(3, 1), expired(4, 2), Candidate { schedule: None, ..expired(1, 1) }];
    let found = reasons(&all, &BTreeMap::new());
    let gone = |ago: i64| Reason::Expired(at(NOW - ago * 86_400));
    assert_eq!(found, [Reason::LastGood, gone(2), gone(1)]);
    let failed = Candidate { phase: Phase::PartiallyFailed, ..expired(1, 1) };
    assert_eq!(
        reasons(&[failed.clone(), all[0].clone()], &BTreeMap::new()),
        [gone(1), Reason::LastGood]
    );
    assert_eq!(reasons(&[failed], &BTreeMap::new()), [Reason::LastGood], "better than nothing");
}

#[test]
fn rules_stand_above_the_time_that_an_earlier_schedule_gave_a_backup() {
    let all = [expired(1, 1), expired(2, -9), expired(3, 1)];
    let verdicts: Vec<_> = judged(&all, &last(1)).iter().map(|it| it.verdict).collect();
    assert_eq!(verdicts, [Verdict::Keep, Verdict::Remove, Verdict::Remove]);
}

#[test]
fn rules_mean_only_the_cluster_whose_schedule_it_is() {
    let east = |it: Candidate| Candidate { cluster_uid: Some("east".to_owned()), ..it };
    let mut all: Vec<_> = (0..10).map(|days| days_ago(days, Phase::Completed)).collect();
    all.extend((20..23).map(|days| east(days_ago(days, Phase::Completed))));
    let nobody = Candidate { cluster_uid: None, ..days_ago(30, Phase::Completed) };
    all.push(nobody);
    let found = reasons(&all, &last(1));
    assert_eq!(found[1..10], [const { Reason::NoRule }; 9]);
    assert_eq!(found[10..], [const { Reason::OfOtherCluster }; 4]);
}

#[test]
fn what_is_held_stays_and_the_mark_of_an_earlier_backup_means_nothing() {
    let all = [days_ago(1, Phase::Completed), days_ago(2, Phase::Completed), expired(3, 1)];
    let mut held: BTreeMap<_, _> = all[1..].iter().map(hold).collect();
    let found = judge(&all, &last(1), &held, at(NOW));
    assert_eq!(found[1].verdict, Verdict::Hold);
    let told: Vec<_> = found[1].reasons.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["held since 2026-05-28T20:25:40Z: audit", "no rule keeps it"]);
    assert_eq!(found[2].verdict, Verdict::Hold);
    for hold in held.values_mut() {
        hold.uid = "another".to_owned();
    }
    let found = judge(&all, &last(1), &held, at(NOW));
    assert_eq!([found[1].verdict, found[2].verdict], [Verdict::Remove; 2]);
}

/// A machine's clock was ahead and was put right again.
#[test]
fn what_is_dated_ahead_stays_until_then_and_takes_nobodys_place() {
    let ahead = nightly(at(NOW + 9_000_000), Phase::Completed);
    let all = [ahead, days_ago(1, Phase::Completed), days_ago(2, Phase::Completed)];
    let expected = [Verdict::Keep, Verdict::Keep, Verdict::Remove];
    assert_eq!(judged(&all, &last(1)).iter().map(|it| it.verdict).collect::<Vec<_>>(), expected);
    let undated = Candidate { time: None, ..days_ago(1, Phase::Completed) };
    assert_eq!(reasons(&[undated], &last(1)), [Reason::Undated]);
}

#[test]
fn what_velero_made_is_left_to_it_and_without_rules_nothing_goes() {
    let foreign = Candidate { is_ours: false, ..expired(9, 5) };
    let odd = days_ago(4, Phase::Failed);
    let all = [foreign, days_ago(2, Phase::Completed), days_ago(3, Phase::Completed), odd];
    assert_eq!(reasons(&all, &BTreeMap::new())[1..3], [const { Reason::Unlimited }; 2]);
    assert_eq!(
        reasons(&all, &policies(KeepRules::default()))[1..3],
        [const { Reason::Unlimited }; 2]
    );
    let found = reasons(&all, &last(1));
    assert_eq!(found[0], Reason::OfVelero);
    assert_eq!(found[3], Reason::Ended(Phase::Failed));
}

/// Hours ago, how it ended, whose it is, in how many hours it expires.
type Drawn = (i64, Phase, u8, Option<i64>);

/// A history of two clusters under one name.
fn histories() -> impl Strategy<Value = Vec<Candidate>> {
    let phase = prop_oneof![
        5 => Just(Phase::Completed), 2 => Just(Phase::PartiallyFailed), 1 => Just(Phase::Failed)
    ];
    let one = (-50..20_000i64, phase, 0..4u8, prop::option::of(-500..500i64));
    prop::collection::vec(one, 0..40).prop_map(|all| {
        let candidate = |(number, (hours, phase, cluster, expiration)): (usize, Drawn)| {
            let made = nightly(at(NOW - hours * 3_600), phase);
            Candidate {
                name: format!("nightly-{number}"),
                uid: number.to_string(),
                cluster_uid: Some(if cluster == 0 { "east" } else { WEST }.to_owned()),
                expiration: expiration.map(|hours| at(NOW + hours * 3_600)),
                ..made
            }
        };
        all.into_iter().enumerate().map(candidate).collect()
    })
}

/// The newest good one of a cluster, the time being what it is.
fn newest(all: &[Candidate], cluster: &str, phase: Phase) -> Option<Timestamp> {
    let of = all.iter().filter(|it| it.cluster_uid.as_deref() == Some(cluster));
    of.filter(|it| it.phase == phase).filter_map(|it| it.time).filter(|it| *it <= at(NOW)).max()
}

proptest! {
    #[test]
    fn whatever_the_rules_the_last_good_one_stays_and_a_second_time_nothing_goes(
        all in histories(),
        counts in prop::array::uniform4(prop::option::of(-1..5i32)),
        held in prop::collection::btree_set(0..40usize, 0..4),
    ) {
        let [last, daily, weekly, monthly] = counts;
        let keep = KeepRules { last, daily, weekly, monthly, ..KeepRules::default() };
        let policies = policies(keep);
        let holds = all.iter().enumerate().filter(|(place, _)| held.contains(place));
        let holds: BTreeMap<_, _> = holds.map(|(_, it)| hold(it)).collect();
        let found = judge(&all, &policies, &holds, at(NOW));
        let stays = |(_, judgement): &(&Candidate, &Judgement)| judgement.verdict != Verdict::Remove;
        let left: Vec<_> =
            all.iter().zip(&found).filter(stays).map(|(it, _)| it.clone()).collect();

        for cluster in ["east", WEST] {
            let whole = newest(&all, cluster, Phase::Completed);
            prop_assert_eq!(newest(&left, cluster, Phase::Completed), whole);
            if whole.is_none() {
                let partly = newest(&all, cluster, Phase::PartiallyFailed);
                prop_assert_eq!(newest(&left, cluster, Phase::PartiallyFailed), partly);
            }
        }
        let names: BTreeSet<_> = left.iter().map(|it| &it.name).collect();
        prop_assert!(holds.keys().all(|name| names.contains(name)));
        prop_assert!(!left.iter().any(|it| it.uid.is_empty()));
        let again = judge(&left, &policies, &holds, at(NOW));
        prop_assert!(again.iter().all(|it| it.verdict != Verdict::Remove), "{:?}", again);

        // Those that failed in part change nothing for those that did not.
        let whole: Vec<_> = all.iter().filter(|it| it.phase == Phase::Completed).cloned().collect();
        let alone = judge(&whole, &policies, &holds, at(NOW));
        let among = all.iter().zip(found).filter(|(it, _)| it.phase == Phase::Completed);
        prop_assert_eq!(alone, among.map(|(_, judgement)| judgement).collect::<Vec<_>>());
    }
}
