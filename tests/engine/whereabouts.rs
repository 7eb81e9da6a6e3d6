//! Which providers an attempt asked for snapshots, and where: what is looked for elsewhere is not gone.

use std::time::Duration;

use bowline::engine::backup::{self, Error};
use bowline::engine::model::backup::ProviderRecord;
use bowline::engine::report::Phase;
use bowline::engine::store::BackupKeys;
use bytes::Bytes;
use tokio::time::{Instant, timeout};

use crate::application::{backup, source};
use crate::crash_backup::{faults_of_backup, keys_of_a_backup, replacing};
use crate::fake_world::World;
use crate::faults::Script;

const KEYS: BackupKeys<'_> = BackupKeys("nightly");

/// A world in which a backup was killed while its snapshots, taken in the east, were pending.
async fn interrupted() -> World {
    let world = source();
    world.cloud.reach("east");
    world.cloud.be_slow(usize::MAX);
    let process = world.start(Script::Sound);
    assert!(timeout(Duration::from_hours(1), process.back_up(&backup())).await.is_err());
    world.cloud.be_done();
    world
}

#[tokio::test(start_paused = true)]
async fn a_provider_is_written_down_with_its_place_before_it_is_asked_for_anything() {
    let world = source();
    world.cloud.reach("east");
    let process = world.start(Script::Sound);
    process.back_up(&backup()).await.unwrap().unwrap();
    let calls = process.faults.calls();
    let first = |part: &str| calls.iter().position(|call| call.contains(part)).unwrap();
    assert!(first(&KEYS.provider("fake")) < first("cloud: create a snapshot"), "{calls:?}");
    let records = world.backups().providers("nightly").await.unwrap();
    let expected = ProviderRecord { provider: "fake".to_owned(), place: Some("east".to_owned()) };
    assert_eq!(records, [expected]);
    assert_eq!(faults_of_backup(&world, &keys_of_a_backup().await).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn no_snapshot_is_asked_for_where_that_cannot_be_written_down() {
    let calls = {
        let process = source().start(Script::Sound);
        process.back_up(&backup()).await.unwrap().unwrap();
        process.faults.calls()
    };
    let record = calls.iter().position(|call| call.contains(&KEYS.provider("fake"))).unwrap();
    let world = source();
    let process = world.start(Script::Fails(record));
    let result = process.back_up(&backup()).await.unwrap();
    assert!(matches!(result, Err(Error::Broken { cleared: true, .. })), "{result:?}");
    let asked = |call: &String| call.contains("create a snapshot");
    assert!(!process.faults.calls().iter().any(asked), "{:?}", process.faults.calls());
    assert_eq!(world.bucket.keys().await, [""; 0]);
    assert!(world.bucket.unfinished().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_attempt_is_neither_cleared_nor_finished_from_where_its_snapshots_do_not_show() {
    let world = interrupted().await;
    let (files, snapshots) = (world.bucket.contents().await, world.cloud.snapshots());
    world.cloud.reach("west");
    let process = world.start(Script::Sound);
    let replaced = process.back_up(&replacing()).await.unwrap();
    assert!(matches!(replaced, Err(Error::Incomplete { .. })), "{replaced:?}");
    let finished = process.finish().await.unwrap();
    let Err(Error::OutOfReach { source, .. }) = finished else { panic!("{finished:?}") };
    let said = source.to_string();
    assert!(said.contains("taken in east, but this runs in west"), "{said}");
    assert_eq!(process.faults.calls(), [""; 0]);
    assert_eq!(world.bucket.contents().await, files);
    assert_eq!(world.cloud.snapshots(), snapshots);
    world.cloud.reach("east");
    assert_eq!(world.finish().await.unwrap().report.phase, Phase::Completed);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_of_a_provider_that_is_not_at_hand_is_not_cleared() {
    let world = interrupted().await;
    let record = Bytes::from_static(br#"{"provider": "other"}"#);
    world.bucket.write(&KEYS.provider("other"), record).await;
    let files = world.bucket.contents().await;
    let replaced = world.back_up(&replacing()).await;
    assert!(matches!(replaced, Err(Error::Incomplete { .. })), "{replaced:?}");
    assert_eq!(world.bucket.contents().await, files);
    // What cannot be read may name one, too.
    world.bucket.write(&KEYS.provider("other"), Bytes::from_static(b"{}")).await;
    let files = world.bucket.contents().await;
    let replaced = world.back_up(&replacing()).await;
    assert!(matches!(replaced, Err(Error::Broken { cleared: false, .. })), "{replaced:?}");
    assert_eq!(world.bucket.contents().await, files);
}

/// Object storage at home needs no account of a cloud.
#[tokio::test(start_paused = true)]
async fn an_attempt_that_asked_for_no_snapshot_is_cleared_without_any_provider() {
    let world = source();
    world.cloud.be_unusable();
    let mut request = backup();
    request.spec.snapshot_volumes = Some(false);
    assert!(world.start(Script::KilledBefore(4)).back_up(&request).await.is_none());
    request.replace_incomplete = true;
    let request: backup::Request = request;
    let report = world.back_up(&request).await.unwrap();
    assert_eq!((report.phase, world.cloud.snapshots().len()), (Phase::Completed, 0));
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_does_not_show_yet_is_awaited_and_not_lost() {
    let world = interrupted().await;
    world.cloud.hide(&world.cloud.snapshots()[0].id, Duration::from_secs(30));
    let report = world.finish().await.unwrap().report;
    assert_eq!((report.phase, &report.errors[..]), (Phase::Completed, &[][..]));
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_counts_as_lost_once_it_was_missing_for_a_minute() {
    let world = interrupted().await;
    world.cloud.lose(&world.cloud.snapshots()[0].id);
    let begun = Instant::now();
    let report = world.finish().await.unwrap().report;
    assert_eq!((report.phase, report.errors.len()), (Phase::PartiallyFailed, 1));
    assert!(begun.elapsed() >= Duration::from_mins(1), "{:?}", begun.elapsed());
}
