//! A backup of the lab and one that Velero made, file by file: what the one has and not the other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::fixture::{Directory, FULL, written};
use super::shape::shape;

/// What only one of the two has: the file, the line of its shape, and why.
///
/// A line that ends in `/…` stands for all below.
const OURS: [(&str, &str, &str); 9] = [
    (DOCUMENT, "/metadata/annotations/bowline.io/archive-sha256 string", "binds the archive"),
    (DOCUMENT, "/metadata/annotations/bowline.io/archive-size string", "binds the archive"),
    (DOCUMENT, "/metadata/annotations/bowline.io/cluster-uid string", "names the cluster"),
    (DOCUMENT, "/metadata/annotations/bowline.io/digests-sha256 string", "binds all files"),
    (DOCUMENT, "/metadata/annotations/bowline.io/version string", "names the writer"),
    (SNAPSHOTS, "[]/spec/bowlineProvider string", "Velero knows it by the snapshot location"),
    (VOLUMES, "[]/pvInfo/labels null", "a volume without labels, as Go writes it"),
    (VOLUMES, "[]/pvInfo/labels/tier string", "the lab's label"),
    (VOLUMES, "[]/skippedReason string", "a volume without a claim, which Velero does not take"),
];

const VELEROS: [(&str, &str, &str); 15] = [
    (DOCUMENT, "/metadata/generation number", "of its API server"),
    (DOCUMENT, "/metadata/managedFields list", "of its API server"),
    (DOCUMENT, "/metadata/managedFields[] object", "of its API server"),
    (DOCUMENT, "/metadata/managedFields[]/…", "of its API server"),
    (DOCUMENT, "/metadata/resourceVersion string", "of its API server"),
    (DOCUMENT, "/metadata/annotations/velero.io/resource-timeout string", "of its server"),
    (DOCUMENT, "/metadata/labels/team string", "asked for there only"),
    (DOCUMENT, "/spec/excludedClusterScopedResources list", "of its CSI support"),
    (DOCUMENT, "/spec/excludedClusterScopedResources[] string", "of its CSI support"),
    (DOCUMENT, "/spec/excludedNamespaceScopedResources list", "of its CSI support"),
    (DOCUMENT, "/spec/excludedNamespaceScopedResources[] string", "of its CSI support"),
    (DOCUMENT, "/spec/volumeGroupSnapshotLabelKey string", "of its CSI support"),
    (DOCUMENT, "/spec/ttl string", "no time to live unless it is asked for"),
    (DOCUMENT, "/status/expiration string", "no time to live unless it is asked for"),
    (SNAPSHOTS, "[]/spec/volumeAZ string", "a directory is in no zone"),
];

const DOCUMENT: &str = "velero-backup.json";
const SNAPSHOTS: &str = "NAME-volumesnapshots.json.gz";
const VOLUMES: &str = "NAME-volumeinfo.json.gz";

/// The files that are one JSON document.
const DOCUMENTS: [&str; 7] = [
    DOCUMENT,
    SNAPSHOTS,
    VOLUMES,
    "NAME-itemoperations.json.gz",
    "NAME-podvolumebackups.json.gz",
    "NAME-resource-list.json.gz",
    "NAME-results.gz",
];

/// The zone's label is the same key as the lab's, with other text.
const ZONE: &str = "[]/pvInfo/labels/topology.kubernetes.io/zone string";

/// The files of the backup that Velero made.
fn fixture() -> BTreeMap<String, Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/format/fixtures/velero/shop-full");
    let entries = fs::read_dir(path).unwrap().map(Result::unwrap);
    let file = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().unwrap();
        (format!("backups/shop-full/{name}"), fs::read(entry.path()).unwrap())
    };
    entries.map(file).collect()
}

fn document(directory: &Directory<'_>, file: &str) -> Value {
    let is_packed = file.strip_suffix(".gz").is_some();
    let document = if is_packed { directory.packed_json(file) } else { directory.json(file) };
    match document {
        // The kinds are what was backed up, and no matter of form.
        Value::Object(map) if file.contains("resource-list") => {
            map.into_iter().map(|it| it.1).collect()
        }
        other => other,
    }
}

