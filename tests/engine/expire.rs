//! What an expiry takes, what it leaves alone, and what it finishes.

use std::collections::BTreeSet;

use bowline::engine::backup::Request;
use bowline::engine::clock::{Clock, TOLERANCE};
use bowline::engine::model::keep::KeepRules;
use bowline::engine::model::schedule::{RunRecord, RunResult, SCHEDULE_LABEL, Schedule};
use bowline::engine::report::Phase;
use bowline::engine::schedule::expire::{self, Fate, Report};
use bowline::engine::store::{BackupKeys, ScheduleKeys};
use bowline_api::Tags;
use serde_json::{Value, json};

use crate::application::{backup, restore, source, target};
use crate::delete::{foreign_snapshot, ids, remains};
use crate::fake_world::{World, later};
use crate::faults::Script;

/// The identity of the cluster whose schedule it is.
pub(crate) const WEST: &str = "west";

/// A world whose store goes by the clock that its machines go by.
fn dated() -> World {
    let world = source();
    world.bucket.go_by(later());
    world
}

/// Writes a schedule of `west` with such rules.
pub(crate) async fn add_schedule(world: &World, name: &str, keep: Value) {
    let keep: KeepRules = serde_json::from_value(keep).unwrap();
    let document = json!({
        "apiVersion": "velero.io/v1", "kind": "Schedule",
        "metadata": {"name": name, "namespace": "velero", "uid": name},
        "spec": {"template": {}, "schedule": "0 2 * * *", "paused": false},
        "bowline": {"clusterUid": WEST, "since": "2026-01-01T00:00:00Z", "keep": keep},
    });
    let schedule: Schedule = serde_json::from_value(document).unwrap();
    world.backups().create_schedule(&schedule).await.unwrap();
}

/// The name of the backup that a run of that day in February makes.
pub(crate) fn name(schedule: &str, day: u32) -> String {
    format!("{schedule}-202602{day:02}020000-0a1b2c")
}

/// Makes a backup, as the run of a schedule in a cluster on that day in February would have.
pub(crate) async fn add_backup(world: &World, schedule: &str, cluster: &str, day: u32) -> String {
    let name = name(schedule, day);
    let mut request = Request { name: name.clone(), ..backup() };
    request.labels.insert(SCHEDULE_LABEL.to_owned(), schedule.to_owned());
    assert_eq!(world.back_up(&request).await.unwrap().errors, []);
    change(world, &name, |document| {
        document["metadata"]["annotations"]["bowline.io/cluster-uid"] = json!(cluster);
        document["status"]["startTimestamp"] = json!(format!("2026-02-{day:02}T02:00:00Z"));
    })
    .await;
    let record = record(schedule, cluster, &name, day);
    world.backups().begin_run(&record).await.unwrap();
    name
}

/// Changes the document of a backup.
pub(crate) async fn change(world: &World, name: &str, change: impl FnOnce(&mut Value)) {
    let key = BackupKeys(name).metadata();
    let mut document = serde_json::from_slice(&world.bucket.read(&key).await).unwrap();
    change(&mut document);
    world.bucket.write(&key, document.to_string().into()).await;
}

/// The beginning of a run.
pub(crate) fn record(schedule: &str, cluster: &str, backup: &str, day: u32) -> RunRecord {
    serde_json::from_value(json!({
        "schedule": schedule, "scheduleUid": schedule, "clusterUid": cluster, "backup": backup,
        "uid": backup, "due": null, "startTimestamp": format!("2026-02-{day:02}T02:00:00Z"),
        "holder": "here", "version": "0.1.0",
    }))
    .unwrap()
}

/// The end of a run without a backup.
fn failure(uid: &str, end: &str) -> RunResult {
    RunResult {
        uid: uid.to_owned(),
        phase: None,
        error: Some("broke off".to_owned()),
        completion_timestamp: end.parse().unwrap(),
        items: 0,
        bytes: 0,
        snapshots_attempted: 0,
        snapshots_completed: 0,
        warnings: 0,
        errors: 0,
    }
}

/// Four nights of a schedule that keeps two.
pub(crate) async fn four_nights() -> World {
    let world = dated();
    add_schedule(&world, "nightly", json!({"last": 2})).await;
    for day in 21..25 {
        add_backup(&world, "nightly", WEST, day).await;
    }
    world
}

/// What became of each, by name.
fn fates(report: &Report) -> Vec<(&str, Fate)> {
    report.backups.iter().map(|it| (it.name.as_str(), it.verdict)).collect()
}

/// The names of the backups that there are.
pub(crate) async fn names(world: &World) -> Vec<String> {
    world.backups().backup_names().await.unwrap()
}

