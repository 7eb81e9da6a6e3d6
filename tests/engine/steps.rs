//! What shapes, serves or looks after others comes when it has to; what is in the way is awaited.

use std::time::Duration;

use bowline::engine::backup;
use bowline::engine::model::backup::BackupSpec;
use bowline::engine::model::restore::ExistingResourcePolicy;
use bowline::engine::report::{Phase, RestoreReport};
use bowline::engine::restore;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::application::{backed_up, faults_of, object, restore, source, target};
use crate::fake_cluster::FakeCluster;
use crate::fake_world::World;
use crate::faults::Script;

const RBAC: &str = "rbac.authorization.k8s.io/v1";

/// Backs up namespace `shop`, with everything that belongs to no namespace.
pub(crate) async fn back_up_all(world: &World) {
    let spec = BackupSpec {
        included_namespaces: vec!["shop".to_owned()],
        include_cluster_resources: Some(true),
        ..BackupSpec::default()
    };
    let request = backup::Request { name: "nightly".to_owned(), spec, ..<_>::default() };
    assert_eq!(world.back_up(&request).await.unwrap().errors, []);
}

fn deployment(namespace: &str, name: &str) -> Value {
    let pods = json!({"metadata": {"labels": {"app": name}},
        "spec": {"serviceAccountName": name, "containers": []}});
    object(
        "apps/v1",
        "Deployment",
        namespace,
        name,
        &json!({"spec": {"replicas": 1,
        "selector": {"matchLabels": {"app": name}}, "template": pods}}),
    )
}

/// An injector for the pods of deployment `web`, with its backend in the same namespace.
pub(crate) fn add_injector(cluster: &FakeCluster, policy: &str) {
    cluster.add(deployment("shop", "injector"));
    let selector = json!({"spec": {"selector": {"app": "injector"}, "ports": [{"port": 443}]}});
    cluster.add(object("v1", "Service", "shop", "injector", &selector));
    let webhook = json!({"name": "inject.example.com", "failurePolicy": policy,
        "clientConfig": {"service": {"namespace": "shop", "name": "injector"}},
        "objectSelector": {"matchLabels": {"app": "web"}},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "operations": ["CREATE"]}]});
    cluster.add(json!({"apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration", "metadata": {"name": "injector"},
        "webhooks": [webhook]}));
}

/// An account of this name that may write widgets everywhere.
fn add_operator(cluster: &FakeCluster, namespace: &str) {
    let rule = json!({"apiGroups": ["example.com"], "resources": ["widgets"], "verbs": ["update"]});
    cluster.add(json!({"apiVersion": RBAC, "kind": "ClusterRole",
        "metadata": {"name": "operator"}, "rules": [rule]}));
    cluster.add(json!({"apiVersion": RBAC, "kind": "ClusterRoleBinding",
        "metadata": {"name": "operator"},
        "subjects": [{"kind": "ServiceAccount", "namespace": namespace, "name": "operator"}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
            "name": "operator"}}));
    cluster.add(object("v1", "ServiceAccount", namespace, "operator", &json!({})));
    cluster.add(deployment(namespace, "operator"));
}

/// The place of a change among all.
#[track_caller]
fn place(world: &World, change: &str) -> usize {
    let changes = world.cluster.changes();
    let found = changes.iter().position(|it| it.ends_with(change));
    found.unwrap_or_else(|| panic!("{change} is not one of {changes:#?}"))
}

#[track_caller]
fn error<'a>(report: &'a RestoreReport, resource: &str, name: &str) -> &'a str {
    let of_it = |it: &&bowline::engine::report::Problem| {
        it.resource.as_deref() == Some(resource) && it.name.as_deref() == Some(name)
    };
    let found = report.errors.iter().find(of_it);
    &found.unwrap_or_else(|| panic!("{resource} {name}: {:#?}", report.errors)).message
}

