//! Definitions are awaited before the first step that needs one of them, and not longer.

use bowline::engine::report::Phase;
use serde_json::json;

use crate::application::{backed_up, restore, source, target};
use crate::fake_cluster::FakeCluster;
use crate::steps::back_up_all;

const CLASS: &str = "volumesnapshotclasses.snapshot.storage.k8s.io/snap";

/// A class that a definition makes, so that it comes long before all other custom resources.
fn add_class(cluster: &FakeCluster) {
    cluster.add(
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "volumesnapshotclasses.snapshot.storage.k8s.io"},
        "spec": {"group": "snapshot.storage.k8s.io", "scope": "Cluster",
            "names": {"plural": "volumesnapshotclasses", "singular": "volumesnapshotclass",
                "kind": "VolumeSnapshotClass"},
            "versions": [{"name": "v1", "served": true, "storage": true}]}}),
    );
    cluster.add(json!({"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotClass",
        "metadata": {"name": "snap"}, "driver": "disk.csi.example.com", "deletionPolicy": "Retain"}));
}

fn position(changes: &[String], beginning: &str) -> usize {
    let found = changes.iter().position(|change| change.starts_with(beginning));
    found.unwrap_or_else(|| panic!("{beginning} is not among {changes:?}"))
}

#[tokio::test(start_paused = true)]
async fn what_needs_no_definition_is_made_before_one_is_established() {
    let world = target(&backed_up().await);
    world.cluster.establish_after(3);
    let report = world.restore(&restore("rescue")).await.unwrap();
    assert_eq!((report.phase, report.errors.as_slice()), (Phase::Completed, &[][..]));
    let changes = world.cluster.changes();
    let established = position(&changes, "established widgets.example.com");
    assert!(position(&changes, "POST /api/v1/namespaces/shop/configmaps") < established);
    world.cluster.get("widgets.example.com/shop/main");
}

#[tokio::test(start_paused = true)]
async fn a_class_that_a_definition_makes_is_made_once_that_is_established() {
    let origin = source();
    add_class(&origin.cluster);
    back_up_all(&origin).await;
    let world = target(&origin);
    world.cluster.establish_after(3);
    let report = world.restore(&restore("rescue")).await.unwrap();
    assert_eq!((report.phase, report.errors.as_slice()), (Phase::Completed, &[][..]));
    world.cluster.get(CLASS);
    let changes = world.cluster.changes();
    let established = position(&changes, "established widgets.example.com");
    assert!(established < position(&changes, "POST /api/v1/namespaces/shop/configmaps"));
}

#[tokio::test(start_paused = true)]
async fn a_definition_that_is_never_established_keeps_only_its_own_objects_from_coming_back() {
    let world = target(&backed_up().await);
    world.cluster.establish_after(usize::MAX);
    let report = world.restore(&restore("rescue")).await.unwrap();
    assert_eq!(report.phase, Phase::PartiallyFailed);
    let told: Vec<_> = report.errors.iter().map(|it| it.message.as_str()).collect();
    assert!(told.contains(&"not established within 60 s"), "{told:?}");
    assert!(told.contains(&"the target does not serve this kind"), "{told:?}");
    assert_eq!(world.cluster.find("widgets.example.com/shop/main"), None);
    world.cluster.get("statefulsets.apps/shop/db");
}
