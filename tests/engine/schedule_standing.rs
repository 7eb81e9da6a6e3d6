//! How schedules stand, after histories of all kinds.

use std::collections::BTreeSet;
use std::time::Duration;

use bowline::engine::model::schedule::{RunRecord, RunResult, Schedule};
use bowline::engine::report::Phase;
use bowline::engine::schedule::figures::Figures;
use bowline::engine::schedule::newest::{self, good_backup};
use bowline::engine::schedule::standing::{self, Good, Standing};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::fake_cluster::FakeCluster;
use crate::fake_world::World;

/// A Sunday.
const SINCE: &str = "2026-03-01T00:00:00Z";

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn schedule(expression: &str, terms: Value) -> Schedule {
    let mut document = json!({
        "apiVersion": "velero.io/v1", "kind": "Schedule", "metadata": {"name": "nightly", "uid": "u"},
        "spec": {"schedule": expression},
        "bowline": {"clusterUid": "east", "since": SINCE},
    });
    let Value::Object(terms) = terms else { panic!("terms are an object") };
    document["bowline"].as_object_mut().unwrap().extend(terms);
    serde_json::from_value(document).unwrap()
}

fn world() -> World {
    World::new(FakeCluster::new("east"))
}

fn record(cluster: &str, start: Timestamp) -> RunRecord {
    RunRecord {
        schedule: "nightly".to_owned(),
        schedule_uid: "u".to_owned(),
        cluster_uid: cluster.to_owned(),
        backup: format!("nightly-{}-{cluster}", start.strftime("%Y%m%d%H%M%S")),
        uid: start.to_string(),
        due: None,
        missed: 0,
        start_timestamp: start,
        holder: "host/1".to_owned(),
        version: String::new(),
    }
}

/// Writes a run of half an hour; `ended` is how its record says that it ended, `there` its backup.
async fn add_run(world: &World, record: &RunRecord, ended: Option<Phase>, there: Option<Phase>) {
    let store = world.backups();
    store.begin_run(record).await.unwrap();
    let completed = record.start_timestamp + SignedDuration::from_mins(30);
    if let Some(phase) = ended {
        let result = RunResult {
            uid: record.uid.clone(),
            phase: Some(phase),
            error: None,
            completion_timestamp: completed,
            items: 0,
            bytes: 0,
            snapshots_attempted: 0,
            snapshots_completed: 0,
            warnings: 0,
            errors: 0,
        };
        store.end_run(record, &result).await.unwrap();
    }
    let Some(phase) = there else { return };
    let document = json!({
        "apiVersion": "velero.io/v1", "kind": "Backup",
        "metadata": {
            "name": record.backup, "namespace": "velero", "uid": record.uid,
            "labels": {"velero.io/schedule-name": "nightly"},
            "annotations": {"bowline.io/cluster-uid": record.cluster_uid},
        },
        "status": {"phase": phase, "startTimestamp": record.start_timestamp,
                   "completionTimestamp": completed},
    });
    let key = format!("backups/{}/velero-backup.json", record.backup);
    world.bucket.write(&key, document.to_string().into()).await;
}

/// Runs of the schedule's cluster that completed, begun at these times.
async fn completed(starts: &[&str]) -> World {
    let world = world();
    for start in starts {
        let done = Some(Phase::Completed);
        add_run(&world, &record("east", time(start)), done, done).await;
    }
    world
}

async fn stands(world: &World, schedule: Schedule, now: &str) -> Standing {
    standing::of(&world.backups(), schedule, time(now)).await.unwrap()
}

/// Until when a good backup is awaited.
async fn awaited(world: &World, expression: &str, terms: Value) -> Timestamp {
    let standing = stands(world, schedule(expression, terms), "2026-03-08T00:00:00Z").await;
    standing.awaited_until(Good::default(), None).unwrap()
}

