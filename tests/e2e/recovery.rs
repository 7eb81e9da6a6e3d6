//! The main job: an application is backed up, its cluster is lost, and a fresh one takes over.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use bowline_api::ItemId;
use bowline_testkit::cache::RunDir;
use bowline_testkit::control_plane::Options;
use bowline_testkit::lab::{self, NAMESPACE, Tree};
use bowline_testkit::{Bowline, ControlPlane};
use serde_json::{Value, json};

use crate::application::{all_pods_run, cluster_object, completed, object};
use crate::inventory::{self, Inventory, meant};
use crate::plan::{self, Plan};

#[tokio::test]
async fn an_application_whose_cluster_is_lost_comes_back_in_a_fresh_one() {
    let disks = RunDir::create("disks").unwrap();
    let (east, west) = start(&disks).await;
    let bowline = Bowline::new(env!("CARGO_BIN_EXE_bowline")).unwrap();
    let lost = back_up_and_lose(&bowline, east).await;
    let restore = ["restore", "create", "recovery", "--from-backup=nightly"];
    let plan = plan::of(&bowline.on(&west), &restore).await;

    let output = bowline.on(&west).run(&[&restore[..], &["-o=json"]].concat()).await.unwrap();
    let report = completed(&output);
    assert_eq!((&report["items"]["failed"], &report["warnings"]), (&json!(0), &json!([])));

    let back = inventory::read(&west).await;
    all_pods_run(&back, NAMESPACE);
    volumes_are_new_and_hold_the_files(&west, &lost, &report).await;
    everything_is_in_the_backup(&lost, &plan);
    what_the_plan_makes_is_there_as_it_was(&lost, &plan, &back);
    what_is_left_out_is_what_the_cluster_makes_itself(&plan);
    volume_objects_differ_in_the_directory_only(&lost.objects, &back);
    the_owner_of_an_object_is_known_by_its_new_identity(&lost.objects, &back);
    the_service_account_may_do_what_it_could(&west).await;
}

/// Two clusters whose volumes lie side by side; the second has no class `standard`.
async fn start(disks: &RunDir) -> (ControlPlane, ControlPlane) {
    let volumes = Some(disks.path().join("volumes"));
    let east = Options { volumes: volumes.clone(), ..Options::new("east") };
    let west = Options { volumes, storage_class: false, ..Options::new("west") };
    let (east, west) = (ControlPlane::start_with(east), ControlPlane::start_with(west));
    tokio::try_join!(east, west).unwrap()
}

/// What a cluster held that is no more.
struct Lost {
    objects: Inventory,
    files: BTreeMap<String, Tree>,
    directories: BTreeMap<String, PathBuf>,
}

async fn back_up_and_lose(bowline: &Bowline, east: ControlPlane) -> Lost {
    lab::deploy(&east).await.unwrap();
    let files = lab::write_files(&east).await.unwrap();
    let directories = lab::volumes(&east.client().await.unwrap(), NAMESPACE).await.unwrap();
    let objects = inventory::read(&east).await;
    let backup = ["backup", "create", "nightly", "-o=json"];
    let report = completed(&bowline.on(&east).run(&backup).await.unwrap());
    assert_eq!(report["warnings"], json!([]));
    drop(east);
    for directory in directories.values() {
        fs::remove_dir_all(directory).unwrap();
    }
    Lost { objects, files, directories }
}

async fn volumes_are_new_and_hold_the_files(west: &ControlPlane, lost: &Lost, report: &Value) {
    assert_eq!(lab::read_files(west, NAMESPACE).await.unwrap(), lost.files);
    let directories = lab::volumes(&west.client().await.unwrap(), NAMESPACE).await.unwrap();
    let old: BTreeSet<&PathBuf> = lost.directories.values().collect();
    let new: BTreeSet<&PathBuf> = directories.values().collect();
    assert_eq!((new.len(), new.intersection(&old).count()), (3, 0), "{new:?} {old:?}");
    assert_eq!(west.provisioned(), [], "nothing empty is made in between");
    for volume in report["volumes"].as_array().unwrap() {
        assert_eq!(volume["state"], "bound");
        let claim = volume["claim"].as_str().unwrap();
        assert_eq!(volume["volumeId"], directories[claim].to_str().unwrap());
    }
}

/// Kinds that a plan does not name as the cluster does: the target's names of volumes are new, and an
/// event is listed by two groups.
const NAMED_OTHERWISE: &[&str] =
    &["componentstatuses", "events", "events.events.k8s.io", "persistentvolumes"];

