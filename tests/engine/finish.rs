//! A backup whose archive is whole is finished by anybody, with the snapshots that it has.

use std::collections::BTreeMap;
use std::time::Duration;

use bowline::engine::backup::Error;
use bowline::engine::model::volume::SnapshotPhase;
use bowline::engine::report::{BackupReport, Phase};
use bowline::engine::store::{BackupKeys, BackupState};
use bytes::Bytes;
use serde_json::json;
use tokio::time::timeout;

use crate::application::{backed_up, backup, source};
use crate::crash_backup::{faults_of_backup, keys_of_a_backup, replacing};
use crate::fake_world::{Cloud, FinishResult, Process, World};
use crate::faults::Script;
use crate::records;

const KEYS: BackupKeys<'_> = BackupKeys("nightly");

/// A world in which a backup was killed after an hour in which no snapshot was done.
async fn interrupted() -> World {
    let world = source();
    world.cloud.be_slow(usize::MAX);
    let process = world.start(Script::Sound);
    assert!(timeout(Duration::from_hours(1), process.back_up(&backup())).await.is_err());
    let state = world.backups().backup("nightly").await.unwrap();
    assert!(matches!(state, Some(BackupState::Incomplete(Some(_)))), "{state:?}");
    assert_eq!(world.cloud.snapshots().len(), 2);
    world
}

/// The first of the changing calls of a backup at which it can be finished.
async fn first_call() -> usize {
    let process = source().start(Script::Sound);
    process.back_up(&backup()).await.unwrap().unwrap();
    let is_pending = |call: &String| call.contains(&KEYS.pending());
    process.faults.calls().iter().position(is_pending).unwrap() + 1
}

fn text(report: &BackupReport) -> String {
    serde_json::to_string(report).unwrap()
}

