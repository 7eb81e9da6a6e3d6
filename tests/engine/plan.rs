//! The plan says what the restore does, and does nothing itself.

use std::collections::BTreeMap;

use bowline::engine::report::{Phase, RestoreReport};
use bowline::engine::restore::{PlanDocument, Request, Verdict};
use serde_json::{Value, json};

use crate::application::{backed_up, backup, object, restore, source, target};
use crate::fake_world::World;
use crate::faults::Script;
use crate::records;

/// Plans, which must change nothing anywhere.
async fn planned(world: &World, request: &Request) -> PlanDocument {
    let process = world.start(Script::Sound);
    let plan = process.engine.plan_restore(request).await.unwrap();
    assert_eq!(process.faults.calls(), [""; 0]);
    plan
}

/// A target where some objects are there already: equal ones and one that differs.
async fn partly_filled() -> World {
    let world = target(&backed_up().await);
    world.cluster.add(json!({"apiVersion": "v1", "kind": "Namespace", "metadata":
        {"name": "shop", "labels": {"team": "shop"}}}));
    let settings = json!({"data": {"a": "another"}});
    world.cluster.add(object("v1", "ConfigMap", "shop", "settings", &settings));
    world.cluster.add(object("v1", "ServiceAccount", "shop", "web", &json!({})));
    world
}

/// What a plan promises, in the words of the records: objects by `resource namespace/name`.
fn promised(plan: &PlanDocument) -> BTreeMap<String, &'static str> {
    let word = |verdict| match verdict {
        Verdict::Create | Verdict::Reattach => "created",
        Verdict::Update | Verdict::Recreate => "updated",
        Verdict::Unchanged | Verdict::Skip => "skipped",
        Verdict::Differs | Verdict::Refuse => "failed",
    };
    let name = |it: &bowline::engine::restore::PlannedItem| match &it.namespace {
        Some(namespace) => format!("{namespace}/{}", it.name),
        None => it.name.clone(),
    };
    plan.items.iter().map(|it| (nameless(&it.resource, &name(it)), word(it.verdict))).collect()
}

/// The name of a new volume holds the restore's UID, which a dry run does not have yet.
fn nameless(resource: &str, name: &str) -> String {
    let volume = name.starts_with("bowline-").then(|| name.rsplit('-').next().unwrap_or_default());
    format!("{resource} {}", volume.unwrap_or(name))
}

/// What a restore did, by the plan's names.
async fn done(world: &World, restore: &str, plan: &PlanDocument) -> BTreeMap<String, String> {
    let mut done = BTreeMap::new();
    for line in records::outcomes(world, restore).await {
        let (kind, object) = line.split_once(' ').unwrap();
        let (name, outcome) = object.trim_end_matches(')').split_once('(').unwrap();
        let kind = kind.rsplit('/').next().unwrap().to_lowercase();
        let plural = |resource: &str| resource.split('.').next().unwrap() == format!("{kind}s");
        let special = if kind == "storageclass" { "storageclasses.storage.k8s.io" } else { "" };
        let resource = plan.items.iter().map(|it| it.resource.as_str());
        let resource = resource.into_iter().find(|it| plural(it) || *it == special).unwrap();
        done.insert(nameless(resource, name), outcome.to_owned());
    }
    done
}

#[tokio::test(start_paused = true)]
async fn a_restore_does_what_its_plan_says_of_every_object() {
    for world in [target(&backed_up().await), partly_filled().await] {
        let plan = planned(&world, &restore("rescue")).await;
        let report = world.restore(&restore("rescue")).await.unwrap();
        assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
        let mut promised = promised(&plan);
        // Made with its namespace before the restore comes to it, and found to be the same.
        let default = "serviceaccounts shop/default";
        let mut done = done(&world, "rescue", &plan).await;
        assert!(promised.remove(default).is_some() && done.remove(default).is_some());
        let promised: BTreeMap<String, String> =
            promised.into_iter().map(|(name, word)| (name, word.to_owned())).collect();
        assert_eq!(done, promised);
        assert_eq!(report.items.planned, plan.items.len() as u64);
    }
}