fn everything_is_in_the_backup(lost: &Lost, plan: &Plan) {
    let named = |id: &&ItemId| !NAMED_OTHERWISE.contains(&id.resource.to_string().as_str());
    let missing = lost.objects.keys().filter(named).filter(|id| !plan.contains_key(id));
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<&ItemId>::new());
}

fn what_the_plan_makes_is_there_as_it_was(lost: &Lost, plan: &Plan, back: &Inventory) {
    for (id, planned) in plan {
        match planned.verdict.as_str() {
            "skip" => assert_ne!(planned.reason, "", "{id}"),
            "create" | "unchanged" if id.resource.to_string() == "persistentvolumes" => {}
            "create" | "unchanged" => {
                let live = back.get(id).unwrap_or_else(|| panic!("{id} is missing"));
                assert_eq!(meant(id, live), meant(id, &lost.objects[id]), "{id}");
            }
            verdict => panic!("{id}: {verdict}"),
        }
    }
}

/// What of the lab does not come back, and what the plan says why; where it names an object, without.
const LEFT_OUT: &[(&str, &str)] = &[
    ("configmaps", "the cluster puts its own into every namespace"),
    ("controllerrevisions.apps", "makes it again"),
    ("endpoints", "the service's selector fills it again"),
    ("endpointslices.discovery.k8s.io", "the service's selector fills it again"),
    ("events", "events tell what happened in the cluster they came from"),
    (
        "jobs.batch",
        "it had finished, and would run again; --restore-finished-jobs brings it back as finished",
    ),
    ("pods", "it had finished, and would run again"),
    ("pods", "makes it again"),
    ("replicasets.apps", "makes it again"),
];

fn what_is_left_out_is_what_the_cluster_makes_itself(plan: &Plan) {
    let left_out = plan.iter().filter(|(id, planned)| {
        id.namespace.as_deref() == Some(NAMESPACE) && planned.verdict == "skip"
    });
    let left_out: BTreeSet<(String, &str)> = left_out
        .map(|(id, planned)| {
            let remade = planned.reason.ends_with("makes it again");
            let reason = if remade { "makes it again" } else { &planned.reason };
            (id.resource.to_string(), reason)
        })
        .collect();
    let expected = LEFT_OUT.iter().map(|(kind, reason)| ((*kind).to_owned(), *reason));
    assert_eq!(left_out, expected.collect());
}

fn volume_objects_differ_in_the_directory_only(lost: &Inventory, back: &Inventory) {
    for claim in lab::CLAIMS {
        let claim = object("persistentvolumeclaims", NAMESPACE, claim);
        let volume = |inventory: &Inventory| {
            let name = inventory[&claim]["spec"]["volumeName"].as_str().unwrap();
            let id = cluster_object("persistentvolumes", name);
            let mut volume = meant(&id, &inventory[&id]);
            assert_eq!(volume["spec"]["claimRef"]["uid"], inventory[&claim]["metadata"]["uid"]);
            volume["spec"]["claimRef"] = Value::Null;
            volume["spec"]["hostPath"]["path"] = Value::Null;
            volume["metadata"]["name"] = Value::Null;
            volume
        };
        assert_eq!(volume(back), volume(lost));
    }
}

fn the_owner_of_an_object_is_known_by_its_new_identity(lost: &Inventory, back: &Inventory) {
    let widget = object("widgets.example.com", NAMESPACE, "counter");
    let state = object("configmaps", NAMESPACE, "counter-state");
    let identity = |inventory: &Inventory| inventory[&widget]["metadata"]["uid"].clone();
    assert_ne!(identity(lost), identity(back));
    assert_eq!(back[&state]["metadata"]["ownerReferences"][0]["uid"], identity(back));
}

async fn the_service_account_may_do_what_it_could(west: &ControlPlane) {
    let account = format!("--as=system:serviceaccount:{NAMESPACE}:web");
    let may = async |verb: &str, resource: &str| {
        let question = ["auth", "can-i", verb, resource, "--namespace", NAMESPACE, &account];
        west.kubectl(&question).await.unwrap().stdout
    };
    assert_eq!(may("list", "configmaps").await, "yes\n");
    assert_eq!(may("list", "nodes").await, "yes\n");
    assert_eq!(may("delete", "configmaps").await, "no\n");
}
