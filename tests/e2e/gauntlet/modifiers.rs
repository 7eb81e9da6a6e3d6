//! What a person wants changed on the way is shown before and done as shown, on real schemas.

use std::io::Write as _;

use serde_json::{Value, json};

use super::site::{Site, apply, get};

/// The first rule is the example of Velero's documentation.
const RULES: &str = r#"version: v1
resourceModifierRules:
- conditions:
    groupResource: persistentvolumeclaims
    resourceNameRegex: "^mysql.*$"
    namespaces:
    - bar
    - foo
    labelSelector:
      matchLabels:
        foo: bar
  patches:
  - operation: replace
    path: "/spec/storageClassName"
    value: "premium"
  - operation: remove
    path: "/metadata/labels/test"
- conditions:
    groupResource: deployments.apps
  strategicPatches:
  - patchData: |
      {"spec": {"template": {"spec": {"containers": [
        {"name": "web", "env": [{"name": "REGION", "value": "west"}]}]}}}}
- conditions:
    groupResource: "*"
    matches:
    - path: /data/mode
      value: production
  mergePatches:
  - patchData: '{"data": {"mode": "drill", "pager": null}}'
"#;

#[tokio::test]
async fn modifiers_and_maps_change_what_the_plan_says_and_nothing_else() {
    let site = Site::start().await;
    apply(&site.east, &application()).await;
    site.back_up(&["app", "--include-namespaces=foo"]).await;
    let class = json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
        "metadata": {"name": "premium"}, "provisioner": "none.example.com"});
    let rules = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"rules.yaml": RULES},
        "metadata": {"name": "drill", "namespace": "default"}});
    apply(&site.west, &[class, rules]).await;

    let flags = [
        "--from-backup=app",
        "--resource-modifier-configmap=default/drill",
        "--image-mappings=registry.example.com=mirror.example.com/k8s",
        "--storage-class-mappings=slow:premium",
    ];
    let planned = site.restore(&[&["r", "--dry-run"], &flags[..]].concat()).await;
    let told = |name: &str| {
        let item = planned["items"].as_array().unwrap().iter().find(|it| it["name"] == name);
        item.unwrap()["transformations"].to_string()
    };
    assert_eq!(
        told("mysql-data"),
        r#"["modifier rule 1: /metadata/labels/test, /spec/storageClassName"]"#
    );
    assert_eq!(told("other-data"), r#"["storage class slow -> premium"]"#);
    assert!(told("web").contains("modifier rule 2: /spec/template/spec/containers/0/env"));

    let done = site.restore(&[&["r"], &flags[..]].concat()).await;
    assert_eq!(done["warnings"], json!([]), "{done}");
    let claim = get(&site.west, &["pvc", "mysql-data", "-n=foo"]).await;
    assert_eq!(claim["spec"]["storageClassName"], "premium");
    assert_eq!(claim["metadata"]["labels"].get("test"), None);
    let claim = get(&site.west, &["pvc", "other-data", "-n=foo"]).await;
    assert_eq!(claim["spec"]["storageClassName"], "premium");
    let web = get(&site.west, &["deployment", "web", "-n=foo"]).await;
    let container = &web["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["image"], "mirror.example.com/k8s/pause:3.10");
    assert_eq!(
        container["env"],
        json!([{"name": "REGION", "value": "west"}, {"name": "A", "value": "1"}])
    );
    let mode = get(&site.west, &["configmap", "mode", "-n=foo"]).await;
    assert_eq!(mode["data"], json!({"mode": "drill"}));

    let again = site.restore(&[&["again"], &flags[..]].concat()).await;
    assert_eq!((&again["items"]["created"], &again["warnings"]), (&json!(0), &json!([])));
    a_rule_that_means_nothing_is_refused(&site).await;
}

async fn a_rule_that_means_nothing_is_refused(site: &Site) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(RULES.replace("^mysql", "^postgres").as_bytes()).unwrap();
    let file = format!("--resource-modifiers-file={}", file.path().display());
    let refused = site.try_restore(&["bad", "--from-backup=app", &file]).await;
    assert_eq!(refused.code, Some(2), "{}{}", refused.stdout, refused.stderr);
    let expected = "modifier rule 1 (persistentvolumeclaims) matches no object of this restore";
    assert!(refused.stdout.contains(expected), "{}", refused.stdout);
}

fn application() -> Vec<Value> {
    let claim = |name: &str, class: &str| {
        json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "namespace": "foo", "labels": {"foo": "bar", "test": "x"}},
            "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": class,
                "resources": {"requests": {"storage": "1Gi"}}}})
    };
    let container = json!({"name": "web", "image": "registry.example.com/pause:3.10",
        "env": [{"name": "A", "value": "1"}]});
    let class = |name: &str| {
        json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
            "metadata": {"name": name}, "provisioner": "none.example.com",
            "volumeBindingMode": "WaitForFirstConsumer"})
    };
    vec![
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "foo"}}),
        class("slow"),
        class("common"),
        claim("mysql-data", "common"),
        claim("other-data", "slow"),
        json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "mode", "namespace": "foo"},
            "data": {"mode": "production", "pager": "on"}}),
        json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "foo"},
            "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}},
                "template": {"metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [container]}}}}),
    ]
}