/// The backups whose snapshots there are; each must have both.
pub(crate) fn snapshotted(world: &World) -> BTreeSet<String> {
    let name = |tags: &Tags| tags.get("velero.io/backup").cloned();
    let names: Vec<_> =
        world.cloud.snapshots().iter().filter_map(|snapshot| name(&snapshot.tags)).collect();
    let is_whole = |name: &&String| names.iter().filter(|other| other == name).count() == 2;
    assert!(names.iter().all(|name| is_whole(&name)), "{names:?}");
    names.into_iter().collect()
}

#[tokio::test(start_paused = true)]
async fn what_no_rule_keeps_goes_with_its_snapshots_and_says_why() {
    let world = four_nights().await;
    let foreign = foreign_snapshot(&world, &[("velero.io/backup", &name("nightly", 21))]).await.id;
    let before = remains(&world).await;
    let process = world.start(Script::Sound);
    let request = expire::Request { dry_run: true, ..expire::Request::default() };
    let told = process.expire(&request).await.unwrap().unwrap();
    assert_eq!(process.faults.calls(), [""; 0], "a dry run changes nothing");
    assert_eq!(remains(&world).await, before);
    let done = world.expire().await;
    assert_eq!((told.phase, done.phase), (Phase::Completed, Phase::Completed), "{done:?}");
    let [a, b, c, d] = [24, 23, 22, 21].map(|day| name("nightly", day));
    let expected = |gone| {
        [(a.as_str(), Fate::Keep), (b.as_str(), Fate::Keep), (c.as_str(), gone), (d.as_str(), gone)]
    };
    assert_eq!(fates(&told), expected(Fate::Remove));
    assert_eq!(fates(&done), expected(Fate::Removed));
    let reasons: Vec<_> = done.backups.iter().map(|it| it.reasons.join(", ")).collect();
    assert_eq!(reasons, ["last", "last", "no rule keeps it", "no rule keeps it"]);
    assert_eq!(done.backups[2].snapshots.len(), 2);
    assert_eq!(names(&world).await, [b.clone(), a.clone()]);
    assert!(ids(&world).contains(&foreign));
    world.cloud.retag(&foreign, "velero.io/backup", &a);
    let again = world.expire().await;
    assert_eq!(fates(&again), expected(Fate::Keep)[..2], "a second time nothing goes");
}

#[tokio::test(start_paused = true)]
async fn ten_runs_in_one_cluster_leave_all_backups_of_another() {
    let world = dated();
    add_schedule(&world, "nightly", json!({"last": 1})).await;
    for day in 1..4 {
        add_backup(&world, "nightly", "east", day).await;
        add_backup(&world, "hourly", "east", day).await;
    }
    for day in 10..20 {
        add_backup(&world, "nightly", WEST, day).await;
        assert_eq!(world.expire().await.phase, Phase::Completed);
    }
    let mut expected: Vec<_> = (1..4).map(|day| name("hourly", day)).collect();
    expected.extend((1..4).map(|day| name("nightly", day)));
    expected.push(name("nightly", 19));
    assert_eq!(names(&world).await, expected);
    assert_eq!(snapshotted(&world), expected.into_iter().collect());
}