/// A target in which the namespace of the application is being deleted.
async fn ending() -> World {
    let world = target(&backed_up().await);
    let shop = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
    world.cluster.add(shop);
    world.cluster.add(object("v1", "ConfigMap", "shop", "settings", &json!({"data": {"a": "b"}})));
    let condition = json!({"type": "NamespaceContentRemaining", "status": "True",
        "message": "Some resources are remaining: configmaps. has 1 resource instances"});
    world.cluster.edit("namespaces/shop", |namespace| {
        namespace["metadata"]["deletionTimestamp"] = json!("2026-03-01T01:00:00Z");
        namespace["status"] = json!({"phase": "Terminating", "conditions": [condition]});
    });
    world
}

/// <https://github.com/velero-io/velero/issues/9988>: it waited ten minutes for each object.
#[tokio::test(start_paused = true)]
async fn a_namespace_that_stays_terminating_is_one_error_and_nothing_is_made_in_it() {
    let world = ending().await;
    let before = world.cluster.names_in("shop");
    let began = tokio::time::Instant::now();
    let report = world.restore(&restore("rescue")).await.unwrap();
    assert_eq!(report.phase, Phase::PartiallyFailed);
    let [only] = &report.errors[..] else { panic!("{:#?}", report.errors) };
    assert_eq!(
        (only.resource.as_deref(), only.name.as_deref()),
        (Some("namespaces"), Some("shop"))
    );
    assert!(only.message.contains("after 600 s"), "{}", only.message);
    assert!(only.message.contains("configmaps. has 1 resource instances"), "{}", only.message);
    assert!(only.hint.as_ref().unwrap().contains("bowline restore resume rescue"));
    assert_eq!(world.cluster.names_in("shop"), before);
    assert!(world.cloud.volumes().is_empty() && report.items.failed > 5, "{:?}", report.items);
    assert!(began.elapsed() < Duration::from_mins(12), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_is_gone_in_time_comes_back_whole_and_its_old_objects_count_for_nothing() {
    let world = ending().await;
    let process = world.start(Script::Sound);
    let plan = process.engine.plan_restore(&restore("rescue")).await.unwrap();
    let planned = |name: &str| plan.items.iter().find(|it| it.name == name).unwrap();
    let awaited = "the one that is there is being deleted; awaited";
    assert_eq!(planned("shop").reason.as_deref(), Some(awaited));
    assert_eq!(planned("settings").verdict, restore::Verdict::Create, "the old one goes");
    let gone = async {
        // Virtual time: the restore waits meanwhile.
        timeout(Duration::from_secs(90), std::future::pending::<()>()).await.unwrap_err();
        world.cluster.remove("configmaps/shop/settings");
        for name in world.cluster.names_in("shop") {
            let (resource, name) = name.split_once('/').unwrap();
            world.cluster.remove(&format!("{resource}/shop/{name}"));
        }
        world.cluster.remove("namespaces/shop");
    };
    let request = restore("rescue");
    let (report, ()) = tokio::join!(process.restore(&request), gone);
    let report = report.unwrap().unwrap();
    assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
}

#[tokio::test(start_paused = true)]
async fn an_injector_of_the_backup_answers_before_the_pods_that_it_shapes_are_made() {
    let origin = source();
    add_injector(&origin.cluster, "Fail");
    back_up_all(&origin).await;
    let world = target(&origin);
    let report = world.restore(&restore("rescue")).await.unwrap();
    assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
    let backend = place(&world, "deployments/injector");
    let registration = place(&world, "mutatingwebhookconfigurations/injector");
    let shaped = place(&world, "deployments/web");
    assert!(backend < registration && registration < shaped, "{:#?}", world.cluster.changes());
}

#[tokio::test(start_paused = true)]
async fn without_an_injector_that_fails_closed_what_it_must_shape_is_held_back() {
    for (policy, is_made) in [("Fail", false), ("Ignore", true)] {
        let origin = source();
        add_injector(&origin.cluster, policy);
        back_up_all(&origin).await;
        let world = target(&origin);
        world.cluster.schedule_nothing("no node");
        let report = world.restore(&restore("rescue")).await.unwrap();
        let name = "mutatingwebhookconfigurations.admissionregistration.k8s.io";
        let message = error(&report, name, "injector");
        assert!(message.starts_with("not installed: service shop/injector has"), "{message}");
        let found = world.cluster.find("deployments.apps/shop/web");
        assert_eq!(found.is_some(), is_made, "{policy}: {message}");
        assert!(world.cluster.find("statefulsets.apps/shop/db").is_some(), "it is not matched");
        if is_made {
            assert!(message.ends_with("the pods of 1 workloads come up without it"), "{message}");
        } else {
            let held = error(&report, "deployments.apps", "web");
            let expected = format!(
                "not created: its pods must be shaped by {name}/injector, which is not installed"
            );
            assert_eq!(held, expected);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_operator_starts_after_its_custom_resources_and_what_they_own() {
    let origin = source();
    add_operator(&origin.cluster, "shop");
    back_up_all(&origin).await;
    let world = target(&origin);
    let report = world.restore(&restore("rescue")).await.unwrap();
    assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
    let operator = place(&world, "deployments/operator");
    for earlier in ["widgets/main", "configmaps/widget-child", "statefulsets/db", "deployments/web"]
    {
        assert!(place(&world, earlier) < operator, "{earlier}");
    }
    let linked = world.cluster.changes();
    let linked =
        linked.iter().position(|it| it.starts_with("PATCH") && it.contains("widget-child"));
    assert!(linked.unwrap() < operator, "linked before the operator starts");
}

/// A target in which an operator of widgets runs.
fn operated(source: &World) -> World {
    let world = target(source);
    let ops = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ops"}});
    world.cluster.add(ops);
    add_operator(&world.cluster, "ops");
    world
}

fn quiet(name: &str) -> restore::Request {
    let mut request = restore("rescue");
    request.spec.quiesce = vec![name.to_owned()];
    request
}

#[tokio::test(start_paused = true)]
async fn an_operator_that_runs_in_the_target_is_named_with_what_would_quiet_it() {
    let process = operated(&backed_up().await).start(Script::Sound);
    let plan = process.engine.plan_restore(&restore("rescue")).await.unwrap();
    let named = plan.warnings.iter().find(|it| it.name.as_deref() == Some("operator")).unwrap();
    assert!(named.message.contains("widgets.example.com"), "{named:?}");
    assert!(named.hint.as_ref().unwrap().starts_with("--quiesce ops/operator "), "{named:?}");
    let plan = process.engine.plan_restore(&quiet("ops/operator")).await.unwrap();
    let [told] = &plan.warnings[..] else { panic!("{:#?}", plan.warnings) };
    assert!(told.message.starts_with("is scaled down from 1 pods"), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_quiet_workload_that_answers_for_a_webhook_which_fails_closed_is_named() {
    let world = operated(&backed_up().await);
    for (name, app) in [("guard", "operator"), ("other", "another")] {
        let selector = json!({"spec": {"selector": {"app": app}, "ports": [{"port": 443}]}});
        world.cluster.add(object("v1", "Service", "ops", name, &selector));
    }
    for (name, service, policy) in [
        ("strict", "guard", "Fail"),
        ("lenient", "guard", "Ignore"),
        ("elsewhere", "other", "Fail"),
    ] {
        let service = json!({"namespace": "ops", "name": service});
        let webhook = json!({"name": "guard.example.com", "failurePolicy": policy,
            "clientConfig": {"service": service}});
        world.cluster.add(json!({"apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration", "metadata": {"name": name},
            "webhooks": [webhook]}));
    }
    let report = world.restore(&quiet("ops/operator")).await.unwrap();
    let [told] = &report.warnings[..] else { panic!("{:#?}", report.warnings) };
    assert_eq!(
        (told.name.as_deref(), told.operation.as_deref()),
        (Some("operator"), Some("quiesce"))
    );
    let expected = "it answers for mutatingwebhookconfigurations strict, which fails closed: ";
    assert!(told.message.starts_with(expected), "{told:?}");

    world.cluster.forbid("mutatingwebhookconfigurations.admissionregistration.k8s.io");
    let process = world.start(Script::Sound);
    let mut again = quiet("ops/operator");
    "again".clone_into(&mut again.name);
    let plan = process.engine.plan_restore(&again).await.unwrap();
    let is_unknown = |it: &bowline::engine::report::Problem| {
        it.message.starts_with("whether webhooks fail while workloads are scaled down is not known")
    };
    assert!(plan.warnings.iter().any(is_unknown), "{:#?}", plan.warnings);
}

#[tokio::test(start_paused = true)]
async fn what_is_to_be_quiet_has_no_pods_before_anything_is_changed_and_has_them_again() {
    let world = operated(&backed_up().await);
    let before = world.cluster.get("deployments.apps/ops/operator");
    let report = world.restore(&quiet("ops/operator")).await.unwrap();
    assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
    let changes = world.cluster.changes();
    let scaled: Vec<usize> = (0..changes.len())
        .filter(|&it| changes[it].starts_with("PATCH") && changes[it].ends_with("/operator"))
        .collect();
    assert_eq!(scaled[0], 0, "{changes:#?}");
    assert!(scaled[1] > place(&world, "deployments/web"), "{changes:#?}");
    let after = world.cluster.get("deployments.apps/ops/operator");
    assert_eq!(after["spec"], before["spec"]);
    assert_eq!(after["metadata"]["annotations"].as_object().map(serde_json::Map::len), Some(0));
}

#[tokio::test(start_paused = true)]
async fn a_restore_that_is_killed_gives_the_quiet_ones_their_pods_back_when_it_goes_on() {
    let source = backed_up().await;
    let origin = operated(&source);
    for call in (0..).step_by(3) {
        let world = origin.copy().await;
        let request = quiet("ops/operator");
        let process = world.start(Script::KilledBefore(call));
        let is_done = process.restore(&request).await.is_some();
        if !is_done {
            world.restore(&request).await.unwrap();
        }
        let operator = world.cluster.get("deployments.apps/ops/operator");
        assert_eq!(operator["spec"]["replicas"], 1, "killed before call {call}");
        if is_done {
            assert!(call > 25, "{call} calls");
            assert_eq!(faults_of(&source, &world, "shop"), [""; 0]);
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_workload_that_is_not_there_cannot_be_quiet_and_nothing_is_done() {
    let world = operated(&backed_up().await);
    let process = world.start(Script::Sound);
    let refused = process.restore(&quiet("ops/operater")).await.unwrap().unwrap_err();
    let restore::Error::UnknownWorkload { name, similar } = refused else { panic!("{refused:?}") };
    assert_eq!((name.as_str(), similar.as_deref()), ("ops/operater", Some("ops/operator")));
    assert_eq!(process.faults.calls(), [""; 0]);
}

/// Whatever cannot be known to answer is not waited for.
#[tokio::test(start_paused = true)]
async fn an_injector_outside_of_the_cluster_is_installed_without_an_endpoint() {
    let origin = source();
    add_injector(&origin.cluster, "Ignore");
    origin.cluster.edit("services/shop/injector", |service| {
        service["spec"] = json!({"type": "ExternalName", "externalName": "inject.example.com"});
    });
    back_up_all(&origin).await;
    let report = target(&origin).restore(&restore("rescue")).await.unwrap();
    assert_eq!((report.phase, report.errors.as_slice()), (Phase::Completed, &[][..]));
}

#[tokio::test(start_paused = true)]
async fn an_injector_whose_backend_does_not_come_back_is_waited_for_briefly_and_named_as_awaited() {
    let origin = source();
    add_injector(&origin.cluster, "Ignore");
    origin.cluster.remove("deployments.apps/shop/injector");
    back_up_all(&origin).await;
    let world = target(&origin);
    let began = tokio::time::Instant::now();
    let report = world.restore(&restore("rescue")).await.unwrap();
    let name = "mutatingwebhookconfigurations.admissionregistration.k8s.io";
    assert!(error(&report, name, "injector").starts_with("not installed"));
    assert!(report.awaited.iter().any(|it| it.name == "injector"), "{:?}", report.awaited);
    assert!(began.elapsed() < Duration::from_mins(2), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_does_not_become_quiet_gets_its_pods_back_and_nothing_is_restored() {
    let world = operated(&backed_up().await);
    let mut stuck = object("v1", "Pod", "ops", "stuck", &json!({"spec": {"containers": []}}));
    stuck["metadata"]["labels"] = json!({"app": "operator"});
    world.cluster.add(stuck);
    let broken = world.restore(&quiet("ops/operator")).await;
    let Err(restore::Error::Broken { source, .. }) = &broken else { panic!("{broken:?}") };
    let why = "it still has pods 5 min after it was scaled down";
    assert!(source.to_string().contains(why) || format!("{source:?}").contains(why), "{source:?}");
    assert_eq!(world.cluster.get("deployments.apps/ops/operator")["spec"]["replicas"], 1);
    assert_eq!(world.cluster.find("namespaces/shop"), None);
}

#[tokio::test(start_paused = true)]
async fn what_is_scaled_down_is_not_made_anew_meanwhile() {
    let world = source();
    add_operator(&world.cluster, "shop");
    back_up_all(&world).await;
    world.cluster.edit("deployments.apps/shop/operator", |it| {
        it["spec"]["template"]["spec"]["priorityClassName"] = json!("high");
    });
    let mut request = quiet("shop/operator");
    request.spec.existing_resource_policy = Some(ExistingResourcePolicy::Recreate);
    let uid = |world: &World| {
        world.cluster.get("deployments.apps/shop/operator")["metadata"]["uid"].clone()
    };
    let before = uid(&world);
    let plan = world.start(Script::Sound).engine.plan_restore(&request).await.unwrap();
    let is_it =
        |it: &&restore::PlannedItem| it.resource == "deployments.apps" && it.name == "operator";
    let operator = plan.items.iter().find(is_it).unwrap();
    let why = "it differs, and is not made anew while it is scaled down";
    assert_eq!(
        (operator.verdict, operator.reason.as_deref()),
        (restore::Verdict::Refuse, Some(why))
    );
    world.restore(&request).await.unwrap();
    assert_eq!(uid(&world), before);
    assert_eq!(world.cluster.get("deployments.apps/shop/operator")["spec"]["replicas"], 1);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_being_deleted_is_awaited_and_never_taken_for_the_restored_one() {
    let source = backed_up().await;
    let dying = || {
        let world = target(&source);
        let shop = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
        world.cluster.add(shop);
        let same = json!({"data": {"a": "b"}});
        world.cluster.add(object("v1", "ConfigMap", "shop", "settings", &same));
        world.cluster.edit("configmaps/shop/settings", |it| {
            it["metadata"]["deletionTimestamp"] = json!("2026-03-01T01:00:00Z");
        });
        world
    };
    let report = dying().restore(&restore("rescue")).await.unwrap();
    let message = error(&report, "configmaps", "settings");
    assert_eq!(message, "the one that is there is still being deleted after 600 s");

    let world = dying();
    let gone = async {
        // Virtual time: the restore waits meanwhile.
        timeout(Duration::from_secs(90), std::future::pending::<()>()).await.unwrap_err();
        world.cluster.remove("configmaps/shop/settings");
    };
    let request = restore::Request { name: "another".to_owned(), ..restore("rescue") };
    let (report, ()) = tokio::join!(world.restore(&request), gone);
    assert_eq!(report.unwrap().phase, Phase::Completed);
    assert!(world.cluster.find("configmaps/shop/settings").is_some());
}

#[tokio::test(start_paused = true)]
async fn an_injector_that_nothing_of_the_restore_has_to_pass_is_installed_at_the_end() {
    let origin = source();
    add_injector(&origin.cluster, "Fail");
    let id = "mutatingwebhookconfigurations.admissionregistration.k8s.io/injector";
    origin.cluster.edit(id, |it| {
        it["webhooks"][0]["objectSelector"]["matchLabels"] = json!({"app": "nobody"});
    });
    back_up_all(&origin).await;
    let world = target(&origin);
    let report = world.restore(&restore("rescue")).await.unwrap();
    assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
    let registration = place(&world, "mutatingwebhookconfigurations/injector");
    assert!(place(&world, "deployments/web") < registration);
}
