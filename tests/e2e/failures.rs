//! What cannot be restored stays away, and is told.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bowline_testkit::lab::{self, NAMESPACE};
use bowline_testkit::provisioner::Provisioned;
use bowline_testkit::{Bowline, ControlPlane, Output, wait};
use serde_json::Value;

use crate::application::{all_pods_run, completed, object, pods};
use crate::inventory;

/// The last claim of the stateful set: its pods start in order, so that the others can be up.
const CLAIM: &str = lab::CLAIMS[2];
const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_claim_whose_snapshot_is_gone_or_damaged_stays_pending_and_all_else_is_up() {
    let lab = Lab::start().await;
    let before = lab.east.provisioned();

    let snapshot = lab.back_up("gone").await;
    let aside = lab.bowline.home().join("aside");
    fs::rename(&snapshot, &aside).unwrap();
    let report = lab.restore_part("gone").await;
    only_the_claim_failed(&report, "does not exist");
    lab.claim_stays_pending("gone", &report, &before).await;
    fs::rename(&aside, &snapshot).unwrap();
    lab.mended_as_the_hint_says("gone").await;
    assert_eq!(lab.east.provisioned(), before, "nothing empty was made in between");

    let snapshot = lab.back_up("damaged").await;
    alter(&snapshot.join("data/logs/2026/access.log"));
    let report = lab.restore_part("damaged").await;
    only_the_claim_failed(&report, "the contents of logs/2026/access.log have changed");
    lab.claim_stays_pending("damaged", &report, &before).await;
    lab.empty_claim_is_not_taken_for_the_backups("damaged").await;
}

/// A cluster with the lab, to be restored beside itself, as the class `standard` is there.
struct Lab {
    east: ControlPlane,
    bowline: Bowline,
    files: BTreeMap<String, lab::Tree>,
}

impl Lab {
    async fn start() -> Self {
        let east = ControlPlane::start("east").await.unwrap();
        lab::deploy(&east).await.unwrap();
        let files = lab::write_files(&east).await.unwrap();
        let bowline = Bowline::new(env!("CARGO_BIN_EXE_bowline")).unwrap().on(&east);
        Self { east, bowline, files }
    }

    /// Makes a backup; returns the directory of the claim's snapshot.
    async fn back_up(&self, name: &str) -> PathBuf {
        let command = ["backup", "create", name, "--include-namespaces=shop", "--output=json"];
        let report = completed(&self.bowline.run(&command).await.unwrap());
        let snapshot = volume(&report)["snapshotId"].as_str().unwrap().to_owned();
        self.bowline.location().join("metadata/bowline/volumes").join(snapshot)
    }

    /// Restores a backup into a namespace of its name.
    async fn restore(&self, restore: &str, backup: &str) -> Output {
        let from = format!("--from-backup={backup}");
        let mapping = format!("--namespace-mappings={NAMESPACE}:{backup}");
        let command = ["restore", "create", restore, &from, &mapping, "--output=json"];
        self.bowline.run(&command).await.unwrap()
    }

    async fn restore_part(&self, name: &str) -> Value {
        let output = self.restore(name, name).await;
        assert_eq!(output.code, Some(3), "{}", output.stderr);
        output.json()
    }

    /// The claim and its pod wait, all else runs, and nothing is there in the volume's place.
    async fn claim_stays_pending(&self, namespace: &str, report: &Value, before: &[Provisioned]) {
        self.scheduler_has_looked(namespace).await;
        let inventory = inventory::read(&self.east).await;
        let mut pods = pods(&inventory, namespace);
        assert_eq!(pods.remove("nginx-ss-2").as_deref(), Some("Pending"));
        assert!(pods.len() == 5 && pods.values().all(|phase| phase == "Running"), "{pods:?}");
        let claim = &inventory[&object("persistentvolumeclaims", namespace, CLAIM)];
        assert_eq!(claim["status"]["phase"], "Pending");

        let name = volume(report)["persistentVolume"].as_str().unwrap();
        assert_eq!(claim["spec"]["volumeName"], name);
        assert!(!inventory.keys().any(|id| id.name == name), "{name} was made");
        assert_eq!(self.left_in_volumes(name), Vec::<String>::new());
        assert_eq!(self.east.provisioned(), before);
        let mut files = self.files.clone();
        files.remove(CLAIM);
        assert_eq!(lab::read_files(&self.east, namespace).await.unwrap(), files);
    }

