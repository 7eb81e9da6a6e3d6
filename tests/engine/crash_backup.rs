//! A backup may die at any call. What is left is never taken for a backup, and can be replaced.

use bowline::engine::backup;
use bowline::engine::report::Phase;
use bowline::engine::store::{BackupKeys, BackupState, Digest, Digests};

use crate::application::{backed_up, backup, faults_of, restore, source, target};
use crate::fake_world::World;
use crate::faults::Script;

/// The tag by which a snapshot is known to belong to an attempt.
const BACKUP_UID: &str = "bowline.io/backup-uid";

/// What is wrong with the one backup in the bucket, which is to be whole, alone and restorable.
pub(crate) async fn faults_of_backup(source: &World, keys: &[String]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut uid = None;
    for entry in source.backups().backups().await.unwrap() {
        match entry.state {
            BackupState::Committed(found) if found.phase() == Phase::Completed => {
                uid = Some(found.metadata.uid);
            }
            other => faults.push(format!("{} is {other:?}", entry.name)),
        }
    }
    if source.bucket.keys().await != keys {
        faults.push(format!("keys: {:?}", source.bucket.keys().await));
    }
    if !source.bucket.unfinished().is_empty() {
        faults.push(format!("unfinished uploads: {:?}", source.bucket.unfinished()));
    }
    let snapshots = source.cloud.snapshots();
    if snapshots.len() != 2 || snapshots.iter().any(|it| it.tags.get(BACKUP_UID) != uid.as_ref()) {
        faults.push(format!("{uid:?} has the snapshots {snapshots:?}"));
    }
    faults.extend(faults_of_digests(source).await);
    let target = target(source);
    match target.restore(&restore("proof")).await {
        Ok(report) if report.phase == Phase::Completed => {}
        other => faults.push(format!("restored: {other:?}")),
    }
    faults.extend(faults_of(source, &target, "shop"));
    faults
}

/// The files of the one backup that are not what its digests say.
async fn faults_of_digests(world: &World) -> Vec<String> {
    let keys = BackupKeys("nightly");
    let Ok(digests) = world.backups().json::<Digests>(&keys.digests()).await else {
        return vec!["there are no digests".to_owned()];
    };
    let mut files = world.bucket.contents().await;
    files.retain(|key, _| *key != keys.digests() && *key != keys.metadata());
    let name = |key: &str| key.strip_prefix(&keys.prefix()).unwrap().to_owned();
    let found = files.iter().map(|(key, content)| (name(key), Digest::of(content))).collect();
    let expected = digests.files;
    if expected == found { Vec::new() } else { vec![format!("{expected:?} are {found:?}")] }
}

/// The keys that a whole backup has.
pub(crate) async fn keys_of_a_backup() -> Vec<String> {
    backed_up().await.bucket.keys().await
}

/// A backup that replaces what an earlier attempt left.
pub(crate) fn replacing() -> backup::Request {
    backup::Request { replace_incomplete: true, ..backup() }
}

/// Lets a backup break at every one of its calls, and replaces it each time.
async fn break_at_every_call(script: fn(usize) -> Script) -> usize {
    let keys = keys_of_a_backup().await;
    for call in 0.. {
        let world = source();
        let process = world.start(script(call));
        let result = process.back_up(&backup()).await;
        if !process.faults.struck() {
            assert_eq!(result.unwrap().unwrap().phase, Phase::Completed);
            return call;
        }
        let place = format!("before call {call}, {}", process.faults.victim());
        assert!(!matches!(result, Some(Ok(_))), "{place}: {result:?}");
        finish(&world.copy().await, &keys, &place).await;
        begin_anew(&world, &place).await;
        assert_eq!(faults_of_backup(&world, &keys).await, [""; 0], "{place}");
    }
    0
}

