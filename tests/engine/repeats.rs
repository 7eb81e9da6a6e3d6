//! Restores after restores: what earlier ones and the original left is passed by, never waited for.
//!
//! Velero waits ten minutes for each: <https://github.com/vmware-tanzu/velero/issues/5141>,
//! <https://github.com/vmware-tanzu/velero/issues/2519>.

use std::collections::BTreeSet;

use bowline::engine::report::Phase;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::application::{backed_up, backup, faults_of, restore, source, target};
use crate::fake_world::World;
use crate::faults::Script;

const CLAIMS: [&str; 2] = ["data-db-0", "files"];

fn volumes(world: &World) -> BTreeSet<String> {
    let all = world.cluster.all("persistentvolumes");
    all.iter().map(|it| it["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

fn retain(world: &World) {
    for volume in volumes(world) {
        world.cluster.edit(&format!("persistentvolumes/{volume}"), |live| {
            live["spec"]["persistentVolumeReclaimPolicy"] = json!("Retain");
        });
    }
}

/// Deletes the namespace's workloads, pods and claims.
fn clear(world: &World) {
    for resource in ["statefulsets.apps", "deployments.apps", "replicasets.apps", "pods"] {
        for object in world.cluster.all(resource) {
            let name = object["metadata"]["name"].as_str().unwrap();
            let id = format!("{resource}/shop/{name}");
            if object["metadata"]["namespace"] == "shop" && world.cluster.find(&id).is_some() {
                world.cluster.remove(&id);
            }
        }
    }
    for claim in CLAIMS {
        world.cluster.remove(&format!("persistentvolumeclaims/shop/{claim}"));
    }
}

fn objects(world: &World, names: &BTreeSet<String>) -> Vec<Value> {
    names.iter().map(|name| world.cluster.get(&format!("persistentvolumes/{name}"))).collect()
}

/// What the plan says of the volumes.
async fn told(world: &World, name: &str) -> Vec<String> {
    let plan = world.start(Script::Sound).engine.plan_restore(&restore(name)).await.unwrap();
    let of_volumes = plan.items.into_iter().filter(|it| it.resource == "persistentvolumes");
    of_volumes.filter_map(|it| it.reason).collect()
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_restore_left_is_passed_by_at_once() {
    let source = backed_up().await;
    let world = target(&source);
    world.restore(&restore("first")).await.unwrap();
    retain(&world);
    let earlier = volumes(&world);
    clear(&world);
    let left = objects(&world, &earlier);
    assert!(left.iter().all(|it| it["status"]["phase"] == "Released"));
    for reason in told(&world, "second").await {
        assert!(reason.contains("(Released) of restore first is left as it is"), "{reason}");
    }
    let began = Instant::now();
    let report = world.restore(&restore("second")).await.unwrap();
    assert_eq!((report.phase, report.errors.as_slice()), (Phase::Completed, &[][..]));
    assert!(began.elapsed().as_secs() < 60, "{:?}", began.elapsed());
    assert_eq!(objects(&world, &earlier), left, "they are as they were");
    assert_eq!((volumes(&world).len(), world.cloud.volumes().len()), (4, 4));
}

#[tokio::test(start_paused = true)]
async fn volumes_of_the_original_cluster_that_are_still_there_are_left_as_they_are() {
    let world = source();
    retain(&world);
    world.back_up(&backup()).await.unwrap();
    let original = volumes(&world);
    clear(&world);
    let left = objects(&world, &original);
    for reason in told(&world, "rescue").await {
        assert!(reason.contains("(Released) is left as it is"), "{reason}");
    }
    let report = world.restore(&restore("rescue")).await.unwrap();
    assert_eq!((report.phase, report.errors.as_slice()), (Phase::Completed, &[][..]));
    assert_eq!(objects(&world, &original), left, "they are as they were");
    for claim in CLAIMS {
        let live = world.cluster.get(&format!("persistentvolumeclaims/shop/{claim}"));
        let volume = live["spec"]["volumeName"].as_str().unwrap();
        assert!(!original.contains(volume) && live["status"]["phase"] == "Bound", "{live}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_resumed_restore_uses_its_volumes_again_although_their_claims_were_deleted() {
    let source = backed_up().await;
    let world = target(&source);
    let last = "store: create restores/rescue/bowline-result.json";
    assert!(world.start(Script::KilledAt(last)).restore(&restore("rescue")).await.is_none());
    retain(&world);
    let made = volumes(&world);
    clear(&world);
    let report = world.restore(&restore("rescue")).await.unwrap();
    assert_eq!((report.phase, report.errors.as_slice()), (Phase::Completed, &[][..]));
    assert_eq!(volumes(&world), made, "the same ones");
    let mut faults = faults_of(&source, &world, "shop");
    // With what was deleted in between.
    faults.retain(|fault| !fault.starts_with("collected"));
    assert_eq!(faults, [""; 0]);
}