#[tokio::test(start_paused = true)]
async fn what_differs_is_left_as_it_is_and_told() {
    let world = partly_filled().await;
    let plan = planned(&world, &restore("rescue")).await;
    let settings = plan.items.iter().find(|it| it.name == "settings").unwrap();
    assert_eq!(settings.verdict, Verdict::Differs);
    assert!(settings.reason.as_deref().unwrap().contains("/data/a"), "{settings:?}");
    let told = serde_json::to_value(&settings.differences).unwrap();
    assert_eq!(told, json!([{"path": "/data/a", "backup": "b", "cluster": "another"}]));
    let report = world.restore(&restore("rescue")).await.unwrap();
    assert!(report.warnings.iter().any(|it| it.name.as_deref() == Some("settings")));
    assert_eq!(world.cluster.get("configmaps/shop/settings")["data"]["a"], "another");
}

#[tokio::test(start_paused = true)]
async fn a_second_restore_finds_everything_unchanged_and_changes_nothing() {
    let world = target(&backed_up().await);
    world.restore(&restore("rescue")).await.unwrap();
    let (changes, volumes) = (world.cluster.changes(), world.cloud.volumes().len());
    let plan = planned(&world, &restore("again")).await;
    for item in &plan.items {
        let fine = matches!(item.verdict, Verdict::Unchanged | Verdict::Skip);
        assert!(fine, "{item:?}");
    }
    assert!(plan.counts["unchanged"] >= 15, "{:?}", plan.counts);
    let report = world.restore(&restore("again")).await.unwrap();
    assert_eq!((report.phase, report.items.created), (Phase::Completed, 0));
    assert_eq!(world.cluster.changes(), changes);
    assert_eq!(world.cloud.volumes().len(), volumes);
}

#[tokio::test(start_paused = true)]
async fn what_a_controller_makes_again_is_left_to_it() {
    let world = target(&backed_up().await);
    world.restore(&restore("rescue")).await.unwrap();
    let made = world.cluster.changes();
    for resource in ["/pods/", "/replicasets/"] {
        assert!(!made.iter().any(|change| change.contains(resource)), "{resource}: {made:?}");
    }
    assert!(world.cluster.find("pods/shop/db-0").is_some());
}

#[tokio::test(start_paused = true)]
async fn what_every_cluster_has_of_its_own_comes_back_only_where_its_namespace_is_named() {
    let origin = source();
    let proxy = json!({"data": {"mode": "of another cluster"}});
    origin.cluster.add(object("v1", "ConfigMap", "kube-system", "proxy", &proxy));
    let mut everything = backup();
    everything.spec.included_namespaces.clear();
    assert_eq!(origin.back_up(&everything).await.unwrap().errors, []);
    let world = target(&origin);
    let mut named = restore("rescue");
    named.spec.included_namespaces = vec!["kube-system".to_owned()];
    for (request, verdict) in [(restore("rescue"), Verdict::Skip), (named, Verdict::Create)] {
        let plan = planned(&world, &request).await;
        let proxy = plan.items.iter().find(|it| it.name == "proxy").unwrap();
        assert_eq!(proxy.verdict, verdict, "{proxy:?}");
    }
    world.restore(&restore("rescue")).await.unwrap();
    assert_eq!(world.cluster.find("configmaps/kube-system/proxy"), None);
}

