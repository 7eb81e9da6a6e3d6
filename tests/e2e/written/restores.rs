//! What a restore leaves behind, as Velero's own tools read it.

use serde_json::{Value, json};

use super::documents::assert_log;
use super::fixture::{FULL, RESTORE, written};

#[tokio::test]
async fn the_resource_list_of_a_restore_tells_what_became_of_each_object() {
    let list = written().await.restore().packed_json("restore-NAME-resource-list.json.gz");
    for (kind, names) in list.as_object().unwrap() {
        assert!(kind.contains('/'), "{kind}");
        let names: Vec<&str> =
            names.as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
        assert!(names.is_sorted(), "{names:?}");
        for name in names {
            let (_, action) = name.strip_suffix(')').unwrap().rsplit_once('(').unwrap();
            assert!(["created", "updated", "failed", "skipped"].contains(&action), "{name}");
        }
    }
    let claims = ["copy/data-nginx-ss-0", "copy/data-nginx-ss-1", "copy/data-nginx-ss-2"];
    assert_eq!(list["v1/PersistentVolumeClaim"], json!(claims.map(|it| format!("{it}(created)"))));
    assert_eq!(list["apps/v1/StatefulSet"], json!(["copy/nginx-ss(created)"]));
}

#[tokio::test]
async fn the_volumes_of_a_restore_are_told_by_claim_volume_and_snapshot() {
    let written = written().await;
    let snapshots = written.backup(FULL).packed_json("NAME-volumesnapshots.json.gz");
    let volumes = written.reports[RESTORE]["volumes"].as_array().unwrap();
    let expected = volumes.iter().zip(snapshots.as_array().unwrap()).map(|(volume, snapshot)| {
        assert_eq!(volume["state"], "bound");
        json!({
            "pvcName": volume["claim"],
            "pvcNamespace": "copy",
            "pvName": volume["persistentVolume"],
            "restoreMethod": "NativeSnapshot",
            "snapshotDataMoved": false,
            "nativeSnapshotInfo": {
                "snapshotHandle": snapshot["status"]["providerSnapshotID"],
                "volumeType": "directory", "volumeAZ": "", "iops": "0",
            },
        })
    });
    let expected = Value::Array(expected.collect());
    assert_eq!(written.restore().packed_json("NAME-volumeinfo.json.gz"), expected);
}

#[tokio::test]
async fn the_other_files_of_a_restore_have_velero_s_form() {
    let written = written().await;
    let directory = written.restore();
    assert_eq!(directory.packed_json("restore-NAME-itemoperations.json.gz"), json!([]));
    assert_log(&directory.packed("restore-NAME-logs.gz"), "restore=velero/back");
    let results = directory.packed_json("restore-NAME-results.gz");
    assert_eq!(results["errors"], json!({}));
    let warnings = results["warnings"].as_object().unwrap();
    assert!(warnings.keys().all(|key| ["velero", "cluster", "namespaces"].contains(&&key[..])));
    let report = &written.reports[RESTORE];
    assert_eq!(directory.json("bowline-result.json"), *report);
    let record = directory.json("bowline-restore.json");
    assert_eq!(record["uid"], report["uid"]);
    assert_eq!(record["spec"]["backupName"], FULL);
    assert_eq!(record["spec"]["namespaceMapping"], json!({"shop": "copy"}));
}
