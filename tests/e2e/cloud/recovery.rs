//! The main job: an application is backed up to S3 and EBS, its cluster is lost, and fresh ones take over.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use bowline_api::ItemId;
use bowline_testkit::cloud::{Tags, Volume};
use bowline_testkit::control_plane::Options;
use bowline_testkit::lab::{self, NAMESPACE};
use bowline_testkit::provisioner::DRIVER;
use bowline_testkit::{Bowline, Cloud, ControlPlane};
use serde_json::{Value, json};

use super::bucket;
use crate::application::{all_pods_run, cluster_object, completed, pods};
use crate::inventory::{self, Inventory};
use crate::plan;

const ZONE_LABEL: &str = "topology.ebs.csi.aws.com/zone";

/// Two volumes that are faster than others of their type, one of them encrypted.
const FAST: &str = r#"{
  "apiVersion": "v1", "kind": "List", "items": [
    { "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "db" } },
    {
      "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": { "name": "fast" },
      "provisioner": "ebs.csi.aws.com", "volumeBindingMode": "WaitForFirstConsumer",
      "parameters": { "type": "gp3", "iops": "4000", "throughput": "250" }
    },
    {
      "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": { "name": "safe" },
      "provisioner": "ebs.csi.aws.com", "volumeBindingMode": "WaitForFirstConsumer",
      "parameters": { "type": "gp3", "iops": "4000", "throughput": "250", "encrypted": "true" }
    },
    {
      "apiVersion": "v1", "kind": "PersistentVolumeClaim",
      "metadata": { "name": "fast", "namespace": "db" },
      "spec": {
        "storageClassName": "fast", "accessModes": ["ReadWriteOnce"],
        "resources": { "requests": { "storage": "8Gi" } }
      }
    },
    {
      "apiVersion": "v1", "kind": "PersistentVolumeClaim",
      "metadata": { "name": "safe", "namespace": "db" },
      "spec": {
        "storageClassName": "safe", "accessModes": ["ReadWriteOnce"],
        "resources": { "requests": { "storage": "8Gi" } }
      }
    },
    {
      "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "db", "namespace": "db" },
      "spec": {
        "containers": [{ "name": "main", "image": "none" }],
        "volumes": [
          { "name": "fast", "persistentVolumeClaim": { "claimName": "fast" } },
          { "name": "safe", "persistentVolumeClaim": { "claimName": "safe" } }
        ]
      }
    }
  ]
}"#;

#[tokio::test]
async fn an_application_whose_cluster_is_lost_comes_back_on_new_volumes_in_fresh_ones() {
    let cloud = Cloud::start().await.unwrap();
    let (east, west, south) = start(&cloud).await;
    let bowline = Bowline::new(env!("CARGO_BIN_EXE_bowline")).unwrap().with_cloud(&cloud);
    let lost = back_up_and_lose(&bowline, &cloud, east).await;
    records_are_velero_s(&cloud, &lost).await;
    no_file_says_that_it_is_encoded(&cloud).await;

    zones_are_mapped_as_asked(&bowline.on(&west)).await;
    let in_west = ["restore", "create", "recovery", "--from-backup=nightly", "-o=json"];
    let moved = ["restore", "create", "moved", "--from-backup=nightly", "-o=json"];
    let moved = [&moved[..], &["--namespace-mappings=shop:store", "--cluster-name=south"]].concat();
    let (on_west, on_south) = (bowline.on(&west), bowline.on(&south));
    let runs = tokio::try_join!(on_west.run(&in_west), on_south.run(&moved)).unwrap();
    let reports = (completed(&runs.0), completed(&runs.1));

    let as_it_was = Target { zone: "us-east-1a", shop: NAMESPACE, cluster: None };
    as_it_was.is_reached(&lost, &west, &cloud, &reports.0).await;
    let elsewhere = Target { zone: "us-east-1c", shop: "store", cluster: Some("south") };
    elsewhere.is_reached(&lost, &south, &cloud, &reports.1).await;
    let made = 2 * lost.volumes.len();
    assert_eq!(cloud.ec2().volumes().await.unwrap().len(), made, "one for each claim");
}

