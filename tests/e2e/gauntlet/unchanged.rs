//! A backup of everything, restored into the cluster that it is from and twice into a fresh one.
//!
//! <https://github.com/vmware-tanzu/velero/issues/1948>: a restore into the cluster that a backup is from warns
//! of objects that nobody changed.

use std::collections::BTreeMap;

use bowline_api::ItemId;
use bowline_testkit::ControlPlane;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::graph;
use super::site::{self, Site, kubectl, wait_for};
use crate::equality::stripped;
use crate::inventory::{self, Inventory, is_steady, within};

/// How many graphs are made, each in a namespace of its own.
const GRAPHS: usize = 4;

#[tokio::test]
async fn restoring_again_changes_nothing_and_a_fresh_cluster_holds_what_was_backed_up() {
    let site = Site::start().await;
    fill(&site.east).await;
    site.back_up(&["all"]).await;
    let east = inventory::read(&site.east).await;
    // As the autoscaler would.
    kubectl(&site.east, &["scale", "-n=gallery", "deployment/scaled", "--replicas=2"]).await;
    wait_for(&site.east, &["deployment/scaled", "-n=gallery"], |it| {
        it["status"]["readyReplicas"] == 2
    })
    .await;
    for name in ["once", "twice"] {
        is_unchanged(&site, &site.east, name).await;
    }

    let wanted = ["fresh", "--from-backup=all", "--status-include-resources=pictures"];
    let report = site.restore(&wanted).await;
    assert_eq!(report["errors"], json!([]));
    let west = inventory::read(&site.west).await;
    for namespace in namespaces() {
        is_equal(&comparable(&west, &namespace), &comparable(&east, &namespace));
    }
    statuses_are_as_each_object_says(&west);
    is_unchanged(&site, &site.west, "again").await;
}

fn namespaces() -> impl Iterator<Item = String> {
    let graphs = (0..GRAPHS).map(|number| format!("graph-{number}"));
    ["gallery".to_owned()].into_iter().chain(graphs)
}

/// Fills a cluster with something of every kind, applied in all ways, and with graphs.
async fn fill(cluster: &ControlPlane) {
    let gallery = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/gauntlet/gallery.yaml");
    kubectl(cluster, &["apply", "--filename", gallery]).await;
    kubectl(cluster, &["wait", "--for=condition=Established", "crd/pictures.gallery.example.com"])
        .await;
    let picture = |name: &str, wish: Option<&str>| {
        json!({"apiVersion": "gallery.example.com/v1", "kind": "Picture",
            "metadata": {"name": name, "namespace": "gallery",
                "annotations": wish.map(|wish| json!({"velero.io/restore-status": wish}))},
            "spec": {"title": name, "frame": {"of": ["oak", {"gilded": true}]}}})
    };
    let pictures =
        [picture("plain", None), picture("silent", Some("false")), picture("loud", Some("true"))];
    site::apply(cluster, &pictures).await;
    for name in ["plain", "silent", "loud"] {
        let status = json!({"status": {"hung": true, "observedGeneration": 1}}).to_string();
        let patch =
            ["patch", "picture", name, "-n=gallery", "--subresource=status", "--type=merge"];
        kubectl(cluster, &[&patch[..], &["--patch", &status]].concat()).await;
    }
    apply_on_the_server(cluster, &large_objects()).await;
    let strategy = graph::graph();
    let mut runner = TestRunner::deterministic();
    let client = cluster.client().await.unwrap();
    for number in 0..GRAPHS {
        let graph = strategy.new_tree(&mut runner).unwrap().current();
        graph::make(&client, &format!("graph-{number}"), &graph).await;
    }
    for workload in ["deployment/web", "statefulset/db", "replicaset/alone"] {
        wait_for(cluster, &[workload, "-n=gallery"], |it| {
            it["status"]["readyReplicas"] == it["spec"]["replicas"]
        })
        .await;
    }
    wait_for(cluster, &["pod/bare", "-n=gallery"], |it| it["status"]["phase"] == "Running").await;
    wait_for(cluster, &["clusterrole/gallery:all"], |it| it["rules"] != json!(null)).await;
}

