//! Volumes that policies decide about, and shared file systems.

use bowline::engine::backup::{self, Error, PolicySource};
use bowline::engine::model::backup::{Backup, annotations};
use bowline::engine::model::policy::{Origin, Policies};
use bowline::engine::report::{BackupReport, Phase, SnapshotReport};
use bowline::engine::restore::{PlanDocument, PlannedItem, Verdict};
use bowline::engine::store::BackupKeys;
use serde_json::{Value, json};

use crate::application::{backup, disk, restore, source, target};
use crate::fake_world::World;
use crate::faults::Script;
use crate::records;

const EFS: &str = "efs.csi.aws.com";
const OF_CLASS: &str = "{storageClass: [standard], capacity: \"1Gi,\"}";

/// One policy for all volumes of these conditions.
fn document(conditions: &str, action: &str) -> String {
    format!(
        "version: v1\nvolumePolicies:\n- conditions: {conditions}\n  action: {{type: {action}}}\n"
    )
}

/// A backup that follows one policy.
fn following(conditions: &str, action: &str) -> backup::Request {
    let origin = Origin::File("p.yaml".to_owned());
    let policies = Policies::read(origin, &document(conditions, action)).unwrap();
    backup::Request { policies: Some(PolicySource::Given(policies)), ..backup() }
}

/// A backup that follows the policies in `velero/volumes`.
fn following_config_map() -> backup::Request {
    let (namespace, name) = ("velero".to_owned(), "volumes".to_owned());
    backup::Request { policies: Some(PolicySource::ConfigMap { namespace, name }), ..backup() }
}

fn add_config_map(world: &World, data: &Value) {
    world.cluster.add(json!({"apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": "velero"}}));
    world.cluster.add(json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"namespace": "velero", "name": "volumes"}, "data": data}));
}

fn annotate(world: &World, claim: &str, wish: &str) {
    world.cluster.edit(&format!("persistentvolumeclaims/shop/{claim}"), |claim| {
        claim["metadata"]["annotations"]["bowline.io/volume"] = json!(wish);
    });
}

fn label(world: &World, claim: &str) {
    world.cluster.edit(&format!("persistentvolumeclaims/shop/{claim}"), |claim| {
        claim["metadata"]["labels"] = json!({"tier": "cache"});
    });
}

/// The persistent volume behind a claim of the source.
fn volume_of(world: &World, claim: &str) -> String {
    let claim = world.cluster.get(&format!("persistentvolumeclaims/shop/{claim}"));
    format!("persistentvolumes/{}", claim["spec"]["volumeName"].as_str().unwrap())
}

/// Puts the volume behind `files` into a shared file system.
fn share(world: &World) {
    world.cluster.edit(&volume_of(world, "files"), |volume| {
        volume["spec"]["csi"] = json!({"driver": EFS, "volumeHandle": "fs-1::fsap-2"});
    });
}

fn of<'a>(report: &'a BackupReport, claim: &str) -> &'a SnapshotReport {
    report.volumes.iter().find(|it| it.claim.as_deref() == Some(claim)).unwrap()
}

async fn recorded(world: &World) -> Backup {
    serde_json::from_slice(&world.bucket.read(&BackupKeys("nightly").metadata()).await).unwrap()
}

async fn planned_restore(
    world: &World,
    request: &bowline::engine::restore::Request,
) -> PlanDocument {
    world.start(Script::Sound).engine.plan_restore(request).await.unwrap()
}

fn item<'a>(plan: &'a PlanDocument, resource: &str, name: &str) -> &'a PlannedItem {
    let is = |it: &&PlannedItem| it.resource == resource && it.name == name;
    plan.items.iter().find(is).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_a_config_map_says_to_skip_is_skipped_and_the_backup_tells_why() {
    let world = source();
    label(&world, "files");
    add_config_map(&world, &json!({"any": document("{pvcLabels: {tier: cache}}", "skip")}));
    let report = world.back_up(&following_config_map()).await.unwrap();
    assert_eq!((report.phase, world.cloud.snapshots().len()), (Phase::Completed, 1));
    let reason = "matched action is 'skip' in chosen resource policies: volumePolicies[0] of \
                  ConfigMap velero/volumes (pvcLabels tier=cache)";
    let told = of(&report, "files");
    assert_eq!((told.state.as_str(), told.reason.as_deref()), ("skipped", Some(reason)));
    let info = records::volume(&world, "files").await;
    assert_eq!((info.skipped, info.skipped_reason.as_deref()), (true, Some(reason)));
    assert_eq!(info.bowline_state.as_deref(), Some("skipped"));
    let document = recorded(&world).await;
    let policy = serde_json::to_value(&document.spec).unwrap()["resourcePolicy"].clone();
    assert_eq!(policy, json!({"apiGroup": null, "kind": "configmap", "name": "volumes"}));
    assert_eq!(document.annotation(annotations::VOLUME_POLICIES), Some("ConfigMap velero/volumes"));

    let target = target(&world);
    let restored = target.restore(&restore("rescue")).await.unwrap();
    assert_eq!(restored.phase, Phase::PartiallyFailed);
    let error = restored.errors.iter().find(|it| it.name.as_deref() == Some("files")).unwrap();
    assert!(error.message.contains(reason), "{error:?}");
    assert_eq!(target.cluster.find("persistentvolumeclaims/shop/files"), None);
}