async fn zones_are_mapped_as_asked(bowline: &Bowline) {
    let restore = ["restore", "create", "look", "--from-backup=nightly"];
    let mapped = |to: &str| format!("--zone-mappings=us-east-1a:{to}");
    let plan = plan::of(bowline, &[&restore[..], &[&mapped("us-east-1b")]].concat()).await;
    let is_volume = |id: &ItemId| id.resource.to_string() == "persistentvolumes";
    let volumes: Vec<_> = plan.iter().filter(|(id, _)| is_volume(id)).collect();
    assert_eq!(volumes.len(), 5);
    for (id, planned) in volumes {
        let reason = &planned.reason;
        assert!(reason.ends_with("in zone us-east-1b (was us-east-1a)"), "{id}: {reason}");
    }
    let nowhere = mapped("us-east-1z");
    let refused = bowline.run(&[&restore[..], &[&nowhere]].concat()).await.unwrap();
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("\"us-east-1z\""), "{}", refused.stderr);
}

/// A cluster to be lost, and two fresh ones: one in the same zone, and one in another.
async fn start(cloud: &Cloud) -> (ControlPlane, ControlPlane, ControlPlane) {
    let east = Options { storage: cloud.storage(), ..Options::new("east") };
    let west = Options { name: "west".to_owned(), storage_class: false, ..east.clone() };
    let zone = "us-east-1c".to_owned();
    let south = Options { name: "south".to_owned(), zone, ..west.clone() };
    let start = ControlPlane::start_with;
    tokio::try_join!(start(east), start(west), start(south)).unwrap()
}

/// What a cluster held that is no more.
struct Lost {
    /// The volume of each claim, by namespace and name.
    volumes: BTreeMap<String, Disk>,
    /// The snapshot of each.
    snapshots: BTreeMap<String, String>,
    /// What the backup reported.
    report: Value,
}

/// A volume, as the cluster and EC2 know it.
struct Disk {
    object: Value,
    volume: Volume,
}

async fn back_up_and_lose(bowline: &Bowline, cloud: &Cloud, east: ControlPlane) -> Lost {
    deploy(&east).await;
    let volumes = disks(&inventory::read(&east).await, cloud).await;
    let create = async |name: &str, more: &[&str]| {
        let create = [&["backup", "create", name, "-o=json"], more].concat();
        completed(&bowline.on(&east).run(&create).await.unwrap())
    };
    let report = create("nightly", &[]).await;
    assert_eq!(report["warnings"], json!([]));
    let location = "--volume-snapshot-locations=aws-default";
    create("for-velero", &["--include-namespaces=db", location]).await;
    drop(east);
    for disk in volumes.values() {
        cloud.ec2().delete_volume(&disk.volume.id).await.unwrap();
    }
    let snapshots = report["volumes"].as_array().unwrap().iter();
    let snapshots = snapshots.map(|it| (claim(it), it["snapshotId"].as_str().unwrap().to_owned()));
    Lost { volumes, snapshots: snapshots.collect(), report }
}

async fn deploy(east: &ControlPlane) {
    lab::deploy(east).await.unwrap();
    let manifest = east.directory().join("fast.json");
    fs::write(&manifest, FAST).unwrap();
    let apply = ["apply", "--filename", manifest.to_str().unwrap()];
    east.kubectl(&apply).await.unwrap().success();
    let ready = ["wait", "--for=condition=Ready", "--namespace=db", "pod/db", "--timeout=60s"];
    east.kubectl(&ready).await.unwrap().success();
}

/// The volume of every claim, which all must be Bound.
async fn disks(objects: &Inventory, cloud: &Cloud) -> BTreeMap<String, Disk> {
    let all = cloud.ec2().volumes().await.unwrap();
    let is_claim = |resource: &str| resource == "persistentvolumeclaims";
    let claims = objects.iter().filter(|(id, _)| is_claim(&id.resource.to_string()));
    let disk = |claim: &Value| {
        assert_eq!(claim["status"]["phase"], "Bound", "{claim}");
        let name = claim["spec"]["volumeName"].as_str().unwrap();
        let object = objects[&cluster_object("persistentvolumes", name)].clone();
        let volume = all.iter().find(|one| object["spec"]["csi"]["volumeHandle"] == one.id);
        Disk { volume: volume.unwrap().clone(), object }
    };
    let name = |id: &ItemId| format!("{}/{}", id.namespace.as_ref().unwrap(), id.name);
    claims.map(|(id, claim)| (name(id), disk(claim))).collect()
}

