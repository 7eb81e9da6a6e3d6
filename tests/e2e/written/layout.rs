//! What lies where: keys, file names, and that they are written once.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::fixture::{BRIEF, FULL, PARTLY, hex, unpack, written};

/// Any other directory makes a Velero on the same bucket give the bucket up.
const TOP: [&str; 6] = ["backups", "restores", "restic", "metadata", "plugins", "kopia"];

/// What is there only if a provider was asked for snapshots.
const PROVIDER: &str = "bowline-provider-local.json";

/// The files of a backup with snapshots; those named `bowline-` are ours.
pub(crate) const BACKUP: [&str; 15] = [
    "NAME-itemoperations.json.gz",
    "NAME-logs.gz",
    "NAME-podvolumebackups.json.gz",
    "NAME-resource-list.json.gz",
    "NAME-results.gz",
    "NAME-volumeinfo.json.gz",
    "NAME-volumesnapshots.json.gz",
    "NAME.tar.gz",
    "bowline-attempt.json",
    "bowline-digests.json",
    "bowline-index.json.gz",
    "bowline-pending.json",
    PROVIDER,
    "bowline-report.json",
    "velero-backup.json",
];

/// The files of a restore. Velero stores no document of a restore.
pub(crate) const RESTORE: [&str; 7] = [
    "NAME-volumeinfo.json.gz",
    "bowline-restore.json",
    "bowline-result.json",
    "restore-NAME-itemoperations.json.gz",
    "restore-NAME-logs.gz",
    "restore-NAME-resource-list.json.gz",
    "restore-NAME-results.gz",
];

/// The files of one of the fixture's backups.
fn files_of(backup: &str) -> Vec<&'static str> {
    BACKUP.into_iter().filter(|file| backup != BRIEF || *file != PROVIDER).collect()
}

#[tokio::test]
async fn nothing_but_what_velero_allows_lies_at_the_root_of_the_location() {
    let written = written().await;
    assert_eq!(written.top, ["backups", "metadata", "restores"]);
    assert!(written.top.iter().all(|name| TOP.contains(&name.as_str())));
    assert!(written.files.keys().all(|key| key.contains('/')), "a file at the root");
}

#[tokio::test]
async fn a_backup_has_velero_s_files_under_velero_s_names_and_ours_beside_them() {
    let written = written().await;
    for backup in [FULL, BRIEF, PARTLY] {
        assert_eq!(written.backup(backup).names(), files_of(backup), "{backup}");
    }
    assert_eq!(written.restore().names(), RESTORE);
    let known = |key: &&String| !key.starts_with("backups/") && !key.starts_with("restores/");
    assert_eq!(written.files.keys().find(known), None, "a file beside all backups");
}

#[tokio::test]
async fn a_backup_is_named_after_its_directory() {
    for backup in [FULL, BRIEF, PARTLY] {
        let directory = written().await.backup(backup);
        assert_eq!(directory.json("velero-backup.json")["metadata"]["name"], backup);
        assert_eq!(directory.json("bowline-attempt.json")["name"], backup);
    }
}

/// A reader unpacks by the name of the key, and just once.
#[tokio::test]
async fn what_is_named_gz_is_packed_once_and_nothing_else_is() {
    const GZIP: [u8; 2] = [0x1f, 0x8b];
    for (key, content) in &written().await.files {
        let packed = key.strip_suffix(".gz").is_some();
        assert_eq!(content.starts_with(&GZIP), packed, "{key}");
        if packed {
            assert!(!unpack(content).starts_with(&GZIP), "{key}");
        }
    }
}

#[tokio::test]
async fn a_name_in_use_is_refused_and_not_a_byte_is_changed() {
    let written = written().await;
    let (again, before) = &written.again;
    assert_eq!(again.code, Some(1));
    assert!(again.stderr.contains("backup \"full\" exists already"), "{}", again.stderr);
    assert!(again.stderr.contains("hint: choose another name"), "{}", again.stderr);
    assert_eq!(again.stdout, "");
    // Nor by anything that came later.
    for (key, content) in before {
        assert_eq!(written.files.get(key), Some(content), "{key}");
    }
    let later = |key: &&String| key.starts_with("backups/full/") && !before.contains_key(*key);
    assert_eq!(written.files.keys().find(later), None);
}

#[tokio::test]
async fn every_file_of_a_backup_is_bound_to_its_document_by_digest() {
    for backup in [FULL, BRIEF, PARTLY] {
        let directory = written().await.backup(backup);
        let annotations = &directory.json("velero-backup.json")["metadata"]["annotations"];
        let digests = directory.bytes("bowline-digests.json");
        assert_eq!(annotations["bowline.io/digests-sha256"], hex(digests));
        let archive = directory.bytes("NAME.tar.gz");
        assert_eq!(annotations["bowline.io/archive-sha256"], hex(archive));
        assert_eq!(annotations["bowline.io/archive-size"], archive.len().to_string());

        let digests = directory.json("bowline-digests.json");
        let others = ["velero-backup.json", "bowline-digests.json"];
        let names = files_of(backup).into_iter().filter(|name| !others.contains(name));
        let expected = names.map(|name| {
            let content = directory.bytes(name);
            let digest = json!({"size": content.len(), "sha256": hex(content)});
            (name.replace("NAME", backup), digest)
        });
        assert_eq!(digests["files"], Value::Object(expected.collect()), "{backup}");
    }
}

#[tokio::test]
async fn there_is_a_directory_for_each_snapshot_of_a_backup_and_no_other() {
    let written = written().await;
    let mut named = BTreeSet::new();
    for backup in [FULL, BRIEF, PARTLY] {
        let list = written.backup(backup).packed_json("NAME-volumesnapshots.json.gz");
        let snapshots = list.as_array().into_iter().flatten();
        let ids = snapshots.filter_map(|it| it["status"]["providerSnapshotID"].as_str());
        named.extend(ids.map(str::to_owned));
    }
    assert_eq!(named.len(), 5);
    assert_eq!(written.snapshots, named.into_iter().collect::<Vec<_>>());
}
