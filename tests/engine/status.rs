//! The status of an object comes back where that was asked for, also after a crash, and is no more
//! than a warning where it cannot.

use bowline::engine::model::filter;
use bowline::engine::model::restore::RestoreStatusSpec;
use bowline::engine::report::Phase;
use bowline::engine::restore;
use serde_json::{Value, json};

use crate::application::{backup, restore, source, target};
use crate::fake_world::World;
use crate::faults::Script;

const DEFINITION: &str = "customresourcedefinitions.apiextensions.k8s.io/widgets.example.com";
const WIDGET: &str = "widgets.example.com/shop/main";

/// A backup of a widget with a status, whose kind serves it as a subresource.
async fn with_status() -> World {
    let world = source();
    world.cluster.edit(DEFINITION, |it| {
        it["spec"]["versions"][0]["subresources"] = json!({"status": {}});
    });
    world.cluster.edit(WIDGET, |it| {
        it["status"] = json!({"phase": "Ready", "observedGeneration": 4});
    });
    world.back_up(&backup()).await.unwrap();
    world
}

fn asking(included: &[&str], excluded: &[&str]) -> restore::Request {
    let words = |list: &[&str]| list.iter().map(ToString::to_string).collect();
    let mut request = restore("rescue");
    request.spec.restore_status = Some(RestoreStatusSpec {
        included_resources: words(included),
        excluded_resources: words(excluded),
    });
    request
}

fn status(world: &World) -> Value {
    world.cluster.get(WIDGET)["status"].clone()
}

#[tokio::test(start_paused = true)]
async fn a_status_comes_back_where_it_is_asked_for_and_the_plan_says_so() {
    let source = with_status().await;
    for (included, excluded, expected) in [
        (&["widgets"][..], &[][..], json!({"phase": "Ready"})),
        (&["*"], &[], json!({"phase": "Ready"})),
        (&["*"], &["widget"], json!(null)),
        (&[], &["deployments"], json!(null)),
        (&["services"], &[], json!(null)),
    ] {
        let target = target(&source.copy().await);
        let request = asking(included, excluded);
        let plan = target.start(Script::Sound).engine.plan_restore(&request).await.unwrap();
        let widget = plan.items.iter().find(|it| it.resource == "widgets.example.com").unwrap();
        let told = widget.transformations.contains(&"status restored".to_owned());
        assert_eq!(told, !expected.is_null(), "{included:?} {:?}", widget.transformations);
        let report = target.restore(&request).await.unwrap();
        assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
        assert_eq!(status(&target), expected, "{included:?} {excluded:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_says_itself_whether_its_status_comes_back() {
    for (wish, request, expected) in [
        ("true", restore("rescue"), json!("Ready")),
        ("false", asking(&["widgets"], &[]), json!(null)),
    ] {
        let source = with_status().await;
        source.cluster.edit(WIDGET, |it| {
            it["metadata"]["annotations"] = json!({"velero.io/restore-status": wish});
        });
        source.delete("nightly").await.unwrap();
        source.back_up(&backup()).await.unwrap();
        let target = target(&source);
        target.restore(&request).await.unwrap();
        assert_eq!(status(&target)["phase"], expected, "{wish}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_kind_without_a_status_of_its_own_is_a_warning() {
    let source = source();
    source.cluster.edit(WIDGET, |it| it["status"] = json!({"phase": "Ready"}));
    source.back_up(&backup()).await.unwrap();
    let target = target(&source);
    let report = target.restore(&asking(&["widgets"], &[])).await.unwrap();
    assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
    let warned = report.warnings.iter().any(|it| it.operation.as_deref() == Some("restore status"));
    assert!(warned, "{:?}", report.warnings);
    assert!(target.cluster.find(WIDGET).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_status_that_the_restore_waits_for_cannot_be_asked_for() {
    let target = target(&with_status().await);
    for kind in ["persistentvolumeclaims", "pod", "nodes"] {
        let error = target.restore(&asking(&[kind], &[])).await.unwrap_err();
        let never = |error: &restore::Error| {
            matches!(error, restore::Error::Filter(filter::Error::StatusNeverRestored { .. }))
        };
        assert!(never(&error), "{kind}: {error:?}");
    }
}

/// Lets a restore break at every one of its calls, and resumes it each time.
async fn break_at_every_call(script: fn(usize) -> Script) -> usize {
    let source = with_status().await;
    let request = asking(&["widgets"], &[]);
    for call in 0.. {
        let world = target(&source.copy().await);
        let process = world.start(script(call));
        drop(process.restore(&request).await);
        if !process.faults.struck() {
            return call;
        }
        let report = world.restore(&request).await.unwrap();
        assert_eq!(report.errors, [], "before call {call}, {}", process.faults.victim());
        assert_eq!(status(&world), json!({"phase": "Ready"}), "before call {call}");
    }
    0
}

#[tokio::test(start_paused = true)]
async fn a_status_comes_back_wherever_the_restore_is_killed_or_cut_off() {
    for script in [Script::KilledBefore as fn(usize) -> Script, Script::CutOffFrom] {
        let calls = break_at_every_call(script).await;
        assert!(calls > 27, "{calls} calls");
    }
}

#[tokio::test(start_paused = true)]
async fn a_status_that_a_controller_took_further_is_not_taken_back_by_resuming() {
    let source = with_status().await;
    let request = asking(&["widgets"], &[]);
    for call in 0.. {
        let world = target(&source.copy().await);
        assert!(world.start(Script::KilledBefore(call)).restore(&request).await.is_none());
        let live = world.cluster.find(WIDGET);
        if live.is_none_or(|live| live["status"].is_null()) {
            continue;
        }
        world.cluster.edit(WIDGET, |it| it["status"]["phase"] = json!("Upgraded"));
        world.restore(&request).await.unwrap();
        assert_eq!(status(&world), json!({"phase": "Upgraded"}));
        return;
    }
}
