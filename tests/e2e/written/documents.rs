//! The documents beside the archive, against Velero's own and key by key.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::fixture::{BRIEF, FULL, GONE, LABELLED, PARTLY, SPARE, unpack, written};
use super::shape::shape;

/// A file of a backup that Velero made.
fn of_velero(file: &str) -> Value {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/format/fixtures/velero");
    let content = fs::read(fixtures.join("shop-full").join(file)).unwrap();
    let content = if file.strip_suffix(".gz").is_some() { unpack(&content) } else { content };
    serde_json::from_slice(&content).unwrap()
}

fn time(value: &Value) -> Timestamp {
    let text = value.as_str().unwrap();
    let time: Timestamp = text.parse().unwrap();
    assert_eq!(time.to_string(), text, "not RFC 3339 in UTC");
    assert_eq!(time.subsec_nanosecond(), 0, "not whole seconds");
    time
}

/// What is there in one and not in the other, a list of lines each.
fn difference(ours: &Value, velero: &Value) -> (Vec<String>, Vec<String>) {
    let (ours, velero) = (shape(ours), shape(velero));
    let lacking = |one: &BTreeSet<String>, other: &BTreeSet<String>| {
        one.difference(other).cloned().collect::<Vec<_>>()
    };
    (lacking(&ours, &velero), lacking(&velero, &ours))
}

#[tokio::test]
async fn the_document_of_a_backup_has_the_keys_of_velero_s_but_for_its_servers_settings() {
    let mut velero = of_velero("velero-backup.json");
    // What the API server of Velero's cluster, and Velero's server as such, left there.
    let metadata = velero["metadata"].as_object_mut().unwrap();
    for key in ["managedFields", "generation", "resourceVersion"] {
        assert!(metadata.remove(key).is_some(), "{key}");
    }
    metadata["annotations"].as_object_mut().unwrap().remove("velero.io/resource-timeout");
    let document = written().await.backup(BRIEF).json("velero-backup.json");
    let (ours, missing) = difference(&document, &velero);
    assert_eq!(
        ours,
        [
            "/metadata/annotations/bowline.io/archive-sha256 string",
            "/metadata/annotations/bowline.io/archive-size string",
            "/metadata/annotations/bowline.io/cluster-uid string",
            "/metadata/annotations/bowline.io/digests-sha256 string",
            "/metadata/annotations/bowline.io/version string",
            "/spec/snapshotVolumes boolean",
        ]
    );
    assert_eq!(
        missing,
        [
            "/spec/excludedClusterScopedResources list",
            "/spec/excludedClusterScopedResources[] string",
            "/spec/excludedNamespaceScopedResources list",
            "/spec/excludedNamespaceScopedResources[] string",
            "/spec/volumeGroupSnapshotLabelKey string",
            // Zero is left out: no snapshots were asked for.
            "/status/volumeSnapshotsAttempted number",
            "/status/volumeSnapshotsCompleted number",
        ]
    );
}

