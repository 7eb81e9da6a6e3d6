//! Drills in the cluster that holds the original: they show what is true, and leave nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use bowline_api::ItemId;
use bowline_testkit::lab::{self, NAMESPACE, Tree};
use bowline_testkit::{Bowline, ControlPlane, Output};
use serde_json::{Value, json};

use crate::application::object;
use crate::inventory::{self, Inventory, is_steady, meant};

#[tokio::test]
async fn a_drill_passes_beside_its_original_and_leaves_nothing_and_one_that_fails_leaves_nothing() {
    let lab = Lab::start().await;
    let check = "echo in $BOWLINE_DRILL_NAMESPACE; test -n \"$KUBECONFIG\"";
    let output = lab.drill(&["--check", check]).await;
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    let report = output.json();
    assert_eq!(
        (&report["verdict"], &report["takeDown"]["state"]),
        (&json!("Passed"), &json!("done"))
    );
    let namespace = drilled_in(&report);
    assert_eq!(report["check"]["output"], json!(format!("in {namespace}\n")));
    let volumes = report["restore"]["volumes"].as_array().unwrap();
    assert_eq!(volumes.len(), lab::CLAIMS.len());
    assert!(volumes.iter().all(|volume| volume["state"] == "bound"), "{volumes:?}");
    lab.nothing_but_the_original_is_there().await;

    let output = lab.drill(&["--check", "echo wrong >&2; exit 3"]).await;
    assert_eq!(output.code, Some(6), "{}{}", output.stdout, output.stderr);
    let report = output.json();
    assert_eq!(report["verdict"], "Failed");
    assert_eq!(
        (&report["check"]["exitCode"], &report["check"]["output"]),
        (&json!(3), &json!("wrong\n"))
    );
    lab.nothing_but_the_original_is_there().await;

    let described = lab.bowline.run(&["backup", "describe", "shop"]).await.unwrap();
    let drills = described.stdout.split("Drills:").nth(1).unwrap_or_default();
    let drills: Vec<&str> = drills.lines().skip(1).take(2).collect();
    assert!(drills[0].contains("Failed: the check ended with exit code 3"), "{}", described.stdout);
    assert!(drills[1].ends_with("Passed"), "{}", described.stdout);
    let restores = lab.bowline.run(&["restore", "get", "-o", "json"]).await.unwrap();
    assert_eq!(restores.json()["items"], json!([]));
}

#[tokio::test]
async fn a_drill_that_is_kept_is_closed_off_and_one_that_is_killed_is_cleaned_up() {
    let lab = Lab::start().await;
    let output = lab.drill(&["--keep", "--quota", "pods=20"]).await;
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    let namespace = drilled_in(&output.json());
    let kept = inventory::read(&lab.east).await;
    let hard =
        kept[&object("resourcequotas", &namespace, "bowline-drill")]["status"]["hard"].clone();
    let expected = json!({"pods": "20", "services.loadbalancers": "0", "services.nodeports": "0"});
    assert_eq!(hard, expected);
    let policies = "networkpolicies.networking.k8s.io";
    assert!(kept.contains_key(&object(policies, &namespace, "bowline-drill")));
    let found = kept.keys().filter(|id| {
        id.resource.to_string() == policies && id.namespace.as_ref() == Some(&namespace)
    });
    assert_eq!(found.count(), 1, "the backup's own policies would add to it");
    assert_eq!(lab::read_files(&lab.east, &namespace).await.unwrap(), lab.files);
    let again = lab.bowline.run(&["backup", "create", "all", "-o", "json"]).await.unwrap();
    let plan = ["restore", "create", "look", "--from-backup=all", "--dry-run", "-o", "json"];
    let plan = lab.bowline.run(&plan).await.unwrap().json();
    let held = plan["items"].as_array().unwrap().iter();
    let held: Vec<_> = held.filter(|it| it["namespace"] == namespace.as_str()).collect();
    assert!(held.is_empty(), "{}: {held:?}", again.stdout);

    let killed = ["restore", "drill", "--from-backup=shop", "--check", "kill -9 $PPID"];
    let output = lab.bowline.run(&killed).await.unwrap();
    assert_eq!(output.code, None, "{}{}", output.stdout, output.stderr);
    let command = ["restore", "drill", "--clean-up=shop", "-o", "json"];
    let items = lab.bowline.run(&command).await.unwrap().json()["items"].clone();
    let states: Vec<&Value> = items.as_array().unwrap().iter().map(|it| &it["state"]).collect();
    assert_eq!(states, ["done", "running"]);
    let uid = items[1]["uid"].as_str().unwrap();
    let by_uid = ["restore", "drill", &format!("--clean-up={uid}")];
    let output = lab.bowline.run(&by_uid).await.unwrap();
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    lab.nothing_but_the_original_is_there().await;
}

/// The namespace that stands in for the lab's.
fn drilled_in(report: &Value) -> String {
    report["namespaces"][NAMESPACE].as_str().unwrap().to_owned()
}

/// A cluster with the lab, its backup, and how it was before anything was drilled.
struct Lab {
    east: ControlPlane,
    bowline: Bowline,
    before: Inventory,
    files: BTreeMap<String, Tree>,
    entries: BTreeSet<PathBuf>,
}

impl Lab {
    async fn start() -> Self {
        let east = ControlPlane::start("east").await.unwrap();
        lab::deploy(&east).await.unwrap();
        let files = lab::write_files(&east).await.unwrap();
        let bowline = Bowline::new(env!("CARGO_BIN_EXE_bowline")).unwrap().on(&east);
        let backup = ["backup", "create", "shop", "--include-namespaces=shop"];
        let output = bowline.run(&backup).await.unwrap();
        assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
        let entries = entries(&east).await;
        let before = inventory::read(&east).await;
        Self { east, bowline, before, files, entries }
    }

    async fn drill(&self, arguments: &[&str]) -> Output {
        let command = ["restore", "drill", "--from-backup=shop", "--output=json"];
        self.bowline.run(&[&command[..], arguments].concat()).await.unwrap()
    }

    /// All objects are there that were before, as they were, and no others; so are all volumes.
    async fn nothing_but_the_original_is_there(&self) {
        let after = inventory::read(&self.east).await;
        let steady = |inventory: &Inventory| -> BTreeSet<ItemId> {
            inventory.keys().filter(|id| is_steady(id)).cloned().collect()
        };
        let (was, is) = (steady(&self.before), steady(&after));
        assert_eq!(was.symmetric_difference(&is).collect::<Vec<_>>(), Vec::<&ItemId>::new());
        for id in &was {
            assert_eq!(after[id]["metadata"]["uid"], self.before[id]["metadata"]["uid"], "{id}");
            assert_eq!(meant(id, &after[id]), meant(id, &self.before[id]), "{id}");
        }
        assert_eq!(lab::read_files(&self.east, NAMESPACE).await.unwrap(), self.files);
        assert_eq!(entries(&self.east).await, self.entries);
    }
}

/// All that lies where the volumes of the lab are.
async fn entries(east: &ControlPlane) -> BTreeSet<PathBuf> {
    let volumes = lab::volumes(&east.client().await.unwrap(), NAMESPACE).await.unwrap();
    let parents: BTreeSet<&Path> = volumes.values().filter_map(|volume| volume.parent()).collect();
    let within = |parent: &Path| fs::read_dir(parent).unwrap().map(|it| it.unwrap().path());
    parents.into_iter().flat_map(within).collect()
}
