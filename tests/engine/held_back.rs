//! What would start on a claim that is not the backup's waits until the claim is mended.

use std::time::Duration;

use bowline::engine::report::Phase;
use bowline::engine::restore::{Request, Verdict};
use serde_json::json;
use tokio::time::timeout;

use crate::application::{backed_up, claim, object, restore, target};
use crate::fake_cluster::DRIVER;
use crate::fake_world::World;
use crate::faults::Script;

const CLAIM: &str = "persistentvolumeclaims/shop/data-db-0";
const SET: &str = "statefulsets.apps/shop/db";

/// A target in which something has made a claim of the application.
async fn occupied() -> World {
    let world = target(&backed_up().await);
    world.cluster.add(json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
        "metadata": {"name": "standard"}, "provisioner": DRIVER}));
    let shop = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
    world.cluster.add(shop);
    let spec = json!({"spec": claim()});
    world.cluster.add(object("v1", "PersistentVolumeClaim", "shop", "data-db-0", &spec));
    world
}

fn taking_over() -> Request {
    let mut request = restore("rescue");
    request.spec.take_over_claims = true;
    request
}

async fn verdict(world: &World, request: &Request, name: &str) -> Verdict {
    let plan = world.start(Script::Sound).engine.plan_restore(request).await.unwrap();
    plan.items.iter().find(|it| it.name == name).unwrap().verdict
}

#[tokio::test(start_paused = true)]
async fn nothing_starts_on_a_claim_that_is_being_deleted_and_not_gone_in_time() {
    let world = occupied().await;
    world.cluster.edit(CLAIM, |claim| {
        claim["metadata"]["deletionTimestamp"] = json!("2026-03-01T01:00:00Z");
    });
    let report = world.restore(&restore("rescue")).await.unwrap();
    assert_eq!(report.phase, Phase::PartiallyFailed);
    assert_eq!(world.cluster.find(SET), None);
    let told = report.errors.iter().find(|it| it.name.as_deref() == Some("db")).unwrap();
    assert!(told.message.contains("claim data-db-0, which it needs"), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_cannot_be_replaced_for_want_of_its_snapshot_keeps_its_set_back() {
    let world = occupied().await;
    assert_eq!(verdict(&world, &taking_over(), "db").await, Verdict::Create);
    world.cloud.snapshots().iter().for_each(|snapshot| world.cloud.lose(&snapshot.id));
    assert_eq!(verdict(&world, &taking_over(), "data-db-0").await, Verdict::Refuse);
    assert_eq!(verdict(&world, &taking_over(), "db").await, Verdict::Refuse);
    world.restore(&taking_over()).await.unwrap();
    assert_eq!(world.cluster.find(SET), None);
}

#[tokio::test(start_paused = true)]
async fn a_claim_is_replaced_that_only_what_is_scaled_down_mounts() {
    let world = occupied().await;
    let volumes = json!([{"name": "data", "persistentVolumeClaim": {"claimName": "data-db-0"}}]);
    let spec = json!({"replicas": 1, "selector": {"matchLabels": {"app": "early"}},
        "template": {"metadata": {"labels": {"app": "early"}},
            "spec": {"containers": [], "volumes": volumes}}});
    world.cluster.add(object("apps/v1", "Deployment", "shop", "early", &json!({"spec": spec})));
    assert_eq!(verdict(&world, &taking_over(), "data-db-0").await, Verdict::Refuse);
    let mut request = taking_over();
    request.spec.quiesce = vec!["shop/early".to_owned()];
    assert_eq!(verdict(&world, &request, "data-db-0").await, Verdict::Recreate);
    let report = world.restore(&request).await.unwrap();
    assert_eq!((report.phase, report.errors.as_slice()), (Phase::Completed, &[][..]));
}

#[tokio::test(start_paused = true)]
async fn that_the_kept_volumes_cannot_be_listed_is_a_warning_at_the_end() {
    let world = occupied().await;
    world.cluster.forbid("persistentvolumes");
    let report = world.restore(&taking_over()).await.unwrap();
    assert!(report.warnings.iter().any(|it| it.message.contains("kept are not known")));
}

/// A pod's volume stays attached for a while after the pod is gone.
#[tokio::test(start_paused = true)]
async fn a_claim_is_replaced_once_the_volume_of_what_was_scaled_down_is_detached() {
    let world = occupied().await;
    let volumes = json!([{"name": "data", "persistentVolumeClaim": {"claimName": "data-db-0"}}]);
    let spec = json!({"replicas": 1, "selector": {"matchLabels": {"app": "early"}},
        "template": {"metadata": {"labels": {"app": "early"}},
            "spec": {"containers": [], "volumes": volumes}}});
    world.cluster.add(object("apps/v1", "Deployment", "shop", "early", &json!({"spec": spec})));
    let volume = &world.cluster.get(CLAIM)["spec"]["volumeName"];
    world.cluster.add(json!({"apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttachment",
        "metadata": {"name": "a"},
        "spec": {"nodeName": "node-a", "source": {"persistentVolumeName": volume}}}));
    let mut request = taking_over();
    request.spec.quiesce = vec!["shop/early".to_owned()];
    let process = world.start(Script::Sound);
    let detach = async {
        // Virtual time: the restore waits meanwhile.
        timeout(Duration::from_secs(20), std::future::pending::<()>()).await.unwrap_err();
        world.cluster.remove("volumeattachments.storage.k8s.io/a");
    };
    let (report, ()) = tokio::join!(process.restore(&request), detach);
    let report = report.unwrap().unwrap();
    assert_eq!((report.phase, report.errors.as_slice()), (Phase::Completed, &[][..]));
}

#[tokio::test(start_paused = true)]
async fn that_a_snapshot_is_lost_is_told_once_of_the_claim_and_not_of_its_volume() {
    let world = target(&backed_up().await);
    world.cloud.snapshots().iter().for_each(|snapshot| world.cloud.lose(&snapshot.id));
    let report = world.restore(&restore("rescue")).await.unwrap();
    let told = |resource: &str| {
        let of_kind = report.errors.iter().filter(|it| it.resource.as_deref() == Some(resource));
        of_kind.filter_map(|it| it.name.as_deref()).collect::<Vec<_>>()
    };
    assert_eq!(told("persistentvolumes"), [""; 0]);
    let mut claims = told("persistentvolumeclaims");
    claims.sort_unstable();
    assert_eq!(claims, ["data-db-0", "files"], "{:#?}", report.errors);
}
