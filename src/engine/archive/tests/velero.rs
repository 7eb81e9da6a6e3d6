//! Archives that Velero wrote.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::PathBuf;

use flate2::read::MultiGzDecoder;
use serde_json::Value;

use super::super::{Contents, testing};

fn fixture(backup: &str, suffix: &str) -> Vec<u8> {
    let mut path = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    path.extend(["tests", "format", "fixtures", "velero", backup, &format!("{backup}{suffix}")]);
    std::fs::read(path).unwrap()
}

fn read(backup: &str) -> Contents {
    testing::read(&fixture(backup, ".tar.gz")).unwrap()
}

type Listed = BTreeMap<String, BTreeSet<String>>;

/// What the backup's resource list names.
fn promised(backup: &str) -> Listed {
    let mut json = String::new();
    let compressed = fixture(backup, "-resource-list.json.gz");
    MultiGzDecoder::new(&compressed[..]).read_to_string(&mut json).unwrap();
    serde_json::from_str(&json).unwrap()
}

/// What the archive holds, in the same form.
fn held(contents: &Contents) -> Listed {
    let mut held = Listed::new();
    for entry in contents.entries() {
        let object: Value = serde_json::from_slice(&contents.read(entry).unwrap()).unwrap();
        let api_version = object["apiVersion"].as_str().unwrap();
        assert!(api_version.ends_with(entry.version()));
        let kind = format!("{api_version}/{}", object["kind"].as_str().unwrap());
        let name = match entry.namespace() {
            Some(namespace) => format!("{namespace}/{}", entry.name()),
            None => entry.name().to_owned(),
        };
        held.entry(kind).or_default().insert(name);
    }
    held
}

#[test]
fn a_complete_backup_of_velero_holds_what_its_resource_list_names() {
    let contents = read("shop-full");
    assert_eq!(contents.len(), 72);
    assert_eq!(held(&contents), promised("shop-full"));
    assert_eq!(contents.ignored.count, 0);
}

#[test]
fn a_partly_failed_backup_of_velero_lacks_what_failed_and_is_otherwise_whole() {
    let contents = read("part-failed");
    let mut expected = promised("part-failed");
    for failed in ["v1/PersistentVolume", "v1/PersistentVolumeClaim", "v1/Pod"] {
        assert!(expected.remove(failed).is_some());
    }
    assert_eq!(held(&contents), expected);
    let big = contents.find(&"configmaps/broken/big".parse().unwrap()).unwrap();
    assert_eq!(big.size(), 400_716);
}

#[test]
fn a_backup_of_velero_without_its_last_bytes_is_refused() {
    let archive = fixture("part-failed", ".tar.gz");
    for length in (0..archive.len()).step_by(49_999).chain([archive.len() - 1]) {
        let error = testing::read(&archive[..length]).unwrap_err();
        assert!(matches!(error, super::super::Error::Truncated(_)), "{length}: {error}");
    }
}
