//! What has to be there first is there first, and what is in the way is awaited once.

use bowline_testkit::Backend;
use bowline_testkit::backend::admitted;
use serde_json::{Value, json};

use super::site::{Site, apply, get, kubectl, report, run, wait_for};

fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": name, "labels": {"inject": if name == "shop" { "yes" } else { "no" }}}})
}

/// A deployment of one pod; `claim` is what it mounts.
fn deployment(namespace: &str, name: &str, claim: Option<&str>) -> Value {
    let volumes =
        claim.map(|claim| json!([{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]));
    json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}},
                "spec": {"volumes": volumes, "containers": [{"name": "main", "image": "app:1"}]}}}})
}

/// An injector that fails closed, with a real server behind its URL and a service whose pod needs
/// its volume; the API server cannot reach pods here, so that the service is called for nothing.
fn injector(server: &Backend) -> Vec<Value> {
    let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": "keys", "namespace": "mesh"},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "standard",
            "resources": {"requests": {"storage": "1Mi"}}}});
    let service = json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "injector", "namespace": "mesh"},
        "spec": {"selector": {"app": "injector"}, "ports": [{"port": 443}]}});
    let webhook = |name: &str, config: Value, selected: &str| {
        json!({"name": name, "clientConfig": config, "failurePolicy": "Fail",
            "sideEffects": "None", "admissionReviewVersions": ["v1"],
            "namespaceSelector": {"matchLabels": {"inject": selected}},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"],
                "operations": ["CREATE"]}]})
    };
    let url = json!({"url": server.url("/inject"), "caBundle": server.ca_bundle()});
    let called = json!({"service": {"namespace": "mesh", "name": "injector"}});
    let configuration = json!({"apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration", "metadata": {"name": "injector"},
        "webhooks": [webhook("inject.example.com", url, "yes"),
            webhook("nobody.example.com", called, "nowhere")]});
    let backend = deployment("mesh", "injector", Some("keys"));
    vec![namespace("mesh"), claim, service, backend, configuration]
}

/// A server that marks the pods that it is asked about.
fn marking() -> Backend {
    let mark = json!([{"op": "add", "path": "/metadata/labels/injected", "value": "yes"}]);
    Backend::start(&[], move |call| (200, admitted(&call.body, Some(&mark)))).unwrap()
}

/// An aggregated API that nobody answers for.
fn dead_api() -> Value {
    json!({"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
        "metadata": {"name": "v1.dead.example.com"},
        "spec": {"group": "dead.example.com", "version": "v1", "groupPriorityMinimum": 1000,
            "versionPriority": 10, "insecureSkipTLSVerify": true,
            "service": {"namespace": "default", "name": "nobody"}}})
}

/// <https://github.com/velero-io/velero/issues/4524>: the webhook was there before its endpoints.
#[tokio::test]
async fn an_injector_whose_backend_needs_a_restored_volume_shapes_every_pod_that_it_must() {
    let site = Site::start().await;
    let server = marking();
    apply(&site.east, &[injector(&server), vec![namespace("shop")]].concat()).await;
    let ready = |it: &Value| it["status"]["readyReplicas"] == 1;
    wait_for(&site.east, &["deployment", "injector", "-n", "mesh"], ready).await;
    apply(&site.east, &[deployment("shop", "web", None)]).await;
    wait_for(&site.east, &["deployment", "web", "-n", "shop"], ready).await;
    site.back_up(&["b", "--include-namespaces=mesh,shop", "--include-cluster-resources"]).await;
    let before = server.received().len();

    let dry = ["--from-backup=b", "--dry-run"];
    let plan = report(&run(&site.bowline, &site.west, "restore create -o=json", &dry).await, 0);
    let step = |name: &str, resource: &str| {
        let items = plan["items"].as_array().unwrap();
        let named = items.iter().find(|it| it["name"] == name && it["resource"] == resource);
        named.unwrap()["step"].as_str().unwrap().to_owned()
    };
    let webhooks = "mutatingwebhookconfigurations.admissionregistration.k8s.io";
    assert_eq!(step("injector", "deployments.apps"), "backends");
    assert_eq!(step("injector", webhooks), "registrations");
    assert_eq!(step("web", "deployments.apps"), "workloads");

    site.restore(&["r", "--from-backup=b"]).await;
    let pods = get(&site.west, &["pods", "-n", "shop"]).await;
    let pods = pods["items"].as_array().unwrap();
    assert_eq!(pods.len(), 1);
    assert!(pods.iter().all(|pod| pod["metadata"]["labels"]["injected"] == "yes"), "{pods:?}");
    assert!(server.received().len() > before, "by the server, not by what was recorded");
}

/// <https://github.com/velero-io/velero/issues/5697>: each object waited ten minutes for itself.
#[tokio::test]
async fn a_namespace_that_an_api_without_backend_holds_is_one_error_that_says_so() {
    let site = Site::start().await;
    apply(&site.east, &[namespace("shop"), deployment("shop", "web", None)]).await;
    site.back_up(&["b", "--include-namespaces=shop"]).await;

    apply(&site.west, &[dead_api(), namespace("shop")]).await;
    wait_for(&site.west, &["apiservice", "v1.dead.example.com"], |it| {
        it["status"]["conditions"][0]["status"] == "False"
    })
    .await;
    kubectl(&site.west, &["delete", "namespace", "shop", "--wait=false"]).await;
    wait_for(&site.west, &["namespace", "shop"], |it| {
        let conditions = it["status"]["conditions"].as_array();
        conditions
            .into_iter()
            .flatten()
            .any(|it| it["type"] == "NamespaceDeletionDiscoveryFailure" && it["status"] == "True")
    })
    .await;
    let stuck = ["stuck", "--from-backup=b", "--terminating-resource-timeout=1s"];
    let told = report(&site.try_restore(&stuck).await, 3);
    let errors = told["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0]["message"].as_str().unwrap().contains("dead.example.com"), "{errors:?}");
    assert!(errors[0]["hint"].as_str().unwrap().contains("APIService"), "{errors:?}");

    kubectl(&site.west, &["delete", "apiservice", "v1.dead.example.com"]).await;
    site.restore(&["again", "--from-backup=b"]).await;

    apply(&site.east, &[dead_api()]).await;
    wait_for(&site.east, &["apiservice", "v1.dead.example.com"], |it| {
        it["status"]["conditions"][0]["status"] == "False"
    })
    .await;
    let backup = ["part", "--include-namespaces=shop"];
    let output = run(&site.bowline, &site.east, "backup create -o=json", &backup).await;
    let told = report(&output, 3);
    let errors = told["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0]["message"].as_str().unwrap().contains("dead.example.com"), "{errors:?}");
}
