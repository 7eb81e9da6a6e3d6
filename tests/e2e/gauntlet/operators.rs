//! An operator that begins afresh wherever it finds no child of its custom resource.

use std::convert::Infallible;

use bowline_testkit::ControlPlane;
use serde_json::{Value, json};

use super::site::{Site, apply, get, kubectl, report, run, wait_for};

const RBAC: &str = "rbac.authorization.k8s.io";

/// What makes the operator: its rights, and one pod that stands for it.
fn operator() -> Vec<Value> {
    let allowed = json!({"apiGroups": ["example.com"], "resources": ["widgets"],
        "verbs": ["get", "list", "watch", "update"]});
    let role = json!({"apiVersion": format!("{RBAC}/v1"), "kind": "ClusterRole",
        "metadata": {"name": "widget-operator"}, "rules": [allowed]});
    let binding = json!({"apiVersion": format!("{RBAC}/v1"), "kind": "ClusterRoleBinding",
        "metadata": {"name": "widget-operator"},
        "subjects": [{"kind": "ServiceAccount", "namespace": "ops", "name": "operator"}],
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "widget-operator"}});
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": "operator", "namespace": "ops"}});
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ops"}});
    vec![namespace, account, role, binding, workload("Deployment", "ops", "operator")]
}

fn workload(kind: &str, namespace: &str, name: &str) -> Value {
    let account = if kind == "Deployment" { "operator" } else { "default" };
    let pods = json!({"metadata": {"labels": {"app": name}}, "spec":
        {"serviceAccountName": account, "containers": [{"name": "main", "image": "app:1"}]}});
    json!({"apiVersion": "apps/v1", "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"replicas": 1, "serviceName": (kind == "StatefulSet").then_some(name),
            "selector": {"matchLabels": {"app": name}}, "template": pods}})
}

fn definition() -> Value {
    let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {"group": "example.com", "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": schema}}]}})
}

fn is_ready(workload: &Value) -> bool {
    workload["status"]["readyReplicas"] == 1
}

/// What the operator does while its pod is ready: a widget without a child gets a new database.
async fn operate_once(cluster: &ControlPlane) {
    let list = async |what: &[&str]| {
        let output = cluster.kubectl(&[&["get", "-o=json"], what].concat()).await.unwrap();
        let found = (output.code == Some(0)).then(|| output.json());
        found.and_then(|it| it["items"].as_array().cloned()).unwrap_or_default()
    };
    if !list(&["deployments", "-n", "ops"]).await.iter().any(is_ready) {
        return;
    }
    let widgets = list(&["widgets.example.com", "-n", "shop"]).await;
    let children = list(&["statefulsets", "-n", "shop"]).await;
    for widget in widgets {
        let uid = &widget["metadata"]["uid"];
        if !children.iter().any(|it| it["metadata"]["ownerReferences"][0]["uid"] == *uid) {
            let fresh = ["create", "configmap", "begun-afresh", "-n", "shop"];
            cluster.kubectl(&fresh).await.unwrap();
        }
    }
}

async fn operate(cluster: &ControlPlane) -> Infallible {
    loop {
        operate_once(cluster).await;
    }
}

/// Restores while the operator does its work, and lets it look once more.
async fn restore_beside_operator(site: &Site, arguments: &[&str]) {
    tokio::select! {
        never = operate(&site.west) => match never {},
        _ = site.restore(arguments) => {}
    }
    wait_for(&site.west, &["deployment", "operator", "-n", "ops"], is_ready).await;
    operate_once(&site.west).await;
    let maps = get(&site.west, &["configmaps", "-n", "shop"]).await;
    let names = maps["items"].as_array().unwrap().iter();
    let names: Vec<_> = names.map(|map| map["metadata"]["name"].clone()).collect();
    assert_eq!(names, ["kube-root-ca.crt"]);
}

/// <https://github.com/velero-io/velero/issues/9433>: the operator made an empty database.
#[tokio::test]
async fn an_operator_that_bootstraps_finds_its_children_whether_it_is_restored_or_runs_already() {
    let site = Site::start().await;
    let shop = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
    apply(&site.east, &[operator(), vec![definition(), shop]].concat()).await;
    wait_for(&site.east, &["customresourcedefinition", "widgets.example.com"], |it| {
        it["status"]["acceptedNames"]["plural"] == "widgets"
    })
    .await;
    let widget = json!({"apiVersion": "example.com/v1", "kind": "Widget",
        "metadata": {"name": "main", "namespace": "shop"}});
    apply(&site.east, &[widget]).await;
    let widget = get(&site.east, &["widgets.example.com", "main", "-n", "shop"]).await;
    let mut child = workload("StatefulSet", "shop", "db");
    child["metadata"]["ownerReferences"] = json!([{"apiVersion": "example.com/v1",
        "kind": "Widget", "name": "main", "uid": widget["metadata"]["uid"], "controller": true}]);
    apply(&site.east, &[child]).await;
    wait_for(&site.east, &["statefulset", "db", "-n", "shop"], is_ready).await;
    wait_for(&site.east, &["deployment", "operator", "-n", "ops"], is_ready).await;
    site.back_up(&["b", "--include-namespaces=ops,shop", "--include-cluster-resources"]).await;

    restore_beside_operator(&site, &["fresh", "--from-backup=b"]).await;

    kubectl(&site.west, &["delete", "namespace", "shop"]).await;
    let dry = ["--from-backup=b", "--include-namespaces=shop", "--dry-run"];
    let plan = report(&run(&site.bowline, &site.west, "restore create -o=json", &dry).await, 0);
    let warnings = plan["warnings"].as_array().unwrap();
    let hint = "--quiesce ops/operator scales it down meanwhile";
    assert!(warnings.iter().any(|it| it["hint"] == hint), "{warnings:?}");
    let quiet = ["quiet", "--from-backup=b", "--include-namespaces=shop", "--quiesce=ops/operator"];
    restore_beside_operator(&site, &quiet).await;
    let operator = get(&site.west, &["deployment", "operator", "-n", "ops"]).await;
    assert_eq!(operator["spec"]["replicas"], 1);
    assert!(operator["metadata"]["annotations"]["bowline.io/quiesced"].is_null());
}
