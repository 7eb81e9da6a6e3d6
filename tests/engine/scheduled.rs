//! A run of a schedule is on record from its beginning to its end, and harms no other, whenever it dies.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bowline::engine::clock::{Clock, pause};
use bowline::engine::cluster::{Cluster, Options};
use bowline::engine::context::{Context, Holds, Limits, Snapshotters};
use bowline::engine::event::Silent;
use bowline::engine::model::backup::BackupSpec;
use bowline::engine::model::lease::LeaseRecord;
use bowline::engine::model::schedule::{
    ConcurrencyPolicy, SCHEDULE_LABEL, Schedule, ScheduleMeta, ScheduleSpec,
};
use bowline::engine::report::Phase;
use bowline::engine::schedule::attempt::{Attempted, Error, Occasion, attempt};
use bowline::engine::stop::Stop;
use bowline::engine::store::{BackupKeys, BackupState, Digest, Digests, ScheduleKeys};
use jiff::Timestamp;
use kube::client::Body;
use serde_json::json;
use tokio::time::{Instant, advance, timeout};

use crate::application::source;
use crate::fake_world::World;
use crate::faults::{Faults, Script};

const NIGHTLY: ScheduleKeys<'_> = ScheduleKeys("nightly");
/// How long a lease stands that nobody renews, and a little more.
const LEASE: Duration = Duration::from_secs(121);
/// The tag by which a snapshot is known to belong to an attempt.
const BACKUP_UID: &str = "bowline.io/backup-uid";

/// A time that goes on with the test's.
pub(crate) fn clock() -> Clock {
    Clock::Counted { from: time("2026-03-01T00:00:00Z"), since: Instant::now() }
}

pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A world whose time goes on with the test's.
pub(crate) fn world(clock: Clock) -> World {
    let world = source();
    world.bucket.go_by(clock);
    world
}

/// A process in a world.
pub(crate) fn process(world: &World, script: Script, clock: Clock) -> (Context, Faults) {
    let faults = Faults::new(script);
    let stop = Stop::default();
    let context = Context {
        cluster: world.cluster.connect(&faults).heeding(&stop),
        store: world.store(&faults),
        local_records: None,
        snapshotters: Snapshotters::new(vec![Arc::new(world.snapshotter(&faults))]),
        observer: Arc::new(Silent),
        clock,
        holds: Holds::default(),
        limits: Limits::default(),
        stop,
    };
    (context, faults)
}

/// The schedule of this world's application.
pub(crate) fn nightly(world: &World, policy: ConcurrencyPolicy) -> Schedule {
    let uid = world.cluster.get("namespaces/kube-system")["metadata"]["uid"].clone();
    let included_namespaces = vec!["shop".to_owned()];
    let template = BackupSpec { included_namespaces, ..BackupSpec::default() };
    Schedule {
        api_version: "velero.io/v1".to_owned(),
        kind: "Schedule".to_owned(),
        metadata: ScheduleMeta {
            name: "nightly".to_owned(),
            uid: "u1".to_owned(),
            ..ScheduleMeta::default()
        },
        spec: ScheduleSpec {
            template,
            schedule: "*/10 * * * *".to_owned(),
            ..ScheduleSpec::default()
        },
        bowline: serde_json::from_value(json!({
            "clusterUid": uid, "since": "2026-03-01T00:00:00Z", "concurrencyPolicy": policy,
        }))
        .unwrap(),
    }
}

/// Makes a run while nothing fails.
async fn run(world: &World, schedule: &Schedule, clock: Clock) -> Result<Attempted, Error> {
    attempt(&process(world, Script::Sound, clock).0, schedule, Occasion::Asked).await
}

/// What a run made.
#[track_caller]
fn made(attempted: Result<Attempted, Error>) -> String {
    match attempted {
        Ok(Attempted::Made(report)) if report.phase == Phase::Completed => report.name,
        other => panic!("{other:?}"),
    }
}

