//! What is said beforehand: the plan as the API server sees it, and what changed since a backup.
//!
//! <https://github.com/vmware-tanzu/velero/issues/448> has asked for a dry run since 2018, and
//! <https://github.com/vmware-tanzu/velero/issues/8148> for the difference between backups.

use std::collections::BTreeMap;

use bowline_testkit::backend::{Received, denied};
use bowline_testkit::{Backend, ControlPlane, Output, wait};
use serde_json::{Value, json};

use super::site::{Site, apply, kubectl, report, run, wait_for};
use crate::inventory::{self, Inventory, is_steady};

#[tokio::test]
async fn what_a_restore_meets_and_what_changed_is_said_beforehand() {
    let site = Site::start().await;
    apply(&site.east, &application()).await;
    wait_for(&site.east, &["deployment/web", "-n=shop"], |web| web["status"]["readyReplicas"] == 2)
        .await;
    site.back_up(&["first", "--include-namespaces=shop"]).await;
    tokio::join!(differences_are_told(&site), refusals_are_told(&site));
}

fn application() -> Vec<Value> {
    let object = |version: &str, kind: &str, name: &str, rest: Value| {
        let mut object = json!({"apiVersion": version, "kind": kind,
            "metadata": {"name": name, "namespace": "shop"}});
        object.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        object
    };
    let labelled = |name: &str, guard: &str| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"},
            "metadata": {"name": name, "namespace": "shop", "labels": {"guard": guard}}})
    };
    let pods = json!({"metadata": {"labels": {"app": "web"}}, "spec": {"serviceAccountName": "web",
        "containers": [{"name": "web", "image": "registry.example.com/web:1"}]}});
    vec![
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}),
        object("v1", "ServiceAccount", "web", json!({})),
        object("v1", "ConfigMap", "settings", json!({"data": {"a": "b"}})),
        object("v1", "ConfigMap", "old", json!({"data": {"a": "b"}})),
        object("v1", "Secret", "key", json!({"stringData": {"password": "hunter2"}})),
        object(
            "v1",
            "Service",
            "web",
            json!({"spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}),
        ),
        object(
            "apps/v1",
            "Deployment",
            "web",
            json!({"spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}},
                "template": pods}}),
        ),
        labelled("denied", "policy"),
        labelled("guarded", "webhook"),
    ]
}

/// Changes the application in `east`; the cluster and the next backup must tell the same of it.
async fn differences_are_told(site: &Site) {
    let same = diff(site, &["first", "--cluster", "--exit-code"]).await;
    assert_eq!(report(&same, 0)["items"], json!([]), "{}", same.stdout);
    change_the_application(&site.east).await;

    let since = diff(site, &["first", "--cluster", "--exit-code"]).await;
    let since = report(&since, 3);
    assert_eq!(changes(&since), CHANGES, "{since:#}");
    let replicas = &since["items"][4]["fields"][0];
    assert_eq!((&replicas["from"], &replicas["to"]), (&json!(2), &json!(3)));
    site.back_up(&["second", "--include-namespaces=shop"]).await;
    let between = diff(site, &["first", "second"]).await;
    assert_eq!(report(&between, 0)["items"], since["items"]);
    for shown in [&between.stdout, &since.to_string()] {
        assert!(!shown.contains("aHVu") && !shown.contains("b3Ro"), "{shown}");
    }
    let one_kind = ["first", "--cluster", "--include-resources=deploy", "-l=app=none"];
    assert_eq!(report(&diff(site, &one_kind).await, 0)["items"], json!([]));
}

