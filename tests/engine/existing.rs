//! Objects that exist already and differ: left, changed or made anew, as the policy has it.

use std::collections::BTreeMap;

use bowline::engine::model::restore::ExistingResourcePolicy::{self, Recreate, Update};
use bowline::engine::report::{Phase, RestoreReport};
use bowline::engine::restore::{PlannedItem, Request, Verdict};
use serde_json::{Value, json};

use crate::application::{NODE_PORT, backed_up, backup, object, restore, source};
use crate::equality::stripped;
use crate::fake_cluster::FakeCluster;
use crate::fake_world::World;
use crate::faults::Script;

const SETTINGS: &str = "configmaps/shop/settings";
const SERVICE: &str = "services/shop/web";
const DEPLOYMENT: &str = "deployments.apps/shop/web";
const SET: &str = "statefulsets.apps/shop/db";
const WIDGET: &str = "widgets.example.com/shop/main";

fn with(policy: ExistingResourcePolicy) -> Request {
    let mut request = restore("rescue");
    request.spec.existing_resource_policy = Some(policy);
    request
}

/// The cluster that was backed up, in which these objects were changed since.
async fn changed(ids: &[&str]) -> (World, BTreeMap<String, Value>) {
    let world = backed_up().await;
    let before = comparable(&world.cluster, "shop");
    for id in ids {
        world.cluster.edit(id, change);
    }
    (world, before)
}

/// What somebody did to an object since it was backed up.
fn change(object: &mut Value) {
    object["metadata"]["labels"]["changed"] = json!("yes");
    match object["kind"].as_str().unwrap_or_default() {
        "ConfigMap" => object["data"] = json!({"a": "another", "more": "x"}),
        "Service" => object["spec"]["ports"][0]["targetPort"] = json!(8080),
        "Deployment" => {
            object["spec"]["selector"]["matchLabels"]["tier"] = json!("front");
            object["spec"]["template"]["metadata"]["labels"]["tier"] = json!("front");
        }
        "StatefulSet" => object["spec"]["serviceName"] = json!("another"),
        "Widget" => object["spec"]["size"] = json!(7),
        _ => {}
    }
}

async fn plan(world: &World, request: &Request) -> Vec<PlannedItem> {
    let process = world.start(Script::Sound);
    let items = process.engine.plan_restore(request).await.unwrap().items;
    assert_eq!(process.faults.calls(), [""; 0]);
    items
}

/// The objects of a namespace, without what may differ.
fn comparable(cluster: &FakeCluster, namespace: &str) -> BTreeMap<String, Value> {
    let within = |object: &Value| object["metadata"]["namespace"] == namespace;
    let all = cluster.objects().into_iter().filter(|(_, object)| within(object));
    all.map(|(id, object)| (id.clone(), stripped(&id, object))).collect()
}

/// What the plan makes of an object: verdict and reason.
async fn planned(world: &World, request: &Request, id: &str) -> (Verdict, String) {
    let name = |it: &PlannedItem| match &it.namespace {
        Some(namespace) => format!("{}/{namespace}/{}", it.resource, it.name),
        None => format!("{}/{}", it.resource, it.name),
    };
    let item = plan(world, request).await.into_iter().find(|it| name(it) == id).unwrap();
    (item.verdict, item.reason.unwrap_or_default())
}

fn uid(world: &World, id: &str) -> Value {
    world.cluster.get(id)["metadata"]["uid"].clone()
}

/// The only error of a report.
#[track_caller]
fn error(report: &RestoreReport) -> (&str, &str) {
    let [error] = &report.errors[..] else { panic!("{:?}", report.errors) };
    (error.operation.as_deref().unwrap(), &error.message)
}

