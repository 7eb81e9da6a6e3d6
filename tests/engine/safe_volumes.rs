//! Whatever an archive says: a persistent volume that deletes its disk has one that this restore made, and
//! no disk is made that nothing leads to.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use tokio::runtime::Builder;

use crate::application::{backed_up, claim, object, restore, target};
use crate::fake_cluster::DRIVER;
use crate::fake_world::World;
use crate::velero_backup::{as_velero_leaves_it, edit_archive, replace, volume_of};

const CLAIMS: [&str; 2] = ["data-db-0", "files"];

/// What is done to the record of one claim.
#[derive(Clone, Debug)]
struct Twist {
    /// The reclaim policy that the archive says; none: it says nothing.
    policy: Option<&'static str>,
    /// Whom the volume is said to belong to.
    owner: Value,
    /// The disk that the volume is said to lead to, if not its own.
    handle: Option<&'static str>,
    /// Labels that the volume has, such as those of a restore.
    labels: Value,
    /// Whether it is a shared file system.
    shared: bool,
    /// What the claim wants of its volume.
    wish: Option<&'static str>,
    /// Whether its snapshot is in the backup's list.
    listed: bool,
    /// The volume that the claim names: its own, that of the other claim, or none that there is.
    names: &'static str,
    /// Whether the volume itself is anything that a server would take.
    whole: bool,
}

fn owners() -> Vec<Value> {
    vec![
        json!({"namespace": "shop", "name": "files", "uid": "stale", "resourceVersion": "7"}),
        json!({"namespace": "kube-system", "name": "victim"}),
        json!({"uid": "stale"}),
        json!("text"),
        Value::Null,
    ]
}

fn twist() -> impl Strategy<Value = Twist> {
    let volume = (
        select(vec![Some("Delete"), Some("Delete"), Some("Retain"), Some("Recycle"), None]),
        select(owners()),
        select(vec![None, Some("victim-disk"), Some("vol-1")]),
        select(vec![json!({}), json!({"bowline.io/restore-uid": "forged", "a": "b"})]),
    );
    let claim = (
        any::<bool>(),
        select(vec![None, None, Some("reattach"), Some("skip")]),
        prop_oneof![3 => Just(true), 1 => Just(false)],
        select(vec!["own", "own", "own", "other", "nothing"]),
        prop_oneof![9 => Just(true), 1 => Just(false)],
    );
    (volume, claim).prop_map(
        |((policy, owner, handle, labels), (shared, wish, listed, names, whole))| Twist {
            policy,
            owner,
            handle,
            labels,
            shared,
            wish,
            listed,
            names,
            whole,
        },
    )
}

impl Twist {
    fn volume(&self, volume: &mut Value) {
        let spec = &mut volume["spec"];
        match self.policy {
            Some(policy) => spec["persistentVolumeReclaimPolicy"] = json!(policy),
            None => drop(spec.as_object_mut().unwrap().remove("persistentVolumeReclaimPolicy")),
        }
        spec["claimRef"] = self.owner.clone();
        if let Some(handle) = self.handle {
            spec["csi"]["volumeHandle"] = json!(handle);
        }
        if self.shared {
            spec["csi"]["driver"] = json!("efs.csi.aws.com");
        }
        volume["metadata"]["labels"] = self.labels.clone();
        if !self.whole {
            volume["spec"] = json!("nonsense");
        }
    }

    fn claim(&self, claim: &mut Value, other: &str) {
        if let Some(wish) = self.wish {
            claim["metadata"]["annotations"]["bowline.io/volume"] = json!(wish);
        }
        match self.names {
            "other" => claim["spec"]["volumeName"] = json!(other),
            "nothing" => claim["spec"]["volumeName"] = json!("pvc-nowhere"),
            _ => {}
        }
    }
}