async fn change_the_application(east: &ControlPlane) {
    kubectl(east, &["scale", "-n=shop", "deployment/web", "--replicas=3"]).await;
    kubectl(east, &["delete", "-n=shop", "configmap/old"]).await;
    kubectl(east, &["create", "-n=shop", "configmap", "new"]).await;
    let patches = [("configmap/settings", r#"{"data": {"a": "c"}}"#), ("secret/key", SECRET)];
    for (name, patch) in patches {
        kubectl(east, &["patch", "-n=shop", name, "--type=merge", "--patch", patch]).await;
    }
    wait_for(east, &["deployment/web", "-n=shop"], |web| web["status"]["readyReplicas"] == 3).await;
}

const SECRET: &str = r#"{"data": {"password": "b3RoZXI="}}"#;

const CHANGES: [&str; 5] = [
    "added configmaps new",
    "removed configmaps old",
    "changed configmaps settings /data/a",
    "changed secrets key /data/password",
    "changed deployments.apps web /spec/replicas",
];

fn changes(document: &Value) -> Vec<String> {
    let words = |item: &Value| {
        let fields = item["fields"].as_array().unwrap().iter();
        let fields = fields.map(|field| format!(" {}", field["path"].as_str().unwrap()));
        let [change, resource, name] =
            ["change", "resource", "name"].map(|key| item[key].as_str().unwrap());
        format!("{change} {resource} {name}{}", fields.collect::<String>())
    };
    document["items"].as_array().unwrap().iter().map(words).collect()
}

async fn diff(site: &Site, arguments: &[&str]) -> Output {
    run(&site.bowline, &site.east, "backup diff -o=json", arguments).await
}

/// Asks `west`, where admission refuses two of the objects; nothing is made, and the restore says
/// the same.
async fn refusals_are_told(site: &Site) {
    let west = &site.west;
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
    let guard = Backend::start(&[], |call| (200, denied(&call.body, "not here either"))).unwrap();
    apply(west, &[namespace, policy(), binding(), webhook(&guard)]).await;
    for name in ["denied", "guarded"] {
        wait_until_refused(west, name).await;
    }
    let before = inventory::read(west).await;

    let asked = ["asked", "--from-backup=first", "--dry-run=server"];
    two_are_refused(&report(&site.try_restore(&asked).await, 3));
    let asked_in_earnest = |call: &Received| call.body["request"]["dryRun"] != true;
    assert!(!guard.received().iter().any(asked_in_earnest), "{:?}", guard.received());

    // Where the namespace is not there yet, nothing in it can be asked: that is no refusal.
    let elsewhere = [&asked[..], &["--namespace-mappings=shop:copy"]].concat();
    let plan = report(&site.try_restore(&elsewhere).await, 0);
    let said = answers(&plan);
    assert_eq!(said["namespaces/copy"].1, "accepted");
    assert_eq!(said["configmaps/denied"], ("create".to_owned(), "notAsked".to_owned()));
    assert_eq!(versions(&inventory::read(west).await), versions(&before));

    let report = report(&site.try_restore(&["real", "--from-backup=first"]).await, 3);
    let errors = report["errors"].as_array().unwrap().iter();
    let mut failed: Vec<_> = errors.map(|error| error["name"].as_str().unwrap()).collect();
    failed.sort_unstable();
    assert_eq!(failed, ["denied", "guarded"], "{report:#}");
}

/// The plan names what admission refuses, in its words, and nothing else.
#[track_caller]
fn two_are_refused(plan: &Value) {
    let said = answers(plan);
    assert_eq!(said["configmaps/settings"], ("create".to_owned(), "accepted".to_owned()));
    assert_eq!(said["deployments.apps/web"], ("create".to_owned(), "accepted".to_owned()));
    for (name, words) in
        [("denied", "not in this cluster"), ("guarded", "denied the request: not here either")]
    {
        let refused = ("refuse".to_owned(), "refused".to_owned());
        assert_eq!(said[&format!("configmaps/{name}")], refused);
        let items = plan["items"].as_array().unwrap();
        let item = items.iter().find(|item| item["name"] == name).unwrap();
        let message = item["serverDryRun"]["message"].as_str().unwrap();
        assert!(message.contains(words), "{message}");
    }
    assert_eq!(plan["serverDryRun"]["refused"], 2, "{plan:#}");
}

/// What the plan says of each object, and what the API server said.
fn answers(plan: &Value) -> BTreeMap<String, (String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let answer = |item: &Value| {
        let name = format!("{}/{}", text(&item["resource"]), text(&item["name"]));
        (name, (text(&item["verdict"]), text(&item["serverDryRun"]["status"])))
    };
    plan["items"].as_array().unwrap().iter().map(answer).collect()
}

/// Every object in the version that it is in, but what changes by itself.
fn versions(inventory: &Inventory) -> Vec<(String, &Value)> {
    let steady = inventory.iter().filter(|(id, _)| is_steady(id));
    let steady = steady.filter(|(id, _)| id.resource.to_string() != "nodes");
    steady.map(|(id, object)| (id.to_string(), &object["metadata"]["resourceVersion"])).collect()
}

fn policy() -> Value {
    json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": "guard"}, "spec": {"failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"],
                "operations": ["CREATE"], "resources": ["configmaps"]}]},
            "validations": [{"expression": "!has(object.metadata.labels) || \
                !('guard' in object.metadata.labels) || object.metadata.labels.guard != 'policy'",
                "message": "not in this cluster"}]}})
}

fn binding() -> Value {
    json!({"apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": "guard"},
        "spec": {"policyName": "guard", "validationActions": ["Deny"]}})
}

/// A webhook that refuses whatever it is asked about.
fn webhook(backend: &Backend) -> Value {
    json!({"apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration", "metadata": {"name": "guard"},
        "webhooks": [{"name": "guard.example.com", "failurePolicy": "Fail", "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "clientConfig": {"url": backend.url("/"), "caBundle": backend.ca_bundle()},
            "objectSelector": {"matchLabels": {"guard": "webhook"}},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"],
                "resources": ["configmaps"]}]}]})
}

/// Waits until the API server has taken notice of what refuses this object.
async fn wait_until_refused(cluster: &ControlPlane, name: &str) {
    let object = application().into_iter().find(|it| it["metadata"]["name"] == name).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), object.to_string()).unwrap();
    let path = file.path().to_str().unwrap();
    let patience = std::time::Duration::from_mins(1);
    wait::until(&format!("{name} is refused"), patience, async || {
        let output = cluster.kubectl(&["create", "--dry-run=server", "--filename", path]).await?;
        Ok((output.code != Some(0)).then_some(()))
    })
    .await
    .unwrap();
}
