//! Owners and field managers come back, whatever happens to the restore or to the owners meanwhile.

use bowline::engine::report::Phase;
use bowline::engine::restore::PlanDocument;
use serde_json::{Value, json};

use crate::application::{backup, object, restore, source, target};
use crate::fake_world::World;
use crate::faults::Script;

const CHILD: &str = "configmaps/shop/widget-child";
const WIDGET: &str = "widgets.example.com/shop/main";
const APPLIED: &str = "configmaps/shop/settings";

fn managers() -> Value {
    json!([{"manager": "gitops", "operation": "Apply", "apiVersion": "v1",
        "fieldsV1": {"f:data": {"f:a": {}}}}])
}

/// A backup in which somebody applies objects from the server's side, a widget's child among them.
async fn applied() -> World {
    let world = source();
    for id in [CHILD, APPLIED] {
        world.cluster.edit(id, |it| it["metadata"]["managedFields"] = managers());
    }
    world.back_up(&backup()).await.unwrap();
    world
}

/// What is wrong with the owners and managers in a target.
fn faults(world: &World) -> Vec<String> {
    let mut faults = Vec::new();
    for id in [CHILD, APPLIED] {
        let found = world.cluster.find(id).map(|it| it["metadata"]["managedFields"].clone());
        if found != Some(managers()) {
            faults.push(format!("{id} is managed by {found:?}"));
        }
    }
    let uid = world.cluster.find(WIDGET).map(|it| it["metadata"]["uid"].clone());
    let owner = world.cluster.find(CHILD);
    let owner = owner.map(|it| it["metadata"]["ownerReferences"][0]["uid"].clone());
    if owner.is_none() || owner != uid {
        faults.push(format!("the child's owner is {owner:?}, not {uid:?}"));
    }
    faults
}

async fn planned(world: &World) -> PlanDocument {
    world.start(Script::Sound).engine.plan_restore(&restore("rescue")).await.unwrap()
}

/// How an object of the plan is changed: `configmaps`, `settings`.
fn changes(plan: &PlanDocument, resource: &str, name: &str) -> Vec<String> {
    let item = plan.items.iter().find(|it| it.resource == resource && it.name == name);
    item.unwrap().transformations.clone()
}