/// What is wrong with the runs in a bucket and with their backups: each run has its end, each backup
/// is whole and of one run, and there is nothing else.
pub(crate) async fn faults_of_runs(world: &World) -> Vec<String> {
    let (store, mut faults, mut uids) = (world.backups(), Vec::new(), BTreeSet::new());
    for entry in store.backups().await.unwrap() {
        let BackupState::Committed(backup) = entry.state else {
            faults.push(format!("{} is {:?}", entry.name, entry.state));
            continue;
        };
        let attempt = world.bucket.read(&BackupKeys(&entry.name).attempt()).await;
        let attempt: serde_json::Value = serde_json::from_slice(&attempt).unwrap();
        if attempt["uid"] != backup.metadata.uid || backup.phase() != Phase::Completed {
            faults.push(format!("{} is mixed: {backup:?}", entry.name));
        }
        faults.extend(faults_of_files(world, &entry.name).await);
        let run = store.schedule_run("nightly", &entry.name).await.unwrap();
        if run.is_none() {
            faults.push(format!("no run made {}", entry.name));
        }
        uids.insert(backup.metadata.uid);
    }
    let snapshots = world.cloud.snapshots();
    let owners: BTreeSet<_> = snapshots.iter().map(|it| it.tags[BACKUP_UID].clone()).collect();
    if owners != uids || snapshots.len() != 2 * uids.len() {
        faults.push(format!("the backups {uids:?} have the snapshots {snapshots:?}"));
    }
    let unended = store.unended_runs("nightly").await.unwrap();
    faults.extend(unended.iter().map(|run| format!("run {run} has no end")));
    faults.extend(world.bucket.unfinished().iter().map(|key| format!("unfinished: {key}")));
    let mut keys = world.bucket.keys().await;
    keys.retain(|key| key.contains("/logs/") || key.contains("/leases/nightly/"));
    faults.extend(keys.into_iter().map(|key| format!("left: {key}")));
    faults
}

/// The files of a backup that are not what its digests say.
async fn faults_of_files(world: &World, name: &str) -> Vec<String> {
    let keys = BackupKeys(name);
    let digests: Digests = world.backups().json(&keys.digests()).await.unwrap();
    let mut files = world.bucket.contents().await;
    files.retain(|key, _| key.starts_with(&keys.prefix()));
    files.retain(|key, _| *key != keys.digests() && *key != keys.metadata());
    let name = |key: &str| key.strip_prefix(&keys.prefix()).unwrap().to_owned();
    let found = files.iter().map(|(key, content)| (name(key), Digest::of(content))).collect();
    if digests.files == found { Vec::new() } else { vec![format!("{digests:?} are {found:?}")] }
}