#[tokio::test]
async fn a_backup_may_be_late_by_an_hour_and_by_as_long_as_the_last_one_took() {
    let never = world();
    let nightly = "0 2 * * *";
    assert_eq!(awaited(&never, nightly, json!({})).await, time("2026-03-01T03:00:00Z"));
    let friday = completed(&["2026-03-06T02:00:05Z"]).await;
    let weekdays = "0 2 * * 1-5";
    assert_eq!(awaited(&friday, weekdays, json!({})).await, time("2026-03-09T03:30:00Z"));
    // By less where the next one is due before that.
    assert_eq!(awaited(&never, "@every 5m", json!({})).await, time("2026-03-01T00:10:00Z"));
    let terms = json!({"startingDeadline": "10m", "spread": "20m"});
    assert_eq!(awaited(&never, nightly, terms).await, time("2026-03-01T02:30:00Z"));
    // What was unpaused or adopted counts from then on.
    let since = json!({"since": "2026-03-20T12:00:00Z"});
    assert_eq!(awaited(&friday, nightly, since).await, time("2026-03-21T03:30:00Z"));
}

#[tokio::test]
async fn what_is_overdue_is_so_from_then_on_and_not_while_it_is_paused() {
    let world = completed(&["2026-03-01T02:00:00Z"]).await;
    let is_overdue = async |now, grace: Option<u64>, paused| {
        let mut schedule = schedule("0 2 * * *", json!({}));
        schedule.spec.paused = paused;
        let standing = stands(&world, schedule, now).await;
        standing.is_overdue(time(now), Good::default(), grace.map(Duration::from_secs))
    };
    assert!(!is_overdue("2026-03-02T03:30:00Z", None, false).await);
    assert!(is_overdue("2026-03-02T03:30:01Z", None, false).await);
    assert!(is_overdue("2026-03-02T02:30:01Z", Some(0), false).await);
    assert!(!is_overdue("2026-03-02T03:30:01Z", Some(7200), false).await);
    assert!(!is_overdue("2027-03-02T03:30:01Z", None, true).await);
}

#[tokio::test]
async fn what_may_still_begin_within_its_spread_is_not_missed_and_not_late() {
    let world = completed(&["2026-03-01T02:12:00Z"]).await;
    let spread = schedule("0 2 * * *", json!({"spread": "30m"}));
    let stands = async |now| stands(&world, spread.clone(), now).await;
    let due = Some(time("2026-03-02T02:00:00Z"));
    for now in ["2026-03-02T01:59:59Z", "2026-03-02T02:00:00Z", "2026-03-02T02:29:59Z"] {
        let standing = stands(now).await;
        assert_eq!((standing.missed, standing.next), (0, due), "{now}");
    }
    let standing = stands("2026-03-02T02:30:00Z").await;
    assert_eq!((standing.missed, standing.next), (1, Some(time("2026-03-03T02:00:00Z"))));
    // The spread goes on top of what is asked for: the last one took half an hour.
    let grace = Some(Duration::from_mins(5));
    let until = standing.awaited_until(Good::default(), grace);
    assert_eq!(until, Some(time("2026-03-02T03:05:00Z")));
}

#[tokio::test]
async fn a_run_of_a_clock_that_was_wrong_hides_no_backup_that_is_missing() {
    let world = completed(&["2026-03-01T02:00:00Z", "2027-03-01T02:00:00Z"]).await;
    let now = "2026-03-03T12:00:00Z";
    let standing = stands(&world, schedule("0 2 * * *", json!({})), now).await;
    assert_eq!(standing.last_success, Some(time("2026-03-01T02:30:00Z")));
    assert_eq!((standing.missed, standing.next), (2, Some(time("2026-03-04T02:00:00Z"))));
    assert!(standing.is_overdue(time(now), Good::default(), None));
    assert_eq!(standing.runs.len(), 2, "it is told all the same");
}

#[tokio::test]
async fn a_run_that_was_killed_and_finished_days_later_is_no_reason_to_wait_for_days() {
    let world = world();
    let (killed, done) = (record("east", time("2026-03-01T02:00:00Z")), Some(Phase::Completed));
    add_run(&world, &killed, None, done).await;
    let key = format!("backups/{}/velero-backup.json", killed.backup);
    let document = String::from_utf8(world.bucket.read(&key).await.to_vec()).unwrap();
    let finished = document.replace("2026-03-01T02:30:00Z", "2026-03-06T02:30:00Z");
    assert_ne!(finished, document);
    world.bucket.write(&key, finished.into()).await;
    let standing = stands(&world, schedule("0 2 * * *", json!({})), "2026-03-06T12:00:00Z").await;
    let until = standing.awaited_until(Good::default(), None);
    assert_eq!(until, Some(time("2026-03-03T03:00:00Z")));
}