/// The lines of one document and not of the other.
fn only<'a>(one: &'a BTreeSet<String>, other: &'a BTreeSet<String>) -> BTreeSet<&'a str> {
    one.difference(other).map(String::as_str).collect()
}

/// The lines of a table that are of a file.
fn of<'a>(table: &[(&str, &'a str, &str)], file: &str) -> BTreeSet<&'a str> {
    table.iter().filter(|row| row.0 == file).map(|row| row.1).collect()
}

/// Puts in place of all lines below a prefix of the table the prefix itself.
fn gathered<'a>(lines: BTreeSet<&'a str>, table: &BTreeSet<&'a str>) -> BTreeSet<&'a str> {
    let prefix = |line: &str| {
        table.iter().copied().find(|it| it.strip_suffix('…').is_some_and(|it| line.starts_with(it)))
    };
    lines.into_iter().map(|line| prefix(line).unwrap_or(line)).collect()
}

#[tokio::test]
async fn every_document_has_the_shape_of_velero_s_but_for_what_is_listed() {
    let files = fixture();
    let velero = Directory::new(&files, "shop-full");
    let ours = written().await.backup(FULL);
    for file in DOCUMENTS {
        let (ours, mut velero) = (shape(&document(&ours, file)), shape(&document(&velero, file)));
        if file == VOLUMES {
            assert!(velero.remove(ZONE), "{velero:?}");
        }
        assert_eq!(only(&ours, &velero), of(&OURS, file), "what only we have in {file}");
        let listed = of(&VELEROS, file);
        let theirs = gathered(only(&velero, &ours), &listed);
        assert_eq!(theirs, listed, "what only Velero has in {file}");
    }
}

#[tokio::test]
async fn a_packed_document_ends_as_velero_s_does() {
    let files = fixture();
    let velero = Directory::new(&files, "shop-full");
    let ours = written().await.backup(FULL);
    for file in DOCUMENTS.into_iter().filter(|file| *file != DOCUMENT) {
        assert!(velero.packed(file).ends_with('\n') && ours.packed(file).ends_with('\n'), "{file}");
    }
    for directory in [&velero, &ours] {
        let text = directory.bytes(DOCUMENT);
        assert!(text.starts_with(b"{\n  \"") && text.ends_with(b"\n}"), "indented by two spaces");
    }
}

#[tokio::test]
async fn a_backup_has_the_files_of_velero_s_and_besides_only_such_as_say_whose_they_are() {
    let files = fixture();
    let mut ours = written().await.backup(FULL).names();
    ours.retain(|name| !name.starts_with("bowline-"));
    assert_eq!(ours, Directory::new(&files, "shop-full").names());
}

/// `resources/*/namespaces/*/*.json`
fn place(name: &str) -> String {
    let mut parts: Vec<&str> = name.split('/').collect();
    if parts[0] != "resources" {
        return name.to_owned();
    }
    parts[1] = "*";
    let is_versioned = parts[2].strip_suffix("-preferredversion").is_some();
    let at = if is_versioned { 3 } else { 2 };
    if is_versioned {
        parts[2] = "*-preferredversion";
    }
    for part in &mut parts[at + 1..] {
        *part = "*";
    }
    parts.join("/")
}

#[tokio::test]
async fn the_archive_has_velero_s_places_and_headers() {
    let files = fixture();
    let velero = Directory::new(&files, "shop-full").entries();
    let ours = written().await.backup(FULL).entries();
    let [velero, ours] = [velero, ours].map(|entries| {
        let header = |it: &super::fixture::Entry| {
            (place(&it.name), it.kind, it.mode, it.owner, it.owner_names.clone(), it.magic.clone())
        };
        let headers: BTreeSet<String> =
            entries.iter().map(|entry| format!("{:?}", header(entry))).collect();
        (entries[0].name.clone(), headers)
    });
    assert_eq!(ours, velero);
}