/// Objects that are as large as the API server takes them, with annotations as large as it takes.
fn large_objects() -> Vec<Value> {
    let metadata = |name: &str| {
        json!({"name": name, "namespace": "gallery",
            "annotations": {"example.com/long": "x".repeat(250_000)}})
    };
    let (text, encoded) = ("0123456789".repeat(100_000), "QUFB".repeat(250_000));
    vec![
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata("large"),
            "data": {"text": text}}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata("large"),
            "data": {"text": encoded}}),
    ]
}

async fn apply_on_the_server(cluster: &ControlPlane, objects: &[Value]) {
    let file = tempfile::NamedTempFile::new().unwrap();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    std::fs::write(file.path(), list.to_string()).unwrap();
    let path = file.path().to_str().unwrap();
    kubectl(cluster, &["apply", "--server-side", "--field-manager=curator", "--filename", path])
        .await;
}

/// Restores the backup, which must find everything as it is and write nothing.
async fn is_unchanged(site: &Site, cluster: &ControlPlane, name: &str) {
    let before = versions(&inventory::read(cluster).await);
    let restore = [name, "--from-backup=all"];
    let output = site::run(&site.bowline, cluster, "restore create -o=json", &restore).await;
    let report = site::report(&output, 0);
    assert_eq!((&report["errors"], &report["warnings"]), (&json!([]), &json!([])), "{name}");
    let items = &report["items"];
    let done = ["created", "updated", "failed"].map(|word| items[word].as_u64().unwrap());
    assert_eq!(done, [0, 0, 0], "{name}: {items}");
    assert!(items["unchanged"].as_u64().unwrap() > 60, "{name}: {items}");
    assert_eq!(versions(&inventory::read(cluster).await), before, "{name}");
}

/// The version of every object that nobody touches all the time; of autoscalers, whose controller
/// writes their status whenever it looks, what they want.
fn versions(inventory: &Inventory) -> BTreeMap<ItemId, Value> {
    let steady =
        inventory.iter().filter(|(id, _)| is_steady(id) && id.resource.resource != "nodes");
    let version = |id: &ItemId, object: &Value| match id.resource.resource.as_str() {
        "horizontalpodautoscalers" => object["spec"].clone(),
        _ => object["metadata"]["resourceVersion"].clone(),
    };
    steady.map(|(id, object)| (id.clone(), version(id, object))).collect()
}

/// Compares object by object: some are large.
#[track_caller]
fn is_equal(restored: &BTreeMap<String, Value>, original: &BTreeMap<String, Value>) {
    assert_eq!(restored.keys().collect::<Vec<_>>(), original.keys().collect::<Vec<_>>());
    for (id, original) in original {
        assert!(
            restored[id] == *original,
            "{id}: {} was {}",
            short(&restored[id]),
            short(original)
        );
    }
}

/// The objects of a namespace that are not made by controllers, without what may differ.
fn comparable(inventory: &Inventory, namespace: &str) -> BTreeMap<String, Value> {
    let made =
        within(inventory, namespace).filter(|(id, object)| is_steady(id) && is_meant(id, object));
    made.map(|(id, object)| (id.to_string(), stripped(&id.to_string(), object.clone()))).collect()
}

fn is_meant(id: &ItemId, object: &Value) -> bool {
    let controlled = object.pointer("/metadata/ownerReferences/0/controller") == Some(&json!(true));
    let resource = id.resource.to_string();
    let by_cluster = ["controllerrevisions.apps", "endpoints", "endpointslices.discovery.k8s.io"];
    !controlled && id.name != "kube-root-ca.crt" && !by_cluster.contains(&resource.as_str())
}

#[track_caller]
fn statuses_are_as_each_object_says(west: &Inventory) {
    for (name, expected) in
        [("plain", json!({"hung": true})), ("loud", json!({"hung": true})), ("silent", json!(null))]
    {
        let id = format!("pictures.gallery.example.com/gallery/{name}").parse().unwrap();
        assert_eq!(west[&id]["status"], expected, "{name}");
    }
}

fn short(object: &Value) -> String {
    object.to_string().chars().take(3_000).collect()
}