#[tokio::test(start_paused = true)]
async fn what_a_workload_made_that_is_there_and_differs_does_not_come_back_beside_it() {
    let world = target(&backed_up().await);
    world.restore(&restore("first")).await.unwrap();
    world.cluster.edit("deployments.apps/shop/web", |web| {
        web["spec"]["template"]["spec"]["containers"][0]["image"] = json!("app:2");
    });
    let id = "replicasets.apps/shop/web-7d9f";
    // The one that is there has made another one since.
    let mut live = world.cluster.get(id);
    live["metadata"]["name"] = json!("web-newer");
    world.cluster.add(live);
    let plan = planned(&world, &restore("again")).await;
    let of = |name: &str| plan.items.iter().find(|it| it.name == name).unwrap();
    assert_eq!(of("web-7d9f").verdict, Verdict::Skip, "{:?}", of("web-7d9f"));
    let reason = "deployments.apps/shop/web is there, and makes its own";
    assert_eq!(of("web-7d9f").reason.as_deref(), Some(reason));
    let pods = plan.items.iter().filter(|it| it.name.starts_with("web-7d9f-"));
    assert!(pods.clone().count() > 0 && pods.clone().all(|it| it.verdict == Verdict::Skip));
}

/// Restores while somebody makes an object just before the restore does.
async fn overtaken(origin: &World, create: &str, object: Value) -> RestoreReport {
    let request = restore("rescue");
    let rehearsal = target(&origin.copy().await).start(Script::Sound);
    rehearsal.engine.create_restore(&request).await.unwrap();
    let calls = rehearsal.faults.calls();
    let number = calls.iter().position(|call| call.ends_with(create));
    let number = number.unwrap_or_else(|| panic!("{create}: {calls:#?}"));
    let world = target(origin);
    let process = world.start(Script::Waits(number));
    let meddle = async {
        process.faults.waiting().await;
        world.cluster.add(object);
        process.faults.release();
    };
    let (report, ()) = tokio::join!(process.engine.create_restore(&request), meddle);
    report.unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_somebody_makes_after_the_plan_and_that_differs_is_told_and_not_called_unchanged() {
    let other = object("v1", "ConfigMap", "shop", "settings", &json!({"data": {"a": "another"}}));
    let report = overtaken(&backed_up().await, "/shop/configmaps/settings", other).await;
    let told: Vec<_> = report.warnings.iter().map(ToString::to_string).collect();
    let expected = "configmaps/shop/settings: it was made meanwhile and differs in /data/a";
    assert!(told.iter().any(|it| it == expected), "{told:?}");
    assert_eq!(report.kinds["configmaps"].unchanged, 0, "{:?}", report.kinds);
}

#[tokio::test(start_paused = true)]
async fn a_claim_without_a_volume_that_somebody_makes_after_the_plan_is_an_error() {
    let origin = source();
    let claim = |mode: &str| {
        let spec = json!({"accessModes": [mode], "storageClassName": "nobody",
            "resources": {"requests": {"storage": "1Gi"}}});
        object("v1", "PersistentVolumeClaim", "shop", "pending", &json!({"spec": spec}))
    };
    origin.cluster.add(claim("ReadWriteOnce"));
    assert_eq!(origin.back_up(&backup()).await.unwrap().errors, []);
    let create = "/shop/persistentvolumeclaims/pending";
    let report = overtaken(&origin, create, claim("ReadWriteMany")).await;
    assert_eq!(report.phase, Phase::PartiallyFailed);
    let told: Vec<_> = report.errors.iter().map(ToString::to_string).collect();
    let expected = "persistentvolumeclaims/shop/pending: something else made this claim meanwhile; \
                    its data is not the backup's";
    assert_eq!(told, [expected]);
}

#[tokio::test(start_paused = true)]
async fn what_the_api_server_refuses_is_reported_with_its_status() {
    let world = target(&backed_up().await);
    world.cluster.refuse_creates("services", true);
    let report = world.restore(&restore("rescue")).await.unwrap();
    let [only] = &report.errors[..] else { panic!("{:#?}", report.errors) };
    let told = (only.resource.as_deref(), only.operation.as_deref(), only.status);
    assert_eq!(told, (Some("services"), Some("create"), Some(403)));
}
