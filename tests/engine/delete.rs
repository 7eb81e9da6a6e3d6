//! What a deletion takes, what it leaves alone, and what it refuses before it touches anything.

use bowline::engine::delete::{self, Error, SnapshotFate};
use bowline::engine::report::Phase;
use bowline::engine::restore as restoring;
use bowline::engine::store::BackupKeys;
use bowline_api::{Snapshot, SnapshotRequest, Tags, VolumeSnapshotter as _};
use serde_json::{Value, json};

use crate::application::{backed_up, backup, restore, source, target};
use crate::fake_world::{World, now};
use crate::faults::{Faults, Script};

/// A snapshot that somebody else made.
pub(crate) async fn foreign_snapshot(world: &World, tags: &[(&str, &str)]) -> Snapshot {
    let tags: Tags = tags.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
    let token = format!("foreign-{}", world.cloud.snapshots().len());
    let request = SnapshotRequest { volume_id: "vol-other".to_owned(), token, tags };
    world.snapshotter(&Faults::new(Script::Sound)).create_snapshot(&request).await.unwrap()
}

pub(crate) fn ids(world: &World) -> Vec<String> {
    world.cloud.snapshots().into_iter().map(|snapshot| snapshot.id).collect()
}

/// The state of everything that a deletion could touch.
pub(crate) async fn remains(world: &World) -> (Vec<String>, Vec<String>) {
    (world.bucket.keys().await, ids(world))
}