#[tokio::test]
async fn the_document_of_a_backup_says_what_velero_reads() {
    let written = written().await;
    let document = written.backup(FULL).json("velero-backup.json");
    let report = &written.reports[FULL];
    assert_eq!(document["apiVersion"], "velero.io/v1");
    assert_eq!(document["kind"], "Backup");
    let metadata = &document["metadata"];
    assert_eq!(metadata["namespace"], "velero");
    assert_eq!(metadata["uid"], report["uid"]);
    assert_eq!(metadata["labels"], json!({"velero.io/storage-location": "default"}));
    let annotation = |key: &str| metadata["annotations"][key].as_str().unwrap();
    assert!(annotation("velero.io/source-cluster-k8s-gitversion").starts_with("v1."));
    assert_eq!(annotation("velero.io/source-cluster-k8s-major-version"), "1");
    assert!(annotation("velero.io/source-cluster-k8s-minor-version").parse::<u32>().is_ok());
    assert_eq!(annotation("bowline.io/cluster-uid"), report["clusterUID"].as_str().unwrap());
    assert_eq!(
        document["spec"],
        json!({
            "metadata": {}, "hooks": {}, "includedNamespaces": ["*"], "storageLocation": "default",
            "volumeSnapshotLocations": ["default"], "defaultVolumesToFsBackup": false,
            "csiSnapshotTimeout": "10m0s", "itemOperationTimeout": "4h0m0s",
            "snapshotMoveData": false,
        })
    );
    let items = &report["items"];
    assert_eq!(
        document["status"],
        json!({
            "version": 1, "formatVersion": "1.1.0", "phase": "Completed", "hookStatus": {},
            "startTimestamp": report["startTimestamp"],
            "completionTimestamp": report["completionTimestamp"],
            "progress": {"totalItems": items, "itemsBackedUp": items},
            "volumeSnapshotsAttempted": 3, "volumeSnapshotsCompleted": 3,
        })
    );
    assert!(time(&report["startTimestamp"]) <= time(&report["completionTimestamp"]));
    assert_eq!(time(&metadata["creationTimestamp"]), time(&report["startTimestamp"]));
    let text = String::from_utf8(written.backup(FULL).bytes("velero-backup.json").into()).unwrap();
    assert!(text.starts_with("{\n  \"apiVersion\": "), "not indented by two spaces");
}

/// A Velero on the same bucket deletes what has expired, with its snapshots.
#[tokio::test]
async fn a_backup_expires_only_if_it_was_given_a_time_to_live() {
    let written = written().await;
    for backup in [FULL, PARTLY] {
        let document = written.backup(backup).json("velero-backup.json");
        assert!(document["status"].get("expiration").is_none(), "{backup}");
        assert!(document["spec"].get("ttl").is_none(), "{backup}");
    }
    let document = written.backup(BRIEF).json("velero-backup.json");
    assert_eq!(document["spec"]["ttl"], "36h30m0s");
    assert_eq!(document["metadata"]["labels"]["team"], "web");
    let (start, end) = (&document["status"]["startTimestamp"], &document["status"]["expiration"]);
    assert_eq!(time(end), time(start) + SignedDuration::from_mins(36 * 60 + 30));
}

#[tokio::test]
async fn the_record_of_snapshots_has_the_form_of_velero_s() {
    let written = written().await;
    let list = written.backup(FULL).packed_json("NAME-volumesnapshots.json.gz");
    let (ours, missing) = difference(&list, &of_velero("shop-full-volumesnapshots.json.gz"));
    assert_eq!(ours, ["[]/spec/bowlineProvider string"], "Velero ignores it");
    assert_eq!(missing, ["[]/spec/volumeAZ string"], "a directory is in no zone");
    let uid = &written.reports[FULL]["uid"];
    for (snapshot, volume) in list.as_array().unwrap().iter().zip(volumes_of(FULL).await) {
        assert_eq!(snapshot["spec"]["backupName"], FULL);
        assert_eq!(snapshot["spec"]["backupUID"], *uid);
        // Velero looks for a VolumeSnapshotLocation of this name in the cluster it restores into.
        assert_eq!(snapshot["spec"]["location"], "default");
        assert_eq!(snapshot["spec"]["persistentVolumeName"], volume["persistentVolume"]);
        assert_eq!(snapshot["spec"]["providerVolumeID"], volume["volumeId"]);
        assert_eq!(snapshot["status"]["providerSnapshotID"], volume["snapshotId"]);
        assert_eq!(snapshot["status"]["phase"], "Completed");
    }
    assert_eq!(list.as_array().unwrap().len(), 3);
}

async fn volumes_of(backup: &str) -> &'static [Value] {
    written().await.reports[backup]["volumes"].as_array().unwrap()
}