#[tokio::test(start_paused = true)]
async fn owners_and_managers_come_back_in_one_patch() {
    let target = target(&applied().await);
    let report = target.restore(&restore("rescue")).await.unwrap();
    assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
    assert_eq!(faults(&target), [""; 0]);
    let patches = target.cluster.changes();
    let patches =
        patches.iter().filter(|it| it.starts_with("PATCH") && it.ends_with("widget-child"));
    assert_eq!(patches.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn owners_and_managers_come_back_wherever_the_restore_is_killed_or_cut_off() {
    for script in [Script::KilledBefore as fn(usize) -> Script, Script::CutOffFrom] {
        let calls = broken_at_every_call(script).await;
        assert!(calls > 27, "{calls} calls");
    }
}

async fn broken_at_every_call(script: fn(usize) -> Script) -> usize {
    let source = applied().await;
    let mut call = 0;
    loop {
        let world = target(&source.copy().await);
        let process = world.start(script(call));
        drop(process.restore(&restore("rescue")).await);
        if !process.faults.struck() {
            return call;
        }
        let place = format!("before call {call}, {}", process.faults.victim());
        let report = world.restore(&restore("rescue")).await.unwrap();
        assert_eq!(report.errors, [], "{place}");
        assert_eq!(faults(&world), [""; 0], "{place}");
        call += 1;
    }
}

#[tokio::test(start_paused = true)]
async fn managers_that_a_controller_wrote_since_are_not_taken_back_by_resuming() {
    let source = applied().await;
    let newer = json!([{"manager": "gitops", "operation": "Apply", "fieldsV1": {}}]);
    for call in 0.. {
        let world = target(&source.copy().await);
        let killed = world.start(Script::KilledBefore(call)).restore(&restore("rescue")).await;
        assert!(killed.is_none());
        if world.cluster.find(APPLIED).is_some() {
            world.cluster.edit(APPLIED, |it| it["metadata"]["managedFields"] = newer.clone());
            world.restore(&restore("rescue")).await.unwrap();
            assert_eq!(world.cluster.get(APPLIED)["metadata"]["managedFields"], newer);
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_does_not_come_back_is_named_in_the_plan_and_takes_nothing_along() {
    let world = source();
    let dead = json!([{"apiVersion": "example.com/v1", "kind": "Widget", "name": "dead",
        "uid": "4a93070b"}]);
    let claim = object(
        "v1",
        "PersistentVolumeClaim",
        "shop",
        "orphaned",
        &json!({"spec": crate::application::claim()}),
    );
    world.cluster.add(claim);
    world.cluster.edit("persistentvolumeclaims/shop/orphaned", |it| {
        it["metadata"]["ownerReferences"] = dead.clone();
    });
    world.back_up(&backup()).await.unwrap();
    let target = target(&world);
    let told = changes(&planned(&target).await, "persistentvolumeclaims", "orphaned");
    let expected = "owner Widget dead dropped: it is not a part of this restore".to_owned();
    assert!(told.contains(&expected), "{told:?}");
    let report = target.restore(&restore("rescue")).await.unwrap();
    assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
    assert_eq!(target.cluster.collected(), [""; 0]);
    let claim = target.cluster.get("persistentvolumeclaims/shop/orphaned");
    assert_eq!(claim["metadata"]["ownerReferences"], json!(null));
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_the_filters_leave_out_is_named_in_the_plan() {
    let source = applied().await;
    let target = target(&source);
    let mut request = restore("rescue");
    request.spec.excluded_resources = vec!["widgets.example.com".to_owned()];
    let plan = target.start(Script::Sound).engine.plan_restore(&request).await.unwrap();
    let told = changes(&plan, "configmaps", "widget-child");
    assert_eq!(told, ["owner Widget main dropped: it is not a part of this restore"]);
    let report = target.restore(&request).await.unwrap();
    assert_eq!((report.phase, report.warnings), (Phase::Completed, Vec::new()));
    assert_eq!(target.cluster.get(CHILD)["metadata"]["ownerReferences"], json!(null));
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_is_being_deleted_does_not_get_its_children_back() {
    let source = applied().await;
    let world = target(&source);
    world.restore(&restore("first")).await.unwrap();
    world.cluster.remove(CHILD);
    let process = world.start(Script::Waits(0));
    let request = restore("rescue");
    let meanwhile = async {
        process.faults.waiting().await;
        world.cluster.edit(WIDGET, |it| {
            it["metadata"]["deletionTimestamp"] = json!("2026-03-01T00:00:00Z");
        });
        process.faults.release();
    };
    let (report, ()) = tokio::join!(process.restore(&request), meanwhile);
    let report = report.unwrap().unwrap();
    let told = "its owner Widget main is gone or going; the reference is dropped";
    assert!(report.warnings.iter().any(|it| it.message == told), "{:?}", report.warnings);
    let child = world.cluster.get(CHILD);
    assert_eq!(child["metadata"]["ownerReferences"], json!(null));
    assert_eq!(child["metadata"]["managedFields"], managers());
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_cannot_be_looked_at_is_an_error_of_its_child_alone() {
    let world = target(&applied().await);
    world.cluster.forbid("widgets.example.com/shop/main");
    let report = world.restore(&restore("rescue")).await.unwrap();
    let [error] = &report.errors[..] else { panic!("{:?}", report.errors) };
    assert_eq!(error.name.as_deref(), Some("widget-child"));
    assert!(error.message.starts_with("its owner Widget main cannot be looked at"), "{error:?}");
    assert_eq!(world.cluster.get(CHILD)["metadata"]["managedFields"], managers());
}