#[tokio::test(start_paused = true)]
async fn policies_that_are_not_there_or_not_right_end_the_backup_before_it_begins() {
    let world = source();
    let missing = world.back_up(&following_config_map()).await.unwrap_err();
    assert!(matches!(missing, Error::UnknownPolicies { .. }), "{missing:?}");
    let good = document("{nfs: {}}", "skip");
    for (data, said) in [
        (json!({}), "ConfigMap velero/volumes: data: it has 0 keys, and must have one"),
        (json!({"a": good, "b": good}), "data: it has 2 keys, and must have one"),
        (json!({"a": "version: v2"}), "ConfigMap velero/volumes: version: \"v2\" is not"),
    ] {
        let world = source();
        add_config_map(&world, &data);
        let error = world.back_up(&following_config_map()).await.unwrap_err();
        let Error::Policies(error) = error else { panic!("{error:?}") };
        assert!(error.to_string().contains(said), "{error}");
        assert_eq!(world.bucket.keys().await, [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_dry_run_shows_the_verdict_of_each_claim_with_its_reason() {
    let world = source();
    share(&world);
    let process = world.start(Script::Sound);
    let request = following("{csi: {driver: disk.csi.example.com}}", "skip");
    let plan = process.engine.plan_backup(&request).await.unwrap();
    let told: Vec<_> = plan
        .volumes
        .iter()
        .map(|it| (it.claim.as_str(), it.verdict.as_str(), it.volume_id.as_deref()))
        .collect();
    assert_eq!(told, [("data-db-0", "skipped", None), ("files", "reattach", Some("fs-1::fsap-2"))]);
    let reasons: Vec<_> = plan.volumes.iter().filter_map(|it| it.reason.as_deref()).collect();
    let [skipped, shared] = reasons[..] else { panic!("{reasons:?}") };
    assert!(skipped.ends_with("of file p.yaml (csi driver disk.csi.example.com)"), "{skipped}");
    assert!(shared.starts_with("not copied: fs-1::fsap-2 is in Amazon EFS"), "{shared}");
    assert_eq!(process.faults.calls(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_a_policy_demands_is_taken_although_snapshots_are_off() {
    let world = source();
    let mut request = following(OF_CLASS, "snapshot");
    request.spec.snapshot_volumes = Some(false);
    let report = world.back_up(&request).await.unwrap();
    assert_eq!((report.phase, world.cloud.snapshots().len()), (Phase::Completed, 2));
    assert_eq!(recorded(&world).await.spec.resource_policy, None);
    let origin = recorded(&world).await.annotation(annotations::VOLUME_POLICIES).map(String::from);
    assert_eq!(origin.as_deref(), Some("file p.yaml"));
}

#[tokio::test(start_paused = true)]
async fn the_right_to_take_a_snapshot_that_a_policy_demands_is_asked_for_first() {
    let world = source();
    world.cloud.refuse("fake:CreateSnapshot");
    let mut request = following(OF_CLASS, "snapshot");
    request.spec.snapshot_volumes = Some(false);
    let refused = world.back_up(&request).await.unwrap_err();
    assert!(matches!(refused, Error::NotAllowed { .. }), "{refused:?}");
    assert_eq!(world.bucket.keys().await, [""; 0]);
    let report = world.back_up(&following(OF_CLASS, "skip")).await.unwrap();
    assert_eq!(report.phase, Phase::Completed);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_a_policy_demands_and_nobody_can_take_is_an_error() {
    let world = source();
    share(&world);
    let report = world.back_up(&following(OF_CLASS, "snapshot")).await.unwrap();
    assert_eq!(report.phase, Phase::PartiallyFailed);
    assert_eq!((of(&report, "files").state.as_str(), report.errors.len()), ("failed", 1));
    assert!(report.errors[0].message.contains("no snapshotter knows"), "{:?}", report.errors);
}

#[tokio::test(start_paused = true)]
async fn a_policy_goes_before_the_annotation_at_restore_too() {
    for (action, annotation, phase, made) in [
        ("snapshot", "reattach", Phase::Completed, 2),
        ("skip", "reattach", Phase::PartiallyFailed, 1),
        ("reattach", "skip", Phase::Completed, 1),
    ] {
        let world = source();
        label(&world, "files");
        annotate(&world, "files", annotation);
        let report = world.back_up(&following("{pvcLabels: {tier: cache}}", action)).await.unwrap();
        assert_eq!(report.phase, Phase::Completed, "{action}");
        let target = target(&world);
        let restored = target.restore(&restore("rescue")).await.unwrap();
        assert_eq!(restored.phase, phase, "{action}: {:?}", restored.errors);
        assert_eq!(target.cloud.volumes().len(), made, "{action}");
        assert_eq!(target.cluster.provisioned(), 0, "{action}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_shared_file_system_is_recorded_and_comes_back_as_the_very_same() {
    let world = source();
    share(&world);
    let report = world.back_up(&backup()).await.unwrap();
    assert_eq!((report.phase, world.cloud.snapshots().len()), (Phase::Completed, 1));
    let told = of(&report, "files");
    assert_eq!(
        (told.state.as_str(), told.volume_id.as_deref()),
        ("reattach", Some("fs-1::fsap-2"))
    );
    let info = records::volume(&world, "files").await;
    assert_eq!((info.skipped, info.bowline_state.as_deref()), (true, Some("reattach")));
    assert!(info.skipped_reason.unwrap().starts_with("not copied: fs-1::fsap-2 is in Amazon EFS"));

    let target = target(&world);
    let plan = planned_restore(&target, &restore("rescue")).await;
    let name = volume_of(&world, "files").split_once('/').unwrap().1.to_owned();
    let row = item(&plan, "persistentvolumes", &name);
    assert_eq!(row.verdict, Verdict::Reattach);
    let reason = "not copied: the very volume that it was (fs-1::fsap-2), with reclaim policy \
                  Retain; this is another cluster, which must be able to reach it";
    assert_eq!(row.reason.as_deref(), Some(reason));
    let restored = target.restore(&restore("rescue")).await.unwrap();
    assert_eq!(restored.phase, Phase::Completed, "{:?}", restored.errors);
    let told = restored.volumes.iter().find(|it| it.claim == "files").unwrap();
    assert_eq!(
        (told.state.as_str(), told.volume_id.as_deref()),
        ("reattached", Some("fs-1::fsap-2"))
    );
    let volume = target.cluster.get(&format!("persistentvolumes/{name}"));
    assert_eq!(volume["spec"]["csi"]["volumeHandle"], "fs-1::fsap-2");
    assert_eq!(volume["spec"]["persistentVolumeReclaimPolicy"], "Retain");
    let claim = target.cluster.get("persistentvolumeclaims/shop/files");
    assert_eq!(claim["status"]["phase"], "Bound");
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_is_there_already_is_given_to_no_second_claim() {
    let world = source();
    share(&world);
    world.back_up(&backup()).await.unwrap();
    let mut copy = restore("copy");
    copy.spec.namespace_mapping = [("shop".to_owned(), "copy".to_owned())].into();
    let plan = planned_restore(&world, &copy).await;
    let row = item(&plan, "persistentvolumeclaims", "files");
    let reason = row.reason.as_deref().unwrap();
    assert_eq!(row.verdict, Verdict::Refuse);
    assert!(reason.contains("is in use by shop/files: both would write to it"), "{reason}");
    let restored = world.restore(&copy).await.unwrap();
    assert_eq!(restored.phase, Phase::PartiallyFailed);
    assert_eq!(world.cluster.find("persistentvolumeclaims/copy/files"), None);

    let volume = volume_of(&world, "files");
    world.cluster.edit(&volume, |volume| {
        volume["spec"]["persistentVolumeReclaimPolicy"] = json!("Retain");
    });
    world.cluster.remove("persistentvolumeclaims/shop/files");
    let plan = planned_restore(&world, &restore("again")).await;
    let reason = item(&plan, "persistentvolumeclaims", "files").reason.as_deref().unwrap();
    assert!(reason.contains("delete that PersistentVolume and restore again"), "{reason}");
    world.cluster.remove(&volume);
    let restored = world.restore(&restore("again")).await.unwrap();
    let told = restored.volumes.iter().find(|it| it.claim == "files").unwrap();
    assert_eq!(told.state, "reattached", "{:?}", restored.errors);
    assert_ne!(disk(&world, "data-db-0"), "");
}
