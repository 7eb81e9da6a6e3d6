//! What a deletion refuses before it touches anything: what it cannot see, reach or remove.

use bowline::engine::context::OutOfReach;
use bowline::engine::delete::{Error, SnapshotFate};
use bowline::engine::report::Phase;
use bowline::engine::store::{self, BackupKeys};
use bowline_api::StoreError;
use serde_json::json;

use crate::application::{backed_up, backup, source};
use crate::delete::{foreign_snapshot, ids, remains, write_gz};
use crate::fake_world::World;
use crate::faults::Script;

/// A backup whose maker was killed while its snapshots were awaited.
async fn pending() -> World {
    for call in 0.. {
        let world = source();
        let process = world.start(Script::KilledBefore(call));
        assert!(process.back_up(&backup()).await.is_none(), "it was never pending");
        if world.bucket.keys().await.contains(&BackupKeys("nightly").pending()) {
            return world;
        }
    }
    unreachable!()
}

async fn record_provider(world: &World, provider: &str, place: Option<&str>) {
    let record = json!({"provider": provider, "place": place});
    let key = BackupKeys("nightly").provider(provider);
    world.bucket.write(&key, record.to_string().into()).await;
}

#[tokio::test(start_paused = true)]
async fn with_the_credentials_of_another_account_nothing_is_touched() {
    let world = backed_up().await;
    let before = remains(&world).await;
    world.cloud.be_blind(true);
    let refused = world.delete("nightly").await;
    assert!(matches!(refused, Err(Error::Unseen { count: 2, .. })), "{refused:?}");
    assert_eq!(remains(&world).await, before);
    world.cloud.be_blind(false);
    assert_eq!(world.delete("nightly").await.unwrap().phase, Phase::Completed);
    assert_eq!(remains(&world).await, (Vec::new(), Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn snapshots_that_are_gone_for_good_are_forgotten_if_the_user_says_so() {
    let world = backed_up().await;
    world.cloud.forget_snapshots();
    let refused = world.delete("nightly").await;
    assert!(matches!(refused, Err(Error::Unseen { .. })), "{refused:?}");
    let report = world.delete_without_snapshots("nightly").await.unwrap();
    assert_eq!(report.phase, Phase::Completed);
    assert!(report.snapshots.iter().all(|it| it.state == SnapshotFate::Absent));
    assert_eq!(remains(&world).await, (Vec::new(), Vec::new()));
}

/// Wherever a deletion was interrupted, it does not go on with the wrong credentials as long as
/// more than one snapshot is left.
#[tokio::test(start_paused = true)]
async fn an_interrupted_deletion_does_not_lose_its_snapshots_to_other_credentials() {
    for call in 0.. {
        let world = backed_up().await;
        let process = world.start(Script::KilledBefore(call));
        if process.delete("nightly").await.is_some() {
            assert!(call >= 16, "{call} calls");
            return;
        }
        let before = remains(&world).await;
        let marked = before.0.iter().any(|key| key.starts_with("metadata/bowline/leaving/"));
        if before.1.is_empty() || marked {
            continue;
        }
        world.cloud.be_blind(true);
        let refused = world.delete("nightly").await;
        assert!(matches!(refused, Err(Error::Unseen { .. })), "{}", process.faults.victim());
        assert_eq!(remains(&world).await, before);
    }
}

#[tokio::test(start_paused = true)]
async fn snapshots_of_a_provider_that_is_elsewhere_or_not_at_hand_are_refused() {
    let world = backed_up().await;
    record_provider(&world, "fake", Some("west")).await;
    let before = remains(&world).await;
    world.cloud.reach("east");
    let refused = world.delete("nightly").await;
    let elsewhere = |it: &OutOfReach| matches!(it, OutOfReach::Elsewhere { .. });
    assert!(
        matches!(&refused, Err(Error::OutOfReach { source, .. }) if elsewhere(source)),
        "{refused:?}"
    );
    assert_eq!(remains(&world).await, before);
    world.cloud.reach("west");
    record_provider(&world, "other", None).await;
    let refused = world.delete("nightly").await;
    let missing = |it: &OutOfReach| matches!(it, OutOfReach::NotAtHand { .. });
    assert!(
        matches!(&refused, Err(Error::OutOfReach { source, .. }) if missing(source)),
        "{refused:?}"
    );
    world.bucket.delete(&BackupKeys("nightly").provider("other")).await;
    assert_eq!(world.delete("nightly").await.unwrap().phase, Phase::Completed);
}

#[tokio::test(start_paused = true)]
async fn the_snapshots_of_an_unfinished_backup_are_known_by_what_it_has_written() {
    let world = pending().await;
    let before = remains(&world).await;
    assert!(!before.1.is_empty());
    world.cloud.be_in(&["zone-x"]);
    let refused = world.delete("nightly").await;
    assert!(matches!(refused, Err(Error::OtherRegion { .. })), "{refused:?}");
    world.cloud.be_in(&["zone-a", "zone-b"]);
    world.cloud.be_blind(true);
    let refused = world.delete("nightly").await;
    assert!(matches!(refused, Err(Error::Unseen { .. })), "{refused:?}");
    assert_eq!(remains(&world).await, before);
    world.cloud.be_blind(false);
    assert_eq!(world.delete("nightly").await.unwrap().phase, Phase::Completed);
    assert_eq!(remains(&world).await, (Vec::new(), Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn no_provider_is_asked_about_a_backup_that_asked_none() {
    let world = source();
    assert!(world.start(Script::KilledBefore(1)).back_up(&backup()).await.is_none());
    assert_eq!(world.bucket.keys().await, [BackupKeys("nightly").attempt()]);
    world.cloud.be_unusable();
    assert_eq!(world.delete("nightly").await.unwrap().phase, Phase::Completed);
    assert_eq!(remains(&world).await, (Vec::new(), Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn without_the_right_to_delete_snapshots_nothing_is_touched() {
    let world = backed_up().await;
    let before = remains(&world).await;
    world.cloud.refuse("fake:DeleteSnapshot");
    match world.delete("nightly").await {
        Err(Error::NotAllowed { missing }) => assert_eq!(missing[0].action, "fake:DeleteSnapshot"),
        other => panic!("{other:?}"),
    }
    assert_eq!(world.cloud.reviewed().last(), Some(&Some(before.1[0].clone())));
    assert_eq!(remains(&world).await, before);
}

#[tokio::test(start_paused = true)]
async fn in_a_store_that_removes_nothing_nothing_is_touched() {
    let world = backed_up().await;
    let (keys, snapshots) = remains(&world).await;
    world.bucket.be_append_only(true);
    for _ in 0..2 {
        let refused = world.delete("nightly").await;
        let denied =
            |it: &store::Error| matches!(it, store::Error::Store(StoreError::Denied { .. }));
        assert!(matches!(&refused, Err(Error::Location(it)) if denied(it)), "{refused:?}");
    }
    let (mut left, same) = remains(&world).await;
    left.retain(|key| !key.starts_with("metadata/bowline/probes/"));
    assert_eq!((left, same), (keys, snapshots));
    world.bucket.be_append_only(false);
    assert_eq!(world.delete("nightly").await.unwrap().phase, Phase::Completed);
    assert_eq!(remains(&world).await, (Vec::new(), Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn the_snapshots_of_the_original_of_a_replica_are_left_alone() {
    let world = backed_up().await;
    let kept = ids(&world);
    for id in &kept {
        world.cloud.retag(id, "bowline.io/location", "s3://original/shop");
    }
    let report = world.delete("nightly").await.unwrap();
    assert_eq!((report.phase, report.warnings.len()), (Phase::Completed, 2));
    assert!(report.snapshots.iter().all(|it| it.state == SnapshotFate::Foreign));
    assert!(report.warnings[0].message.contains("s3://original/shop"), "{:?}", report.warnings);
    assert_eq!(remains(&world).await, (Vec::new(), kept));
}

#[tokio::test(start_paused = true)]
async fn a_list_of_snapshots_that_is_gone_is_made_up_for_by_tags() {
    let world = backed_up().await;
    world.bucket.delete(&BackupKeys("nightly").volume_snapshots()).await;
    world.bucket.delete(&BackupKeys("nightly").pending()).await;
    let report = world.delete("nightly").await.unwrap();
    assert_eq!(report.snapshots.len(), 2);
    assert_eq!(remains(&world).await, (Vec::new(), Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn a_damaged_tombstone_does_not_keep_a_name_for_ever() {
    let world = backed_up().await;
    world.bucket.write(&BackupKeys("nightly").tombstone(), "{".into()).await;
    let stuck = ids(&world)[0].clone();
    world.cloud.hold(&stuck, true);
    assert_eq!(world.delete("nightly").await.unwrap().phase, Phase::PartiallyFailed);
    let tombstone = world.backups().tombstone("nightly").await.unwrap().unwrap();
    assert_eq!(tombstone.snapshots.len(), 2);
    world.cloud.hold(&stuck, false);
    assert_eq!(world.delete("nightly").await.unwrap().phase, Phase::Completed);
    assert_eq!(remains(&world).await, (Vec::new(), Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn what_velero_made_beside_native_snapshots_is_left_with_a_warning() {
    let world = source();
    let own = foreign_snapshot(&world, &[("velero.io/backup", "old")]).await;
    let keys = BackupKeys("old");
    let backup = json!({"apiVersion": "velero.io/v1", "kind": "Backup",
        "metadata": {"name": "old", "namespace": "velero", "uid": "1"}});
    world.bucket.write(&keys.metadata(), backup.to_string().into()).await;
    let record = json!([{"spec": {}, "status": {"providerSnapshotID": own.id}}]);
    write_gz(&world, &keys.volume_snapshots(), &record).await;
    write_gz(&world, &keys.pod_volume_backups(), &json!([{"kind": "PodVolumeBackup"}])).await;
    write_gz(&world, &keys.csi_snapshots(), &json!([{"kind": "VolumeSnapshot"}])).await;
    write_gz(&world, &keys.item_operations(), &json!(null)).await;
    let report = world.delete("old").await.unwrap();
    assert_eq!(report.phase, Phase::Completed);
    let left: Vec<_> = report.warnings.iter().map(|it| it.message.as_str()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(left[0].contains("podvolumebackups") && left[1].contains("csi-volumesnapshots"));
    assert_eq!(remains(&world).await, (Vec::new(), Vec::new()));
}
