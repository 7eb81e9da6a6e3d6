//! [`DirectorySnapshotter`], the snapshotter.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use async_trait::async_trait;
use bowline_api::{
    Snapshot, SnapshotRequest, SnapshotterError, Volume, VolumeOrigin, VolumeRequest,
    VolumeSnapshotter,
};
use serde_json::Value;

use super::error::{failed, refused};
use super::names::{SnapshotId, volume_path};
use super::persistent_volume::{elsewhere, is_directory, not_the_only_node, path, set_path};
use super::snapshots::Snapshots;
use super::volumes;
use crate::blocking::{self, Cancel};

/// Snapshots the directories behind `hostPath` and `local` volumes of this very host.
///
/// A snapshot is a copy: when the call that makes it returns, it is complete. The volume's pods may
/// go on meanwhile; each file is as it was at some time during the copy.
#[derive(Clone, Debug)]
pub struct DirectorySnapshotter {
    snapshots: Snapshots,
    host: String,
}

impl DirectorySnapshotter {
    /// Keeps snapshots in the `file://` location at `location_root`, of volumes on the node that
    /// carries `host` as its `kubernetes.io/hostname`.
    pub fn new(location_root: PathBuf, host: String) -> Self {
        Self { snapshots: Snapshots::new(location_root), host }
    }
}

async fn run<T: Send + 'static>(
    what: &str,
    work: impl FnOnce(&Cancel) -> Result<T, SnapshotterError> + Send + 'static,
) -> Result<T, SnapshotterError> {
    let result = blocking::run_cancellable(work).await;
    result.unwrap_or_else(|error| Err(failed("work on", what.to_owned(), io::Error::other(error))))
}

#[async_trait]
impl VolumeSnapshotter for DirectorySnapshotter {
    fn provider(&self) -> &'static str {
        "local"
    }

    fn handles(&self, persistent_volume: &Value) -> bool {
        is_directory(persistent_volume)
    }

    fn volume_id(
        &self,
        persistent_volume: &Value,
        nodes: &BTreeSet<String>,
    ) -> Result<String, SnapshotterError> {
        let name = persistent_volume["metadata"]["name"].as_str().unwrap_or_default();
        let id = path(persistent_volume).filter(|_| is_directory(persistent_volume));
        let id = id.ok_or_else(|| {
            refused(format!("persistent volume {name}"), "it is not a directory of a host")
        })?;
        let id = volume_path(id)?.display().to_string();
        match elsewhere(persistent_volume, nodes, &self.host) {
            Some(reason) => {
                Err(SnapshotterError::Unreachable { what: format!("volume {id}"), reason })
            }
            None => Ok(id),
        }
    }

    fn set_volume(
        &self,
        persistent_volume: &mut Value,
        volume: &Volume,
    ) -> Result<(), SnapshotterError> {
        volume_path(&volume.id)?;
        if set_path(persistent_volume, &volume.id) {
            Ok(())
        } else {
            let what = format!("volume {}", volume.id);
            Err(refused(what, "the persistent volume is not a directory of a host"))
        }
    }

    fn is_snapshot_id(&self, id: &str) -> bool {
        SnapshotId::parse(id).is_ok()
    }

    async fn create_snapshot(
        &self,
        request: &SnapshotRequest,
    ) -> Result<Snapshot, SnapshotterError> {
        let (snapshots, owned) = (self.snapshots.clone(), request.clone());
        let what = format!("volume {}", request.volume_id);
        run(&what, move |cancel| snapshots.create(&owned, cancel)).await
    }

    async fn snapshot(&self, id: &str) -> Result<Snapshot, SnapshotterError> {
        let (snapshots, owned) = (self.snapshots.clone(), id.to_owned());
        run(&format!("snapshot {id}"), move |_| snapshots.find(&owned)).await
    }

    async fn snapshots_tagged(
        &self,
        key: &str,
        value: &str,
    ) -> Result<Vec<Snapshot>, SnapshotterError> {
        let (key, value) = (key.to_owned(), value.to_owned());
        let snapshots = self.snapshots.clone();
        run("the snapshots", move |_| snapshots.tagged(&key, &value)).await
    }

    async fn delete_snapshot(&self, id: &str) -> Result<(), SnapshotterError> {
        let (snapshots, owned) = (self.snapshots.clone(), id.to_owned());
        run(&format!("snapshot {id}"), move |_| snapshots.delete(&owned)).await
    }

    async fn create_volume(&self, request: &VolumeRequest) -> Result<Volume, SnapshotterError> {
        if let Some(reason) = not_the_only_node(&request.nodes, &self.host) {
            let what = format!("the place of volume {}", request.source_volume_id);
            return Err(SnapshotterError::Unreachable { what, reason });
        }
        let (snapshots, owned) = (self.snapshots.clone(), request.clone());
        let what = format!("persistent volume {}", request.persistent_volume);
        run(&what, move |cancel| {
            let snapshot = snapshots.open_complete(&owned.snapshot_id)?;
            volumes::create(&owned, &snapshot, cancel)
        })
        .await
    }

    async fn volume(&self, id: &str) -> Result<Volume, SnapshotterError> {
        let owned = id.to_owned();
        run(&format!("volume {id}"), move |_| volumes::find(&owned)).await
    }

    async fn volume_made_by(
        &self,
        origin: &VolumeOrigin,
    ) -> Result<Option<Volume>, SnapshotterError> {
        let owned = origin.clone();
        let what = format!("persistent volume {}", origin.persistent_volume);
        run(&what, move |_| volumes::made_by(&owned)).await
    }

    async fn delete_volume(&self, id: &str) -> Result<(), SnapshotterError> {
        let owned = id.to_owned();
        run(&format!("volume {id}"), move |_| volumes::delete(&owned)).await
    }
}
