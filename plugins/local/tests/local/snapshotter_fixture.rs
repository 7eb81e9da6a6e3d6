//! Volumes that are directories below a temporary one.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use bowline_api::contract::{Files, SnapshotterFixture};
use bowline_api::{SnapshotRequest, VolumeRequest, VolumeSnapshotter, VolumeSpec};
use bowline_local::DirectorySnapshotter;
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const HOST: &str = "node-1";

/// A location and a place for volumes, both new.
pub(crate) struct LocalFixture {
    temp: TempDir,
    snapshotter: DirectorySnapshotter,
    volumes: AtomicU32,
}

impl LocalFixture {
    pub(crate) fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let location = temp.path().join("location");
        let snapshotter = DirectorySnapshotter::new(location, HOST.to_owned());
        Self { temp, snapshotter, volumes: AtomicU32::new(0) }
    }

    /// Where the snapshots lie.
    pub(crate) fn snapshots(&self) -> PathBuf {
        self.temp.path().join("location/metadata/bowline/volumes")
    }

    /// Where the volumes lie.
    pub(crate) fn volumes(&self) -> PathBuf {
        self.temp.path().join("pv")
    }

    /// Makes a directory that is a volume.
    pub(crate) fn make_directory(&self) -> PathBuf {
        let number = self.volumes.fetch_add(1, Ordering::Relaxed);
        let path = self.volumes().join(format!("source-{number}"));
        fs::create_dir_all(&path).unwrap();
        path
    }

    pub(crate) fn snapshot_request(volume: &Path, token: &str) -> SnapshotRequest {
        SnapshotRequest {
            volume_id: volume.to_str().unwrap().to_owned(),
            token: token.to_owned(),
            tags: [("attempt".to_owned(), token.to_owned())].into(),
        }
    }

    pub(crate) fn volume_request(source: &Path, snapshot_id: &str, name: &str) -> VolumeRequest {
        VolumeRequest {
            same_cluster: true,
            snapshot_id: snapshot_id.to_owned(),
            source_volume_id: source.to_str().unwrap().to_owned(),
            persistent_volume: name.to_owned(),
            claim: "shop/data".to_owned(),
            token: format!("token-{name}"),
            tags: [("restore".to_owned(), "r".to_owned())].into(),
            spec: VolumeSpec::default(),
            nodes: [HOST.to_owned()].into(),
        }
    }

    pub(crate) async fn make_snapshot(&self, volume: &Path, token: &str) -> String {
        let request = Self::snapshot_request(volume, token);
        self.snapshotter.create_snapshot(&request).await.unwrap().id
    }

    /// Makes a snapshot of a volume and a volume of that.
    pub(crate) async fn round_trip(&self, volume: &Path) -> PathBuf {
        let id = self.make_snapshot(volume, "round-trip").await;
        let request = Self::volume_request(volume, &id, "restored");
        PathBuf::from(self.snapshotter.create_volume(&request).await.unwrap().id)
    }
}

#[async_trait]
impl SnapshotterFixture for LocalFixture {
    fn snapshotter(&self) -> &dyn VolumeSnapshotter {
        &self.snapshotter
    }

    async fn make_volume(&self) -> Value {
        let path = self.make_directory();
        json!({
            "apiVersion": "v1", "kind": "PersistentVolume",
            "metadata": {"name": path.file_name().unwrap().to_str().unwrap()},
            "spec": {
                "capacity": {"storage": "1Gi"},
                "hostPath": {"path": path.to_str().unwrap(), "type": "Directory"},
            },
        })
    }

    async fn fill_volume(&self, id: &str, files: &Files) {
        // The directory itself stays: it is the volume.
        for entry in fs::read_dir(id).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
        }
        for (name, contents) in files {
            let path = Path::new(id).join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, contents).unwrap();
        }
    }

    async fn read_volume(&self, id: &str) -> Option<Files> {
        let mut files = Files::new();
        read(Path::new(id), "", &mut files);
        Some(files)
    }

    fn nodes(&self) -> BTreeSet<String> {
        [HOST.to_owned()].into()
    }

    async fn pause(&self) {
        tokio::task::yield_now().await;
    }
}

fn read(dir: &Path, prefix: &str, files: &mut Files) {
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            read(&entry.path(), &format!("{name}/"), files);
        } else {
            files.insert(name, fs::read(entry.path()).unwrap());
        }
    }
}
