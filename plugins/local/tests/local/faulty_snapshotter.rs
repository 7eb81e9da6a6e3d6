//! A snapshotter with one fault, to try the suite on.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use bowline_api::contract::{Files, SnapshotterFixture};
use bowline_api::{
    Snapshot, SnapshotRequest, SnapshotState, SnapshotterError, Volume, VolumeOrigin,
    VolumeRequest, VolumeSnapshotter,
};
use serde_json::Value;

use crate::snapshotter_fixture::LocalFixture;

/// What is wrong with the snapshotter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    HandlesEverything,
    VolumeIdIsNotSet,
    VolumeIdTakesMoreAlong,
    SnapshotTokenIsIgnored,
    SnapshotIsNeverComplete,
    SnapshotHasNoTags,
    SnapshotIsOfAnotherVolume,
    TagsAreIgnored,
    TagsMatchByPrefix,
    SnapshotIsNotDeleted,
    SnapshotIsDeletedOnce,
    AllSnapshotsAreDeleted,
    MissingVolumeIsEmpty,
    VolumeTokenIsIgnored,
    VolumeIsEmpty,
    VolumeIsTheSource,
    VolumeIsMadeAnew,
    VolumeIsNotDeleted,
    VolumeIsDeletedOnce,
    AnyVolumeIsDeleted,
    AnyTokenFindsTheVolume,
    MadeVolumeIsNotFound,
}

impl Fault {
    pub(crate) const ALL: &[Self] = &[
        Self::HandlesEverything,
        Self::VolumeIdIsNotSet,
        Self::VolumeIdTakesMoreAlong,
        Self::SnapshotTokenIsIgnored,
        Self::SnapshotIsNeverComplete,
        Self::SnapshotHasNoTags,
        Self::SnapshotIsOfAnotherVolume,
        Self::TagsAreIgnored,
        Self::TagsMatchByPrefix,
        Self::SnapshotIsNotDeleted,
        Self::SnapshotIsDeletedOnce,
        Self::AllSnapshotsAreDeleted,
        Self::MissingVolumeIsEmpty,
        Self::VolumeTokenIsIgnored,
        Self::VolumeIsEmpty,
        Self::VolumeIsTheSource,
        Self::VolumeIsMadeAnew,
        Self::VolumeIsNotDeleted,
        Self::VolumeIsDeletedOnce,
        Self::AnyVolumeIsDeleted,
        Self::AnyTokenFindsTheVolume,
        Self::MadeVolumeIsNotFound,
    ];
}

/// The snapshotter is its own fixture, so that it can look into volumes, too.
pub(crate) struct FaultyFixture {
    fixture: LocalFixture,
    fault: Fault,
    calls: AtomicU32,
}

impl FaultyFixture {
    pub(crate) fn new(fault: Fault) -> Self {
        Self { fixture: LocalFixture::new(), fault, calls: AtomicU32::new(0) }
    }

    fn right(&self) -> &dyn VolumeSnapshotter {
        self.fixture.snapshotter()
    }

    fn call(&self) -> u32 {
        self.calls.fetch_add(1, Ordering::Relaxed)
    }

    fn spoil(&self, mut snapshot: Snapshot) -> Snapshot {
        match self.fault {
            Fault::SnapshotIsNeverComplete => snapshot.state = SnapshotState::Pending(Some(99)),
            Fault::SnapshotHasNoTags => snapshot.tags.clear(),
            Fault::SnapshotIsOfAnotherVolume => snapshot.volume_id.push('x'),
            _ => {}
        }
        snapshot
    }

    async fn all_snapshots(&self) -> Result<Vec<Snapshot>, SnapshotterError> {
        self.right().snapshots_tagged("bowline.example.com/contract", "yes").await
    }
}

impl std::fmt::Debug for FaultyFixture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.fault)
    }
}