    /// Until then, nobody would have asked for a volume in any case.
    async fn scheduler_has_looked(&self, namespace: &str) {
        wait::until("the scheduler has looked at the pod", SOON, async || {
            let inventory = inventory::read(&self.east).await;
            let status = &inventory[&object("pods", namespace, "nginx-ss-2")]["status"];
            let mut conditions = status["conditions"].as_array().into_iter().flatten();
            let looked = conditions.any(|condition| condition["reason"] == "Unschedulable");
            let still = || io::Error::other(format!("it is still {status}"));
            looked.then_some(Some(())).ok_or_else(|| still().into())
        })
        .await
        .unwrap();
    }

    /// What lies beside the volumes that has to do with one of this name.
    fn left_in_volumes(&self, name: &str) -> Vec<String> {
        let entries = fs::read_dir(self.east.volumes()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|entry| entry.contains(name)).collect()
    }

    async fn mended_as_the_hint_says(&self, namespace: &str) {
        let set = ["delete", "statefulset", "nginx-ss", "--cascade=orphan"];
        for command in [&set[..], &["delete", "persistentvolumeclaim", CLAIM]] {
            let command = [&["--namespace", namespace], command].concat();
            self.east.kubectl(&command).await.unwrap().success();
        }
        completed(&self.restore("mended", namespace).await);
        all_pods_run(&inventory::read(&self.east).await, namespace);
        assert_eq!(lab::read_files(&self.east, namespace).await.unwrap(), self.files);
    }

    /// Without its claim, the stateful set makes an empty one at once.
    async fn empty_claim_is_not_taken_for_the_backups(&self, namespace: &str) {
        // kubectl does not see that it is gone where another is there at once.
        let delete = ["delete", "persistentvolumeclaim", CLAIM, "--wait=false"];
        let delete = [&["--namespace", namespace], &delete[..]].concat();
        self.east.kubectl(&delete).await.unwrap().success();
        let client = self.east.client().await.unwrap();
        lab::wait_until_up(&client, namespace).await.unwrap();

        let output = self.restore("careless", namespace).await;
        assert_eq!(output.code, Some(3), "{}", output.stderr);
        let report = output.json();
        assert_eq!(volume(&report)["state"], "refused");
        let error = &report["errors"][0];
        assert_eq!(error["name"], CLAIM);
        assert!(error["message"].as_str().unwrap().contains("was not made of this backup"));
    }
}

/// The claim's entry in a report.
fn volume(report: &Value) -> &Value {
    let volumes = report["volumes"].as_array().unwrap();
    volumes.iter().find(|volume| volume["claim"] == CLAIM).unwrap()
}

fn only_the_claim_failed(report: &Value, reason: &str) {
    assert_eq!(report["phase"], "PartiallyFailed");
    let volumes = report["volumes"].as_array().unwrap();
    let states: Vec<_> = volumes.iter().map(|volume| &volume["state"]).collect();
    assert_eq!(states, ["bound", "bound", "failed"]);
    let errors = report["errors"].as_array().unwrap();
    let about: Vec<_> = errors.iter().map(|error| &error["name"]).collect();
    assert_eq!(about, [CLAIM, "nginx-ss"]);
    assert!(errors[0]["message"].as_str().unwrap().contains(reason), "{}", errors[0]);
    assert!(errors[0]["hint"].as_str().unwrap().contains("stays Pending"), "{}", errors[0]);
}

/// Changes one byte of a file.
fn alter(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    bytes[100] ^= 1;
    fs::write(path, bytes).unwrap();
}
