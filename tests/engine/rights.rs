//! What may not be done is said before anything is changed.

use bowline::engine::context::{Granted, Right};
use bowline::engine::report::Phase;
use bowline::engine::{backup, restore};

use serde_json::json;

use crate::application::{backed_up, backup, disk, object, restore, source, target};
use crate::fake_world::World;
use crate::faults::Script;

fn actions(rights: &[Right], granted: Granted) -> Vec<&str> {
    let rights = rights.iter().filter(|right| right.granted == granted);
    rights.map(|right| right.action.as_str()).collect()
}

async fn rights_of_restore(world: &World) -> Vec<Right> {
    let process = world.start(Script::Sound);
    let plan = process.engine.plan_restore(&restore("rescue")).await.unwrap();
    assert_eq!(process.faults.calls(), [""; 0]);
    plan.rights
}

async fn rights_of_backup(world: &World) -> Vec<Right> {
    world.start(Script::Sound).engine.plan_backup(&backup()).await.unwrap().rights
}

#[tokio::test(start_paused = true)]
async fn who_may_do_everything_is_asked_once() {
    let world = target(&backed_up().await);
    let rights = rights_of_restore(&world).await;
    assert_eq!(world.cluster.reviews(), ["* *.*"]);
    assert_eq!(actions(&rights, Granted::Yes).len(), rights.len());
    for needed in [
        "create configmaps in shop",
        "create namespaces",
        "create persistentvolumes",
        "create widgets.example.com in shop",
        "fake:CreateVolume",
    ] {
        assert!(rights.iter().any(|right| right.action == needed), "{needed}: {rights:?}");
    }
    assert!(!rights.iter().any(|right| right.action.starts_with("create pods")), "{rights:?}");
}

#[tokio::test(start_paused = true)]
async fn each_right_is_asked_for_once_where_not_all_are_granted() {
    let world = target(&backed_up().await);
    world.cluster.deny("create configmaps");
    let rights = rights_of_restore(&world).await;
    assert_eq!(actions(&rights, Granted::No), ["create configmaps in shop"]);
    let mut asked = world.cluster.reviews();
    let of_cluster = rights.len() - 1;
    assert_eq!(asked.len(), 1 + of_cluster, "{asked:?}");
    asked.sort_unstable();
    asked.dedup();
    assert_eq!(asked.len(), 1 + of_cluster, "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn a_restore_that_is_not_allowed_as_a_whole_changes_nothing() {
    let world = target(&backed_up().await);
    world.cluster.deny("create roles.rbac.authorization.k8s.io");
    world.cloud.refuse("fake:CreateVolume");
    let process = world.start(Script::Sound);
    let error = process.restore(&restore("rescue")).await.unwrap().unwrap_err();
    assert_eq!(
        error.to_string(),
        "this user may not: create roles.rbac.authorization.k8s.io in shop, fake:CreateVolume"
    );
    assert_eq!(process.faults.calls(), [""; 0]);
    let restore::Error::NotAllowed { missing } = error else { panic!("{error:?}") };
    assert_eq!(missing[1].reason.as_deref(), Some("not for you"));
}

#[tokio::test(start_paused = true)]
async fn to_look_for_who_scales_a_quiet_workload_up_is_a_right_that_is_asked_for() {
    let world = target(&backed_up().await);
    world.cluster.add(object("apps/v1", "Deployment", "default", "operator", &json!({})));
    world.cluster.deny("list horizontalpodautoscalers.autoscaling");
    world.cluster.forbid("horizontalpodautoscalers.autoscaling");
    let mut request = restore("rescue");
    request.spec.quiesce = vec!["operator".to_owned()];
    let process = world.start(Script::Sound);
    let plan = process.engine.plan_restore(&request).await.unwrap();
    let missing = "list horizontalpodautoscalers.autoscaling in default";
    assert_eq!(actions(&plan.rights, Granted::No), [missing]);
    let error = process.restore(&request).await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), format!("this user may not: {missing}"));
    assert_eq!(process.faults.calls(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_right_that_nobody_can_tell_of_keeps_nobody_from_trying() {
    let world = target(&backed_up().await);
    world.cluster.deny("review");
    let rights = rights_of_restore(&world).await;
    assert_eq!(actions(&rights, Granted::Yes), ["fake:CreateVolume"]);
    assert_eq!(actions(&rights, Granted::No), [""; 0]);
    assert!(rights[0].reason.as_deref().unwrap().contains("no reviews here"), "{rights:?}");
    let report = world.restore(&restore("rescue")).await.unwrap();
    assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
}

#[tokio::test(start_paused = true)]
async fn what_an_interrupted_run_has_made_needs_no_right_any_more() {
    let world = target(&backed_up().await);
    world.cloud.be_slow(20);
    let process = world.start(Script::KilledBefore(20));
    assert!(process.restore(&restore("rescue")).await.is_none());
    for claim in ["files", "data-db-0"] {
        let claim = world.cluster.get(&format!("persistentvolumeclaims/shop/{claim}"));
        assert_eq!(claim["status"]["phase"], "Pending");
    }
    world.cluster.deny("create persistentvolumeclaims");
    world.cluster.deny("create namespaces");
    let report = world.restore(&restore("rescue")).await.unwrap();
    assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
}

#[tokio::test(start_paused = true)]
async fn the_plan_of_a_backup_names_the_lists_that_are_refused() {
    let world = source();
    world.cluster.deny("list secrets");
    world.cloud.refuse("fake:CreateSnapshot");
    let rights = rights_of_backup(&world).await;
    let refused = actions(&rights, Granted::No);
    assert_eq!(refused, ["list secrets in shop", "fake:CreateSnapshot"]);
    let granted = actions(&rights, Granted::Yes);
    for needed in ["get persistentvolumes", "list nodes", "list widgets.example.com in shop"] {
        assert!(granted.contains(&needed), "{needed}: {granted:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_the_right_to_snapshot_nothing_is_written() {
    let world = source();
    world.cloud.refuse("fake:CreateSnapshot");
    let process = world.start(Script::Sound);
    let error = process.back_up(&backup()).await.unwrap().unwrap_err();
    assert!(matches!(error, backup::Error::NotAllowed { .. }), "{error:?}");
    assert_eq!(error.to_string(), "this user may not: fake:CreateSnapshot");
    assert_eq!(process.faults.calls(), [""; 0]);

    let mut without = backup();
    without.spec.snapshot_volumes = Some(false);
    let report = world.back_up(&without).await.unwrap();
    assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
    assert_eq!(world.cloud.reviewed().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_backup_asks_about_one_of_its_volumes_and_not_about_its_lists() {
    let world = source();
    world.cluster.deny("list secrets");
    let report = world.back_up(&backup()).await.unwrap();
    assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
    assert_eq!(world.cluster.reviews(), [""; 0]);
    assert_eq!(world.cloud.reviewed(), [Some(disk(&world, "data-db-0"))]);
}