#[async_trait]
impl VolumeSnapshotter for FaultyFixture {
    fn provider(&self) -> &'static str {
        "faulty"
    }

    fn handles(&self, persistent_volume: &Value) -> bool {
        self.fault == Fault::HandlesEverything || self.right().handles(persistent_volume)
    }

    fn volume_id(
        &self,
        persistent_volume: &Value,
        nodes: &BTreeSet<String>,
    ) -> Result<String, SnapshotterError> {
        self.right().volume_id(persistent_volume, nodes)
    }

    fn set_volume(
        &self,
        persistent_volume: &mut Value,
        volume: &Volume,
    ) -> Result<(), SnapshotterError> {
        let set = match self.fault {
            Fault::VolumeIdIsNotSet => &mut persistent_volume.clone(),
            _ => persistent_volume,
        };
        self.right().set_volume(set, volume)?;
        if self.fault == Fault::VolumeIdTakesMoreAlong {
            set["spec"]["capacity"].take();
        }
        Ok(())
    }

    fn is_snapshot_id(&self, id: &str) -> bool {
        self.right().is_snapshot_id(id)
    }

    async fn create_snapshot(
        &self,
        request: &SnapshotRequest,
    ) -> Result<Snapshot, SnapshotterError> {
        let mut request = request.clone();
        match self.fault {
            Fault::SnapshotTokenIsIgnored => request.token = format!("token-{}", self.call()),
            Fault::MissingVolumeIsEmpty => fs::create_dir_all(&request.volume_id).unwrap(),
            _ => {}
        }
        Ok(self.spoil(self.right().create_snapshot(&request).await?))
    }

    async fn snapshot(&self, id: &str) -> Result<Snapshot, SnapshotterError> {
        Ok(self.spoil(self.right().snapshot(id).await?))
    }

    async fn snapshots_tagged(
        &self,
        key: &str,
        value: &str,
    ) -> Result<Vec<Snapshot>, SnapshotterError> {
        let mut all = self.all_snapshots().await?;
        match self.fault {
            Fault::TagsAreIgnored => Ok(all),
            Fault::TagsMatchByPrefix => {
                all.retain(|one| one.tags.get(key).is_some_and(|tag| tag.starts_with(value)));
                Ok(all)
            }
            _ => self.right().snapshots_tagged(key, value).await,
        }
    }

    async fn delete_snapshot(&self, id: &str) -> Result<(), SnapshotterError> {
        match self.fault {
            Fault::SnapshotIsNotDeleted => return Ok(()),
            Fault::SnapshotIsDeletedOnce => drop(self.right().snapshot(id).await?),
            Fault::AllSnapshotsAreDeleted => {
                for snapshot in self.all_snapshots().await? {
                    self.right().delete_snapshot(&snapshot.id).await?;
                }
            }
            _ => {}
        }
        self.right().delete_snapshot(id).await
    }

    async fn create_volume(&self, request: &VolumeRequest) -> Result<Volume, SnapshotterError> {
        let mut request = request.clone();
        match self.fault {
            Fault::VolumeTokenIsIgnored => {
                request.persistent_volume = format!("volume-{}", self.call());
            }
            Fault::VolumeIsMadeAnew => {
                let made = self.right().create_volume(&request).await?;
                self.right().delete_volume(&made.id).await?;
            }
            _ => {}
        }
        let mut made = self.right().create_volume(&request).await?;
        match self.fault {
            Fault::VolumeIsEmpty => self.fixture.fill_volume(&made.id, &Files::new()).await,
            Fault::VolumeIsTheSource => made.id = request.source_volume_id,
            _ => {}
        }
        Ok(made)
    }

    async fn volume(&self, id: &str) -> Result<Volume, SnapshotterError> {
        self.right().volume(id).await
    }

    async fn volume_made_by(
        &self,
        origin: &VolumeOrigin,
    ) -> Result<Option<Volume>, SnapshotterError> {
        match self.fault {
            Fault::AnyTokenFindsTheVolume => {
                let id =
                    Path::new(&origin.source_volume_id).with_file_name(&origin.persistent_volume);
                Ok(self.right().volume(&id.display().to_string()).await.ok())
            }
            Fault::MadeVolumeIsNotFound => Ok(None),
            _ => self.right().volume_made_by(origin).await,
        }
    }

    async fn delete_volume(&self, id: &str) -> Result<(), SnapshotterError> {
        match self.fault {
            Fault::VolumeIsNotDeleted => return self.right().volume(id).await.map(drop),
            Fault::VolumeIsDeletedOnce => drop(self.right().volume(id).await?),
            Fault::AnyVolumeIsDeleted if self.right().volume(id).await.is_err() => {
                drop(fs::remove_dir_all(id));
                return Ok(());
            }
            _ => {}
        }
        self.right().delete_volume(id).await
    }
}

#[async_trait]
impl SnapshotterFixture for FaultyFixture {
    fn snapshotter(&self) -> &dyn VolumeSnapshotter {
        self
    }

    async fn make_volume(&self) -> Value {
        self.fixture.make_volume().await
    }

    async fn fill_volume(&self, id: &str, files: &Files) {
        self.fixture.fill_volume(id, files).await;
    }

    async fn read_volume(&self, id: &str) -> Option<Files> {
        self.fixture.read_volume(id).await
    }

    fn nodes(&self) -> BTreeSet<String> {
        self.fixture.nodes()
    }

    async fn pause(&self) {}
}
