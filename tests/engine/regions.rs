//! A backup whose volumes are out of reach ends before anything of it is written.

use bowline::engine::backup::{self, Error};
use bowline::engine::report::Phase;

use crate::application::{backup, disk, source};
use crate::fake_world::World;
use crate::faults::Script;

const ZONE: &str = "topology.kubernetes.io/zone";

/// The application, the volumes of whose claims say that they are in these zones.
fn placed(zones: [&str; 2]) -> World {
    let world = source();
    for (claim, zone) in ["data-db-0", "files"].into_iter().zip(zones) {
        let handle = disk(&world, claim);
        let volumes = world.cluster.all("persistentvolumes");
        let volume = volumes.iter().find(|it| it["spec"]["csi"]["volumeHandle"] == *handle);
        let name = volume.unwrap()["metadata"]["name"].as_str().unwrap().to_owned();
        let label = |live: &mut serde_json::Value| live["metadata"]["labels"][ZONE] = zone.into();
        world.cluster.edit(&format!("persistentvolumes/{name}"), label);
    }
    world
}

/// Why neither a backup nor its plan is made; nothing must have been written.
async fn refusal(world: &World) -> Error {
    let process = world.start(Script::Sound);
    let planned = process.engine.plan_backup(&backup()).await.unwrap_err();
    let error = process.back_up(&backup()).await.unwrap().unwrap_err();
    assert_eq!(process.faults.calls(), [""; 0]);
    assert_eq!(planned.to_string(), error.to_string());
    error
}

#[tokio::test(start_paused = true)]
async fn where_all_volumes_are_in_another_region_nothing_is_written() {
    let world = placed(["west-1b", "west-1a"]);
    world.cloud.reach("east-1");
    assert_eq!(
        refusal(&world).await.to_string(),
        "the volumes to snapshot are in west-1a, west-1b, but provider \"fake\" is reached in east-1"
    );
    let mut without = backup::Request { name: "without".to_owned(), ..backup() };
    without.spec.snapshot_volumes = Some(false);
    let report = world.back_up(&without).await.unwrap();
    assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
}

#[tokio::test(start_paused = true)]
async fn one_volume_in_reach_is_enough_to_begin_with() {
    for zones in [["west-1a", "east-1a"], ["east-1a", "west-1a"]] {
        let world = placed(zones);
        world.cloud.reach("east-1");
        let report = world.back_up(&backup()).await.unwrap();
        assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
        assert_eq!(world.cloud.reviewed().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_cannot_be_used_ends_the_backup_and_not_each_of_its_claims() {
    let world = source();
    world.cloud.be_unusable();
    let error = refusal(&world).await;
    assert!(matches!(error, Error::Provider { provider: "fake", .. }), "{error:?}");
}
