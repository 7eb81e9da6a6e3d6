//! A run that is replaced or deleted while it works harms nobody, and leaves nothing behind.

use std::pin::pin;
use std::time::Duration;

use bowline::engine::backup::Error;
use bowline::engine::report::Phase;
use bowline::engine::store::BackupKeys;
use bytes::Bytes;
use tokio::time::timeout;

use crate::application::{backup, source};
use crate::crash_backup::{faults_of_backup, keys_of_a_backup, replacing};
use crate::fake_world::{BackupResult, Process, World};
use crate::faults::Script;

const KEYS: BackupKeys<'_> = BackupKeys("nightly");
/// The call that makes it a backup.
const COMMIT: &str = "store: create backups/nightly/velero-backup.json";
/// The call that reserves the name.
const BEGINNING: &str = "store: create backups/nightly/bowline-attempt.json";

/// The changing calls of a backup that nothing happens to.
async fn calls() -> Vec<String> {
    let process = source().start(Script::Sound);
    process.back_up(&backup()).await.unwrap().unwrap();
    process.faults.calls()
}

/// The number of the call that commits.
async fn commit() -> usize {
    calls().await.iter().position(|call| call == COMMIT).unwrap()
}

/// Lets a run wait at a call until something else is done.
async fn meanwhile<T>(process: &Process, other: impl Future<Output = T>) -> (BackupResult, T) {
    let request = backup();
    let other = async {
        process.faults.waiting().await;
        let done = other.await;
        process.faults.release();
        done
    };
    let (run, done) = tokio::join!(process.back_up(&request), other);
    (run.unwrap(), done)
}

/// Lets a run be replaced at every call after its first, and go on then.
async fn replace_at_every_call(after: impl AsyncFn(&World)) {
    let keys = keys_of_a_backup().await;
    for call in 1..calls().await.len() {
        let world = source();
        let process = world.start(Script::Waits(call));
        let (late, ()) = Box::pin(meanwhile(&process, after(&world))).await;
        let place = format!("before call {call}, {}", process.faults.victim());
        assert!(late.is_err(), "{place}: {late:?}");
        let finished = world.finish().await.unwrap().report;
        assert_eq!(finished.phase, Phase::Completed, "{place}");
        assert_eq!(faults_of_backup(&world, &keys).await, [""; 0], "{place}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_replaced_at_any_call_leaves_the_new_backup_as_it_is() {
    replace_at_every_call(async |world| {
        world.back_up(&replacing()).await.unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_replaced_at_any_call_leaves_an_attempt_as_it_is_that_is_not_committed() {
    replace_at_every_call(async |world| {
        let replacing_it = world.start(Script::KilledAt(COMMIT));
        assert!(replacing_it.back_up(&replacing()).await.is_none());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_deleted_at_any_call_leaves_no_snapshot_and_no_backup() {
    for call in 1..calls().await.len() {
        let world = source();
        let process = world.start(Script::Waits(call));
        let (late, deleted) = Box::pin(meanwhile(&process, world.delete("nightly"))).await;
        let place = format!("before call {call}, {}", process.faults.victim());
        assert_eq!(deleted.unwrap().phase, Phase::Completed, "{place}");
        assert!(late.is_err(), "{place}: {late:?}");
        assert_eq!(world.cloud.snapshots(), [], "{place}");
        assert!(!world.bucket.keys().await.contains(&KEYS.metadata()), "{place}");
    }
}

/// The commit is on its way while the attempt is cleared, and arrives when nothing is left.
#[tokio::test(start_paused = true)]
async fn a_commit_that_arrives_after_the_attempt_was_cleared_is_taken_back() {
    let world = source();
    let process = world.start(Script::Waits(commit().await));
    let clear = async {
        let replacing_it = world.start(Script::KilledAt(BEGINNING));
        assert!(replacing_it.back_up(&replacing()).await.is_none());
    };
    let (late, ()) = Box::pin(meanwhile(&process, clear)).await;
    assert!(matches!(late, Err(Error::Broken { cleared: true, .. })), "{late:?}");
    assert_eq!(world.bucket.keys().await, [""; 0]);
    assert_eq!(world.cloud.snapshots(), []);
}

/// Whoever replaces an attempt has seen that it is not committed; then it is.
#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_committed_just_before_it_is_cleared_stays_whole() {
    let (world, keys) = (source(), keys_of_a_backup().await);
    assert!(world.start(Script::KilledAt(COMMIT)).back_up(&backup()).await.is_none());
    // The first change is that the attempt's record for the commit is taken back.
    let replacing_it = world.start(Script::Waits(0));
    let request = replacing();
    let finish = async {
        replacing_it.faults.waiting().await;
        let finished = world.finish().await;
        replacing_it.faults.release();
        finished
    };
    let (replaced, finished) = tokio::join!(replacing_it.back_up(&request), finish);
    assert!(replacing_it.faults.victim().contains(&KEYS.pending()));
    assert_eq!(finished.unwrap().report.phase, Phase::Completed);
    let replaced = replaced.unwrap();
    assert!(matches!(replaced, Err(Error::Broken { cleared: false, .. })), "{replaced:?}");
    assert_eq!(faults_of_backup(&world, &keys).await, [""; 0]);
}

/// What is dropped while it is on its way comes to be nevertheless, after all was cleared.
#[tokio::test(start_paused = true)]
async fn a_run_that_breaks_off_clears_nothing_before_the_snapshots_that_it_asks_for_are_there() {
    let creation = |call: &String| call.starts_with("cloud: create a snapshot");
    let creation = calls().await.iter().position(creation).unwrap();
    let world = source();
    let process = world.start(Script::Waits(creation));
    let request = backup();
    let mut run = pin!(process.back_up(&request));
    // So that the archive cannot be finished.
    let spoil = async {
        process.faults.waiting().await;
        world.bucket.write(&KEYS.archive(), Bytes::new()).await;
    };
    tokio::select! {
        biased;
        () = spoil => {}
        early = &mut run => panic!("{early:?}"),
    }
    let early = timeout(Duration::from_hours(1), &mut run).await;
    assert!(early.is_err(), "{early:?}");
    let finished = |call: &String| call.starts_with("store: finish");
    assert!(process.faults.calls().iter().any(finished), "{:?}", process.faults.calls());
    process.faults.release();
    let result = run.await.unwrap();
    assert!(matches!(result, Err(Error::Broken { cleared: true, .. })), "{result:?}");
    assert_eq!(world.cloud.snapshots(), []);
    assert_eq!(world.bucket.keys().await, [""; 0]);
}