#[tokio::test]
async fn only_what_is_there_and_good_and_of_the_own_cluster_is_a_success() {
    let world = completed(&["2026-03-01T02:00:00Z"]).await;
    let done = Some(Phase::Completed);
    // Deleted by hand; something failed; of another cluster; running.
    add_run(&world, &record("east", time("2026-03-02T02:00:00Z")), done, None).await;
    let partly = Some(Phase::PartiallyFailed);
    add_run(&world, &record("east", time("2026-03-03T02:00:00Z")), partly, partly).await;
    add_run(&world, &record("west", time("2026-03-04T02:00:00Z")), done, done).await;
    add_run(&world, &record("east", time("2026-03-05T02:00:00Z")), None, None).await;
    let nightly = || schedule("0 2 * * *", json!({}));
    let standing = stands(&world, nightly(), "2026-03-05T02:10:00Z").await;
    assert_eq!(standing.last_success, Some(time("2026-03-01T02:30:00Z")));
    assert_eq!(standing.last_run, Some(time("2026-03-05T02:00:00Z")));
    let phases: Vec<_> = standing.runs.iter().map(|seen| (seen.phase, seen.is_gone)).collect();
    let expected = [
        (Phase::Incomplete, false),
        (Phase::Completed, false),
        (Phase::PartiallyFailed, false),
        (Phase::Completed, true),
        (Phase::Completed, false),
    ];
    assert_eq!(phases, expected);
    let partly = Good { partially_failed: true };
    let newest = standing.newest_good(partly).unwrap();
    assert_eq!(newest.run.record.start_timestamp, time("2026-03-03T02:00:00Z"));
    // A run that was killed and finished by another command is one.
    let killed = record("east", time("2026-03-06T02:00:00Z"));
    add_run(&world, &killed, None, done).await;
    let standing = stands(&world, nightly(), "2026-03-06T03:00:00Z").await;
    assert_eq!(standing.last_success, Some(time("2026-03-06T02:30:00Z")));
}

#[tokio::test]
async fn the_next_one_and_those_that_were_missed_are_counted_from_the_last_run() {
    let world = completed(&["2026-03-01T02:00:00Z"]).await;
    let nightly = schedule("0 2 * * *", json!({}));
    let standing = stands(&world, nightly.clone(), "2026-03-01T12:00:00Z").await;
    assert_eq!((standing.missed, standing.next), (0, Some(time("2026-03-02T02:00:00Z"))));
    let standing = stands(&world, nightly.clone(), "2026-03-04T12:00:00Z").await;
    assert_eq!((standing.missed, standing.next), (3, Some(time("2026-03-05T02:00:00Z"))));
    let upcoming = standing.upcoming(2);
    assert_eq!(upcoming, [time("2026-03-05T02:00:00Z"), time("2026-03-06T02:00:00Z")]);
    assert_eq!(standing.interval, Some(SignedDuration::from_hours(24)));
    // In steps from when it is in force.
    let steps = schedule("@every 7h", json!({"since": "2026-03-02T00:00:00Z"}));
    let standing = stands(&world, steps, "2026-03-02T12:00:00Z").await;
    assert_eq!((standing.missed, standing.next), (1, Some(time("2026-03-02T14:00:00Z"))));
    let mut paused = nightly;
    paused.spec.paused = true;
    let standing = stands(&world, paused, "2026-03-04T12:00:00Z").await;
    assert_eq!((standing.missed, standing.next), (0, None));
    let weekdays = schedule("0 2 * * 1-5", json!({}));
    let standing = stands(&world, weekdays, "2026-03-04T12:00:00Z").await;
    assert_eq!(standing.interval, Some(SignedDuration::from_hours(72)));
    let broken = schedule("0 2 * *", json!({}));
    let standing = stands(&world, broken, "2026-03-04T12:00:00Z").await;
    assert!(standing.cron.is_err() && standing.next.is_none() && standing.upcoming(1).is_empty());
}

