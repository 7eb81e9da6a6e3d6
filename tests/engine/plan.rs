//! The plan says what the restore does, and does nothing itself.

use std::collections::BTreeMap;

use bowline::engine::report::Phase;
use bowline::engine::restore::{PlanDocument, Request, Verdict};
use serde_json::json;

use crate::application::{backed_up, object, restore, target};
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