fn claim(volume: &Value) -> String {
    format!("{}/{}", volume["namespace"].as_str().unwrap(), volume["claim"].as_str().unwrap())
}

/// Where a restore went.
struct Target {
    zone: &'static str,
    /// The lab's namespace there.
    shop: &'static str,
    /// The name by which AWS knows the cluster.
    cluster: Option<&'static str>,
}

impl Target {
    async fn is_reached(&self, lost: &Lost, cluster: &ControlPlane, cloud: &Cloud, report: &Value) {
        assert_eq!(cluster.provisioned(), [], "nothing empty is made in between");
        let objects = inventory::read(cluster).await;
        all_pods_run(&objects, self.shop);
        let db = pods(&objects, "db");
        assert_eq!(db, BTreeMap::from([("db".to_owned(), "Running".to_owned())]));
        let disks = disks(&objects, cloud).await;
        assert_eq!(disks.len(), lost.volumes.len());
        for (claim, before) in &lost.volumes {
            let claim_here = self.name(claim);
            let disk = &disks[&claim_here];
            is_made_from(&lost.snapshots[claim], disk, before);
            assert_eq!(disk.volume.zone, self.zone);
            self.is_tied_to_the_zone(&disk.object);
            self.is_tagged(&claim_here, disk);
        }
        for volume in report["volumes"].as_array().unwrap() {
            let id = disks[&claim(volume)].volume.id.as_str();
            assert_eq!(
                (volume["state"].as_str(), volume["volumeId"].as_str()),
                (Some("bound"), Some(id))
            );
        }
    }

    /// A claim's name in the target.
    fn name(&self, claim: &str) -> String {
        match claim.strip_prefix("shop/") {
            Some(name) => format!("{}/{name}", self.shop),
            None => claim.to_owned(),
        }
    }

    fn is_tied_to_the_zone(&self, object: &Value) {
        let terms = &object["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"];
        let here = json!({ "key": ZONE_LABEL, "operator": "In", "values": [self.zone] });
        assert_eq!(*terms, json!([{ "matchExpressions": [here] }]));
    }

    /// By these the CSI driver, and AWS' policy for it, know a volume.
    fn is_tagged(&self, claim: &str, disk: &Disk) {
        let (namespace, claim) = claim.split_once('/').unwrap();
        let name = disk.object["metadata"]["name"].as_str().unwrap();
        let expected = [
            ("ebs.csi.aws.com/cluster", "true"),
            ("CSIVolumeName", name),
            ("kubernetes.io/created-for/pv/name", name),
            ("kubernetes.io/created-for/pvc/name", claim),
            ("kubernetes.io/created-for/pvc/namespace", namespace),
        ];
        let owner = self.cluster.map(|name| format!("kubernetes.io/cluster/{name}"));
        let expected = expected.into_iter().chain(owner.as_deref().map(|key| (key, "owned")));
        let drivers = |key: &str| key == "CSIVolumeName" || !key.starts_with("bowline.io/");
        let drivers = |key: &str| drivers(key) && !key.starts_with("velero.io/");
        let tags = disk.volume.tags.iter().filter(|(key, _)| drivers(key));
        let tags: Tags = tags.map(|(key, value)| (key.clone(), value.clone())).collect();
        assert_eq!(tags, expected.map(|(key, value)| (key.to_owned(), value.to_owned())).collect());
    }
}

/// <https://github.com/vmware-tanzu/velero/issues/5816>: gp3 volumes came back at baseline.
fn is_made_from(snapshot: &str, disk: &Disk, before: &Disk) {
    let figures = |volume: &Volume| Volume {
        id: String::new(),
        zone: String::new(),
        snapshot: None,
        tags: Tags::new(),
        ..volume.clone()
    };
    assert_eq!(disk.volume.snapshot.as_deref(), Some(snapshot));
    assert_eq!(disk.volume.state, "available");
    assert_ne!(disk.volume.id, before.volume.id);
    assert_eq!(figures(&disk.volume), figures(&before.volume));
    assert_eq!(disk.object["spec"]["csi"]["driver"], DRIVER);
    assert_ne!(disk.object["metadata"]["name"], before.object["metadata"]["name"]);
}

