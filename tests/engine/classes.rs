//! What a claim needs of the target beside its volume, and claims that belong to a pod.

use bowline::engine::report::Phase;
use bowline::engine::restore::{PlanDocument, PlannedItem, Verdict};
use serde_json::json;

use crate::application::{backed_up, backup, claim, object, restore, source, target};
use crate::fake_world::World;
use crate::faults::Script;

async fn plan(world: &World) -> PlanDocument {
    let mut request = restore("rescue");
    request.spec.excluded_resources = vec!["storageclasses".to_owned()];
    world.start(Script::Sound).engine.plan_restore(&request).await.unwrap()
}

fn item<'a>(plan: &'a PlanDocument, resource: &str, name: &str) -> &'a PlannedItem {
    plan.items.iter().find(|it| it.resource == resource && it.name == name).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_claim_is_bound_without_its_storage_class_and_the_plan_says_what_is_amiss() {
    let world = target(&backed_up().await);
    let told = plan(&world).await.warnings;
    let about: Vec<_> = told.iter().filter_map(|it| it.name.as_deref()).collect();
    assert_eq!(about, ["data-db-0", "files"], "{told:?}");
    let expected = "its StorageClass standard is neither in the target nor restored: it is bound to the \
         volume that is made for it, but cannot be expanded";
    assert_eq!(told[0].message, expected);
    let mut request = restore("rescue");
    request.spec.excluded_resources = vec!["storageclasses".to_owned()];
    let report = world.restore(&request).await.unwrap();
    assert_eq!((report.phase, report.warnings.len()), (Phase::Completed, 2), "{:?}", report.errors);
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_could_never_be_bound_is_refused_and_no_volume_is_made_for_it() {
    let source = source();
    source.cluster.edit("persistentvolumeclaims/shop/data-db-0", |live| {
        live["spec"]["volumeAttributesClassName"] = json!("gold");
    });
    source.back_up(&backup()).await.unwrap();
    let world = target(&source);
    let refused = plan(&world).await;
    let claim = item(&refused, "persistentvolumeclaims", "data-db-0");
    let expected = "its VolumeAttributesClass gold is neither in the target nor restored: it would never \
         be bound";
    assert_eq!((claim.verdict, claim.reason.as_deref()), (Verdict::Refuse, Some(expected)));
    assert_eq!(item(&refused, "statefulsets.apps", "db").verdict, Verdict::Refuse);
    let made = refused
        .items
        .iter()
        .filter(|it| it.resource == "persistentvolumes" && it.verdict == Verdict::Create);
    assert_eq!(made.count(), 1, "that of the other claim");

    world.cluster.add(json!({"apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttributesClass",
        "metadata": {"name": "gold"}}));
    let report = world.restore(&restore("rescue")).await.unwrap();
    assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
    let claim = world.cluster.get("persistentvolumeclaims/shop/data-db-0");
    let volume = claim["spec"]["volumeName"].as_str().unwrap();
    let volume = world.cluster.get(&format!("persistentvolumes/{volume}"));
    assert_eq!(volume["spec"]["volumeAttributesClassName"], "gold", "or they would not match");
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_belongs_to_a_pod_does_not_come_back() {
    let source = source();
    let pod = source.cluster.get("pods/shop/db-0");
    let mut scratch =
        object("v1", "PersistentVolumeClaim", "shop", "db-0-scratch", &json!({"spec": claim()}));
    scratch["metadata"]["ownerReferences"] = json!([{"apiVersion": "v1", "kind": "Pod",
        "name": "db-0", "uid": pod["metadata"]["uid"], "controller": true}]);
    source.cluster.add(scratch);
    let report = source.back_up(&backup()).await.unwrap();
    assert_eq!((report.phase, report.volumes.len()), (Phase::Completed, 3), "{:?}", report.errors);
    assert_eq!(source.cloud.snapshots().len(), 2);

    let world = target(&source);
    let planned = plan(&world).await;
    let scratch = item(&planned, "persistentvolumeclaims", "db-0-scratch");
    let expected = "it is made for its pod, and goes with it";
    assert_eq!((scratch.verdict, scratch.reason.as_deref()), (Verdict::Skip, Some(expected)));
    let report = world.restore(&restore("rescue")).await.unwrap();
    assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
    assert_eq!(world.cluster.find("persistentvolumeclaims/shop/db-0-scratch"), None);
}