#[tokio::test(start_paused = true)]
async fn what_differs_is_changed_in_place_and_only_where_it_differs() {
    let (world, before) = changed(&[SETTINGS, SERVICE, WIDGET]).await;
    let kept = [SETTINGS, SERVICE, WIDGET].map(|id| uid(&world, id));
    let address = world.cluster.get(SERVICE)["spec"]["clusterIP"].clone();
    for id in [SETTINGS, SERVICE, WIDGET] {
        assert_eq!(planned(&world, &with(Update), id).await.0, Verdict::Update, "{id}");
    }
    let report = world.restore(&with(Update)).await.unwrap();
    assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
    assert_eq!((report.items.updated, report.items.created), (3, 0));
    assert_eq!(comparable(&world.cluster, "shop"), before);
    assert_eq!([SETTINGS, SERVICE, WIDGET].map(|id| uid(&world, id)), kept);
    assert_eq!(world.cluster.get(SERVICE)["spec"]["clusterIP"], address);
    let changes = world.cluster.changes();
    let mut again = with(Update);
    again.name = "again".to_owned();
    let report = world.restore(&again).await.unwrap();
    assert_eq!((report.items.updated, report.items.created, report.items.failed), (0, 0, 0));
    assert_eq!(world.cluster.changes(), changes);
}

