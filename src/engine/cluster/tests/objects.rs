use serde_json::{Value, json};

use super::super::client::Cluster;
use super::super::error::Error;
use super::super::fake::{Reply, kind};
use super::super::objects::{Created, Creation, Deletion, Propagation};
use super::{config_map, config_maps, lines, object, requests};

const CREATE: &str = "POST /api/v1/namespaces/shop/configmaps?fieldManager=bowline";
const READ: &str = "GET /api/v1/namespaces/shop/configmaps/web";

const MARKED: Creation<'static> = Creation { dry_run: false, mark: Some("restore") };

/// Creates the config map `web`, labelled `restore: mine`, against these replies.
async fn create(
    creation: &Creation<'_>,
    replies: Vec<Reply>,
) -> (Result<Created, Error>, Vec<String>) {
    let (cluster, log) = Cluster::scripted(replies);
    let sent = object(config_map("web", "mine"));
    let outcome = cluster.create(&config_maps(), Some("shop"), &sent, creation).await;
    (outcome, lines(&log))
}

fn ours() -> Reply {
    Reply::json(200, &config_map("web", "mine"))
}

fn theirs() -> Reply {
    Reply::json(200, &config_map("web", "other"))
}

fn exists() -> Reply {
    Reply::status(409, "AlreadyExists", "configmaps \"web\" already exists")
}

fn absent() -> Reply {
    Reply::status(404, "NotFound", "configmaps \"web\" not found")
}