#[tokio::test]
async fn what_is_known_of_volumes_has_the_form_of_velero_s_with_its_odd_capitals() {
    let written = written().await;
    let list = written.backup(FULL).packed_json("NAME-volumeinfo.json.gz");
    let of = |claim: &str| list.as_array().unwrap().iter().find(|it| it["pvcName"] == claim);
    let labelled = of(LABELLED).unwrap();
    let velero = of_velero("shop-full-volumeinfo.json.gz");
    let labels =
        ("[]/pvInfo/labels/tier string", "[]/pvInfo/labels/topology.kubernetes.io/zone string");
    let expected = (vec![labels.0.to_owned()], vec![labels.1.to_owned()]);
    assert_eq!(difference(&json!([labelled]), &velero), expected);
    let volume = &volumes_of(FULL).await[0];
    assert_eq!(
        *labelled,
        json!({
            "pvcName": LABELLED, "pvcNamespace": "shop", "pvName": written.volumes[LABELLED],
            "backupMethod": "NativeSnapshot", "snapshotDataMoved": false,
            "preserveLocalSnapshot": false, "skipped": false, "result": "succeeded",
            "nativeSnapshotInfo": {"snapshotHandle": volume["snapshotId"], "volumeType": "directory",
                "volumeAZ": "", "iops": "0", "Phase": "Completed"},
            "pvInfo": {"reclaimPolicy": "Retain", "labels": {"tier": "db"}},
        })
    );
    assert_eq!(of(GONE).unwrap()["pvInfo"], json!({"reclaimPolicy": "Retain", "labels": null}));
}

/// A volume that is left out without a word comes back empty, and Velero says nothing.
#[tokio::test]
async fn every_volume_in_the_archive_has_its_line_in_the_volume_infos() {
    for backup in [FULL, BRIEF, PARTLY] {
        let directory = written().await.backup(backup);
        let items = directory.items().into_iter();
        let volumes = items.filter(|item| item.resource == "persistentvolumes");
        let held: BTreeSet<String> = volumes.map(|item| item.name).collect();
        let infos = directory.packed_json("NAME-volumeinfo.json.gz");
        let infos = infos.as_array().unwrap().iter();
        let known: BTreeSet<String> =
            infos.map(|info| info["pvName"].as_str().unwrap().to_owned()).collect();
        assert_eq!(known, held, "{backup}");
    }
    let spare = written().await.backup(FULL).packed_json("NAME-volumeinfo.json.gz");
    let spare = spare.as_array().unwrap().iter().find(|info| info["pvName"] == SPARE).unwrap();
    assert_eq!(spare["skipped"], true);
    assert_eq!(spare["pvInfo"]["reclaimPolicy"], "Delete");
}

#[tokio::test]
async fn volumes_that_were_left_out_on_purpose_are_skipped_with_the_reason() {
    let directory = written().await.backup(BRIEF);
    assert_eq!(directory.packed("NAME-volumesnapshots.json.gz"), "null\n");
    let list = directory.packed_json("NAME-volumeinfo.json.gz");
    for info in list.as_array().unwrap() {
        assert_eq!(info["skipped"], true);
        assert!(info["skippedReason"].as_str().unwrap().contains("turned off"), "{info}");
        assert_eq!(info["snapshotDataMoved"], false);
        assert_eq!(info["preserveLocalSnapshot"], false);
        for key in ["backupMethod", "result", "nativeSnapshotInfo"] {
            assert!(info.get(key).is_none(), "{key}");
        }
        assert_eq!(info["pvInfo"]["reclaimPolicy"], "Retain");
    }
    assert_eq!(list.as_array().unwrap().len(), 3);
}

/// Without its entry, Velero would make an empty volume in place of one whose snapshot failed.
#[tokio::test]
async fn a_snapshot_that_failed_is_recorded_as_failed_and_makes_the_backup_partly_failed() {
    let directory = written().await.backup(PARTLY);
    let status = directory.json("velero-backup.json")["status"].clone();
    assert_eq!(status["phase"], "PartiallyFailed");
    assert_eq!((&status["errors"], status.get("warnings")), (&json!(1), None));
    assert_eq!(status["volumeSnapshotsAttempted"], 3);
    assert_eq!(status["volumeSnapshotsCompleted"], 2);
    let volume = &written().await.volumes[GONE];
    let snapshots = directory.packed_json("NAME-volumesnapshots.json.gz");
    let snapshots = snapshots.as_array().unwrap();
    let failed =
        snapshots.iter().find(|it| it["spec"]["persistentVolumeName"] == **volume).unwrap();
    assert_eq!(failed["status"], json!({"phase": "Failed"}));
    assert_eq!(snapshots.len(), 3);
    let infos = directory.packed_json("NAME-volumeinfo.json.gz");
    let info = infos.as_array().unwrap().iter().find(|it| it["pvName"] == **volume).unwrap();
    assert_eq!(info["backupMethod"], "NativeSnapshot");
    assert_eq!(info["result"], "failed");
    assert_eq!(info["skipped"], false);
    assert_eq!(info["nativeSnapshotInfo"]["snapshotHandle"], "");
    assert_eq!(info["nativeSnapshotInfo"]["Phase"], "Failed");
}

