//! Where volumes are made: in one zone function per restore, decided before anything is changed.

use bowline::engine::context::Granted;
use bowline::engine::model::zones;
use bowline::engine::report::Phase;
use bowline::engine::restore;
use serde_json::json;

use crate::application::{backup, disk, faults_of, restore, source, target};
use crate::fake_world::World;
use crate::faults::Script;

/// A backup whose volumes were in two zones: that of `files` in `zone-b`.
async fn backed_up() -> World {
    let world = source();
    world.cloud.put(&disk(&world, "files"), "zone-b");
    world.back_up(&backup()).await.unwrap();
    world
}

fn add_node(world: &World, zone: &str) {
    let labels = json!({"topology.kubernetes.io/zone": zone});
    let metadata = json!({"name": format!("node-{zone}"), "labels": labels});
    world.cluster.add(json!({"apiVersion": "v1", "kind": "Node", "metadata": metadata}));
}

/// The zones of the new volumes, that of `data-db-0` first.
fn zones_of(world: &World) -> Vec<String> {
    let mut volumes = world.cloud.volumes();
    volumes.sort_by_key(|volume| volume.tags["bowline.io/claim"].clone());
    volumes.into_iter().map(|volume| volume.spec.zone.unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn volumes_go_to_the_zones_of_the_nodes_and_their_persistent_volumes_say_so() {
    let source = backed_up().await;
    let world = target(&source);
    world.cloud.be_in(&["w1", "w2", "w3"]);
    add_node(&world, "w3");
    add_node(&world, "w1");
    let plan = world.start(Script::Sound).engine.plan_restore(&restore("rescue")).await.unwrap();
    let reasons: Vec<_> = plan.items.iter().filter_map(|item| item.reason.as_deref()).collect();
    for moved in ["in zone w1 (was zone-a)", "in zone w3 (was zone-b)"] {
        assert!(reasons.iter().any(|reason| reason.ends_with(moved)), "{reasons:?}");
    }
    let report = world.restore(&restore("rescue")).await.unwrap();
    assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
    assert_eq!(faults_of(&source, &world, "shop"), [""; 0]);
    assert_eq!(zones_of(&world), ["w1", "w3"]);
    let made = world.cluster.all("persistentvolumes");
    let mut made: Vec<_> = made.iter().map(|it| &it["spec"]["nodeAffinity"]["zone"]).collect();
    made.sort_by_key(ToString::to_string);
    assert_eq!(made, ["w1", "w3"]);
    assert_eq!(world.cloud.asked_for_zones(), 2, "once for the plan, once for the restore");
}

#[tokio::test(start_paused = true)]
async fn a_cluster_without_nodes_gets_them_where_they_were() {
    let world = target(&backed_up().await);
    world.cloud.be_in(&["zone-a", "zone-b", "zone-c"]);
    world.restore(&restore("rescue")).await.unwrap();
    assert_eq!(zones_of(&world), ["zone-a", "zone-b"]);
}

#[tokio::test(start_paused = true)]
async fn a_provider_without_zones_makes_them_as_recorded() {
    let world = target(&backed_up().await);
    add_node(&world, "anywhere");
    world.restore(&restore("rescue")).await.unwrap();
    assert_eq!(zones_of(&world), ["zone-a", "zone-b"]);
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_for_wins_and_is_needed_to_go_on() {
    let world = target(&backed_up().await);
    world.cloud.be_in(&["zone-a", "zone-b", "zone-c"]);
    let mut request = restore("rescue");
    request.spec.zone_mapping = [("zone-a".to_owned(), "zone-c".to_owned())].into();
    assert!(world.start(Script::KilledBefore(9)).restore(&request).await.is_none());
    let other = world.restore(&restore("rescue")).await;
    assert!(matches!(other, Err(restore::Error::NameInUse { .. })), "{other:?}");
    let report = world.restore(&request).await.unwrap();
    assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
    assert_eq!(zones_of(&world), ["zone-c", "zone-b"]);
}

#[tokio::test(start_paused = true)]
async fn volumes_that_are_sent_where_no_node_is_are_a_warning_in_plan_and_run() {
    let world = target(&backed_up().await);
    world.cloud.be_in(&["zone-a", "zone-b", "zone-c"]);
    let mut request = restore("rescue");
    request.spec.zone_mapping = [("zone-b".to_owned(), "zone-c".to_owned())].into();
    let plan = world.start(Script::Sound).engine.plan_restore(&request).await.unwrap();
    assert_eq!(plan.warnings, [], "no node tells its zone");

    add_node(&world, "zone-a");
    let plan = world.start(Script::Sound).engine.plan_restore(&request).await.unwrap();
    let [warning] = &plan.warnings[..] else { panic!("{:?}", plan.warnings) };
    assert_eq!(
        warning.message,
        "no node is in zone zone-c, where the volumes of shop/files are made; nodes are in zone-a"
    );
    let report = world.restore(&request).await.unwrap();
    assert_eq!(report.warnings, plan.warnings);
}

#[tokio::test(start_paused = true)]
async fn zones_that_are_not_told_for_want_of_a_right_are_told_as_that() {
    let world = target(&backed_up().await);
    world.cloud.hide_zones();
    world.cloud.refuse("fake:CreateVolume");
    let plan = world.start(Script::Sound).engine.plan_restore(&restore("rescue")).await.unwrap();
    let missing = plan.rights.iter().filter(|right| right.granted == Granted::No);
    assert_eq!(missing.map(|right| &*right.action).collect::<Vec<_>>(), ["fake:CreateVolume"]);
    let told = "volumes of provider \"fake\" cannot be made: the zones was refused: not for you";
    assert_eq!(plan.warnings.iter().map(|it| &*it.message).collect::<Vec<_>>(), [told]);
    let error = refusal(&world, None).await;
    assert!(matches!(error, restore::Error::NotAllowed { .. }), "{error:?}");
}

/// Restores with this mapping, which must fail before anything was changed anywhere.
async fn refusal(world: &World, mapping: Option<(&str, &str)>) -> restore::Error {
    let process = world.start(Script::Sound);
    let mut request = restore("rescue");
    let mapping = mapping.into_iter().map(|(old, new)| (old.to_owned(), new.to_owned()));
    request.spec.zone_mapping = mapping.collect();
    let result = process.restore(&request).await.unwrap();
    assert_eq!(process.faults.calls(), [""; 0]);
    result.unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_would_have_no_place_is_an_error_before_anything_is_changed() {
    let world = target(&backed_up().await);
    world.cloud.be_in(&["zone-a", "zone-b"]);
    let error = refusal(&world, Some(("zone-a", "zone-x"))).await;
    let unknown =
        |error: &_| matches!(error, zones::Error::UnknownTarget { to, .. } if to == "zone-x");
    assert!(matches!(&error, restore::Error::Zones(it) if unknown(it)), "{error:?}");
    let error = refusal(&world, Some(("zone-x", "zone-a"))).await;
    let unknown =
        |error: &_| matches!(error, zones::Error::NotRecorded { zone, .. } if zone == "zone-x");
    assert!(matches!(&error, restore::Error::Zones(it) if unknown(it)), "{error:?}");

    add_node(&world, "far-away");
    let error = refusal(&world, None).await;
    let elsewhere = |error: &_| matches!(error, zones::Error::Elsewhere { .. });
    assert!(matches!(&error, restore::Error::Zones(it) if elsewhere(it)), "{error:?}");

    world.cloud.hide_zones();
    let error = refusal(&world, None).await;
    assert!(matches!(error, restore::Error::Provider { provider: "fake", .. }), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn where_no_volume_is_made_nobody_asks_for_zones() {
    let world = target(&backed_up().await);
    world.cloud.hide_zones();
    let mut request = restore("rescue");
    request.spec.restore_volumes = Some(false);
    let report = world.restore(&request).await.unwrap();
    assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
    assert_eq!(world.cloud.asked_for_zones(), 0);
}