#[tokio::test(start_paused = true)]
async fn what_exists_is_told_apart_from_other_conflicts() {
    let (outcome, requests) = create(&MARKED, vec![exists()]).await;
    assert_eq!(outcome.unwrap(), Created::Exists);
    assert_eq!(requests, [CREATE]);

    let quota = Reply::status(409, "Conflict", "the quota was changed meanwhile");
    let (outcome, requests) = create(&MARKED, vec![quota]).await;
    assert!(outcome.unwrap_err().is_conflict());
    assert_eq!(requests, [CREATE]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_is_made_up_for_by_looking() {
    for lost in [Reply::Lost, Reply::HalfABody, Reply::text(504, ""), Reply::text(500, "")] {
        let (outcome, requests) = create(&MARKED, vec![lost, ours()]).await;
        assert!(
            matches!(outcome.unwrap(), Created::Created(found) if found["kind"] == "ConfigMap")
        );
        assert_eq!(requests, [CREATE, READ]);
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_lost_reply_what_carries_another_mark_or_none_is_not_ours() {
    let bare = Reply::json(200, &json!({"metadata": {"name": "web"}}));
    for found in [theirs(), bare] {
        let (outcome, _) = create(&MARKED, vec![Reply::Lost, found]).await;
        assert_eq!(outcome.unwrap(), Created::Exists);
    }
    let unmarked = Creation::default();
    let (outcome, _) = create(&unmarked, vec![Reply::Lost, ours()]).await;
    assert_eq!(outcome.unwrap(), Created::Exists);
    let unknown = Creation { mark: Some("no-such-label"), ..Creation::default() };
    let (outcome, _) = create(&unknown, vec![Reply::Lost, ours()]).await;
    assert_eq!(outcome.unwrap(), Created::Exists);
}

#[tokio::test(start_paused = true)]
async fn after_a_lost_reply_what_is_absent_is_created_again() {
    let (outcome, requests) = create(&MARKED, vec![Reply::Lost, absent(), ours()]).await;
    assert!(matches!(outcome.unwrap(), Created::Created(_)));
    assert_eq!(requests, [CREATE, READ, CREATE]);
}

#[tokio::test(start_paused = true)]
async fn a_create_that_arrived_late_is_recognised_behind_its_own_repetition() {
    let replies = vec![Reply::Silence, absent(), exists(), ours()];
    let (outcome, requests) = create(&MARKED, replies).await;
    assert!(matches!(outcome.unwrap(), Created::Created(_)));
    assert_eq!(requests, [CREATE, READ, CREATE, READ]);
}

#[tokio::test(start_paused = true)]
async fn a_failing_webhook_is_asked_once() {
    let webhook = Reply::status(500, "InternalError", "failed calling webhook");
    let (outcome, requests) = create(&MARKED, vec![webhook, absent()]).await;
    assert_eq!(outcome.unwrap_err().status(), Some(500));
    assert_eq!(requests, [CREATE, READ]);
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_not_looked_for() {
    let (outcome, requests) = create(&MARKED, vec![Reply::status(422, "Invalid", "no")]).await;
    assert_eq!(outcome.unwrap_err().reason(), Some("Invalid"));
    assert_eq!(requests, [CREATE]);
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_is_repeated_freely_and_looks_for_nothing() {
    let creation = Creation { dry_run: true, mark: None };
    let (outcome, requests) = create(&creation, vec![Reply::Lost, ours()]).await;
    assert!(matches!(outcome.unwrap(), Created::Created(_)));
    let dry = format!("{CREATE}&dryRun=All");
    assert_eq!(requests, [dry.as_str(), dry.as_str()]);

    let (outcome, requests) = create(&creation, vec![Reply::text(500, "")]).await;
    assert_eq!(outcome.unwrap_err().status(), Some(500));
    assert!(requests.iter().all(|request| *request == dry), "{requests:?}");
}

#[tokio::test(start_paused = true)]
async fn an_object_without_the_namespace_it_needs_is_not_sent() {
    let (cluster, log) = Cluster::scripted(vec![ours()]);
    let sent = object(config_map("web", "mine"));
    let outcome = cluster.create(&config_maps(), None, &sent, &MARKED).await;
    assert!(matches!(outcome, Err(Error::InvalidName { .. })), "{outcome:?}");
    assert!(lines(&log).is_empty());
}

#[tokio::test(start_paused = true)]
async fn reading_keeps_every_field_and_yields_nothing_for_what_is_absent() {
    let odd = json!({"metadata": {"name": "web", "future": {"a": [1.5, null]}}});
    let (cluster, _) = Cluster::scripted(vec![Reply::json(200, &odd), absent(), absent()]);
    let maps = config_maps();
    let read = cluster.get(&maps, Some("shop"), "web").await.unwrap();
    assert_eq!(Value::Object(read.unwrap()), odd);
    assert_eq!(cluster.get(&maps, Some("shop"), "web").await.unwrap(), None);
    assert_eq!(cluster.get_raw(&maps, Some("shop"), "web").await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn raw_objects_carry_their_type() {
    let (cluster, _) = Cluster::scripted(vec![Reply::text(200, r#"{"metadata":{"name":"web"}}"#)]);
    let raw = cluster.get_raw(&config_maps(), Some("shop"), "web").await.unwrap().unwrap();
    assert_eq!(raw, r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"web"}}"#);
}

#[tokio::test(start_paused = true)]
async fn names_with_colons_reach_their_object() {
    let roles = kind("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", false);
    let (cluster, log) = Cluster::scripted(vec![Reply::json(200, &json!({}))]);
    cluster.get(&roles, None, "system:node").await.unwrap();
    let path = "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode";
    assert_eq!(lines(&log), [format!("GET {path}")]);
}

#[tokio::test(start_paused = true)]
async fn a_patch_is_a_merge_patch_and_repeated() {
    let (cluster, log) = Cluster::scripted(vec![Reply::Lost, ours()]);
    let patch = json!({"metadata": {"resourceVersion": "7", "labels": {"a": null}}});
    cluster.merge_patch(&config_maps(), Some("shop"), "web", &patch).await.unwrap();
    let log = requests(&log);
    assert_eq!(log.len(), 2);
    assert_eq!(log[1].content_type, "application/merge-patch+json");
    assert_eq!((log[1].method.as_str(), &log[1].body), ("PATCH", &patch));
    assert_eq!(log[1].path, "/api/v1/namespaces/shop/configmaps/web?fieldManager=bowline");
}

#[tokio::test(start_paused = true)]
async fn a_deletion_names_uid_and_propagation_and_is_done_when_nothing_is_there() {
    let (cluster, log) = Cluster::scripted(vec![Reply::Lost, absent()]);
    let deletion = Deletion {
        uid: Some("u-1"),
        resource_version: Some("7"),
        propagation: Propagation::Orphan,
    };
    cluster.delete(&config_maps(), Some("shop"), "web", &deletion).await.unwrap();
    let log = requests(&log);
    assert_eq!(log.len(), 2);
    let expected = json!({"apiVersion": "v1", "kind": "DeleteOptions",
        "propagationPolicy": "Orphan", "preconditions": {"uid": "u-1", "resourceVersion": "7"}});
    assert_eq!((log[0].method.as_str(), &log[0].body), ("DELETE", &expected));
}

#[tokio::test(start_paused = true)]
async fn deleting_another_object_of_that_name_is_a_conflict() {
    let (cluster, _) = Cluster::scripted(vec![Reply::status(409, "Conflict", "uid differs")]);
    let deletion = Deletion { uid: Some("u-1"), ..Deletion::default() };
    let outcome = cluster.delete(&config_maps(), Some("shop"), "web", &deletion).await;
    assert!(outcome.unwrap_err().is_conflict());
}
