use serde_json::{Value, json};

use super::super::client::{Cluster, Options};
use super::super::error::Error;
use super::super::fake::{Reply, Request};
use crate::engine::model::{Catalog, Kind};

fn aggregated(items: &Value) -> Reply {
    Reply::json(
        200,
        &json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "items": items}),
    )
}

fn resource(name: &str, kind: &str) -> Value {
    json!({"resource": name, "responseKind": {"group": "", "version": "", "kind": kind},
        "scope": "Namespaced", "singularResource": kind.to_lowercase(), "verbs": ["get", "list"],
        "subresources": [{"subresource": "status", "responseKind": {"kind": kind}, "verbs": ["get"]}]})
}

fn version(name: &str, resources: &Value) -> Value {
    json!({"version": name, "freshness": "Current", "resources": resources})
}

/// The catalog of a server with these groups beside the core group with pods and events.
async fn catalog_of(groups: Value) -> Catalog {
    let cluster = Cluster::fake(move |request| match request.path.as_str() {
        "/api" => aggregated(&json!([{"metadata": {"creationTimestamp": null}, "versions": [
            version("v1", &json!([resource("pods", "Pod"), resource("events", "Event")]))]}])),
        "/apis" => aggregated(&groups),
        other => panic!("{other}"),
    });
    cluster.catalog().await.unwrap()
}

fn names(catalog: &Catalog) -> Vec<String> {
    let line = |kind: &Kind| format!("{} {}", kind.api_version(), kind.resource.resource);
    catalog.kinds.iter().map(line).collect()
}

#[tokio::test]
async fn the_preferred_version_counts_or_else_the_first_that_has_the_kind() {
    let group = json!([{"metadata": {"name": "autoscaling"}, "versions": [
        version("v2", &json!([resource("scalers", "Scaler")])),
        version("v1", &json!([resource("scalers", "Scaler"), resource("old", "Old")])),
        version("v1beta1", &json!([resource("old", "Old")])),
    ]}]);
    let catalog = catalog_of(group).await;
    let expected = ["v1 pods", "v1 events", "autoscaling/v2 scalers", "autoscaling/v1 old"];
    assert_eq!(names(&catalog), expected);
    let old = &catalog.kinds[3].resource;
    assert!(catalog.serves(old, "autoscaling/v1beta1"));
    assert!(!catalog.serves(old, "autoscaling/v2"));
    let pods = &catalog.kinds[0];
    assert!(pods.namespaced && pods.supports(&["list"]) && !pods.supports(&["delete"]));
    assert_eq!((pods.kind.as_str(), pods.singular.as_str()), ("Pod", "pod"));
    assert!(catalog.serves(&pods.resource, "v1"));
}

#[tokio::test]
async fn kinds_that_several_groups_serve_are_taken_once() {
    let group = |name: &str, resources: &[&str]| {
        let resources: Vec<_> = resources.iter().map(|name| resource(name, "X")).collect();
        json!({"metadata": {"name": name}, "versions": [version("v1", &json!(resources))]})
    };
    let catalog = catalog_of(json!([
        group("events.k8s.io", &["events"]),
        group("extensions", &["deployments", "ingresses"]),
        group("apps", &["deployments", "statefulsets"]),
        group("example.com", &["deployments", "events"]),
        group("networking.k8s.io", &["networkpolicies", "ingresses"]),
    ]))
    .await;
    let expected = [
        "v1 pods",
        "v1 events",
        "extensions/v1 deployments",
        "extensions/v1 ingresses",
        "apps/v1 statefulsets",
        "example.com/v1 deployments",
        "example.com/v1 events",
        "networking.k8s.io/v1 networkpolicies",
        "networking.k8s.io/v1 ingresses",
    ];
    assert_eq!(names(&catalog), expected);
}

#[tokio::test]
async fn a_stale_group_is_named_and_its_kinds_are_left_out() {
    let catalog = catalog_of(json!([{"metadata": {"name": "metrics.k8s.io"}, "versions": [
        {"version": "v1beta1", "freshness": "Stale", "resources": [resource("pods", "PodMetrics")]}]}]))
    .await;
    assert_eq!(names(&catalog), ["v1 pods", "v1 events"]);
    assert_eq!(catalog.unavailable.len(), 1);
    assert_eq!(catalog.unavailable[0].0, "metrics.k8s.io");
}

/// A server from before aggregated discovery; the backend of `metrics.k8s.io` is down.
fn old_server(request: &Request) -> Reply {
    let groups = json!({"kind": "APIGroupList", "groups": [
        {"name": "metrics.k8s.io", "versions": [{"version": "v1beta1"}]},
        {"name": "apps", "versions": [{"version": "v1beta1"}, {"version": "v1"}], "preferredVersion": {"version": "v1"}},
    ]});
    let resources =
        |list: Value| Reply::json(200, &json!({"kind": "APIResourceList", "resources": list}));
    let deployments = json!({"name": "deployments", "singularName": "", "namespaced": true, "kind": "Deployment", "verbs": ["list"], "shortNames": ["deploy"]});
    let status = json!({"name": "deployments/status", "singularName": "", "namespaced": true, "kind": "Deployment", "verbs": ["get"]});
    match request.path.as_str() {
        "/api" => Reply::json(200, &json!({"kind": "APIVersions", "versions": ["v1"]})),
        "/apis" => Reply::json(200, &groups),
        "/api/v1" => {
            resources(json!([{"name": "nodes", "namespaced": false, "kind": "Node", "verbs": []}]))
        }
        "/apis/apps/v1beta1" | "/apis/apps/v1" => resources(json!([deployments, status])),
        "/apis/metrics.k8s.io/v1beta1" => Reply::text(503, "service unavailable"),
        other => panic!("{other}"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_old_server_is_understood_and_a_failing_group_is_not_fatal() {
    let (cluster, log) = Cluster::fake_with(&Options::default(), old_server);
    let catalog = cluster.catalog().await.unwrap();
    assert_eq!(names(&catalog), ["v1 nodes", "apps/v1 deployments"]);
    assert_eq!(catalog.kinds[1].short_names, ["deploy"]);
    assert!(!catalog.kinds[0].namespaced);
    assert!(catalog.serves(&catalog.kinds[1].resource, "apps/v1beta1"));
    let [(group, reason)] = &catalog.unavailable[..] else { panic!("{catalog:?}") };
    assert_eq!(group, "metrics.k8s.io");
    assert!(reason.contains("service unavailable"), "{reason}");
    assert!(super::requests(&log)[0].accept.contains("as=APIGroupDiscoveryList"));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_tell_its_groups_is_an_error() {
    let (cluster, _) = Cluster::scripted(vec![Reply::status(403, "Forbidden", "no")]);
    assert!(matches!(cluster.catalog().await, Err(Error::Forbidden { .. })));
    let (cluster, _) = Cluster::scripted(vec![Reply::text(200, "<html>")]);
    assert!(matches!(cluster.catalog().await, Err(Error::Decode { .. })));
}
