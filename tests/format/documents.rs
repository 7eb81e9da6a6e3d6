//! The documents beside the archive: read, and written again as they were.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use bowline::engine::model::backup::{Backup, FORMAT_VERSION};
use bowline::engine::model::duration::GoDuration;
use bowline::engine::model::results::BackupResults;
use bowline::engine::model::volume::{NativeSnapshot, SnapshotPhase, VolumeInfo};
use bowline::engine::report::Phase;
use flate2::read::MultiGzDecoder;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::shape::shape;

/// Backups that Velero made: a complete one, and one with a volume that was gone.
pub(crate) const BACKUPS: [&str; 2] = ["shop-full", "part-failed"];

/// A file of one of them; the name may hold `NAME` for the backup's.
pub(crate) fn file(backup: &str, name: &str) -> Vec<u8> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/format/fixtures/velero");
    let content = fs::read(fixtures.join(backup).join(name.replace("NAME", backup))).unwrap();
    if name.strip_suffix(".gz").is_none() {
        return content;
    }
    let mut unpacked = Vec::new();
    MultiGzDecoder::new(&content[..]).read_to_end(&mut unpacked).unwrap();
    unpacked
}

fn read<T: DeserializeOwned>(backup: &str, name: &str) -> T {
    serde_json::from_slice(&file(backup, name)).unwrap()
}

/// Reads a file by our type; what we would write instead must be the same document.
fn same_again<T: DeserializeOwned + Serialize>(backup: &str, name: &str) -> T {
    let document: T = read(backup, name);
    let again = serde_json::to_value(&document).unwrap();
    assert_eq!(again, read::<Value>(backup, name), "{name} of {backup}");
    document
}

#[test]
fn the_record_of_snapshots_is_written_again_as_velero_wrote_it() {
    let snapshots: Option<Vec<NativeSnapshot>> =
        same_again("shop-full", "NAME-volumesnapshots.json.gz");
    let snapshots = snapshots.unwrap();
    assert_eq!(snapshots.len(), 3);
    for snapshot in snapshots {
        assert_eq!(snapshot.status.phase, Some(SnapshotPhase::Completed));
        assert!(snapshot.status.provider_snapshot_id.unwrap().starts_with("snap-"));
        assert_eq!(snapshot.spec.volume_az.as_deref(), Some("us-east-1a"));
    }
    let none: Option<Vec<NativeSnapshot>> =
        same_again("part-failed", "NAME-volumesnapshots.json.gz");
    assert_eq!(none, None, "an empty list is null");
}

#[test]
fn what_is_known_of_volumes_is_written_again_as_velero_wrote_it() {
    for (backup, count) in BACKUPS.into_iter().zip([3, 1]) {
        let volumes: Vec<VolumeInfo> = same_again(backup, "NAME-volumeinfo.json.gz");
        assert_eq!(volumes.len(), count);
        for volume in volumes {
            assert_eq!(volume.skipped, volume.native_snapshot_info.is_none());
            assert_eq!(volume.skipped, volume.backup_method.is_none());
            assert_eq!(volume.skipped, volume.skipped_reason.is_some());
        }
    }
}

#[test]
fn warnings_and_errors_are_written_again_as_velero_wrote_them() {
    let none: BackupResults = same_again("shop-full", "NAME-results.gz");
    assert_eq!(none, BackupResults::default());
    let some: BackupResults = same_again("part-failed", "NAME-results.gz");
    assert!(some.errors.velero[0].starts_with(" name: /user message: /Error backing up item"));
}

#[test]
fn lists_are_written_again_as_velero_wrote_them() {
    for backup in BACKUPS {
        let resources: BTreeMap<String, Vec<String>> =
            same_again(backup, "NAME-resource-list.json.gz");
        assert!(resources.values().all(|names| names.is_sorted()));
        let operations: Vec<Value> = same_again(backup, "NAME-itemoperations.json.gz");
        assert!(operations.is_empty());
        let pods: Option<Vec<Value>> = same_again(backup, "NAME-podvolumebackups.json.gz");
        assert_eq!(pods, None);
    }
}

#[test]
fn the_document_of_a_backup_is_written_again_with_all_that_velero_wrote() {
    for backup in BACKUPS {
        let velero: Value = read(backup, "velero-backup.json");
        let document: Backup = read(backup, "velero-backup.json");
        let again = serde_json::to_value(&document).unwrap();
        assert_eq!(shape(&again), shape(&velero), "{backup}");
        assert_eq!(again, velero, "{backup}");
        assert_eq!(document.metadata.rest["generation"], 7);
        assert_eq!(document.spec.rest["volumeGroupSnapshotLabelKey"], "velero.io/volume-group");
    }
}

/// Versions before 1.6 wrote `null` for every list, map and time that was empty.
#[test]
fn the_document_of_an_older_version_is_read_with_its_nulls() {
    let document = json!({"apiVersion": "velero.io/v1", "kind": "Backup",
        "metadata": {"name": "old", "namespace": "velero", "creationTimestamp": null,
            "labels": null, "annotations": null},
        "spec": {"includedNamespaces": null, "excludedNamespaces": null,
            "includedResources": ["pods"], "excludedResources": null, "labelSelector": null,
            "snapshotVolumes": null, "ttl": "720h0m0s", "includeClusterResources": null,
            "hooks": {"resources": null}, "storageLocation": "default",
            "volumeSnapshotLocations": null},
        "status": {"version": 1, "expiration": null, "phase": "Completed",
            "validationErrors": null, "startTimestamp": "2019-08-01T02:00:00Z",
            "completionTimestamp": null, "volumeSnapshotsAttempted": 0, "errors": 0,
            "hookStatus": null}});
    let document: Backup = serde_json::from_value(document).unwrap();
    assert_eq!((document.phase(), document.flaw()), (Phase::Completed, None));
    assert_eq!(document.spec.included_resources, ["pods"]);
    assert!(document.spec.included_namespaces.is_empty() && document.metadata.labels.is_empty());
    assert_eq!(document.status.format_version, "");
    for absent in ["spec", "status"] {
        let mut document = json!({"apiVersion": "velero.io/v1", "kind": "Backup",
            "metadata": {"name": "old"}});
        document[absent] = json!(null);
        let document: Backup = serde_json::from_value(document).unwrap();
        assert_eq!(document.phase(), Phase::New);
    }
}

