//! Which claims a backup knows of: also those that go away, and those that come along.

use bowline::engine::backup::{Error, Plan, Request};
use bowline::engine::model::selector::Selectors;
use bowline::engine::report::Phase;
use serde_json::json;

use crate::application::{backup, disk, source};
use crate::fake_world::World;
use crate::faults::Script;
use crate::records;

const DELETED: &str = "it is being deleted; its data is not in this backup";

async fn planned(world: &World, request: &Request) -> Plan {
    world.start(Script::Sound).engine.plan_backup(request).await.unwrap()
}

/// What the plan says of the claims: `files: snapshot`.
fn verdicts(plan: &Plan) -> Vec<String> {
    let mut told: Vec<_> =
        plan.volumes.iter().map(|it| format!("{}: {}", it.claim, it.verdict)).collect();
    told.sort_unstable();
    told
}

/// The application, of which one claim was deleted while a pod uses it.
fn with_deleted(claim: &str) -> World {
    let world = source();
    world.cluster.edit(&format!("persistentvolumeclaims/shop/{claim}"), |live| {
        live["metadata"]["deletionTimestamp"] = json!("2026-03-01T01:00:00Z");
        live["metadata"]["finalizers"] = json!(["kubernetes.io/pvc-protection"]);
    });
    world
}

#[tokio::test(start_paused = true)]
async fn a_pattern_that_matches_no_namespace_is_refused_before_anything_is_written() {
    let process = source().start(Script::Sound);
    let mut request = backup();
    request.spec.included_namespaces = vec!["shop".to_owned(), "prod-*".to_owned()];
    let planned = process.engine.plan_backup(&request).await.unwrap_err();
    let error = process.back_up(&request).await.unwrap().unwrap_err();
    assert_eq!(process.faults.calls(), [""; 0]);
    assert_eq!(error.to_string(), "no namespace in the cluster matches \"prod-*\"");
    assert!(matches!(planned, Error::NoSuchNamespace { .. }), "{planned:?}");
}

#[tokio::test(start_paused = true)]
async fn a_bound_claim_that_is_being_deleted_is_an_error() {
    for selectors in [Selectors::default(), "app=db".parse().unwrap()] {
        let world = with_deleted("data-db-0");
        let request = Request { selectors, ..backup() };
        let plan = planned(&world, &request).await;
        let refused = plan.volumes.iter().find(|it| it.claim == "data-db-0").unwrap();
        assert_eq!((&*refused.verdict, refused.reason.as_deref()), ("refuse", Some(DELETED)));

        let report = world.back_up(&request).await.unwrap();
        assert_eq!(report.phase, Phase::PartiallyFailed);
        let [error] = &report.errors[..] else { panic!("{:?}", report.errors) };
        assert_eq!((error.name.as_deref(), &*error.message), (Some("data-db-0"), DELETED));
        let volume = report.volumes.iter().find(|it| it.claim.as_deref() == Some("data-db-0"));
        assert_eq!(volume.unwrap().state, "failed");
        let objects = records::objects(&world).await;
        assert!(!objects.contains(&"v1/PersistentVolumeClaim shop/data-db-0".to_owned()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_claim_without_a_volume_or_that_is_skipped_may_go() {
    let world = with_deleted("data-db-0");
    let id = "persistentvolumeclaims/shop/data-db-0";
    world
        .cluster
        .edit(id, |live| live["metadata"]["annotations"]["bowline.io/volume"] = "skip".into());
    let report = world.back_up(&backup()).await.unwrap();
    assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);

    let world = with_deleted("data-db-0");
    world.cluster.edit(id, |live| live["status"]["phase"] = "Pending".into());
    assert_eq!(verdicts(&planned(&world, &backup()).await), ["files: snapshot"]);
    let report = world.back_up(&backup()).await.unwrap();
    assert_eq!((report.phase, report.volumes.len()), (Phase::Completed, 1), "{:?}", report.errors);
}

#[tokio::test(start_paused = true)]
async fn the_plan_knows_the_claims_that_come_along_with_what_is_selected() {
    let world = source();
    let request = Request { selectors: "app=web".parse().unwrap(), ..backup() };
    let plan = planned(&world, &request).await;
    assert_eq!(verdicts(&plan), ["files: snapshot"]);
    assert_eq!(plan.volumes[0].volume_id, Some(disk(&world, "files")));
    assert!(plan.rights.iter().any(|right| right.action.starts_with("fake:")), "{:?}", plan.rights);
    let report = world.back_up(&request).await.unwrap();
    assert_eq!(report.volumes.len(), 1);

    let mut pods = backup();
    pods.spec.included_namespace_scoped_resources = vec!["pods".to_owned()];
    let (plan, report) = (planned(&source(), &pods).await, source().back_up(&pods).await.unwrap());
    assert_eq!(plan.volumes.len(), report.volumes.len(), "{plan:?}\n{report:?}");
}

#[tokio::test(start_paused = true)]
async fn the_claim_of_an_ordered_volume_is_snapshotted_first() {
    for claim in ["files", "data-db-0"] {
        let world = source();
        let live = world.cluster.get(&format!("persistentvolumeclaims/shop/{claim}"));
        let volume = live["spec"]["volumeName"].as_str().unwrap().to_owned();
        let process = world.start(Script::Sound);
        let mut request = backup();
        request.spec.ordered_resources.insert("persistentvolumes".to_owned(), volume);
        let report = process.back_up(&request).await.unwrap().unwrap();
        assert_eq!(report.warnings, []);
        let first = &process.told()[0];
        assert!(first.starts_with(&format!("shop/{claim}")), "{claim}: {:?}", process.told());
    }
}

#[tokio::test(start_paused = true)]
async fn an_ordered_volume_of_a_claim_that_is_not_selected_is_left_out() {
    let world = source();
    let live = world.cluster.get("persistentvolumeclaims/shop/files");
    let volume = live["spec"]["volumeName"].as_str().unwrap().to_owned();
    let mut request = Request { selectors: "app=db".parse().unwrap(), ..backup() };
    request.spec.ordered_resources.insert("persistentvolumes".to_owned(), volume);
    let report = world.back_up(&request).await.unwrap();
    assert_eq!((report.volumes.len(), report.warnings.len()), (1, 1), "{report:?}");
    assert!(report.warnings[0].message.contains("filters leave it out"));
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_refused_is_one_error_however_many_selectors_there_are() {
    let world = source();
    world.cluster.forbid("configmaps");
    let selectors = "app=db or app=web".parse().unwrap();
    let report = world.back_up(&Request { selectors, ..backup() }).await.unwrap();
    let refused: Vec<_> =
        report.errors.iter().filter(|it| it.resource.as_deref() == Some("configmaps")).collect();
    assert_eq!(refused.len(), 1, "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn an_ordered_object_that_cannot_be_read_is_a_warning_where_the_list_brings_it() {
    let world = source();
    world.cluster.forbid("configmaps/shop/settings");
    let mut request = backup();
    let names = "shop/settings,shop/widget-child".to_owned();
    request.spec.ordered_resources.insert("configmaps".to_owned(), names);
    let report = world.back_up(&request).await.unwrap();
    let [warning] = &report.warnings[..] else { panic!("{:?}", report.warnings) };
    assert_eq!((report.phase, warning.name.as_deref()), (Phase::Completed, Some("settings")));
    assert!(warning.message.contains("it cannot be read"), "{warning:?}");
    assert!(records::objects(&world).await.contains(&"v1/ConfigMap shop/settings".to_owned()));
}