#[tokio::test]
async fn warnings_and_errors_are_grouped_as_velero_groups_them() {
    let written = written().await;
    for backup in [FULL, BRIEF] {
        let results = written.backup(backup).packed_json("NAME-results.gz");
        assert_eq!(results, of_velero("shop-full-results.gz"), "{backup}");
        assert_eq!(results, json!({"errors": {}, "warnings": {}}));
    }
    let results = written.backup(PARTLY).packed_json("NAME-results.gz");
    let message = results["errors"]["namespaces"]["shop"][0].as_str().unwrap();
    let start = format!(
        " resource: /persistentvolumeclaims name: /{GONE} message: /failed to snapshot error: /"
    );
    assert!(message.starts_with(&start), "{message}");
    assert_eq!(results, json!({"errors": {"namespaces": {"shop": [message]}}, "warnings": {}}));
}

#[tokio::test]
async fn lists_of_what_bowline_does_not_do_are_empty_as_velero_s_are() {
    for backup in [FULL, BRIEF, PARTLY] {
        let directory = written().await.backup(backup);
        assert_eq!(directory.packed_json("NAME-podvolumebackups.json.gz"), Value::Null);
        assert_eq!(directory.packed_json("NAME-itemoperations.json.gz"), json!([]));
    }
    assert_eq!(of_velero("shop-full-podvolumebackups.json.gz"), Value::Null);
    assert_eq!(of_velero("shop-full-itemoperations.json.gz"), json!([]));
}

#[tokio::test]
async fn a_log_has_the_lines_of_velero_s() {
    for backup in [FULL, BRIEF, PARTLY] {
        let log = written().await.backup(backup).packed("NAME-logs.gz");
        assert_log(&log, &format!("backup=velero/{backup}"));
    }
    let log = written().await.backup(PARTLY).packed("NAME-logs.gz");
    assert!(log.lines().any(|line| line.contains(" level=error ") && line.contains(GONE)), "{log}");
}

/// `time="…Z" level=info msg="…" backup=velero/nightly logSource="…"`, and what it is about.
pub(super) fn assert_log(log: &str, subject: &str) {
    assert!(log.lines().count() > 3 && log.ends_with('\n'), "{log}");
    for line in log.lines() {
        let rest = line.strip_prefix("time=\"").unwrap();
        let (at, rest) = rest.split_once("\" level=").unwrap();
        time(&at.into());
        let (level, rest) = rest.split_once(" msg=").unwrap();
        assert!(["info", "warning", "error"].contains(&level), "{line}");
        let (message, fields) = rest.split_at(end_of_message(rest));
        let is_quoted = message.starts_with('"');
        assert_eq!(is_quoted, message.contains([' ', ':', '"']), "quoted as Velero does: {line}");
        assert!(format!("{fields} ").contains(&format!(" {subject} ")), "{line}");
        let (_, source) = fields.split_once("logSource=\"src/engine/").unwrap();
        let number = source.split_once(".rs:").unwrap().1.split_once('"').unwrap().0;
        assert!(number.parse::<u32>().is_ok(), "{line}");
    }
}

/// Where the message of a line ends, quoted (as JSON would be) or not.
fn end_of_message(rest: &str) -> usize {
    if !rest.starts_with('"') {
        return rest.find(' ').unwrap();
    }
    let mut texts = serde_json::Deserializer::from_str(rest).into_iter::<String>();
    texts.next().unwrap().unwrap();
    texts.byte_offset()
}