/// What a Velero needs of the volumes, under its names.
async fn records_are_velero_s(cloud: &Cloud, lost: &Lost) {
    for (backup, location, count) in [("nightly", "default", 5), ("for-velero", "aws-default", 2)] {
        let read = async |file| {
            bucket::json(cloud, &format!("backups/{backup}/{backup}-{file}.json.gz")).await
        };
        let snapshots = read("volumesnapshots").await;
        let infos = read("volumeinfo").await;
        let [snapshots, infos] = [&snapshots, &infos].map(|list| list.as_array().unwrap());
        assert_eq!((snapshots.len(), infos.len()), (count, count));
        for snapshot in snapshots {
            assert_eq!(snapshot["spec"]["location"], location);
        }
    }
    let document = bucket::json(cloud, "backups/for-velero/velero-backup.json").await;
    assert_eq!(document["spec"]["volumeSnapshotLocations"], json!(["aws-default"]));
    record_of_a_volume(cloud, lost, "db/fast", "4000").await;
    record_of_a_volume(cloud, lost, "shop/data-nginx-ss-0", "3000").await;
}

async fn record_of_a_volume(cloud: &Cloud, lost: &Lost, claim: &str, iops: &str) {
    let disk = &lost.volumes[claim];
    let name = &disk.object["metadata"]["name"];
    let snapshot = &lost.snapshots[claim];
    let records = bucket::json(cloud, "backups/nightly/nightly-volumesnapshots.json.gz").await;
    let records = records.as_array().unwrap();
    let found = records.iter().find(|it| it["spec"]["persistentVolumeName"] == *name).unwrap();
    let keys: BTreeSet<&str> =
        found["spec"].as_object().unwrap().keys().map(String::as_str).collect();
    assert!(keys.is_superset(&VELERO_S.into()), "{keys:?}");
    for (key, value) in [
        ("backupName", json!("nightly")),
        ("backupUID", lost.report["uid"].clone()),
        ("providerVolumeID", json!(disk.volume.id)),
        ("volumeType", json!("gp3")),
        ("volumeAZ", json!("us-east-1a")),
        ("volumeIOPS", json!(iops.parse::<u32>().unwrap())),
    ] {
        assert_eq!(found["spec"][key], value, "{key}");
    }
    assert_eq!(found["status"], json!({"providerSnapshotID": snapshot, "phase": "Completed"}));

    let infos = bucket::json(cloud, "backups/nightly/nightly-volumeinfo.json.gz").await;
    let infos = infos.as_array().unwrap();
    let info = infos.iter().find(|it| it["pvName"] == *name).unwrap();
    assert_eq!(
        (&info["backupMethod"], &info["result"]),
        (&json!("NativeSnapshot"), &json!("succeeded"))
    );
    let native = json!({
        "snapshotHandle": snapshot,
        "volumeType": "gp3",
        "volumeAZ": "us-east-1a",
        "iops": iops,
        "Phase": "Completed",
    });
    assert_eq!(info["nativeSnapshotInfo"], native);
}

/// The keys of Velero's `VolumeSnapshot` spec.
const VELERO_S: [&str; 8] = [
    "backupName",
    "backupUID",
    "location",
    "persistentVolumeName",
    "providerVolumeID",
    "volumeAZ",
    "volumeIOPS",
    "volumeType",
];

/// With `Content-Encoding` a client might unpack what Velero wants to unpack itself.
async fn no_file_says_that_it_is_encoded(cloud: &Cloud) {
    let keys = bucket::keys(cloud, "").await;
    assert!(keys.iter().any(|key| key.ends_with("nightly.tar.gz")), "{keys:?}");
    for key in keys {
        assert_eq!(bucket::headers(cloud, &key).await.get("content-encoding"), None, "{key}");
    }
}