/// Finishes what an attempt left that broke, which must be possible once its archive is whole.
async fn finish(world: &World, keys: &[String], place: &str) {
    let pending = world.bucket.keys().await.contains(&BackupKeys("nightly").pending());
    let snapshots = world.cloud.snapshots();
    match world.finish().await {
        Ok(finished) if pending => {
            assert_eq!(finished.report.phase, Phase::Completed, "{place}");
            assert_eq!(world.cloud.snapshots(), snapshots, "{place}");
            assert_eq!(faults_of_backup(world, keys).await, [""; 0], "{place}");
        }
        Err(backup::Error::NotWhole { .. } | backup::Error::NotFound { .. }) if !pending => {}
        other => panic!("{place}: {other:?}"),
    }
}

/// Makes the backup after an attempt that broke: what is left is Incomplete and must be replaced.
async fn begin_anew(world: &World, place: &str) {
    let entries = world.backups().backups().await.unwrap();
    let listed = |state: &BackupState| matches!(state, BackupState::Incomplete(_));
    assert!(entries.iter().all(|entry| listed(&entry.state)), "{place}: {entries:?}");
    let again = world.back_up(&backup()).await;
    let report = if entries.is_empty() {
        again.unwrap()
    } else {
        assert!(matches!(again, Err(backup::Error::Incomplete { .. })), "{place}: {again:?}");
        world.back_up(&replacing()).await.unwrap()
    };
    assert_eq!(report.phase, Phase::Completed, "{place}: {:?}", report.errors);
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_is_killed_at_any_call_is_incomplete_and_can_be_replaced() {
    let calls = break_at_every_call(Script::KilledBefore).await;
    assert!(calls >= 18, "{calls} calls");
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_is_cut_off_at_any_call_is_incomplete_and_can_be_replaced() {
    let calls = break_at_every_call(Script::CutOffFrom).await;
    assert!(calls >= 18, "{calls} calls");
}

/// Leaves an attempt that lacks nothing but its commit.
async fn uncommitted() -> World {
    let process = source().start(Script::Sound);
    process.back_up(&backup()).await.unwrap().unwrap();
    let world = source();
    let commit = process.faults.calls().len() - 1;
    assert!(world.start(Script::KilledBefore(commit)).back_up(&backup()).await.is_none());
    world
}

#[tokio::test(start_paused = true)]
async fn replacing_an_attempt_may_be_killed_at_any_call_too() {
    let (keys, left) = (keys_of_a_backup().await, uncommitted().await);
    assert_eq!(left.cloud.snapshots().len(), 2);
    for call in 0.. {
        let world = left.copy().await;
        let process = world.start(Script::KilledBefore(call));
        if process.back_up(&replacing()).await.is_some() {
            assert!(call >= 33, "{call} calls");
            return;
        }
        let place = format!("before call {call}, {}", process.faults.victim());
        finish(&world.copy().await, &keys, &place).await;
        let report = world.back_up(&replacing()).await.unwrap();
        assert_eq!(report.phase, Phase::Completed, "{place}: {:?}", report.errors);
        assert_eq!(faults_of_backup(&world, &keys).await, [""; 0], "{place}");
    }
}

#[tokio::test(start_paused = true)]
async fn snapshots_that_take_their_time_are_awaited() {
    let world = source();
    world.cloud.be_slow(7);
    let report = world.back_up(&backup()).await.unwrap();
    assert_eq!(report.phase, Phase::Completed);
    assert!(report.volumes.iter().all(|volume| volume.state == "completed"));
    assert_eq!(faults_of_backup(&world, &keys_of_a_backup().await).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_name_was_taken_over_commits_nothing_and_clears_nothing() {
    let (keys, left) = (keys_of_a_backup().await, uncommitted().await);
    assert!(matches!(left.back_up(&backup()).await, Err(backup::Error::Incomplete { .. })));
    left.back_up(&replacing()).await.unwrap();
    let late = left.back_up(&backup()).await;
    assert!(matches!(late, Err(backup::Error::NameInUse { .. })), "{late:?}");
    assert_eq!(faults_of_backup(&left, &keys).await, [""; 0]);
}
