//! `bowline backup expire`, killed wherever it is, and run again.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::api_server::{ApiServer, site_of};
use crate::schedules::add;
use crate::site::Site;

/// The object that is written to ask for the time; nobody removes it.
const CLOCK: &str = "metadata/bowline/probes/clock/object";

/// A cluster whose namespace `shop` has a volume, which is a directory of this host.
fn cluster(data: &Path) -> ApiServer {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    ApiServer::new()
        .with(json!({"kind": "Namespace", "metadata": {"name": "shop", "uid": "uid-of-shop"}}))
        .with(json!({"kind": "Node", "metadata": {"name": "here", "uid": "uid-of-node",
            "labels": {"kubernetes.io/hostname": host.trim()}}}))
        .with(json!({"kind": "PersistentVolumeClaim",
            "metadata": {"name": "data", "namespace": "shop", "uid": "uid-of-claim"},
            "spec": {"volumeName": "pv", "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Gi"}}},
            "status": {"phase": "Bound"}}))
        .with(json!({"kind": "PersistentVolume", "metadata": {"name": "pv", "uid": "uid-of-pv"},
            "spec": {"hostPath": {"path": data}, "capacity": {"storage": "1Gi"},
                "accessModes": ["ReadWriteOnce"],
                "claimRef": {"namespace": "shop", "name": "data", "uid": "uid-of-claim"}},
            "status": {"phase": "Bound"}}))
}

/// All files below a directory, as far as they are there by then.
fn files(root: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                directories.push(path);
            } else {
                found.insert(path.strip_prefix(root).unwrap().to_owned());
            }
        }
    }
    found.remove(Path::new(CLOCK));
    found
}

/// Copies these files from one directory into another, of which nothing else is left.
fn restore(from: &Path, files: &BTreeSet<PathBuf>, into: &Path) {
    fs::remove_dir_all(into).unwrap();
    for file in files {
        fs::create_dir_all(into.join(file).parent().unwrap()).unwrap();
        fs::copy(from.join(file), into.join(file)).unwrap();
    }
}

/// Expires, and kills that once so many files have come or gone; tells whether it came to that.
async fn expire_until(site: &Site, before: &BTreeSet<PathBuf>, changes: usize) -> bool {
    let mut running = site.bowline.spawn(&["backup", "expire", "-q"]).unwrap();
    while files(&site.path("")).symmetric_difference(before).count() < changes {
        if running.has_ended() {
            return false;
        }
    }
    running.kill().await.unwrap();
    true
}

#[tokio::test]
async fn an_expiry_that_is_killed_after_any_change_is_finished_by_the_next_one() {
    let (sandbox, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(data.path().join("ledger"), "paid").unwrap();
    let (site, _server) = site_of(cluster(data.path())).await;
    add(&site, "nightly", |it| it["bowline"]["keep"] = json!({"last": 1}));
    for _ in 0..2 {
        let shown = site.run("backup create --from-schedule nightly -q").await;
        assert!(shown.starts_with("exit code: 0\n"), "{shown}");
    }
    let (location, pristine) = (site.path(""), sandbox.path().join("pristine"));
    let before = files(&location);
    let copies =
        |files: &BTreeSet<PathBuf>| files.iter().filter(|file| file.ends_with("ledger")).count();
    assert_eq!(copies(&before), 2, "{before:#?}");
    fs::create_dir(&pristine).unwrap();
    restore(&location, &before, &pristine);
    assert!(!expire_until(&site, &before, usize::MAX).await);
    let left = files(&location);
    assert_eq!(copies(&left), 1, "{left:#?}");

    let mut killed = 0;
    for changes in 1.. {
        restore(&pristine, &before, &location);
        if !expire_until(&site, &before, changes).await {
            break;
        }
        killed += 1;
        let shown = site.run("backup expire").await;
        assert!(shown.starts_with("exit code: 0\n"), "after {changes}: {shown}");
        assert_eq!(files(&location), left, "after {changes}: {shown}");
    }
    assert!(killed >= 8, "it was killed {killed} times");
}
