//! Every file of Velero's that bowline writes, key by key against what Velero's own types have.

use std::collections::BTreeSet;
use std::io::Read as _;

use bowline::engine::backup;
use flate2::read::MultiGzDecoder;
use serde_json::Value;

use crate::application::{backup, restore, source, target};
use crate::fake_world::World;
use crate::shape::shape;

/// A file and what may be in it: `path type`, or `path type?` where Velero may leave it out.
///
/// A key that only bowline knows has a `+`. Below `*` there is any key.
struct Form {
    file: &'static str,
    lines: &'static [&'static str],
}

/// The files of a backup.
const BACKUP: [Form; 7] = [
    Form {
        file: "velero-backup.json",
        lines: &[
            " object",
            "/apiVersion string",
            "/kind string",
            "/metadata object",
            "/metadata/name string",
            "/metadata/namespace string",
            "/metadata/uid string",
            "/metadata/creationTimestamp string",
            "/metadata/labels object",
            "/metadata/labels/* string",
            "/metadata/annotations object",
            "/metadata/annotations/* string",
            "/spec object",
            "/spec/metadata object",
            "/spec/includedNamespaces list?",
            "/spec/includedNamespaces[] string?",
            "/spec/excludedNamespaces list?",
            "/spec/excludedNamespaces[] string?",
            "/spec/includedResources list?",
            "/spec/includedResources[] string?",
            "/spec/excludedResources list?",
            "/spec/excludedResources[] string?",
            "/spec/includeClusterResources boolean?",
            "/spec/snapshotVolumes boolean?",
            "/spec/ttl string?",
            "/spec/hooks object",
            "/spec/storageLocation string",
            "/spec/volumeSnapshotLocations list",
            "/spec/volumeSnapshotLocations[] string",
            "/spec/defaultVolumesToFsBackup boolean",
            "/spec/csiSnapshotTimeout string",
            "/spec/itemOperationTimeout string",
            "/spec/snapshotMoveData boolean",
            "/status object",
            "/status/version number",
            "/status/formatVersion string",
            "/status/expiration string?",
            "/status/phase string",
            "/status/startTimestamp string",
            "/status/completionTimestamp string",
            "/status/progress object",
            "/status/progress/totalItems number",
            "/status/progress/itemsBackedUp number",
            "/status/volumeSnapshotsAttempted number?",
            "/status/volumeSnapshotsCompleted number?",
            "/status/warnings number?",
            "/status/errors number?",
            "/status/hookStatus object",
        ],
    },
    Form {
        file: "NAME-volumesnapshots.json.gz",
        lines: &[
            " list",
            "[] object",
            "[]/spec object",
            "[]/spec/backupName string",
            "[]/spec/backupUID string",
            "[]/spec/location string",
            "[]/spec/persistentVolumeName string",
            "[]/spec/providerVolumeID string",
            "[]/spec/volumeType string",
            "[]/spec/volumeAZ string?",
            "[]/spec/volumeIOPS number?",
            "[]/spec/bowlineProvider string+",
            "[]/spec/volumeSizeGiB number+",
            "[]/spec/volumeTags object+",
            "[]/spec/volumeTags/* string+",
            "[]/spec/volumeEncrypted boolean+",
            "[]/spec/volumeThroughput number+",
            "[]/spec/volumeKMSKeyID string+",
            "[]/spec/volumeMultiAttach boolean+",
            "[]/status object",
            "[]/status/phase string",
            "[]/status/providerSnapshotID string?",
        ],
    },
    Form {
        file: "NAME-volumeinfo.json.gz",
        lines: &[
            " list",
            "[] object",
            "[]/pvcName string?",
            "[]/pvcNamespace string?",
            "[]/pvName string",
            "[]/backupMethod string?",
            "[]/snapshotDataMoved boolean",
            "[]/preserveLocalSnapshot boolean",
            "[]/skipped boolean",
            "[]/skippedReason string?",
            "[]/bowlineState string+",
            "[]/result string?",
            "[]/nativeSnapshotInfo object?",
            "[]/nativeSnapshotInfo/snapshotHandle string?",
            "[]/nativeSnapshotInfo/volumeType string?",
            "[]/nativeSnapshotInfo/volumeAZ string?",
            "[]/nativeSnapshotInfo/iops string?",
            "[]/nativeSnapshotInfo/Phase string?",
            "[]/pvInfo object?",
            "[]/pvInfo/reclaimPolicy string?",
            "[]/pvInfo/labels null?",
            "[]/pvInfo/labels object?",
            "[]/pvInfo/labels/* string?",
        ],
    },
    Form { file: "NAME-resource-list.json.gz", lines: &[" object", "/* list", "/*[] string"] },
    Form { file: "NAME-results.gz", lines: RESULTS },
    Form { file: "NAME-itemoperations.json.gz", lines: &[" list"] },
    Form { file: "NAME-podvolumebackups.json.gz", lines: &[" null"] },
];