fn report(result: FinishResult) -> BackupReport {
    result.unwrap().report
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_was_killed_while_snapshots_were_pending_is_completed_with_these() {
    let world = interrupted().await;
    let snapshots: Vec<_> = world.cloud.snapshots().into_iter().map(|it| it.id).collect();
    world.cloud.be_done();
    let report = report(world.finish().await);
    assert_eq!((report.phase, &report.errors[..]), (Phase::Completed, &[][..]));
    let mut reported: Vec<_> =
        report.volumes.iter().map(|it| it.snapshot_id.clone().unwrap()).collect();
    reported.sort();
    assert_eq!(reported, snapshots);
    assert_eq!(faults_of_backup(&world, &keys_of_a_backup().await).await, [""; 0]);
    let log = records::log(&world).await;
    for line in ["collecting objects", "snapshot started", "snapshot completed", "committing"] {
        assert!(log.contains(line), "{line}: {log}");
    }
}

#[tokio::test(start_paused = true)]
async fn to_finish_a_backup_twice_gives_the_same_report_and_changes_nothing() {
    let world = backed_up().await;
    let before = world.bucket.contents().await;
    let written: BackupReport = world.backups().json(&KEYS.report()).await.unwrap();
    for _ in 0..2 {
        let process = world.start(Script::Sound);
        let finished = process.finish().await.unwrap().unwrap();
        assert!(finished.earlier);
        assert_eq!(text(&finished.report), text(&written));
        assert_eq!(process.faults.calls(), [""; 0]);
    }
    assert_eq!(world.bucket.contents().await, before);
}

/// What lies below the backup's name; the pieces of its log come and go beside it.
async fn files(world: &World) -> BTreeMap<String, Bytes> {
    let mut files = world.bucket.contents().await;
    files.retain(|key, _| key.starts_with("backups/"));
    files
}

#[tokio::test(start_paused = true)]
async fn finishing_may_be_killed_at_any_call_too() {
    let (keys, left) = (keys_of_a_backup().await, interrupted().await);
    left.cloud.be_done();
    for call in 0.. {
        let world = left.copy().await;
        let process = world.start(Script::KilledBefore(call));
        if let Some(result) = process.finish().await {
            assert_eq!(report(result).phase, Phase::Completed);
            assert!(call >= 7, "{call} calls");
            return;
        }
        let place = format!("before call {call}, {}", process.faults.victim());
        let before = files(&world).await;
        assert_eq!(report(world.finish().await).phase, Phase::Completed, "{place}");
        assert_eq!(faults_of_backup(&world, &keys).await, [""; 0], "{place}");
        let after = files(&world).await;
        assert!(before.iter().all(|(key, content)| after[key] == *content), "{place}");
    }
}

/// Lets a run wait at a call, another process finish the backup meanwhile, and the run go on.
async fn overtaken_at(call: usize, world: &World) -> (Process, BackupReport) {
    let process = world.start(Script::Waits(call));
    let request = backup();
    let run = process.back_up(&request);
    let other = async {
        process.faults.waiting().await;
        let report = report(world.finish().await);
        let written = world.bucket.contents().await;
        process.faults.release();
        (report, written)
    };
    let (run, (report, written)) = tokio::join!(run, other);
    let place = process.faults.victim();
    assert_eq!(text(&run.unwrap().unwrap()), text(&report), "{place}");
    assert_eq!(world.bucket.contents().await, written, "{place}");
    (process, report)
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_overtaken_at_any_call_ends_with_the_documents_that_are_there() {
    let keys = keys_of_a_backup().await;
    let sound = source().start(Script::Sound);
    sound.back_up(&backup()).await.unwrap().unwrap();
    for call in first_call().await..sound.faults.calls().len() {
        let world = source();
        let (process, report) = Box::pin(overtaken_at(call, &world)).await;
        let place = process.faults.victim();
        assert_eq!(report.phase, Phase::Completed, "{place}");
        assert_eq!(faults_of_backup(&world, &keys).await, [""; 0], "{place}");
    }
}

#[tokio::test(start_paused = true)]
async fn several_that_finish_at_once_end_with_one_report() {
    let world = interrupted().await;
    world.cloud.be_done();
    let (a, b, c) = tokio::join!(world.finish(), world.finish(), world.finish());
    let reports = [a, b, c].map(|result| text(&report(result)));
    assert!(reports.iter().all(|report| *report == reports[0]), "{reports:?}");
    assert_eq!(faults_of_backup(&world, &keys_of_a_backup().await).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn of_two_backups_of_one_name_one_wins_and_the_other_says_so() {
    let world = source();
    let request = backup();
    let (a, b) = tokio::join!(world.back_up(&request), world.back_up(&request));
    let (winner, loser) = if a.is_ok() { (a, b) } else { (b, a) };
    assert_eq!(winner.unwrap().phase, Phase::Completed);
    assert!(matches!(loser, Err(Error::NameInUse { .. } | Error::Incomplete { .. })), "{loser:?}");
    assert_eq!(faults_of_backup(&world, &keys_of_a_backup().await).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_fails_later_on_is_an_error_of_the_finished_backup() {
    let world = interrupted().await;
    let failing = world.cloud.snapshots()[0].volume_id.clone();
    world.cloud.fail_snapshots_of(&failing);
    world.cloud.be_done();
    let report = report(world.finish().await);
    assert_eq!((report.phase, report.errors.len()), (Phase::PartiallyFailed, 1));
    assert!(report.errors[0].message.contains("the disk is broken"), "{:?}", report.errors);
    let records = records::snapshots(&world).await;
    let failed: Vec<_> =
        records.iter().filter(|it| it.status.phase == Some(SnapshotPhase::Failed)).collect();
    assert_eq!((records.len(), failed.len()), (2, 1));
    assert_eq!(failed[0].spec.provider_volume_id, failing);
    assert_eq!(failed[0].status.provider_snapshot_id, None);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_cannot_look_at_its_snapshots_leaves_them_to_be_finished() {
    let world = source();
    world.cloud.be_slow(3);
    world.cloud.be_silent(true);
    let result = world.back_up(&backup()).await;
    assert!(matches!(result, Err(Error::Unfinished { .. })), "{result:?}");
    let again = world.finish().await;
    assert!(matches!(again, Err(Error::Unfinished { .. })), "{again:?}");
    assert!(!world.bucket.keys().await.contains(&KEYS.report()));
    world.cloud.be_silent(false);
    assert_eq!(report(world.finish().await).phase, Phase::Completed);
    assert_eq!(faults_of_backup(&world, &keys_of_a_backup().await).await, [""; 0]);
}

/// Another region, or another account: nothing may be concluded from what is not seen there.
#[tokio::test(start_paused = true)]
async fn where_none_of_its_snapshots_are_known_a_backup_is_not_finished() {
    let world = interrupted().await;
    world.cloud.be_done();
    let elsewhere = World { cloud: Cloud::default(), ..world.clone() };
    let before = files(&world).await;
    let result = elsewhere.finish().await;
    assert!(matches!(result, Err(Error::Unfinished { .. })), "{result:?}");
    assert_eq!(files(&world).await, before);
    assert_eq!(report(world.finish().await).phase, Phase::Completed);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_is_gone_is_an_error_of_the_finished_backup() {
    // Whether it was seen to be complete or not.
    for world in [interrupted().await, uncommitted().await] {
        world.cloud.be_done();
        world.cloud.lose(&world.cloud.snapshots()[0].id);
        let report = report(world.finish().await);
        assert_eq!((report.phase, report.errors.len()), (Phase::PartiallyFailed, 1));
        assert!(report.errors[0].message.contains("does not exist"), "{:?}", report.errors);
    }
}

/// An attempt that was killed before its report was written, with all snapshots complete.
async fn uncommitted() -> World {
    let world = source();
    let process = world.start(Script::KilledBefore(first_call().await));
    assert!(process.back_up(&backup()).await.is_none());
    world
}

#[tokio::test(start_paused = true)]
async fn the_log_that_is_there_is_taken_and_has_its_digest() {
    let world = uncommitted().await;
    let log = Bytes::from_static(b"another run's log");
    world.bucket.write(&KEYS.logs(), log.clone()).await;
    report(world.finish().await);
    assert_eq!(world.bucket.read(&KEYS.logs()).await, log);
    assert_eq!(faults_of_backup(&world, &keys_of_a_backup().await).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn any_other_file_that_is_there_must_be_the_same() {
    for key in [KEYS.report(), KEYS.results(), KEYS.volume_snapshots(), KEYS.digests()] {
        let world = uncommitted().await;
        world.bucket.write(&key, Bytes::from_static(b"{}")).await;
        let result = world.finish().await;
        let Err(Error::Unfinished { source, .. }) = result else { panic!("{key}: {result:?}") };
        assert!(source.to_string().contains(&key), "{source}");
        assert!(!world.bucket.keys().await.contains(&KEYS.metadata()), "{key}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_attempt_was_cleared_meanwhile_commits_nothing() {
    let world = source();
    let process = world.start(Script::Waits(first_call().await));
    let request = backup();
    let other = async {
        process.faults.waiting().await;
        world.back_up(&replacing()).await.unwrap();
        let written = world.bucket.contents().await;
        process.faults.release();
        written
    };
    let (late, written) = tokio::join!(process.back_up(&request), other);
    let late = late.unwrap();
    assert!(matches!(late, Err(Error::Unfinished { .. })), "{late:?}");
    assert_eq!(world.bucket.contents().await, written);
    assert_eq!(faults_of_backup(&world, &keys_of_a_backup().await).await, [""; 0]);
}

/// What finishing says, which must not have changed anything.
async fn refusal(process: &Process) -> Error {
    let refusal = process.finish().await.unwrap().unwrap_err();
    assert_eq!(process.faults.calls(), [""; 0]);
    refusal
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_finished_is_refused_before_anything_is_written() {
    let sound = |world: &World| world.start(Script::Sound);
    let nothing = refusal(&sound(&source())).await;
    assert!(matches!(nothing, Error::NotFound { similar: None, .. }), "{nothing:?}");

    let broken = source();
    broken.start(Script::KilledBefore(2)).back_up(&backup()).await;
    let not_whole = refusal(&sound(&broken)).await;
    assert!(matches!(not_whole, Error::NotWhole { .. }), "{not_whole:?}");

    let world = interrupted().await;
    let missing = refusal(&sound(&world).without_snapshotters()).await;
    assert!(
        matches!(&missing, Error::NoSnapshotter { provider, .. } if provider == "fake"),
        "{missing:?}"
    );
    world.bucket.write(&KEYS.tombstone(), Bytes::from_static(b"{}")).await;
    let deleting = refusal(&sound(&world)).await;
    assert!(matches!(deleting, Error::Deleting { .. }), "{deleting:?}");

    let foreign = backed_up().await;
    foreign.bucket.delete(&KEYS.report()).await;
    let foreign = refusal(&sound(&foreign)).await;
    assert!(matches!(foreign, Error::Finished { .. }), "{foreign:?}");

    let newer = uncommitted().await;
    newer.bucket.write(&KEYS.pending(), json!({"version": 2}).to_string().into()).await;
    let newer = refusal(&sound(&newer)).await;
    assert!(matches!(newer, Error::Location(_)), "{newer:?}");
}
