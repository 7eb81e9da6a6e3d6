//! Backups that a real Velero made come back in a cluster that never saw them.

use std::collections::BTreeMap;
use std::path::Path;

use bowline_api::ItemId;
use bowline_testkit::control_plane::Options;
use bowline_testkit::{Bowline, Cloud, ControlPlane, VeleroBackup};
use serde_json::{Value, json};

use crate::application::{cluster_object, completed, object, pods};
use crate::inventory::{self, Inventory};
use crate::plan;

/// A machine with a fresh cluster, and a backup of Velero's in its bucket.
struct Site {
    cloud: Cloud,
    cluster: ControlPlane,
    bowline: Bowline,
    backup: VeleroBackup,
}

impl Site {
    async fn with(backup: &str) -> Self {
        let cloud = Cloud::start().await.unwrap();
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/format/fixtures/velero");
        let backup = VeleroBackup::install(&cloud, &fixtures.join(backup)).await.unwrap();
        let storage = cloud.storage();
        let options = Options { storage, storage_class: false, ..Options::new("west") };
        let cluster = ControlPlane::start_with(options).await.unwrap();
        let bowline = Bowline::new(env!("CARGO_BIN_EXE_bowline")).unwrap();
        let bowline = bowline.with_cloud(&cloud).on(&cluster);
        Self { cloud, cluster, bowline, backup }
    }

    fn restore(&self) -> [String; 4] {
        let from = format!("--from-backup={}", self.backup.name);
        ["restore", "create", "rescue", &from].map(str::to_owned)
    }

    async fn plan(&self) -> plan::Plan {
        let restore = self.restore();
        plan::of(&self.bowline, &restore.each_ref().map(String::as_str)).await
    }

    async fn run(&self) -> bowline_testkit::Output {
        let restore = self.restore();
        let restore = restore.each_ref().map(String::as_str);
        self.bowline.run(&[&restore[..], &["--output=json"]].concat()).await.unwrap()
    }
}

#[tokio::test]
async fn a_complete_backup_of_velero_comes_back_with_its_volumes() {
    let site = Site::with("shop-full").await;
    let plan = site.plan().await;
    assert_eq!(plan.len(), 72, "every object of the archive is in the plan");
    let report = completed(&site.run().await);
    assert_eq!(site.cluster.provisioned(), [], "nothing empty is made in between");
    let objects = inventory::read(&site.cluster).await;
    // Each restore gives its persistent volumes names of their own.
    let named = |id: &ItemId| id.resource.to_string() != "persistentvolumes";
    let restored = plan.iter().filter(|(id, planned)| planned.verdict != "skip" && named(id));
    let missing: Vec<_> = restored.filter(|(id, _)| !objects.contains_key(id)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    volumes_are_made_from_the_snapshots(&site, &objects, &report).await;
    let pods = pods(&objects, "shop");
    let of = |workload: &str| pods.keys().filter(|name| name.starts_with(workload)).count();
    assert_eq!((of("nginx-ss-"), of("web-"), of("agent-")), (3, 2, 1), "{pods:?}");
    assert!(pods.values().all(|phase| phase == "Running"), "{pods:?}");
}

async fn volumes_are_made_from_the_snapshots(site: &Site, objects: &Inventory, report: &Value) {
    let made = site.cloud.ec2().volumes().await.unwrap();
    assert_eq!(made.len(), 6, "one for each snapshot, beside those that were there");
    let infos = site.backup.document("NAME-volumeinfo.json.gz").unwrap();
    let mut bound = BTreeMap::new();
    for info in infos.as_array().unwrap() {
        let claim = info["pvcName"].as_str().unwrap();
        let snapshot = &site.backup.snapshots[info["pvName"].as_str().unwrap()];
        let claim_object = &objects[&object("persistentvolumeclaims", "shop", claim)];
        assert_eq!(claim_object["status"]["phase"], "Bound");
        let volume = claim_object["spec"]["volumeName"].as_str().unwrap();
        let handle = &objects[&cluster_object("persistentvolumes", volume)]["spec"]["csi"];
        let disk = made.iter().find(|volume| handle["volumeHandle"] == volume.id).unwrap();
        assert_eq!(disk.snapshot.as_ref(), Some(&snapshot.id), "{claim}");
        assert_ne!(disk.id, snapshot.volume);
        assert_eq!((disk.kind.as_str(), disk.zone.as_str()), ("gp3", "us-east-1a"));
        bound.insert(claim.to_owned(), disk.id.clone());
    }
    for volume in report["volumes"].as_array().unwrap() {
        let id = &bound[volume["claim"].as_str().unwrap()];
        assert_eq!((&volume["state"], &volume["volumeId"]), (&json!("bound"), &json!(id)));
    }
    assert_eq!((bound.len(), report["volumes"].as_array().unwrap().len()), (3, 3));
}

#[tokio::test]
async fn a_partly_failed_backup_of_velero_comes_back_as_far_as_it_goes_and_says_why_not_further() {
    let site = Site::with("part-failed").await;
    let plan = site.plan().await;
    let claim = object("persistentvolumeclaims", "broken", "gone");
    assert_eq!(plan[&claim].verdict, "refuse");
    let output = site.run().await;
    assert_eq!(output.code, Some(3), "{}{}", output.stdout, output.stderr);
    let report = output.json();
    let errors = report["errors"].as_array().unwrap();
    let of = |name: &str| errors.iter().find(|error| error["name"] == name).unwrap();
    for name in ["gone", "user"] {
        let message = of(name)["message"].as_str().unwrap();
        assert!(message.contains("not in the backup"), "{message}");
        assert!(message.contains("The volume '{'vol-00000000000000bad'}' does not exist"));
    }
    assert_eq!(of("gone")["resource"], "persistentvolumeclaims");
    assert_eq!(errors.len(), 2, "{errors:?}");
    let objects = inventory::read(&site.cluster).await;
    for name in ["big", "kube-root-ca.crt"] {
        assert!(objects.contains_key(&object("configmaps", "broken", name)), "{name}");
    }
    assert!(!objects.contains_key(&claim));
    assert_eq!(site.cloud.ec2().volumes().await.unwrap(), []);
    assert_eq!(site.cluster.provisioned(), []);
}