async fn document(world: &World, key: &str) -> Value {
    serde_json::from_slice(&world.bucket.read(key).await).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_backup_goes_with_its_snapshots_and_nothing_else_goes() {
    let world = backed_up().await;
    let foreign = [
        foreign_snapshot(&world, &[("velero.io/backup", "weekly")]).await.id,
        foreign_snapshot(&world, &[("velero.io/backup", "nightly")]).await.id,
        foreign_snapshot(&world, &[]).await.id,
    ];
    world.bucket.write("backups/nightly-2/velero-backup.json", "{}".into()).await;
    world.bucket.write("restores/r/bowline-restore.json", "{}".into()).await;
    let report = world.delete("nightly").await.unwrap();
    assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
    let fates: Vec<_> = report.snapshots.iter().map(|snapshot| snapshot.state).collect();
    assert_eq!(fates, [SnapshotFate::Deleted; 2]);
    assert_eq!(report.warnings, []);
    let others = ["backups/nightly-2/velero-backup.json", "restores/r/bowline-restore.json"];
    assert_eq!(world.bucket.keys().await, others);
    assert_eq!(ids(&world), foreign);
    assert!(matches!(world.delete("nightly").await, Err(Error::NotFound { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_whose_tags_name_another_backup_is_left_alone_with_a_warning() {
    for (key, value) in [("bowline.io/backup-uid", "another"), ("velero.io/backup", "weekly")] {
        let world = backed_up().await;
        let kept = ids(&world)[0].clone();
        world.cloud.retag(&kept, key, value);
        let report = world.delete("nightly").await.unwrap();
        assert_eq!(report.phase, Phase::Completed);
        assert!(report.warnings[0].message.contains(&kept), "{:?}", report.warnings);
        assert_eq!(remains(&world).await, (Vec::new(), vec![kept]), "{key}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_velero_backup_go_the_recorded_snapshots_that_carry_its_name() {
    let world = source();
    let own = foreign_snapshot(&world, &[("velero.io/backup", "old")]).await;
    let other = foreign_snapshot(&world, &[("velero.io/backup", "older")]).await;
    let unrecorded = foreign_snapshot(&world, &[("velero.io/backup", "old")]).await;
    let record = |id: &str| json!({"spec": {"backupName": "old"}, "status": {"providerSnapshotID": id, "phase": "Completed"}});
    let records = json!([record(&own.id), record(&other.id), record("snap-gone")]);
    write_gz(&world, &BackupKeys("old").volume_snapshots(), &records).await;
    let backup = json!({"apiVersion": "velero.io/v1", "kind": "Backup",
        "metadata": {"name": "old", "namespace": "velero", "uid": "1"}});
    world.bucket.write(&BackupKeys("old").metadata(), backup.to_string().into()).await;
    let report = world.delete("old").await.unwrap();
    let fates: Vec<_> = report.snapshots.iter().map(|it| (it.id.as_str(), it.state)).collect();
    let expected = [
        (own.id.as_str(), SnapshotFate::Deleted),
        (other.id.as_str(), SnapshotFate::Foreign),
        ("snap-gone", SnapshotFate::Absent),
    ];
    assert_eq!(fates, expected);
    assert_eq!(remains(&world).await, (Vec::new(), vec![other.id, unrecorded.id]));
}

pub(crate) async fn write_gz(world: &World, key: &str, document: &Value) {
    let file = bowline::engine::store::SideFile::json_gz(key.to_owned(), document).unwrap();
    world.bucket.write(key, file.content).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_retained_is_refused_before_anything_is_touched() {
    let world = backed_up().await;
    let before = remains(&world).await;
    let until = "2027-01-01T00:00:00Z".parse().unwrap();
    world.bucket.retain(&BackupKeys("nightly").archive(), Some(until));
    world
        .bucket
        .retain(&BackupKeys("nightly").logs(), Some("2026-12-01T00:00:00Z".parse().unwrap()));
    match world.delete("nightly").await {
        Err(Error::Retained { until: Some(found), key, .. }) => {
            assert_eq!((found, key), (until, BackupKeys("nightly").archive()));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(remains(&world).await, before);
    world.bucket.retain(&BackupKeys("nightly").index(), None);
    let held = world.delete("nightly").await;
    assert!(matches!(held, Err(Error::Retained { until: None, .. })), "{held:?}");
    world.bucket.release();
    let over = Some("2026-01-01T00:00:00Z".parse().unwrap());
    world.bucket.retain(&BackupKeys("nightly").archive(), over);
    assert_eq!(world.delete("nightly").await.unwrap().phase, Phase::Completed);
    assert_eq!(remains(&world).await, (Vec::new(), Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn snapshots_of_another_region_or_provider_are_refused_before_anything_is_touched() {
    let world = backed_up().await;
    let before = remains(&world).await;
    world.cloud.be_in(&["zone-x"]);
    match world.delete("nightly").await {
        Err(Error::OtherRegion { zone, zones, .. }) => {
            assert_eq!((zone.as_str(), zones), ("zone-a", vec!["zone-x".to_owned()]));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(remains(&world).await, before);
    world.cloud.be_in(&["zone-a", "zone-b"]);
    let record = json!([{"spec": {}, "status": {"providerSnapshotID": "disk-1"}}]);
    let elsewhere = world.copy().await;
    write_gz(&elsewhere, &BackupKeys("nightly").volume_snapshots(), &record).await;
    let refused = elsewhere.delete("nightly").await;
    assert!(matches!(refused, Err(Error::NoProvider { .. })), "{refused:?}");
    assert_eq!(remains(&elsewhere).await, before);
    assert_eq!(world.delete("nightly").await.unwrap().phase, Phase::Completed);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_stays_keeps_the_tombstone_and_running_again_finishes() {
    let world = backed_up().await;
    let stuck = ids(&world)[1].clone();
    world.cloud.hold(&stuck, true);
    let report = world.delete("nightly").await.unwrap();
    assert_eq!((report.phase, report.errors.len()), (Phase::PartiallyFailed, 1));
    assert!(report.errors[0].message.contains(&stuck));
    assert_eq!(ids(&world), [stuck.as_str()]);
    let keys = world.bucket.keys().await;
    assert!(keys.contains(&BackupKeys("nightly").tombstone()), "{keys:?}");
    assert!(!keys.contains(&BackupKeys("nightly").metadata()), "{keys:?}");
    assert!(keys.contains(&BackupKeys("nightly").volume_snapshots()), "{keys:?}");
    world.cloud.hold(&stuck, false);
    let report = world.delete("nightly").await.unwrap();
    assert_eq!(report.phase, Phase::Completed);
    assert_eq!(remains(&world).await, (Vec::new(), Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_being_deleted_is_neither_free_nor_usable() {
    let world = backed_up().await;
    let stuck = ids(&world)[0].clone();
    world.cloud.hold(&stuck, true);
    world.delete("nightly").await.unwrap();
    let created = world.back_up(&backup()).await;
    assert!(matches!(created, Err(bowline::engine::backup::Error::Deleting { .. })), "{created:?}");
    let restored = target(&world).restore(&restore("r")).await;
    assert!(restored.is_err(), "{restored:?}");
    // Only the tombstone is left: the name is still known.
    for key in world.bucket.keys().await.iter().filter(|key| key.starts_with("backups/")) {
        world.bucket.delete(key).await;
    }
    assert_eq!(world.backups().backup_names().await.unwrap(), ["nightly"]);
    world.cloud.hold(&stuck, false);
    assert_eq!(world.delete("nightly").await.unwrap().phase, Phase::Completed);
    assert_eq!(remains(&world).await, (Vec::new(), Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn the_tombstone_says_what_goes() {
    let world = backed_up().await;
    let uid = world.delete("nightly").await.unwrap().uid.unwrap();
    let world = backed_up().await;
    world.cloud.hold(&ids(&world)[0], true);
    let report = world.delete("nightly").await.unwrap();
    let tombstone = document(&world, &BackupKeys("nightly").tombstone()).await;
    assert_ne!(tombstone["uid"], json!(uid));
    assert_eq!(tombstone["uid"], json!(report.uid));
    assert_eq!(tombstone["name"], "nightly");
    let ids: Vec<_> =
        tombstone["snapshots"].as_array().unwrap().iter().map(|it| it["id"].clone()).collect();
    let reported: Vec<_> = report.snapshots.iter().map(|it| json!(it.id)).collect();
    assert_eq!(ids, reported);
    assert_eq!(tombstone["snapshots"][0]["provider"], "fake");
    assert_eq!(tombstone["snapshots"][0]["zone"], "zone-a");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_was_never_finished_goes_with_its_snapshots_and_uploads() {
    let calls = source().start(Script::Sound);
    calls.back_up(&backup()).await.unwrap().unwrap();
    for call in 0..calls.faults.calls().len() {
        let world = source();
        assert!(world.start(Script::KilledBefore(call)).back_up(&backup()).await.is_none());
        let place = calls.faults.calls()[call].clone();
        if world.bucket.keys().await.is_empty() {
            continue;
        }
        let report = world.delete("nightly").await.unwrap();
        assert_eq!(report.phase, Phase::Completed, "{place}: {:?}", report.errors);
        assert_eq!(remains(&world).await, (Vec::new(), Vec::new()), "{place}");
        assert!(world.bucket.unfinished().is_empty(), "{place}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_copy_under_another_name_goes_without_the_snapshots_of_the_original() {
    let world = backed_up().await;
    for key in world.bucket.keys().await {
        let copy = key.replace("nightly", "copy");
        world.bucket.write(&copy, world.bucket.read(&key).await).await;
    }
    let (keys, snapshots) = remains(&world).await;
    let report = world.delete("copy").await.unwrap();
    assert_eq!(report.phase, Phase::Completed);
    let originals: Vec<_> = keys.into_iter().filter(|key| !key.contains("copy")).collect();
    assert_eq!(remains(&world).await, (originals, snapshots));
}

#[tokio::test(start_paused = true)]
async fn damaged_records_do_not_keep_a_backup_of_ours_from_going() {
    let world = backed_up().await;
    world.bucket.write(&BackupKeys("nightly").volume_snapshots(), "rubbish".into()).await;
    world.bucket.write(&BackupKeys("nightly").metadata(), "{".into()).await;
    let report = world.delete("nightly").await.unwrap();
    assert_eq!((report.phase, report.warnings.len()), (Phase::Completed, 1));
    assert_eq!(remains(&world).await, (Vec::new(), Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn the_records_of_a_restore_go_and_what_it_restored_stays() {
    let world = backed_up().await;
    let target = target(&world);
    target.restore(&restore("rescue")).await.unwrap();
    let (keys, snapshots) = remains(&world).await;
    let objects = target.cluster.names_in("shop");
    let missing = delete::restore(&world.backups(), None, now(), "rescu").await;
    assert!(matches!(missing, Err(Error::NotFound { similar: Some(_), .. })), "{missing:?}");
    world.bucket.retain("restores/rescue/bowline-result.json", None);
    let held = delete::restore(&world.backups(), None, now(), "rescue").await;
    assert!(matches!(held, Err(Error::Retained { .. })), "{held:?}");
    world.bucket.release();
    delete::restore(&world.backups(), None, now(), "rescue").await.unwrap();
    let others: Vec<_> = keys.into_iter().filter(|key| !key.starts_with("restores/")).collect();
    assert_eq!(remains(&world).await, (others, snapshots));
    assert_eq!(target.cluster.names_in("shop"), objects);
    let again: Result<_, restoring::Error> = target.restore(&restore("rescue")).await;
    assert_eq!(again.unwrap().phase, Phase::Completed);
}
