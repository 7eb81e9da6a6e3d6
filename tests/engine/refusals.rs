//! What cannot be trusted is not restored; what is in the way is not touched.

use bowline::engine::report::Phase;
use bowline::engine::restore;
use bowline::engine::store::BackupKeys;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::application::{backed_up, backup, claim, object, restore, source, target};
use crate::fake_world::World;
use crate::faults::Script;

/// Restores, which must fail before anything was changed anywhere.
async fn refusal(world: &World) -> restore::Error {
    let process = target(world).start(Script::Sound);
    let result = process.restore(&restore("rescue")).await.unwrap();
    assert_eq!(process.faults.calls(), [""; 0]);
    result.unwrap_err()
}

async fn edit_document(world: &World, change: impl FnOnce(&mut Value)) {
    let key = BackupKeys("nightly").metadata();
    let mut document: Value = serde_json::from_slice(&world.bucket.read(&key).await).unwrap();
    change(&mut document);
    world.bucket.write(&key, document.to_string().into()).await;
}

#[tokio::test(start_paused = true)]
async fn only_a_backup_that_came_to_its_end_is_restored() {
    let world = backed_up().await;
    for phase in ["New", "InProgress", "Failed", "FailedValidation", "Deleting"] {
        edit_document(&world, |document| document["status"]["phase"] = json!(phase)).await;
        let error = refusal(&world).await;
        assert!(matches!(error, restore::Error::BackupNotGood { .. }), "{phase}: {error:?}");
    }
    edit_document(&world, |document| document["status"]["phase"] = json!("PartiallyFailed")).await;
    let report = target(&world).restore(&restore("rescue")).await.unwrap();
    assert_eq!(report.phase, Phase::Completed);
    assert!(report.warnings.iter().any(|it| it.message.contains("PartiallyFailed")));
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_is_not_there_or_was_never_finished_is_refused_as_such() {
    let world = source();
    let error = refusal(&world).await;
    assert!(matches!(error, restore::Error::BackupNotFound { .. }), "{error:?}");
    assert!(world.start(Script::KilledBefore(9)).back_up(&backup()).await.is_none());
    let error = refusal(&world).await;
    assert!(matches!(error, restore::Error::BackupIncomplete { .. }), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_file_that_lost_a_bit_or_its_end_or_all_is_noticed_before_anything_is_changed() {
    let good = backed_up().await;
    let keys = BackupKeys("nightly");
    for key in [keys.archive(), keys.digests(), keys.volume_snapshots(), keys.volume_info()] {
        let content = good.bucket.read(&key).await;
        let mut flipped = content.to_vec();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 1;
        for damaged in [Bytes::from(flipped), content.slice(..middle), Bytes::new()] {
            let world = good.copy().await;
            world.bucket.write(&key, damaged).await;
            assert_damaged(&refusal(&world).await, &key);
        }
        let world = good.copy().await;
        world.bucket.delete(&key).await;
        assert_damaged(&refusal(&world).await, &key);
    }
}

fn assert_damaged(error: &restore::Error, key: &str) {
    use restore::Error::{ArchiveDamaged, BackupDamaged};
    assert!(matches!(error, BackupDamaged { .. } | ArchiveDamaged { .. }), "{key}: {error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_file_of_another_backup_in_its_place_is_noticed() {
    let (world, other) = (backed_up().await, source());
    let extra = json!({"data": {}});
    other.cluster.add(object("v1", "ConfigMap", "shop", "extra", &extra));
    other.back_up(&backup()).await.unwrap();
    let keys = BackupKeys("nightly");
    for key in [keys.archive(), keys.digests(), keys.volume_snapshots()] {
        let mixed = world.copy().await;
        mixed.bucket.write(&key, other.bucket.read(&key).await).await;
        assert_damaged(&refusal(&mixed).await, &key);
    }
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_is_not_tagged_as_this_backups_is_not_used() {
    for tag in ["velero.io/backup", "velero.io/pv", "bowline.io/backup-uid"] {
        let world = target(&backed_up().await);
        world.cloud.retag("snap-1", tag, "another");
        let report = world.restore(&restore("rescue")).await.unwrap();
        assert_eq!(report.phase, Phase::PartiallyFailed, "{tag}");
        assert!(report.errors.iter().any(|it| it.message.contains(tag)), "{:?}", report.errors);
        assert_eq!(world.cloud.volumes().len(), 1, "{tag}");
        assert_eq!(world.cluster.all("persistentvolumes").len(), 1, "{tag}");
        assert_eq!(world.cluster.provisioned(), 0, "{tag}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_fails_leaves_its_claim_pending_and_nothing_empty_in_its_place() {
    let world = target(&backed_up().await);
    world.cloud.be_slow(2);
    world.cloud.fail_volumes();
    let report = world.restore(&restore("rescue")).await.unwrap();
    assert_eq!(report.phase, Phase::PartiallyFailed);
    assert!(report.volumes.iter().all(|volume| volume.state == "failed"), "{:?}", report.volumes);
    let claim = world.cluster.get("persistentvolumeclaims/shop/files");
    assert_eq!(claim["status"]["phase"], "Pending");
    assert_eq!((world.cluster.provisioned(), world.cluster.all("persistentvolumes").len()), (0, 0));
    assert!(world.cluster.find("deployments.apps/shop/web").is_some());
}

#[tokio::test(start_paused = true)]
async fn a_volume_whose_persistent_volume_is_refused_is_removed_again() {
    let world = target(&backed_up().await);
    world.cluster.refuse_creates("persistentvolumes", true);
    let report = world.restore(&restore("rescue")).await.unwrap();
    assert_eq!(report.phase, Phase::PartiallyFailed);
    assert_eq!(world.cloud.volumes().len(), 0);
    for claim in ["files", "data-db-0"] {
        let claim = world.cluster.get(&format!("persistentvolumeclaims/shop/{claim}"));
        assert_eq!(claim["status"]["phase"], "Pending");
    }

    world.cluster.refuse_creates("persistentvolumes", false);
    world.cluster.remove("persistentvolumeclaims/shop/files");
    let again = world.restore(&restore("again")).await.unwrap();
    assert_eq!(again.phase, Phase::PartiallyFailed);
    let claim = world.cluster.get("persistentvolumeclaims/shop/files");
    assert_eq!((&claim["status"]["phase"], world.cloud.volumes().len()), (&json!("Bound"), 1));
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_waits_for_somebody_else_is_refused_and_not_touched() {
    let world = target(&backed_up().await);
    world
        .cluster
        .add(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}));
    for volume in [json!(null), json!("bowline-of-another-restore")] {
        let world = world.copy().await;
        let mut spec = claim();
        spec["volumeName"] = volume.clone();
        spec["storageClassName"] = json!("nobody");
        let live = object("v1", "PersistentVolumeClaim", "shop", "files", &json!({"spec": spec}));
        let live = world.cluster.add(live);
        let report = world.restore(&restore("rescue")).await.unwrap();
        assert_eq!(report.phase, Phase::PartiallyFailed, "{volume}");
        let named = |name: &str| report.errors.iter().any(|it| it.name.as_deref() == Some(name));
        assert!(named("files"), "{volume}: {:?}", report.errors);
        assert_eq!(world.cluster.get("persistentvolumeclaims/shop/files"), live, "{volume}");
        assert_eq!(world.cloud.volumes().len(), 1, "{volume}");
    }
}
