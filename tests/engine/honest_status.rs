//! What a backup lacks is said, in its report and in its records; what nobody asked for is no error.

use bowline::engine::backup;
use bowline::engine::model::volume::SnapshotPhase;
use bowline::engine::report::{BackupReport, Phase};
use serde_json::{Value, json};

use crate::application::{backup, claim, disk, object, restore, source, target};
use crate::fake_world::World;
use crate::records;

/// What is told of the volume of a claim.
fn state<'a>(report: &'a BackupReport, claim: &str) -> &'a str {
    let of_claim = |volume: &&_| claim_of(volume) == Some(claim);
    report.volumes.iter().find(of_claim).map(|volume| volume.state.as_str()).unwrap()
}

fn claim_of(volume: &bowline::engine::report::SnapshotReport) -> Option<&str> {
    volume.claim.as_deref()
}

fn annotate(world: &World, claim: &str, wish: &str) {
    world.cluster.edit(&format!("persistentvolumeclaims/shop/{claim}"), |claim| {
        claim["metadata"]["annotations"]["bowline.io/volume"] = json!(wish);
    });
}

#[tokio::test(start_paused = true)]
async fn a_failed_snapshot_is_an_error_and_a_failed_record_and_never_an_empty_volume() {
    let world = source();
    world.cloud.be_slow(3);
    world.cloud.fail_snapshots_of(&disk(&world, "files"));
    let report = world.back_up(&backup()).await.unwrap();
    assert_eq!(report.phase, Phase::PartiallyFailed);
    let named: Vec<_> = report.errors.iter().map(|error| error.name.as_deref()).collect();
    assert_eq!(named, [Some("files")]);
    assert!(report.errors[0].message.contains("the disk is broken"), "{:?}", report.errors);
    assert_eq!((state(&report, "files"), state(&report, "data-db-0")), ("failed", "completed"));

    let records = records::snapshots(&world).await;
    let failed: Vec<_> =
        records.iter().filter(|it| it.status.phase == Some(SnapshotPhase::Failed)).collect();
    assert_eq!((records.len(), failed.len()), (2, 1));
    assert_eq!(failed[0].status.provider_snapshot_id, None);
    assert_eq!(failed[0].spec.provider_volume_id, disk(&world, "files"));
    let info = records::volume(&world, "files").await;
    assert_eq!(info.backup_method.as_deref(), Some("NativeSnapshot"));
    assert_eq!((info.result.as_deref(), info.skipped), (Some("failed"), false));

    let target = target(&world);
    let restored = target.restore(&restore("rescue")).await.unwrap();
    assert_eq!(restored.phase, Phase::PartiallyFailed);
    assert_eq!(target.cluster.find("persistentvolumeclaims/shop/files"), None);
    assert_eq!(target.cluster.provisioned(), 0);
    assert_eq!(target.cluster.all("persistentvolumes").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_forbidden_is_an_error_that_names_it() {
    let world = source();
    world.cluster.forbid("secrets");
    let report = world.back_up(&backup()).await.unwrap();
    assert_eq!(report.phase, Phase::PartiallyFailed);
    let named: Vec<_> =
        report.errors.iter().map(|it| (it.resource.as_deref(), it.status)).collect();
    assert_eq!(named, [(Some("secrets"), Some(403))]);
    assert!(records::objects(&world).await.contains(&"v1/ConfigMap shop/settings".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_is_not_bound_is_told_and_is_no_error() {
    let world = source();
    let mut unbound = claim();
    unbound["storageClassName"] = json!("nobody");
    let spec = json!({"spec": unbound});
    world.cluster.add(object("v1", "PersistentVolumeClaim", "shop", "waiting", &spec));
    let report = world.back_up(&backup()).await.unwrap();
    assert_eq!((report.phase, state(&report, "waiting")), (Phase::Completed, "unbound"));
}

#[tokio::test(start_paused = true)]
async fn a_volume_whose_claim_says_skip_is_skipped_and_refused_at_restore() {
    let world = source();
    annotate(&world, "files", "skip");
    let report = world.back_up(&backup()).await.unwrap();
    assert_eq!((report.phase, state(&report, "files")), (Phase::Completed, "skipped"));
    assert_eq!(world.cloud.snapshots().len(), 1);
    assert!(records::volume(&world, "files").await.skipped);

    let target = target(&world);
    let restored = target.restore(&restore("rescue")).await.unwrap();
    assert_eq!(restored.phase, Phase::PartiallyFailed);
    assert_eq!(target.cluster.find("persistentvolumeclaims/shop/files"), None);
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_is_reattached_is_the_very_disk_and_is_retained() {
    let world = source();
    annotate(&world, "files", "reattach");
    let report = world.back_up(&backup()).await.unwrap();
    assert_eq!((report.phase, state(&report, "files")), (Phase::Completed, "reattach"));

    let target = target(&world);
    let restored = target.restore(&restore("rescue")).await.unwrap();
    assert_eq!(restored.phase, Phase::Completed, "{:?}", restored.errors);
    let volumes = target.cluster.all("persistentvolumes");
    let disk = disk(&world, "files");
    let same = |volume: &&Value| volume["spec"]["csi"]["volumeHandle"] == *disk;
    let volume = volumes.iter().find(same).unwrap();
    assert_eq!(volume["spec"]["persistentVolumeReclaimPolicy"], "Retain");
    assert_eq!(target.cloud.volumes().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_wish_for_a_volume_is_an_error() {
    let world = source();
    annotate(&world, "files", "snapshoot");
    let report = world.back_up(&backup()).await.unwrap();
    assert_eq!((report.phase, state(&report, "files")), (Phase::PartiallyFailed, "failed"));
}

#[tokio::test(start_paused = true)]
async fn without_snapshots_claims_come_back_only_where_emptiness_is_asked_for() {
    let world = source();
    let mut request = backup();
    request.spec.snapshot_volumes = Some(false);
    let report = world.back_up(&request).await.unwrap();
    assert_eq!((report.phase, state(&report, "files")), (Phase::Completed, "skipped"));
    assert_eq!(world.cloud.snapshots().len(), 0);

    let strict = target(&world);
    let report = strict.restore(&restore("strict")).await.unwrap();
    assert_eq!(report.phase, Phase::PartiallyFailed);
    assert_eq!(strict.cluster.find("persistentvolumeclaims/shop/files"), None);

    let lenient = target(&world);
    let mut request = restore("lenient");
    request.spec.allow_empty_volumes = true;
    let report = lenient.restore(&request).await.unwrap();
    assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
    assert!(report.volumes.iter().all(|volume| volume.state == "empty"), "{:?}", report.volumes);
    assert_eq!(lenient.cluster.provisioned(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_nobody_can_snapshot_is_an_error() {
    let world = source();
    let claim = world.cluster.get("persistentvolumeclaims/shop/files");
    let volume = claim["spec"]["volumeName"].as_str().unwrap().to_owned();
    world.cluster.edit(&format!("persistentvolumes/{volume}"), |volume| {
        volume["spec"]["csi"]["driver"] = json!("unknown.csi.example.com");
    });
    let report = world.back_up(&backup()).await.unwrap();
    assert_eq!((report.phase, state(&report, "files")), (Phase::PartiallyFailed, "failed"));
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_is_labelled_to_be_left_out_is_left_out_and_shown_in_the_spec() {
    let world = source();
    world.cluster.edit("namespaces/other", |namespace| {
        namespace["metadata"]["labels"]["velero.io/exclude-from-backup"] = json!("true");
    });
    let request = backup::Request { spec: <_>::default(), ..backup() };
    let report = world.back_up(&request).await.unwrap();
    assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
    let objects = records::objects(&world).await;
    assert!(objects.contains(&"v1/ConfigMap shop/settings".to_owned()));
    assert!(!objects.iter().any(|object| object.contains(" other")), "{objects:?}");
    let document: Value =
        serde_json::from_slice(&world.bucket.read("backups/nightly/velero-backup.json").await)
            .unwrap();
    assert_eq!(document["spec"]["excludedNamespaces"], json!(["other"]));
}
