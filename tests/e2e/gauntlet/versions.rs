//! Kinds in several versions: converted by a webhook that is down, no longer served, or simply two.

use bowline_testkit::Backend;
use bowline_testkit::backend::converted;
use serde_json::{Value, json};

use super::site::{Site, apply, get, kubectl, report, run, wait_for};

/// A definition in these versions, each served; the first one is stored.
fn definition(plural: &str, kind: &str, versions: &[&str], conversion: &Value) -> Value {
    let version = |name: &&str| {
        json!({"name": name, "served": true, "storage": Some(name) == versions.first(),
            "schema": {"openAPIV3Schema": {"type": "object",
                "x-kubernetes-preserve-unknown-fields": true}}})
    };
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.example.com")},
        "spec": {"group": "example.com", "scope": "Namespaced", "conversion": conversion,
            "names": {"plural": plural, "singular": kind.to_lowercase(), "kind": kind},
            "versions": versions.iter().map(version).collect::<Vec<_>>()}})
}

fn object(version: &str, kind: &str, spec: &Value) -> Value {
    json!({"apiVersion": format!("example.com/{version}"), "kind": kind,
        "metadata": {"name": "main", "namespace": "shop"}, "spec": spec})
}

/// Converts by telling, in the object, that it did.
fn convert(object: &Value, version: &str) -> Value {
    let mut object = object.clone();
    object["apiVersion"] = json!(version);
    object["spec"]["converted"] = json!(true);
    object
}

fn is_established(definition: &Value) -> bool {
    let conditions = definition["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().any(|it| it["type"] == "Established" && it["status"] == "True")
}

async fn define(cluster: &bowline_testkit::ControlPlane, definitions: &[Value]) {
    apply(cluster, definitions).await;
    for definition in definitions {
        let name = definition["metadata"]["name"].as_str().unwrap();
        wait_for(cluster, &["crd", name], is_established).await;
        let plural = name.split('.').next().unwrap();
        wait_for(cluster, &[plural, "-n", "default"], |list| list["items"].is_array()).await;
    }
}

/// What the plan says of the one object of a kind.
async fn planned(site: &Site, backup: &str, resource: &str) -> Value {
    let from = format!("--from-backup={backup}");
    let command = "restore create look --dry-run -o=json";
    let output = run(&site.bowline, &site.west, command, &[&from]).await;
    let plan = report(&output, 0);
    let items = plan["items"].as_array().unwrap();
    items.iter().find(|it| it["resource"] == resource).unwrap().clone()
}

async fn assert_verified(site: &Site, backup: &str) {
    let command = format!("backup verify {backup} -o=json");
    let verified = run(&site.bowline, &site.east, &command, &[]).await;
    assert_eq!(report(&verified, 0)["verified"], true);
}

/// Clusters drop old versions, and backends of conversions come last: see
/// <https://github.com/vmware-tanzu/velero/issues/2310> and
/// <https://github.com/vmware-tanzu/velero/issues/3516>.
#[tokio::test]
async fn objects_come_back_in_a_version_that_the_target_takes() {
    let site = Site::start().await;
    let webhook = Backend::start(&[], |call| (200, converted(&call.body, convert))).unwrap();
    let client = json!({"url": webhook.url("/"), "caBundle": webhook.ca_bundle()});
    let conversion = json!({"strategy": "Webhook", "webhook":
        {"conversionReviewVersions": ["v1"], "clientConfig": client}});
    let plain = json!({"strategy": "None"});
    let spec = json!({"size": 3});
    kubectl(&site.east, &["create", "namespace", "shop"]).await;
    define(
        &site.east,
        &[
            definition("doodads", "Doodad", &["v1", "v2"], &conversion),
            definition("gizmos", "Gizmo", &["v1beta1", "v1"], &plain),
            definition("relics", "Relic", &["v2", "v1"], &plain),
        ],
    )
    .await;
    let objects = [("v1", "Doodad"), ("v1", "Gizmo"), ("v2", "Relic")];
    apply(&site.east, &objects.map(|(version, kind)| object(version, kind, &spec))).await;

    site.back_up(&["plain", "--include-namespaces=shop"]).await;
    site.back_up(&["all", "--include-namespaces=shop", "--api-versions=all"]).await;
    assert_verified(&site, "all").await;
    drop(webhook);
    // It remembers what it had converted.
    site.east.api_server().restart().unwrap();
    site.east.wait_until_answering().await.unwrap();
    let blind = ["blind", "--include-namespaces=shop"];
    let blind = report(&run(&site.bowline, &site.east, "backup create -o=json", &blind).await, 0);
    assert_eq!(blind["errors"], json!([]));
    let warning = &blind["warnings"][0];
    let (message, hint) = (warning["message"].as_str().unwrap(), warning["hint"].as_str().unwrap());
    assert!(
        message.starts_with("taken as example.com/v1, as stored; as example.com/v2:"),
        "{message}"
    );
    assert!(hint.contains("doodads.example.com") && hint.contains("https://127.0.0.1"), "{hint}");
    assert_verified(&site, "blind").await;
    let doodad = planned(&site, "blind", "doodads.example.com").await;
    assert_eq!((&doodad["verdict"], &doodad["transformations"]), (&json!("create"), &json!([])));

    define(&site.west, &[definition("relics", "Relic", &["v1"], &plain)]).await;
    let refused = planned(&site, "plain", "relics.example.com").await;
    let reason = "the backup holds it as example.com/v2, which the target does not serve; it serves \
        example.com/v1";
    assert_eq!((&refused["verdict"], &refused["reason"]), (&json!("refuse"), &json!(reason)));
    let replaced = planned(&site, "all", "relics.example.com").await;
    let told = json!(["as example.com/v1: the target does not serve example.com/v2"]);
    assert_eq!((&replaced["verdict"], &replaced["transformations"]), (&json!("create"), &told));

    let done = site.restore(&["rescue", "--from-backup=all"]).await;
    assert_eq!(done["errors"], json!([]));
    let both = &["v1beta1", "v1"];
    for (plural, versions) in [("doodads", &both[1..]), ("gizmos", both), ("relics", &both[1..])] {
        for version in versions {
            let kind = format!("{plural}.{version}.example.com");
            let live = get(&site.west, &[&kind, "main", "-n", "shop"]).await;
            assert_eq!(live["spec"], spec, "{kind}");
        }
    }
    let gizmos = get(&site.west, &["crd", "gizmos.example.com"]).await;
    assert_eq!(gizmos["status"]["storedVersions"], json!(["v1beta1"]));
    let again = site.restore(&["again", "--from-backup=all"]).await;
    assert_eq!(again["items"]["created"], json!(0));
}
