//! Claims and volumes that are there before the restore's are.
//!
//! The peer calls a restore Completed whose claim is bound to an empty volume, and waits ten minutes for
//! each volume that is there already:
//! <https://github.com/vmware-tanzu/velero/issues/7487>,
//! <https://github.com/vmware-tanzu/velero/issues/9433>,
//! <https://github.com/vmware-tanzu/velero/issues/5141>,
//! <https://github.com/vmware-tanzu/velero/issues/2519>.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bowline_testkit::{ControlPlane, wait};
use k8s_openapi::api::core::v1::{Namespace, PersistentVolume, PersistentVolumeClaim};
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};

use super::site::{Site, apply, bowline, get, kubectl, report, run, wait_for};
use crate::plan;

const CLAIM: [&str; 4] = ["persistentvolumeclaim", "data-db-0", "-n", "shop"];
const PATIENCE: Duration = Duration::from_mins(1);
/// Without the class that claims and volumes name: they bind nevertheless.
const NO_CLASSES: &str = "--exclude-resources=storageclasses";

#[tokio::test]
async fn a_claim_that_an_operator_made_too_early_is_an_error_and_can_be_taken_over() {
    let site = Site::start().await;
    deploy(&site.east).await;
    delete_with_claim(&site.east, "Delete").await;
    site.back_up(&["nightly", "--include-namespaces=shop"]).await;

    let early = site.west.volumes().join("early");
    fs::create_dir_all(&early).unwrap();
    fs::write(early.join("marker"), "the operator's").unwrap();
    let first = ["first", "--from-backup=nightly", NO_CLASSES];
    let (output, ()) = tokio::join!(site.try_restore(&first), operate(&site.west, &early));
    let waiting = it_is_an_error_and_nothing_starts_on_it(&site, &report(&output, 3)).await;

    let second = ["second", "--from-backup=nightly", NO_CLASSES, "--take-over-claims"];
    the_plan_says_what_is_replaced(&site, &second).await;
    let report = site.restore(&second).await;
    the_operators_volume_is_kept(&site.west, &early, &report).await;
    the_data_is_the_backups(&site.west).await;
    a_missing_class_is_told(&report);
    let left = get(&site.west, &["persistentvolume", &waiting]).await;
    assert_eq!(left["status"]["phase"], "Available", "passed by: it is of another restore");
}

#[tokio::test]
async fn volumes_that_are_still_there_are_passed_by_however_often_it_is_restored() {
    let (east, bowline) = (ControlPlane::start("east").await.unwrap(), bowline());
    deploy(&east).await;
    apply(&east, &[stray(&east)]).await;
    let everything = ["nightly", "--include-namespaces=shop", "--include-cluster-resources=true"];
    report(&run(&bowline, &east, "backup create -o=json", &everything).await, 0);
    let original = volume(&east).await;
    kubectl(&east, &["delete", "persistentvolume", "stray"]).await;

    for restore in ["once", "twice"] {
        kubectl(&east, &["delete", "namespace", "shop"]).await;
        let arguments = [restore, "--from-backup=nightly"];
        let plan =
            plan::of(&bowline.on(&east), &[&["restore", "create"], &arguments[..]].concat()).await;
        let planned = plan.iter().find(|(id, it)| {
            id.resource.to_string() == "persistentvolumes" && it.verdict == "create"
        });
        let reason = &planned.unwrap().1.reason;
        assert!(reason.contains("(Released) is left as it is"), "{reason}");
        report(&run(&bowline, &east, "restore create -o=json", &arguments).await, 0);
        the_data_is_the_backups(&east).await;
    }

    let name = original["metadata"]["name"].as_str().unwrap();
    let live = get(&east, &["persistentvolume", name]).await;
    assert_eq!(live["metadata"]["uid"], original["metadata"]["uid"]);
    assert_eq!(live["status"]["phase"], "Released");
    assert_ne!(volume(&east).await["metadata"]["name"], name);
    // No snapshot stands for it, no claim has it: it would lead to a disk that it might delete.
    let stray = east.kubectl(&["get", "persistentvolume", "stray"]).await.unwrap();
    assert_ne!(stray.code, Some(0), "{}", stray.stdout);
}

/// A stateful set with a volume on which something is written.
async fn deploy(cluster: &ControlPlane) {
    let labels = json!({"app": "db"});
    let pod = json!({"terminationGracePeriodSeconds": 0, "containers": [{"name": "db", "image": "registry.example.com/db:1",
        "volumeMounts": [{"name": "data", "mountPath": "/data"}]}]});
    let template = json!({"metadata": {"name": "data"}, "spec": {"storageClassName": "standard",
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    let set = json!({"apiVersion": "apps/v1", "kind": "StatefulSet",
        "metadata": {"name": "db", "namespace": "shop"},
        "spec": {"replicas": 1, "serviceName": "db", "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
            "volumeClaimTemplates": [template]}});
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
    apply(cluster, &[namespace]).await;
    // They take the restore some time between the namespace and the claim.
    let configuration = (0..100).map(|number| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"number": number.to_string()},
            "metadata": {"name": format!("settings-{number}"), "namespace": "shop"}})
    });
    apply(cluster, &configuration.chain([set]).collect::<Vec<_>>()).await;
    runs(cluster).await;
    fs::write(directory(&volume(cluster).await).join("marker"), "the backup's").unwrap();
}

async fn runs(cluster: &ControlPlane) {
    wait_for(cluster, &["pod", "db-0", "-n", "shop"], |it| it["status"]["phase"] == "Running")
        .await;
}