/// A backup in which the record of each claim is twisted.
async fn twisted(twists: &[Twist; 2]) -> World {
    let world = as_velero_leaves_it(backed_up().await).await;
    let volumes = [volume_of(&world, CLAIMS[0]).await, volume_of(&world, CLAIMS[1]).await];
    edit_archive(&world, |entries| {
        for (path, content) in entries {
            let mut json: Value = serde_json::from_slice(content).unwrap_or_default();
            let of = |name: &str| path.ends_with(&format!("/{name}.json"));
            if let Some(index) = volumes.iter().position(|it| of(it)) {
                twists[index].volume(&mut json);
            } else if let Some(index) = CLAIMS.iter().position(|it| of(&format!("shop/{it}"))) {
                twists[index].claim(&mut json, &volumes[1 - index]);
            }
            if !json.is_null() {
                *content = json.to_string().into();
            }
        }
    })
    .await;
    for (index, twist) in twists.iter().enumerate() {
        if !twist.listed {
            replace(&world, CLAIMS[index], None).await;
        }
    }
    target(&world)
}

/// What the target is like, and what is asked for.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is tried with each")]
struct Run {
    allow_empty: bool,
    occupied: bool,
    take_over: bool,
    refuse_volumes: bool,
    fail_volumes: bool,
}

fn run() -> impl Strategy<Value = Run> {
    let rarely = || prop_oneof![5 => Just(false), 1 => Just(true)];
    let often = any::<bool>;
    (often(), often(), often(), rarely(), rarely()).prop_map(
        |(allow_empty, occupied, take_over, refuse_volumes, fail_volumes)| Run {
            allow_empty,
            occupied,
            take_over,
            refuse_volumes,
            fail_volumes,
        },
    )
}

fn prepare(world: &World, run: Run) {
    world.cluster.refuse_creates("persistentvolumes", run.refuse_volumes);
    if run.fail_volumes {
        world.cloud.fail_volumes();
    }
    if run.occupied {
        let class = json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
            "metadata": {"name": "standard"}, "provisioner": DRIVER});
        world.cluster.add(class);
        world
            .cluster
            .add(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}));
        let early = json!({"spec": claim()});
        world.cluster.add(object("v1", "PersistentVolumeClaim", "shop", "files", &early));
    }
}

fn handle(volume: &Value) -> String {
    volume["spec"]["csi"]["volumeHandle"].as_str().unwrap_or_default().to_owned()
}

/// What is wrong with the volumes after a restore.
fn faults(world: &World) -> Vec<String> {
    let disks: BTreeSet<String> = world.cloud.volumes().into_iter().map(|it| it.id).collect();
    let all = world.cluster.all("persistentvolumes");
    let sent = world.cluster.changes();
    let mut faults = Vec::new();
    for volume in &all {
        let name = volume["metadata"]["name"].as_str().unwrap();
        let ours = sent.contains(&format!("POST /api/v1/persistentvolumes/{name}"));
        let keeps = volume["spec"]["persistentVolumeReclaimPolicy"] == "Retain";
        if ours && !keeps && !disks.contains(&handle(volume)) {
            faults.push(format!("a foreign disk would be deleted: {volume}"));
        }
        if ours && volume["spec"]["claimRef"]["namespace"] != "shop" {
            faults.push(format!("promised to a stranger: {volume}"));
        }
    }
    let led_to: BTreeSet<String> = all.iter().map(handle).collect();
    faults.extend(disks.difference(&led_to).map(|disk| format!("nothing leads to {disk}")));
    faults.extend(world.cluster.destroyed().iter().map(|name| format!("{name} was destroyed")));
    faults
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_volume_that_deletes_its_disk_has_one_that_this_restore_made(
        first in twist(),
        second in twist(),
        run in run(),
    ) {
        let clock = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let faults = clock.block_on(async {
            let world = twisted(&[first, second]).await;
            prepare(&world, run);
            let mut request = restore("rescue");
            request.spec.allow_empty_volumes = run.allow_empty;
            request.spec.take_over_claims = run.take_over;
            drop(world.restore(&request).await);
            faults(&world)
        });
        prop_assert_eq!(faults, Vec::<String>::new());
    }
}