#[tokio::test(start_paused = true)]
async fn a_run_is_on_record_from_its_beginning_to_its_end() {
    let (clock, world) = (clock(), world(clock()));
    let name = made(run(&world, &nightly(&world, ConcurrencyPolicy::Forbid), clock).await);
    assert!(name.starts_with("nightly-20260301000000-") && name.len() == 29, "{name}");
    let run = world.backups().schedule_run("nightly", &name).await.unwrap().unwrap();
    let result = run.result.unwrap();
    assert_eq!((result.phase, result.error), (Some(Phase::Completed), None));
    assert_eq!((result.snapshots_attempted, result.snapshots_completed), (2, 2));
    assert!(result.items > 10 && result.bytes > 100, "{} {}", result.items, result.bytes);
    let Some(BackupState::Committed(backup)) = world.backups().backup(&name).await.unwrap() else {
        panic!("no backup")
    };
    assert_eq!(backup.metadata.labels[SCHEDULE_LABEL], "nightly");
    let lease: LeaseRecord = world.backups().json(&NIGHTLY.lease()).await.unwrap();
    assert!(lease.released && lease.uid == run.record.uid, "{lease:?}");
    assert_eq!(faults_of_runs(&world).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_makes_no_backup_says_why_and_leaves_its_log() {
    let (clock, world) = (clock(), world(clock()));
    let mut schedule = nightly(&world, ConcurrencyPolicy::Forbid);
    schedule.spec.template.included_namespaces = vec!["missing".to_owned()];
    let error = run(&world, &schedule, clock).await.unwrap_err();
    let store = world.backups();
    let names = store.schedule_runs("nightly").await.unwrap();
    let found = store.schedule_run("nightly", &names[0]).await.unwrap().unwrap();
    let result = found.result.unwrap();
    assert_eq!((result.phase, result.error), (None, Some(error.to_string())));
    let log = store.text(&NIGHTLY.log(&names[0])).await.unwrap().unwrap();
    assert!(log.contains("msg=checking") && log.contains("missing"), "{log}");
    assert_eq!(faults_of_runs(&world).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_cluster_cannot_be_reached_is_on_record_too_if_somebody_asked_for_it() {
    let (clock, world) = (clock(), world(clock()));
    let schedule = nightly(&world, ConcurrencyPolicy::Forbid);
    let (mut context, _) = process(&world, Script::Sound, clock);
    let refused = tower::service_fn(async |_| {
        let error = io::Error::from(io::ErrorKind::ConnectionRefused);
        Err::<http::Response<Body>, _>(error)
    });
    context.cluster = Cluster::from_service(refused, &Options::default());
    let due = Occasion::Due { at: time("2026-03-01T00:00:00Z"), missed: 0 };
    let error = attempt(&context, &schedule, due).await.unwrap_err();
    assert!(matches!(error, Error::Cluster(_)), "{error}");
    let store = world.backups();
    assert_eq!(store.schedule_runs("nightly").await.unwrap(), [""; 0], "it is tried again");

    attempt(&context, &schedule, Occasion::Asked).await.unwrap_err();
    let names = store.schedule_runs("nightly").await.unwrap();
    let found = store.schedule_run("nightly", &names[0]).await.unwrap().unwrap();
    let reason = found.result.unwrap().error.unwrap();
    assert!(reason.starts_with("the cluster cannot be used: "), "{reason}");
    let log = store.text(&NIGHTLY.log(&names[0])).await.unwrap().unwrap();
    assert!(log.contains("the cluster cannot be used"), "{log}");
    made(run(&world, &schedule, clock).await);
    assert_eq!(faults_of_runs(&world).await, [""; 0]);
}

/// Kills a run at every call, and makes another one later.
async fn kill_at_every_call(policy: ConcurrencyPolicy) -> usize {
    for call in 0.. {
        let (clock, world) = (clock(), world(clock()));
        let schedule = nightly(&world, policy);
        let (context, faults) = process(&world, Script::KilledBefore(call), clock);
        let first = tokio::select! {
            biased;
            () = faults.killed() => None,
            done = attempt(&context, &schedule, Occasion::Asked) => Some(done),
        };
        if let Some(first) = first {
            made(first);
            return call;
        }
        let place = format!("before call {call}, {}", faults.victim());
        advance(LEASE).await;
        let second = made(run(&world, &schedule, clock).await);
        let left = faults_of_runs(&world).await;
        assert_eq!(left, [""; 0], "{place}");
        let backups = world.backups().backup_names().await.unwrap();
        assert!(backups.contains(&second) && backups.len() <= 2, "{place}: {backups:?}");
    }
    0
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_killed_at_any_call_is_settled_by_the_next_one() {
    let calls = kill_at_every_call(ConcurrencyPolicy::Forbid).await;
    assert!(calls >= 22, "{calls} calls");
}

#[tokio::test(start_paused = true)]
async fn a_run_beside_others_that_is_killed_at_any_call_is_settled_by_the_next_one() {
    let calls = kill_at_every_call(ConcurrencyPolicy::Allow).await;
    assert!(calls >= 22, "{calls} calls");
}

/// The next run, while one waits at a call; gives what came of both.
async fn while_one_waits(
    policy: ConcurrencyPolicy,
    call: usize,
    meanwhile: Duration,
) -> (World, String, Result<Attempted, Error>, Result<Attempted, Error>) {
    let (clock, world) = (clock(), world(clock()));
    let schedule = nightly(&world, policy);
    let (context, faults) = process(&world, Script::Waits(call), clock);
    let next = async {
        faults.waiting().await;
        pause(meanwhile).await;
        let next = run(&world, &schedule, clock).await;
        faults.release();
        next
    };
    let (first, next) = tokio::join!(attempt(&context, &schedule, Occasion::Asked), next);
    (world, faults.victim(), first, next)
}

#[tokio::test(start_paused = true)]
async fn no_run_begins_beside_another_however_long_that_takes() {
    let meanwhile = Duration::from_hours(3);
    let both = while_one_waits(ConcurrencyPolicy::Forbid, 8, meanwhile);
    let (world, _, first, next) = Box::pin(both).await;
    let first = made(first);
    let Ok(Attempted::LeftOut { reason }) = next else { panic!("{next:?}") };
    assert!(reason.starts_with(&format!("another run goes on: {first} by ")), "{reason}");
    assert_eq!(world.backups().backup_names().await.unwrap(), [first]);
    assert_eq!(faults_of_runs(&world).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_damaged_lease_stands_as_long_as_any_other_and_is_replaced_then() {
    for policy in [ConcurrencyPolicy::Forbid, ConcurrencyPolicy::Replace] {
        let (clock, world) = (clock(), world(clock()));
        let schedule = nightly(&world, policy);
        let store = world.backups();
        store.objects().create(&NIGHTLY.lease(), "{".into()).await.unwrap();
        let left_out = run(&world, &schedule, clock).await;
        let Ok(Attempted::LeftOut { reason }) = left_out else { panic!("{left_out:?}") };
        let said = "another run goes on: an unknown run by an unknown process (its lease cannot \
                    be read)";
        assert_eq!(reason, said);
        advance(LEASE).await;
        made(run(&world, &schedule, clock).await);
        assert_eq!(faults_of_runs(&world).await, [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_lease_is_damaged_meanwhile_is_not_taken_for_a_dead_one() {
    let (clock, world) = (clock(), world(clock()));
    let schedule = nightly(&world, ConcurrencyPolicy::Allow);
    let (context, faults) = process(&world, Script::Waits(8), clock);
    let next = async {
        faults.waiting().await;
        let store = world.backups();
        assert_eq!(store.unended_runs("nightly").await.unwrap().len(), 1);
        let lease = store.run_leases("nightly").await.unwrap().remove(0);
        let version = store.objects().head(&lease).await.unwrap().version;
        store.objects().replace(&lease, "{".into(), &version).await.unwrap();
        let next = run(&world, &schedule, clock).await;
        faults.release();
        next
    };
    let (first, next) = tokio::join!(attempt(&context, &schedule, Occasion::Asked), next);
    let names = BTreeSet::from([made(first), made(next)]);
    let found = world.backups().backup_names().await.unwrap();
    assert_eq!(names, found.into_iter().collect());
}

#[tokio::test(start_paused = true)]
async fn runs_that_may_go_on_beside_each_other_do() {
    let meanwhile = Duration::from_hours(3);
    let both = while_one_waits(ConcurrencyPolicy::Allow, 8, meanwhile);
    let (world, _, first, next) = Box::pin(both).await;
    let names = BTreeSet::from([made(first), made(next)]);
    let found = world.backups().backup_names().await.unwrap();
    assert_eq!(names, found.into_iter().collect());
    assert_eq!(faults_of_runs(&world).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_replaced_at_any_call_ends_without_a_backup_and_leaves_nothing() {
    let mut ended = 0;
    for call in 2.. {
        let meanwhile = Duration::from_secs(1);
        let replaced = Box::pin(while_one_waits(ConcurrencyPolicy::Replace, call, meanwhile));
        let Ok((world, victim, first, next)) = timeout(LEASE * 9, replaced).await else { break };
        let place = format!("before call {call}, {victim}");
        let next = made(next);
        let mut expected = vec![next];
        match first {
            Err(Error::TakenOver { .. }) => ended += 1,
            // It was committed by then.
            Ok(Attempted::Made(report)) => expected.insert(0, report.name),
            other => panic!("{place}: {other:?}"),
        }
        assert_eq!(faults_of_runs(&world).await, [""; 0], "{place}");
        let mut found = world.backups().backup_names().await.unwrap();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{place}");
    }
    assert!(ended >= 18, "{ended} runs were replaced");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_replaced_before_it_is_on_record_begins_nothing() {
    let meanwhile = Duration::from_secs(1);
    let replaced = Box::pin(while_one_waits(ConcurrencyPolicy::Replace, 1, meanwhile));
    let (world, victim, first, next) = replaced.await;
    assert!(victim.ends_with("/run.json"), "{victim}");
    assert!(matches!(first, Err(Error::TakenOver { .. })), "{first:?}");
    assert_eq!(world.backups().backup_names().await.unwrap(), [made(next)]);
    assert_eq!(faults_of_runs(&world).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn another_cluster_refuses_the_schedule_and_harms_nothing_once_it_has_adopted_it() {
    let (clock, east) = (clock(), world(clock()));
    let mut schedule = nightly(&east, ConcurrencyPolicy::Forbid);
    for _ in 0..3 {
        made(run(&east, &schedule, clock).await);
        advance(Duration::from_mins(10)).await;
    }
    let kept = east.bucket.contents().await;
    let west = east.beside(source().cluster);
    west.cluster.edit("namespaces/kube-system", |it| it["metadata"]["uid"] = "west".into());
    let refused = run(&west, &schedule, clock).await;
    assert!(matches!(&refused, Err(Error::Foreign { cluster, .. }) if cluster == "west"));
    assert_eq!(east.bucket.contents().await, kept, "nothing was written");
    schedule.bowline.cluster_uid = "west".to_owned();
    for _ in 0..10 {
        made(run(&west, &schedule, clock).await);
        advance(Duration::from_mins(10)).await;
    }
    let now = east.bucket.contents().await;
    for (key, content) in kept.iter().filter(|(key, _)| !key.contains("/leases/")) {
        assert_eq!(now.get(key), Some(content), "{key}");
    }
    assert_eq!(west.backups().backup_names().await.unwrap().len(), 13);
    assert_eq!(faults_of_runs(&west).await, [""; 0]);
}