/// The volume that the claim is bound to.
async fn volume(cluster: &ControlPlane) -> Value {
    let claim = wait_for(cluster, &CLAIM, |it| it["status"]["phase"] == "Bound").await;
    let name = claim["spec"]["volumeName"].as_str().unwrap();
    let volume = get(cluster, &["persistentvolume", name]).await;
    assert_eq!(volume["spec"]["claimRef"]["uid"], claim["metadata"]["uid"]);
    volume
}

fn directory(volume: &Value) -> PathBuf {
    volume["spec"]["hostPath"]["path"].as_str().unwrap().into()
}

/// Lets the volume go with its claim, as most classes have it.
async fn delete_with_claim(cluster: &ControlPlane, policy: &str) {
    let name = volume(cluster).await["metadata"]["name"].as_str().unwrap().to_owned();
    let patch = json!({"spec": {"persistentVolumeReclaimPolicy": policy}}).to_string();
    kubectl(cluster, &["patch", "persistentvolume", &name, "--patch", &patch]).await;
}

/// A volume that nobody has.
fn stray(cluster: &ControlPlane) -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "stray"},
        "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Delete", "storageClassName": "none",
            "hostPath": {"path": cluster.volumes().join("stray")}}})
}

/// An operator that makes its claim, with a volume of its own, as soon as its namespace is there.
async fn operate(cluster: &ControlPlane, directory: &Path) {
    let client = cluster.client().await.unwrap();
    let namespaces = Api::<Namespace>::all(client.clone());
    let limit = tokio::time::timeout(PATIENCE, async {
        while namespaces.get_opt("shop").await.unwrap().is_none() {}
    });
    limit.await.unwrap();
    let claim = serde_json::from_value(json!({"metadata": {"name": "data-db-0"},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "fast",
            "resources": {"requests": {"storage": "1Gi"}}, "volumeName": "early"}}));
    let claims = Api::<PersistentVolumeClaim>::namespaced(client.clone(), "shop");
    claims.create(&PostParams::default(), &claim.unwrap()).await.unwrap();
    let volume = serde_json::from_value(json!({"metadata": {"name": "early"},
        "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Delete", "storageClassName": "fast",
            "claimRef": {"namespace": "shop", "name": "data-db-0"},
            "hostPath": {"path": directory}}}));
    let volumes = Api::<PersistentVolume>::all(client);
    volumes.create(&PostParams::default(), &volume.unwrap()).await.unwrap();
}

/// Gives back the volume that waits for the claim.
async fn it_is_an_error_and_nothing_starts_on_it(site: &Site, report: &Value) -> String {
    let errors = report["errors"].as_array().unwrap();
    let about: Vec<_> = errors.iter().map(|error| &error["name"]).collect();
    assert_eq!(about, ["data-db-0", "db"], "{errors:?}");
    let message = errors[0]["message"].as_str().unwrap();
    assert!(message.starts_with("something else made this claim meanwhile"), "{message}");
    assert!(errors[0]["hint"].as_str().unwrap().contains("--take-over-claims"), "{errors:?}");
    let set = site.west.kubectl(&["get", "statefulset", "db", "-n", "shop"]).await.unwrap();
    assert_ne!(set.code, Some(0), "{}", set.stdout);
    assert_eq!(get(&site.west, &CLAIM).await["spec"]["volumeName"], "early");
    let waiting = report["volumes"][0]["persistentVolume"].as_str().unwrap().to_owned();
    let available = |it: &Value| it["status"]["phase"] == "Available";
    wait_for(&site.west, &["persistentvolume", &waiting], available).await;
    waiting
}

async fn the_plan_says_what_is_replaced(site: &Site, arguments: &[&str]) {
    let command = [&["restore", "create"], arguments].concat();
    let plan = plan::of(&site.bowline.on(&site.west), &command).await;
    let (_, claim) = plan.iter().find(|(id, _)| id.name == "data-db-0").unwrap();
    let expected = "takes over from volume early, which is kept (Retain)";
    assert_eq!((claim.verdict.as_str(), claim.reason.as_str()), ("recreate", expected));
}

async fn the_operators_volume_is_kept(cluster: &ControlPlane, early: &Path, report: &Value) {
    let released = |it: &Value| it["status"]["phase"] != "Bound";
    let kept = wait_for(cluster, &["persistentvolume", "early"], released).await;
    assert_eq!(kept["spec"]["persistentVolumeReclaimPolicy"], "Retain");
    assert_eq!(fs::read_to_string(early.join("marker")).unwrap(), "the operator's");
    let warnings = report["warnings"].as_array().unwrap();
    assert!(warnings.iter().any(|it| it["name"] == "early"), "{warnings:?}");
}

/// Its volume goes with it, and is neither released nor deleted by whom it was of.
async fn the_data_is_the_backups(cluster: &ControlPlane) {
    runs(cluster).await;
    let volume = volume(cluster).await;
    assert!(volume["metadata"]["name"].as_str().unwrap().starts_with("bowline-"), "{volume}");
    let marker = directory(&volume).join("marker");
    let held =
        wait::until("the file is there", PATIENCE, async || Ok(fs::read_to_string(&marker).ok()));
    assert_eq!(held.await.unwrap(), "the backup's");
}

fn a_missing_class_is_told(report: &Value) {
    let warnings = report["warnings"].as_array().unwrap();
    let told = warnings.iter().find(|it| it["name"] == "data-db-0").unwrap();
    let message = told["message"].as_str().unwrap();
    assert!(message.starts_with("its StorageClass standard is neither"), "{message}");
}