#[tokio::test(start_paused = true)]
async fn what_differs_is_made_anew_and_a_set_keeps_its_pods_and_claims() {
    let (world, before) = changed(&[SETTINGS, SERVICE, DEPLOYMENT, SET]).await;
    let old = [SETTINGS, SERVICE, DEPLOYMENT, SET].map(|id| uid(&world, id));
    let kept = ["pods/shop/db-0", "persistentvolumeclaims/shop/data-db-0"];
    let kept_uids = kept.map(|id| uid(&world, id));
    for id in [SETTINGS, SERVICE, DEPLOYMENT, SET] {
        assert_eq!(planned(&world, &with(Recreate), id).await.0, Verdict::Recreate, "{id}");
    }
    let report = world.restore(&with(Recreate)).await.unwrap();
    assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
    assert_eq!((report.items.updated, report.items.created), (4, 0));
    assert_eq!(comparable(&world.cluster, "shop"), before);
    let new = [SETTINGS, SERVICE, DEPLOYMENT, SET].map(|id| uid(&world, id));
    assert!(old.iter().zip(&new).all(|(old, new)| old != new), "{old:?} {new:?}");
    assert_eq!(kept.map(|id| uid(&world, id)), kept_uids);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_done_is_left_and_the_plan_says_why_and_what_could_be() {
    let (world, _) = changed(&[DEPLOYMENT, SET, WIDGET]).await;
    for (policy, id, why) in [
        (Update, DEPLOYMENT, "not updated: /spec/selector/matchLabels/tier cannot be changed"),
        (Update, SET, "not updated: /spec/serviceName cannot be changed"),
        (Recreate, WIDGET, "not recreated: nobody knows what would be deleted with it"),
    ] {
        let (verdict, reason) = planned(&world, &with(policy), id).await;
        assert_eq!(verdict, Verdict::Differs, "{id}");
        assert!(reason.ends_with(why), "{id}: {reason}");
    }
    let changes = world.cluster.changes().len();
    let report = world.restore(&with(Update)).await.unwrap();
    let hint =
        "it was left as it is; --existing-resource-policy=recreate deletes it and makes it anew";
    let hints = report.warnings.iter().filter(|it| it.operation.as_deref() == Some("compare"));
    assert_eq!(hints.map(|it| it.hint.as_deref().unwrap()).collect::<Vec<_>>(), [hint; 2]);
    assert_eq!(world.cluster.changes().len(), changes + 1, "the widget alone was changed");
}

#[tokio::test(start_paused = true)]
async fn a_service_is_not_deleted_whose_node_port_another_one_has() {
    let (world, _) = changed(&[SERVICE]).await;
    world.cluster.edit(SERVICE, |it| it["spec"]["ports"][0]["nodePort"] = json!(31999));
    assert_eq!(planned(&world, &with(Recreate), SERVICE).await.0, Verdict::Recreate);
    let ports =
        json!({"spec": {"type": "NodePort", "ports": [{"port": 1, "nodePort": NODE_PORT}]}});
    world.cluster.add(object("v1", "Service", "default", "squatter", &ports));
    let (verdict, reason) = planned(&world, &with(Recreate), SERVICE).await;
    assert_eq!(verdict, Verdict::Differs);
    let why = format!("not recreated: node port {NODE_PORT} is taken by service default/squatter");
    assert!(reason.ends_with(&why), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn a_claim_is_not_the_backups_because_its_volume_has_the_same_name() {
    let (world, _) = changed(&[]).await;
    let claim = "persistentvolumeclaims/shop/data-db-0";
    assert_eq!(planned(&world, &restore("rescue"), claim).await.0, Verdict::Unchanged);
    world.cluster.edit(claim, |it| it["metadata"]["uid"] = json!("made anew"));
    assert_eq!(planned(&world, &restore("rescue"), claim).await.0, Verdict::Unchanged);
    let name = world.cluster.get(claim)["spec"]["volumeName"].as_str().unwrap().to_owned();
    world.cluster.edit(&format!("persistentvolumes/{name}"), |it| {
        it["spec"]["csi"]["volumeHandle"] = json!("vol-of-another");
    });
    let (verdict, reason) = planned(&world, &restore("rescue"), claim).await;
    assert_eq!(verdict, Verdict::Refuse);
    assert!(reason.contains("was not made of this backup"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn what_would_go_along_and_not_come_again_spares_its_owner() {
    for owned in ["configmaps/shop/widget-child", "persistentvolumeclaims/shop/files"] {
        let (world, _) = changed(&[DEPLOYMENT]).await;
        let owner = json!([{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web",
            "uid": uid(&world, DEPLOYMENT)}]);
        world.cluster.edit(owned, |it| it["metadata"]["ownerReferences"] = owner);
        let (verdict, reason) = planned(&world, &with(Recreate), DEPLOYMENT).await;
        assert_eq!(verdict, Verdict::Differs);
        let why = format!("not recreated: {owned} belongs to it and would be deleted with it");
        assert!(reason.ends_with(&why), "{reason}");
        world.restore(&with(Recreate)).await.unwrap();
        assert_eq!(world.cluster.collected(), [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_belongs_to_an_object_that_is_made_anew_gets_its_new_identity() {
    let source = source();
    let mut child = object("v1", "ConfigMap", "shop", "child", &json!({"data": {"a": "b"}}));
    child["metadata"]["ownerReferences"] = json!([{"apiVersion": "apps/v1", "kind": "Deployment",
        "name": "web", "uid": uid(&source, DEPLOYMENT)}]);
    source.cluster.add(child);
    source.back_up(&backup()).await.unwrap();
    source.cluster.remove("configmaps/shop/child");
    source.cluster.edit(DEPLOYMENT, change);
    let report = source.restore(&with(Recreate)).await.unwrap();
    assert_eq!((report.items.created, report.items.updated), (1, 1), "{:?}", report.errors);
    let owners = source.cluster.get("configmaps/shop/child")["metadata"]["ownerReferences"].clone();
    assert_eq!(owners[0]["uid"], uid(&source, DEPLOYMENT));
    assert!(!source.cluster.collected().iter().any(|it| it.starts_with("configmaps")));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_deleted_that_the_target_would_not_take_again() {
    let (world, _) = changed(&[SETTINGS]).await;
    let before = uid(&world, SETTINGS);
    world.cluster.refuse_creates("configmaps", true);
    let report = world.restore(&with(Recreate)).await.unwrap();
    assert_eq!(report.phase, Phase::PartiallyFailed);
    let (operation, message) = error(&report);
    assert_eq!(operation, "recreate");
    assert!(message.starts_with("nothing was deleted, as the target would not take"), "{message}");
    assert_eq!(uid(&world, SETTINGS), before);
}

#[tokio::test(start_paused = true)]
async fn what_finalizers_hold_is_an_error_that_names_them() {
    let (world, before) = changed(&[SETTINGS]).await;
    let hold = |finalizers: Value| {
        world.cluster.edit(SETTINGS, |it| it["metadata"]["finalizers"] = finalizers);
    };
    hold(json!(["example.com/hold"]));
    let report = world.restore(&with(Recreate)).await.unwrap();
    let (operation, message) = error(&report);
    assert_eq!(operation, "recreate");
    assert!(message.contains("example.com/hold holds it"), "{message}");
    // Let go by its finalizer, it is gone, and restoring again makes it.
    hold(json!([]));
    world.cluster.remove(SETTINGS);
    let mut again = with(Recreate);
    again.name = "again".to_owned();
    let report = world.restore(&again).await.unwrap();
    assert_eq!((report.phase, report.items.created), (Phase::Completed, 1));
    assert_eq!(comparable(&world.cluster, "shop"), before);
}

/// Restores while somebody does something between the plan and the first change.
async fn meanwhile(
    policy: ExistingResourcePolicy,
    act: impl FnOnce(&World),
) -> (World, RestoreReport) {
    let (world, _) = changed(&[SETTINGS]).await;
    let process = world.start(Script::Waits(0));
    let request = with(policy);
    let other = async {
        process.faults.waiting().await;
        act(&world);
        process.faults.release();
    };
    let (report, ()) = tokio::join!(process.restore(&request), other);
    (world, report.unwrap().unwrap())
}

#[tokio::test(start_paused = true)]
async fn what_somebody_changes_after_the_plan_is_never_overwritten() {
    for (policy, operation) in [(Update, "update"), (Recreate, "recreate")] {
        let (world, report) = meanwhile(policy, |world| {
            world.cluster.edit(SETTINGS, |it| it["data"]["new"] = json!("precious"));
        })
        .await;
        let (found, message) = error(&report);
        assert_eq!(found, operation);
        assert!(message.ends_with("since it was compared: in /data/new"), "{message}");
        assert_eq!(world.cluster.get(SETTINGS)["data"]["new"], "precious");
        let (world, report) = meanwhile(policy, |world| {
            world.cluster.edit(SETTINGS, |it| it["data"]["a"] = json!("precious"));
        })
        .await;
        assert!(error(&report).1.ends_with("since it was compared: in /data/a"), "{report:?}");
        assert_eq!(world.cluster.get(SETTINGS)["data"]["a"], "precious");
        let (world, report) = meanwhile(policy, |world| {
            world.cluster.remove(SETTINGS);
            let mine = json!({"data": {"mine": "precious"}});
            world.cluster.add(object("v1", "ConfigMap", "shop", "settings", &mine));
        })
        .await;
        assert!(error(&report).1.starts_with("another one took its place"), "{report:?}");
        assert_eq!(world.cluster.get(SETTINGS)["data"], json!({"mine": "precious"}));
    }
}

fn change_back(settings: &mut Value) {
    settings["data"] = json!({"a": "b"});
    settings["metadata"]["labels"] = json!({});
}

#[tokio::test(start_paused = true)]
async fn what_is_as_it_should_be_by_then_is_left_alone() {
    for policy in [Update, Recreate] {
        let (_, report) = meanwhile(policy, |world| {
            world.cluster.edit(SETTINGS, change_back);
        })
        .await;
        assert_eq!(report.errors, []);
        assert_eq!(report.items.updated, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn the_rights_to_change_and_to_delete_are_asked_for_first() {
    for (policy, right) in [(Update, "patch configmaps"), (Recreate, "delete configmaps")] {
        let (world, _) = changed(&[SETTINGS]).await;
        world.cluster.deny(right);
        let changes = world.cluster.changes();
        let error = world.restore(&with(policy)).await.unwrap_err();
        assert!(format!("{error:?}").contains(&format!("{right} in shop")), "{error:?}");
        assert_eq!(world.cluster.changes(), changes);
    }
}

/// Lets a restore break at every one of its calls, and runs it again each time.
async fn broken_at_every_call(
    policy: ExistingResourcePolicy,
    script: fn(usize) -> Script,
) -> usize {
    let (source, before) = changed(&[SETTINGS, SERVICE, DEPLOYMENT, SET, WIDGET]).await;
    for call in 0.. {
        let world = source.copy().await;
        let process = world.start(script(call));
        let result = process.restore(&with(policy)).await;
        if !process.faults.struck() {
            return call;
        }
        let place = format!("{policy:?}, {:?}, {}", script(call), process.faults.victim());
        if !matches!(&result, Some(Ok(report)) if report.phase == Phase::Completed) {
            let report = world.restore(&with(policy)).await.unwrap();
            assert_eq!(report.errors, [], "{place}");
        }
        is_brought_back(&world, &before, policy, &place);
        assert_eq!(world.cluster.provisioned(), source.cluster.provisioned(), "{place}");
    }
    0
}

/// Everything is as it was backed up, but for what this policy does not touch.
#[track_caller]
fn is_brought_back(
    world: &World,
    before: &BTreeMap<String, Value>,
    policy: ExistingResourcePolicy,
    place: &str,
) {
    let left: &[&str] = if policy == Update { &[DEPLOYMENT, SET] } else { &[WIDGET] };
    let (mut after, mut before) = (comparable(&world.cluster, "shop"), before.clone());
    for id in left {
        assert!(after.remove(*id).is_some() && before.remove(*id).is_some(), "{place}");
    }
    assert_eq!(after, before, "{place}");
}

#[tokio::test(start_paused = true)]
async fn an_update_that_is_killed_or_loses_a_reply_anywhere_is_finished_by_the_same_command() {
    for script in SCRIPTS {
        let calls = broken_at_every_call(Update, script).await;
        assert!(calls >= 5, "{calls} calls");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_killed_between_deleting_and_making_anew_is_brought_back_by_the_same_command() {
    for script in SCRIPTS {
        let calls = broken_at_every_call(Recreate, script).await;
        assert!(calls >= 14, "{calls} calls");
    }
}

const SCRIPTS: [fn(usize) -> Script; 4] =
    [Script::KilledBefore, Script::CutOffFrom, Script::LosesReply, Script::Fails];

#[tokio::test(start_paused = true)]
async fn a_service_that_is_made_anew_comes_back_although_its_node_port_was_taken_in_between() {
    let (world, _) = changed(&[SERVICE]).await;
    let request = with(Recreate);
    let trial = world.copy().await.start(Script::Sound);
    trial.restore(&request).await.unwrap().unwrap();
    let calls = trial.faults.calls();
    let made = |call: &String| call == "POST /api/v1/namespaces/shop/services/web";
    let process = world.start(Script::Waits(calls.iter().position(made).unwrap()));
    let meddle = async {
        process.faults.waiting().await;
        assert_eq!(world.cluster.find(SERVICE), None, "it was deleted");
        let ports =
            json!({"spec": {"type": "NodePort", "ports": [{"port": 1, "nodePort": NODE_PORT}]}});
        world.cluster.add(object("v1", "Service", "default", "squatter", &ports));
        process.faults.release();
    };
    let (report, ()) = tokio::join!(process.restore(&request), meddle);
    assert_eq!(report.unwrap().unwrap().phase, Phase::Completed);
    let port = &world.cluster.get(SERVICE)["spec"]["ports"][0]["nodePort"];
    assert_ne!(*port, NODE_PORT);
}

#[tokio::test(start_paused = true)]
async fn another_object_that_took_the_name_is_not_deleted_in_its_place() {
    let (world, _) = changed(&[SERVICE]).await;
    let request = with(Recreate);
    let trial = world.copy().await.start(Script::Sound);
    trial.restore(&request).await.unwrap().unwrap();
    let calls = trial.faults.calls();
    let deleted = |call: &String| call == "DELETE /api/v1/namespaces/shop/services/web";
    let process = world.start(Script::Waits(calls.iter().position(deleted).unwrap()));
    let meddle = async {
        process.faults.waiting().await;
        world.cluster.edit(SERVICE, |it| it["metadata"]["uid"] = json!("of another"));
        process.faults.release();
    };
    let (report, ()) = tokio::join!(process.restore(&request), meddle);
    assert_eq!(report.unwrap().unwrap().phase, Phase::PartiallyFailed);
    assert_eq!(world.cluster.get(SERVICE)["metadata"]["uid"], "of another");
}