#[tokio::test]
async fn no_more_runs_are_looked_at_than_are_needed() {
    let start = |number: i64| time(SINCE) + SignedDuration::from_hours(number);
    let world = world();
    let done = Some(Phase::Completed);
    let failed = Some(Phase::Failed);
    for number in 0..150 {
        let ended = if number < 40 { done } else { failed };
        add_run(&world, &record("east", start(number)), ended, ended).await;
    }
    let hourly = || schedule("@hourly", json!({}));
    let standing = stands(&world, hourly(), "2026-03-08T00:00:00Z").await;
    assert_eq!((standing.runs.len(), standing.last_success), (100, None));
    add_run(&world, &record("east", start(150)), done, done).await;
    let standing = stands(&world, hourly(), "2026-03-08T00:00:00Z").await;
    assert_eq!(standing.runs.len(), 10);
    assert_eq!(standing.last_run, Some(start(150)));
}

#[tokio::test]
async fn the_newest_good_backup_is_that_of_the_cluster_whose_schedule_it_is() {
    let world = completed(&["2026-03-01T02:00:00Z", "2026-03-02T02:00:00Z"]).await;
    let store = world.backups();
    let now = time("2026-03-08T00:00:00Z");
    let good = async || good_backup(&store, "nightly", Good::default(), now).await;
    let name = |found: Result<_, newest::Error>| {
        found.map(|backup: bowline::engine::model::backup::Backup| backup.metadata.name)
    };
    assert_eq!(name(good().await).unwrap(), "nightly-20260302020000-east");
    let done = Some(Phase::Completed);
    add_run(&world, &record("west", time("2026-03-03T02:00:00Z")), done, done).await;
    let found = name(good().await);
    assert!(matches!(found, Err(newest::Error::SeveralClusters { .. })), "{found:?}");
    store.create_schedule(&schedule("@daily", json!({}))).await.unwrap();
    assert_eq!(name(good().await).unwrap(), "nightly-20260302020000-east");
    let other = name(good_backup(&store, "nightl", Good::default(), now).await);
    let Err(newest::Error::NoBackup { similar, .. }) = other else { panic!("{other:?}") };
    assert_eq!(similar.as_deref(), Some("nightly"));
}

#[tokio::test]
async fn a_backup_of_a_clock_that_was_wrong_is_the_newest_only_if_there_is_no_other() {
    let newest = async |world: &World, now| {
        let found = good_backup(&world.backups(), "nightly", Good::default(), time(now)).await;
        found.unwrap().metadata.name
    };
    let wrong = "2031-03-01T02:00:00Z";
    let world = completed(&["2026-03-01T02:00:00Z", "2026-03-02T02:00:00Z", wrong]).await;
    let last = "nightly-20260302020000-east";
    assert_eq!(newest(&world, "2026-03-02T03:00:00Z").await, last);
    assert_eq!(newest(&world, "2026-03-02T01:55:00Z").await, last, "clocks differ a little");
    let alone = completed(&[wrong]).await;
    assert_eq!(newest(&alone, "2026-03-02T03:00:00Z").await, "nightly-20310301020000-east");
}

#[tokio::test]
async fn one_of_which_no_backup_can_be_made_says_why_and_counts_as_overdue() {
    let world = completed(&["2026-03-01T02:00:00Z"]).await;
    let (store, now) = (world.backups(), "2026-03-01T12:00:00Z");
    let told = async |schedule: Schedule| {
        let figures = Figures::read(&store, &BTreeSet::new(), schedule.clone(), time(now)).await;
        (stands(&world, schedule, now).await.fault(), figures.unwrap().overdue)
    };
    let nightly = |terms| schedule("0 2 * * *", terms);
    assert_eq!(told(nightly(json!({}))).await, (None, false));
    let mut broken = nightly(json!({}));
    broken.spec.template.ttl = Some("soon".to_owned());
    let (fault, is_overdue) = told(broken).await;
    assert!(fault.as_ref().is_some_and(|it| it.starts_with("ttl: ")) && is_overdue, "{fault:?}");
    // It came into force in the future, by a clock that was wrong.
    let mut ahead = nightly(json!({"since": "2031-03-01T00:00:00Z"}));
    let (fault, is_overdue) = told(ahead.clone()).await;
    let said = "it is in force only from 2031-03-01T00:00:00Z on";
    assert!(fault.as_ref().is_some_and(|it| it.starts_with(said)) && is_overdue, "{fault:?}");
    ahead.spec.paused = true;
    assert_eq!(told(ahead).await, (None, false), "unpausing it puts that right");
    let little = nightly(json!({"since": "2026-03-01T12:05:00Z"}));
    assert_eq!(told(little).await, (None, false));
}