#[tokio::test(start_paused = true)]
async fn only_the_backups_of_the_schedules_that_are_named_are_looked_at() {
    let world = four_nights().await;
    add_schedule(&world, "weekly", json!({"last": 1})).await;
    for day in [8, 15] {
        add_backup(&world, "weekly", WEST, day).await;
    }
    let process = world.start(Script::Sound);
    let of = |name: &str| expire::Request { schedules: vec![name.to_owned()], dry_run: false };
    let report = process.expire(&of("weekly")).await.unwrap().unwrap();
    assert_eq!(fates(&report).len(), 2, "{report:?}");
    assert_eq!(names(&world).await.len(), 5);
    match process.expire(&of("nigthly")).await.unwrap() {
        Err(expire::Error::NotFound { similar, .. }) => assert_eq!(similar.unwrap(), "nightly"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_time_that_is_over_lets_a_backup_go_and_one_of_velero_is_left() {
    let world = dated();
    let [old, new] = [1, 2].map(|day| name("hourly", day));
    for day in [1, 2] {
        add_backup(&world, "hourly", WEST, day).await;
    }
    world.back_up(&Request { name: "adhoc".to_owned(), ..backup() }).await.unwrap();
    world.back_up(&Request { name: "moved".to_owned(), ..backup() }).await.unwrap();
    for name in [&old, &new, "adhoc", "moved"] {
        change(&world, name, |it| it["status"]["expiration"] = json!("2026-02-20T00:00:00Z")).await;
    }
    change(&world, "moved", |it| {
        it["metadata"]["annotations"].as_object_mut().unwrap().remove("bowline.io/version");
    })
    .await;
    let report = world.expire().await;
    let expected = [
        (new.as_str(), Fate::Keep),
        (old.as_str(), Fate::Removed),
        ("moved", Fate::Keep),
        ("adhoc", Fate::Removed),
    ];
    assert_eq!(fates(&report), expected, "{report:?}");
    assert_eq!(report.backups[2].reasons, ["made by Velero, which expires it"]);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_wrong_lets_nothing_go_early_and_it_says_so() {
    let world = four_nights().await;
    let locked = name("nightly", 21);
    world
        .bucket
        .retain(&BackupKeys(&locked).archive(), Some("2026-12-01T00:00:00Z".parse().unwrap()));
    for (name, expiration) in [("young", "2026-06-01T00:00:00Z"), ("old", "2026-02-01T00:00:00Z")] {
        world.back_up(&Request { name: name.to_owned(), ..backup() }).await.unwrap();
        change(&world, name, |it| it["status"]["expiration"] = json!(expiration)).await;
    }
    let all = ([Fate::Keep, Fate::Removed, Fate::Retained, Fate::Removed], 2);
    for (machine, (verdicts, removed)) in [
        ("2027-03-01T03:00:00Z", all),
        ("2020-03-01T03:00:00Z", ([Fate::Keep; 4], 0)),
        ("2026-03-01T03:05:01Z", all),
    ] {
        let clock = Clock::Fixed(machine.parse().unwrap());
        let world = world.copy().await;
        let before = snapshotted(&world);
        let process = world.start(Script::Sound).with_clock(clock);
        let report = process.expire(&expire::Request::default()).await.unwrap().unwrap();
        assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
        let of = |name: &str| report.backups.iter().find(|it| it.name == name).unwrap().verdict;
        let found = [of("young"), of("old"), of(&locked), of(&name("nightly", 22))];
        assert_eq!(found, verdicts, "{machine}");
        let gone = before.difference(&snapshotted(&world)).count();
        assert_eq!(gone, removed, "nothing of what is locked was touched");
        let said =
            format!("by this machine's clock it is {machine}, by that of the storage location");
        assert!(report.warnings[0].message.starts_with(&said), "{:?}", report.warnings);
    }
    assert_eq!(world.expire().await.warnings, []);
}

#[tokio::test(start_paused = true)]
async fn how_long_an_expiry_takes_is_no_difference_of_clocks() {
    let world = four_nights().await;
    for dry_run in [true, false] {
        let clock = Clock::set_to(later().now());
        world.bucket.go_by(clock);
        let process = world.start(Script::Slow).with_clock(clock);
        let request = expire::Request { dry_run, ..expire::Request::default() };
        let report = process.expire(&request).await.unwrap().unwrap();
        assert_eq!((report.phase, report.warnings), (Phase::Completed, vec![]), "{dry_run}");
        assert!(clock.now().duration_since(later().now()) > TOLERANCE);
    }
}

#[tokio::test(start_paused = true)]
async fn a_locked_key_is_told_with_its_date_and_is_no_failure() {
    let world = four_nights().await;
    let [locked, other] = [21, 22].map(|day| name("nightly", day));
    let until = "2026-12-01T00:00:00Z".parse().unwrap();
    world.bucket.retain(&BackupKeys(&locked).index(), Some(until));
    let request = expire::Request { dry_run: true, ..expire::Request::default() };
    let told = world.start(Script::Sound).expire(&request).await.unwrap().unwrap();
    let before = snapshotted(&world);
    let done = world.expire().await;
    for (report, gone) in [(told, Fate::Remove), (done, Fate::Removed)] {
        assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
        assert_eq!(fates(&report)[2..], [(&*other, gone), (&*locked, Fate::Retained)]);
        let reasons = ["retained until 2026-12-01T00:00:00Z", "no rule keeps it"];
        assert_eq!(report.backups[3].reasons, reasons);
    }
    let mut expected = before;
    expected.remove(&other);
    assert_eq!(snapshotted(&world), expected, "no snapshot of it was touched");
    assert!(names(&world).await.contains(&locked));
    world.bucket.release();
    assert_eq!(fates(&world.expire().await)[2], (&*locked, Fate::Removed));
}

#[tokio::test(start_paused = true)]
async fn one_that_cannot_be_removed_is_an_error_and_does_not_keep_the_others() {
    let world = four_nights().await;
    add_backup(&world, "nightly", WEST, 20).await;
    let [first, second, marked] = [20, 21, 24].map(|day| name("nightly", day));
    let is_of = |tags: &Tags, name: &String| tags.get("velero.io/backup") == Some(name);
    let mut stuck = world.cloud.snapshots();
    stuck.retain(|snapshot| is_of(&snapshot.tags, &first));
    for snapshot in &stuck {
        world.cloud.hold(&snapshot.id, true);
    }
    let tombstone = json!({"name": marked, "uid": "another", "snapshots": [],
        "startTimestamp": "2026-03-01T02:00:00Z"});
    let mark = BackupKeys(&marked).tombstone();
    world.bucket.write(&mark, tombstone.to_string().into()).await;
    let report = world.expire().await;
    assert_eq!(report.phase, Phase::PartiallyFailed);
    let of = |name: &str| report.backups.iter().find(|it| it.name == name).unwrap();
    assert_eq!((of(&first).verdict, of(&second).verdict), (Fate::Failed, Fate::Removed));
    assert_eq!(of(&first).reasons[0], "not all of it could be removed");
    assert_eq!((of(&marked).verdict, report.errors.len()), (Fate::Failed, 3));
    assert!(of(&marked).reasons[0].contains("is not the backup whose deletion was begun"));
    for snapshot in &stuck {
        world.cloud.hold(&snapshot.id, false);
    }
    world.bucket.delete(&mark).await;
    assert_eq!(world.expire().await.phase, Phase::Completed);
    assert_eq!(names(&world).await, [name("nightly", 23), marked]);
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_somebody_began_is_finished() {
    let world = four_nights().await;
    let kept = name("nightly", 24);
    let killed = world.start(Script::KilledBefore(5));
    assert!(killed.delete(&kept).await.is_none());
    let report = world.expire().await;
    assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
    assert!(!names(&world).await.contains(&kept));
    let one = report.backups.iter().find(|it| it.name == kept).unwrap();
    assert_eq!((one.verdict, &*one.reasons[0]), (Fate::Removed, "its deletion was begun"));
    assert_eq!(snapshotted(&world).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_a_restore_reads_stays_until_that_has_ended() {
    let world = four_nights().await;
    let read = name("nightly", 21);
    let mut request = restore("rescue");
    request.spec.backup_name.clone_from(&read);
    let killed = target(&world).start(Script::KilledBefore(6));
    assert!(killed.restore(&request).await.is_none());
    let report = world.expire().await;
    let one = report.backups.iter().find(|it| it.name == read).unwrap();
    assert_eq!(one.verdict, Fate::Keep);
    assert_eq!(one.reasons[0], "restore \"rescue\" has not ended and reads it");
    let key = "restores/rescue/bowline-restore.json";
    let mut record: Value = serde_json::from_slice(&world.bucket.read(key).await).unwrap();
    record["startTimestamp"] = json!("2026-02-21T00:00:00Z");
    world.bucket.write(key, record.to_string().into()).await;
    world.expire().await;
    assert!(!names(&world).await.contains(&read), "for a week it was given up");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_goes_only_if_its_run_says_that_it_ended_and_nothing_can_complete_it() {
    let world = four_nights().await;
    let store = world.backups();
    let dead = name("nightly", 10);
    let attempt = |name: &str| Request { name: name.to_owned(), ..backup() };
    let killed = world.start(Script::KilledBefore(8));
    assert!(killed.back_up(&attempt(&dead)).await.is_none());
    let snapshots = ids(&world).len();
    assert!(snapshots > 8, "it had begun a snapshot");
    let verdict = async || {
        let report = world.expire().await;
        assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
        report.backups.iter().find(|it| it.name == dead).unwrap().verdict
    };
    let run = record("nightly", WEST, &dead, 10);
    store.begin_run(&run).await.unwrap();
    assert_eq!(verdict().await, Fate::Keep, "it may run still");
    store.end_run(&run, &failure(&dead, "2026-02-28T12:00:00Z")).await.unwrap();
    assert_eq!(verdict().await, Fate::Keep, "it has just ended");
    world.bucket.delete(&ScheduleKeys("nightly").result(&dead)).await;
    store.end_run(&run, &failure(&dead, "2026-02-10T02:10:00Z")).await.unwrap();
    let pending = BackupKeys(&dead).pending();
    world.bucket.write(&pending, "{}".into()).await;
    assert_eq!(verdict().await, Fate::Keep, "it can be finished");
    world.bucket.delete(&pending).await;
    assert_eq!(verdict().await, Fate::Removed);
    assert_eq!(snapshotted(&world).len(), 2, "its snapshots went, too");
    assert!(!store.schedule_runs("nightly").await.unwrap().is_empty(), "its record stays a while");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_of_a_schedule_that_cannot_be_read_stays() {
    let world = four_nights().await;
    let dead = name("nightly", 10);
    let killed = world.start(Script::KilledBefore(8));
    assert!(killed.back_up(&Request { name: dead.clone(), ..backup() }).await.is_none());
    let (store, run) = (world.backups(), record("nightly", WEST, &dead, 10));
    store.begin_run(&run).await.unwrap();
    store.end_run(&run, &failure(&dead, "2026-02-10T02:10:00Z")).await.unwrap();
    world.bucket.write(&ScheduleKeys("nightly").document(), "{".into()).await;
    let report = world.expire().await;
    let one = report.backups.iter().find(|it| it.name == dead).unwrap();
    assert_eq!((one.verdict, &*one.reasons[0]), (Fate::Keep, "its schedule cannot be read"));
}

#[tokio::test(start_paused = true)]
async fn the_record_of_a_run_goes_a_month_later_unless_its_backup_is_there() {
    let world = four_nights().await;
    let store = world.backups();
    let run = |schedule: &str, stamp: &str| format!("{schedule}-{stamp}-0a1b2c");
    let old = [run("nightly", "20260129000000"), run("gone", "20251224000000")];
    let young = run("nightly", "20260131000000");
    let there = run("nightly", "20251231000000");
    for (schedule, backup) in
        [("nightly", &old[0]), ("gone", &old[1]), ("nightly", &young), ("nightly", &there)]
    {
        let record = RunRecord { backup: backup.clone(), ..record(schedule, WEST, backup, 1) };
        store.begin_run(&record).await.unwrap();
        store.end_run(&record, &failure(backup, "2026-02-01T00:00:00Z")).await.unwrap();
    }
    world.back_up(&Request { name: there.clone(), ..backup() }).await.unwrap();
    add_schedule(&world, "rare", json!({"last": 1})).await;
    let newest = run("rare", "20251224000000");
    store.begin_run(&record("rare", WEST, &newest, 1)).await.unwrap();
    let before = world.bucket.keys().await;
    let request = expire::Request { dry_run: true, ..expire::Request::default() };
    let told = world.start(Script::Sound).expire(&request).await.unwrap().unwrap();
    assert_eq!((told.runs, world.bucket.keys().await), (2, before), "a dry run removes none");
    assert_eq!(world.expire().await.runs, 2);
    assert_eq!(store.recorded_schedules().await.unwrap(), ["nightly", "rare"]);
    let left = store.schedule_runs("nightly").await.unwrap();
    assert_eq!(left[..2], [there, young]);
    assert_eq!(left.len(), 6, "those of the last four nights are young");
}

#[tokio::test(start_paused = true)]
async fn the_record_of_the_newest_due_time_stays_behind_one_of_a_run_that_somebody_asked_for() {
    let world = dated();
    add_schedule(&world, "yearly", json!({"last": 1})).await;
    let store = world.backups();
    let [before, newest, asked] = ["20250101000000", "20260101000000", "20260110000000"]
        .map(|stamp| format!("yearly-{stamp}-0a1b2c"));
    let times = ["2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z"].map(|it| it.parse().unwrap());
    for (backup, due) in [(&before, Some(times[0])), (&newest, Some(times[1])), (&asked, None)] {
        let record = RunRecord { due, ..record("yearly", WEST, backup, 1) };
        store.begin_run(&record).await.unwrap();
        store.end_run(&record, &failure(backup, "2026-01-10T00:00:00Z")).await.unwrap();
    }
    assert_eq!(world.expire().await.runs, 1);
    assert_eq!(store.schedule_runs("yearly").await.unwrap(), [newest, asked]);
}

#[tokio::test(start_paused = true)]
async fn the_backups_of_a_schedule_that_cannot_be_read_stay() {
    let world = four_nights().await;
    let key = ScheduleKeys("nightly").document();
    for (content, phase) in [("{}", Phase::PartiallyFailed), ("{", Phase::PartiallyFailed)] {
        world.bucket.write(&key, content.into()).await;
        let late = name("nightly", 21);
        change(&world, &late, |it| it["status"]["expiration"] = json!("2026-02-22T00:00:00Z"))
            .await;
        let report = world.expire().await;
        assert_eq!(report.phase, phase);
        assert!(report.errors[0].message.contains("nightly"), "{:?}", report.errors);
        assert!(report.backups.iter().all(|it| it.verdict == Fate::Keep), "{report:?}");
    }
    assert_eq!(names(&world).await.len(), 4);
}