#[test]
fn a_phase_of_an_older_version_is_read_as_what_it_is_called_now() {
    for (old, phase) in [
        ("Uploading", Phase::WaitingForPluginOperations),
        ("UploadingPartialFailure", Phase::WaitingForPluginOperationsPartiallyFailed),
    ] {
        assert_eq!(serde_json::from_value::<Phase>(json!(old)).unwrap(), phase, "{old:?}");
    }
    assert!(serde_json::from_value::<Phase>(json!("Succeeded")).is_err(), "unknown is an error");
}

#[test]
fn what_is_known_of_a_volume_is_read_whatever_the_case_of_its_keys() {
    for (phase, iops) in [("Phase", json!("100")), ("phase", json!(100))] {
        let mut native = json!({"snapshotHandle": "snap-1", "iops": iops});
        native[phase] = json!("Failed");
        let info = json!({"pvName": "pv", "nativeSnapshotInfo": native});
        let info: VolumeInfo = serde_json::from_value(info).unwrap();
        let native = info.native_snapshot_info.unwrap();
        assert_eq!((native.iops.as_str(), native.phase), ("100", Some(SnapshotPhase::Failed)));
    }
    let spec = json!({"persistentVolumeName": "pv", "providerVolumeId": "vol-1", "volumeAz": "a",
        "volumeIops": 100});
    let status = json!({"providerSnapshotId": "snap-1", "phase": "Completed"});
    let record: NativeSnapshot =
        serde_json::from_value(json!({"spec": spec, "status": status})).unwrap();
    assert_eq!(record.spec.provider_volume_id, "vol-1");
    assert_eq!((record.spec.volume_az.as_deref(), record.spec.volume_iops), (Some("a"), Some(100)));
    assert_eq!(record.status.provider_snapshot_id.as_deref(), Some("snap-1"));
}

#[test]
fn what_velero_tells_of_other_methods_is_written_again() {
    let info = json!([{"pvName": "pv", "backupMethod": "CSISnapshot", "snapshotDataMoved": true,
        "preserveLocalSnapshot": false, "skipped": false,
        "csiSnapshotInfo": {"snapshotHandle": "unknown", "ReadyToUse": null},
        "snapshotDataMovementInfo": {"uploaderType": "kopia", "Phase": "Completed"}}]);
    let infos: Vec<VolumeInfo> = serde_json::from_value(info.clone()).unwrap();
    assert_eq!(serde_json::to_value(infos).unwrap(), info);
}

#[test]
fn the_document_of_a_backup_tells_whether_it_is_good() {
    for (backup, phase) in BACKUPS.into_iter().zip([Phase::Completed, Phase::PartiallyFailed]) {
        let document: Backup = read(backup, "velero-backup.json");
        assert_eq!(document.validate(backup), Ok(()));
        assert!(document.validate("other").is_err());
        assert_eq!(document.phase(), phase);
        assert_eq!(document.status.format_version, FORMAT_VERSION);
        assert_eq!(document.annotation("bowline.io/archive-sha256"), None);
    }
}

/// The words of its custom resource definition.
#[test]
fn every_phase_of_velero_is_one_of_ours() {
    let phases = "New Queued ReadyToStart FailedValidation InProgress WaitingForPluginOperations \
                  WaitingForPluginOperationsPartiallyFailed Finalizing FinalizingPartiallyFailed \
                  Completed PartiallyFailed Failed Deleting";
    for phase in phases.split_whitespace() {
        let document = json!({"apiVersion": "velero.io/v1", "kind": "Backup",
            "metadata": {"name": "b"}, "status": {"phase": phase}});
        let document: Backup = serde_json::from_value(document).unwrap();
        assert_eq!(document.phase().to_string(), phase);
        assert_eq!(serde_json::to_value(document).unwrap()["status"]["phase"], phase);
    }
}

#[test]
fn durations_are_written_as_go_writes_them() {
    let document: Value = read("shop-full", "velero-backup.json");
    for key in ["ttl", "csiSnapshotTimeout", "itemOperationTimeout"] {
        let text = document["spec"][key].as_str().unwrap();
        assert_eq!(text.parse::<GoDuration>().unwrap().to_string(), text);
    }
}

/// What Velero needs and what it may leave out: only the document itself has to be there.
#[test]
fn a_document_without_anything_that_can_be_left_out_is_read() {
    let document =
        json!({"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": {"name": "b"}});
    let document: Backup = serde_json::from_value(document).unwrap();
    assert_eq!(document.phase(), Phase::New, "and so not good");
    for list in ["null", "[]"] {
        assert_eq!(
            serde_json::from_str::<Option<Vec<VolumeInfo>>>(list).unwrap().unwrap_or_default(),
            []
        );
    }
    let infos = r#"[{"pvName": "pv", "pvInfo": {"reclaimPolicy": "Delete", "labels": null}}]"#;
    let infos: Vec<VolumeInfo> = serde_json::from_str(infos).unwrap();
    assert!(!infos[0].skipped && infos[0].backup_method.is_none());
}