/// The files of a restore.
const RESTORE: [Form; 4] = [
    Form { file: "restore-NAME-results.gz", lines: RESULTS },
    Form {
        file: "restore-NAME-resource-list.json.gz",
        lines: &[" object", "/* list", "/*[] string"],
    },
    Form { file: "restore-NAME-itemoperations.json.gz", lines: &[" list"] },
    Form {
        file: "NAME-volumeinfo.json.gz",
        lines: &[
            " list",
            "[] object",
            "[]/pvcName string",
            "[]/pvcNamespace string",
            "[]/pvName string",
            "[]/restoreMethod string",
            "[]/snapshotDataMoved boolean",
            "[]/nativeSnapshotInfo object",
            "[]/nativeSnapshotInfo/snapshotHandle string",
            "[]/nativeSnapshotInfo/volumeType string",
            "[]/nativeSnapshotInfo/volumeAZ string",
            "[]/nativeSnapshotInfo/iops string",
            "[]/nativeSnapshotInfo/Phase string?",
        ],
    },
];

const RESULTS: &[&str] = &[
    " object",
    "/errors object",
    "/errors/velero list?",
    "/errors/velero[] string?",
    "/errors/cluster list?",
    "/errors/cluster[] string?",
    "/errors/namespaces object?",
    "/errors/namespaces/* list?",
    "/errors/namespaces/*[] string?",
    "/warnings object",
    "/warnings/velero list?",
    "/warnings/velero[] string?",
    "/warnings/cluster list?",
    "/warnings/cluster[] string?",
    "/warnings/namespaces object?",
    "/warnings/namespaces/* list?",
    "/warnings/namespaces/*[] string?",
];

impl Form {
    /// What of the document is not as it should be.
    fn faults(&self, document: &Value) -> Vec<String> {
        let found: BTreeSet<String> =
            shape(document).iter().map(|line| self.general(line)).collect();
        let bare = |line: &str| line.trim_end_matches(['?', '+']).to_owned();
        let known: BTreeSet<String> = self.lines.iter().map(|line| bare(line)).collect();
        let required = self.lines.iter().filter(|line| !line.ends_with(['?', '+']));
        let missing = required.filter(|line| !found.contains(**line));
        let missing = missing.map(|line| format!("{}: no {line}", self.file));
        let foreign = found.difference(&known).map(|line| format!("{}: {line}", self.file));
        missing.chain(foreign).collect()
    }

    /// A line with its key as `*` where the form allows any.
    fn general(&self, line: &str) -> String {
        let parents = self.lines.iter().filter_map(|known| known.split_once("/*"));
        let mut parents: Vec<_> = parents.map(|(parent, _)| parent).collect();
        parents.sort_by_key(|parent| std::cmp::Reverse(parent.len()));
        let (path, kind) = line.rsplit_once(' ').unwrap();
        let tail = if path.ends_with("[]") { "[]" } else { "" };
        let is_below =
            |parent: &&str| path.strip_prefix(*parent).is_some_and(|rest| rest.starts_with('/'));
        if let Some(parent) = parents.into_iter().find(is_below) {
            return format!("{parent}/*{tail} {kind}");
        }
        line.to_owned()
    }
}

async fn faults(world: &World, directory: &str, name: &str, forms: &[Form]) -> Vec<String> {
    let mut faults = Vec::new();
    for form in forms {
        let key = format!("{directory}/{name}/{}", form.file.replace("NAME", name));
        let content = world.bucket.read(&key).await;
        let is_packed = key.strip_suffix(".gz").is_some();
        let mut text = String::new();
        if is_packed {
            MultiGzDecoder::new(&content[..]).read_to_string(&mut text).unwrap();
        } else {
            text = String::from_utf8(content.to_vec()).unwrap();
        }
        // Go's encoder ends a document with a line feed; Velero's indented one has none.
        if text.ends_with('\n') != is_packed {
            faults.push(format!("{key}: how it ends"));
        }
        faults.extend(form.faults(&serde_json::from_str(&text).unwrap()));
    }
    faults
}

#[tokio::test(start_paused = true)]
async fn each_file_of_a_backup_and_of_a_restore_has_velero_s_keys_and_types() {
    let world = source();
    world.back_up(&backup()).await.unwrap();
    assert_eq!(faults(&world, "backups", "nightly", &BACKUP).await, [""; 0]);
    let target = target(&world);
    target.restore(&restore("rescue")).await.unwrap();
    assert_eq!(faults(&target, "restores", "rescue", &RESTORE).await, [""; 0]);
}

/// Nothing is snapshotted: an empty list of snapshots is `null`, and all volumes are skipped.
#[tokio::test(start_paused = true)]
async fn a_backup_without_snapshots_has_the_same_form() {
    let world = source();
    let mut request: backup::Request = backup();
    request.spec.snapshot_volumes = Some(false);
    world.back_up(&request).await.unwrap();
    let others: Vec<_> =
        BACKUP.into_iter().filter(|form| form.file != "NAME-volumesnapshots.json.gz").collect();
    assert_eq!(faults(&world, "backups", "nightly", &others).await, [""; 0]);
    let none = [Form { file: "NAME-volumesnapshots.json.gz", lines: &[" null"] }];
    assert_eq!(faults(&world, "backups", "nightly", &none).await, [""; 0]);
}

#[test]
fn a_form_sees_what_is_missing_and_what_is_foreign() {
    let form = Form { file: "f", lines: &[" object", "/a string", "/b object?", "/b/* list?"] };
    let faults = |text: &str| form.faults(&serde_json::from_str(text).unwrap());
    assert_eq!(faults(r#"{"a": "x", "b": {"any": []}}"#), [""; 0]);
    assert_eq!(faults(r#"{"b": {"any": 1}}"#), ["f: no /a string", "f: /b/* number"]);
}
