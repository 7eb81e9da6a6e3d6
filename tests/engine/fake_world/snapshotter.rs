//! A cloud in memory that snapshots the volumes of the fake cluster, and whose calls can fail.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bowline_api::{
    Snapshot, SnapshotRequest, SnapshotState, SnapshotterError, Tags, Volume, VolumeRequest,
    VolumeSnapshotter, VolumeSpec, VolumeState,
};
use serde_json::{Value, json};

use crate::fake_cluster::DRIVER;
use crate::faults::{Failure, Faults};

/// What the cloud keeps, whoever asks for it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cloud {
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Debug, Default)]
struct State {
    snapshots: BTreeMap<String, KeptSnapshot>,
    volumes: BTreeMap<String, KeptVolume>,
    made: usize,
    /// How often a snapshot or volume is looked at before it is done.
    looks: usize,
    /// Volumes whose snapshots fail after they were started.
    failing: BTreeSet<String>,
    /// Whether new volumes fail after they were started.
    failing_volumes: bool,
}

#[derive(Clone, Debug)]
struct KeptSnapshot {
    snapshot: Snapshot,
    token: String,
    looks: usize,
}

/// A volume that was made from a snapshot.
#[derive(Clone, Debug)]
pub(crate) struct KeptVolume {
    pub(crate) id: String,
    /// The volume that the snapshot was taken of.
    pub(crate) source: String,
    pub(crate) tags: Tags,
    state: VolumeState,
    token: String,
    looks: usize,
}

impl Cloud {
    /// A cloud of its own in the same state.
    pub(crate) fn copy(&self) -> Self {
        Self { state: Arc::new(Mutex::new(self.state().clone())) }
    }

    /// All snapshots.
    pub(crate) fn snapshots(&self) -> Vec<Snapshot> {
        self.state().snapshots.values().map(|kept| kept.snapshot.clone()).collect()
    }

    /// All volumes that were made from snapshots.
    pub(crate) fn volumes(&self) -> Vec<KeptVolume> {
        self.state().volumes.values().cloned().collect()
    }

    /// Lets everything take a while: it is looked at so often before it is done.
    pub(crate) fn be_slow(&self, looks: usize) {
        self.state().looks = looks;
    }

    /// Lets the snapshots of a volume fail after they were started.
    pub(crate) fn fail_snapshots_of(&self, volume_id: &str) {
        self.state().failing.insert(volume_id.to_owned());
    }

    /// Lets new volumes fail after they were started.
    pub(crate) fn fail_volumes(&self) {
        self.state().failing_volumes = true;
    }

    /// Changes the tags of a snapshot.
    pub(crate) fn retag(&self, id: &str, key: &str, value: &str) {
        let mut state = self.state();
        let kept = state.snapshots.get_mut(id).unwrap();
        kept.snapshot.tags.insert(key.to_owned(), value.to_owned());
        drop(state);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn create_snapshot(&mut self, request: &SnapshotRequest) -> Snapshot {
        if let Some(kept) = self.snapshots.values().find(|kept| kept.token == request.token) {
            return kept.snapshot.clone();
        }
        self.made += 1;
        let id = format!("snap-{}", self.made);
        let spec = VolumeSpec {
            volume_type: "fast".to_owned(),
            zone: Some("zone-a".to_owned()),
            iops: Some(3000),
            ..VolumeSpec::default()
        };
        let snapshot = Snapshot {
            id: id.clone(),
            volume_id: request.volume_id.clone(),
            state: SnapshotState::Pending(Some(0)),
            tags: request.tags.clone(),
            volume: spec,
            shared_by: None,
        };
        let token = request.token.clone();
        self.snapshots.insert(id.clone(), KeptSnapshot { snapshot, token, looks: self.looks });
        self.snapshot(&id).unwrap_or_else(|| unreachable!("just inserted"))
    }

    /// Looks at a snapshot, which is how time passes here.
    fn snapshot(&mut self, id: &str) -> Option<Snapshot> {
        let kept = self.snapshots.get_mut(id)?;
        if kept.looks > 0 {
            kept.looks -= 1;
        } else if self.failing.contains(&kept.snapshot.volume_id) {
            kept.snapshot.state = SnapshotState::Failed("the disk is broken".to_owned());
        } else {
            kept.snapshot.state = SnapshotState::Completed;
        }
        Some(kept.snapshot.clone())
    }

    fn create_volume(&mut self, request: &VolumeRequest) -> Result<Volume, SnapshotterError> {
        let made = self.volumes.values().find(|kept| kept.token == request.token);
        if let Some(id) = made.map(|kept| kept.id.clone()) {
            return self.volume(&id);
        }
        let id = &request.snapshot_id;
        let source = self.snapshots.get(id).ok_or_else(|| not_found("snapshot", id))?;
        let source = source.snapshot.volume_id.clone();
        self.made += 1;
        let id = format!("vol-{}", self.made);
        let kept = KeptVolume {
            id: id.clone(),
            source,
            tags: request.tags.clone(),
            state: VolumeState::Creating,
            token: request.token.clone(),
            looks: self.looks,
        };
        self.volumes.insert(id.clone(), kept);
        self.volume(&id)
    }

    fn volume(&mut self, id: &str) -> Result<Volume, SnapshotterError> {
        let kept = self.volumes.get_mut(id).ok_or_else(|| not_found("volume", id))?;
        if kept.looks > 0 {
            kept.looks -= 1;
        } else if self.failing_volumes {
            kept.state = VolumeState::Failed("no space in zone-a".to_owned());
        } else {
            kept.state = VolumeState::Available;
        }
        Ok(Volume { id: id.to_owned(), state: kept.state.clone(), zone: None })
    }
}

/// The cloud as one process reaches it.
#[derive(Clone, Debug)]
pub(crate) struct FakeSnapshotter {
    pub(crate) cloud: Cloud,
    pub(crate) faults: Faults,
}

impl FakeSnapshotter {
    async fn change<T: Send>(
        &self,
        call: String,
        effect: impl FnOnce(&mut State) -> Result<T, SnapshotterError> + Send,
    ) -> Result<T, SnapshotterError> {
        let what = call.clone();
        let effect = async { effect(&mut self.cloud.state()) };
        self.faults.change(format!("cloud: {call}"), effect, |failure| broken(failure, &what)).await
    }

    async fn read(&self, what: &str) -> Result<(), SnapshotterError> {
        self.faults.read(|| broken(Failure::Refused, what)).await
    }
}

fn broken(failure: Failure, what: &str) -> SnapshotterError {
    let text = match failure {
        Failure::Refused => "the request did not get through",
        Failure::ReplyLost => "the reply did not get through",
    };
    let source = io::Error::other(text).into();
    SnapshotterError::Failed { operation: "reach", what: what.to_owned(), source }
}

fn not_found(what: &str, id: &str) -> SnapshotterError {
    SnapshotterError::NotFound { what: format!("{what} {id}") }
}

#[async_trait]
impl VolumeSnapshotter for FakeSnapshotter {
    fn provider(&self) -> &'static str {
        "fake"
    }

    fn handles(&self, persistent_volume: &Value) -> bool {
        persistent_volume["spec"]["csi"]["driver"] == DRIVER
    }

    fn volume_id(
        &self,
        persistent_volume: &Value,
        _nodes: &BTreeSet<String>,
    ) -> Result<String, SnapshotterError> {
        let handle = persistent_volume["spec"]["csi"]["volumeHandle"].as_str();
        handle.map(str::to_owned).ok_or_else(|| not_found("volume", "without a handle"))
    }

    fn set_volume(
        &self,
        persistent_volume: &mut Value,
        volume: &Volume,
    ) -> Result<(), SnapshotterError> {
        persistent_volume["spec"]["csi"]["volumeHandle"] = json!(volume.id);
        Ok(())
    }

    async fn create_snapshot(
        &self,
        request: &SnapshotRequest,
    ) -> Result<Snapshot, SnapshotterError> {
        let call = format!("create a snapshot of {}", request.volume_id);
        self.change(call, |state| Ok(state.create_snapshot(request))).await
    }

    async fn snapshot(&self, id: &str) -> Result<Snapshot, SnapshotterError> {
        self.read(id).await?;
        self.cloud.state().snapshot(id).ok_or_else(|| not_found("snapshot", id))
    }

    async fn snapshots_tagged(
        &self,
        key: &str,
        value: &str,
    ) -> Result<Vec<Snapshot>, SnapshotterError> {
        self.read("snapshots").await?;
        let mut found = self.cloud.snapshots();
        found.retain(|snapshot| snapshot.tags.get(key).is_some_and(|found| found == value));
        Ok(found)
    }

    async fn delete_snapshot(&self, id: &str) -> Result<(), SnapshotterError> {
        let effect = |state: &mut State| {
            state.snapshots.remove(id);
            Ok(())
        };
        self.change(format!("delete snapshot {id}"), effect).await
    }

    async fn create_volume(&self, request: &VolumeRequest) -> Result<Volume, SnapshotterError> {
        let call = format!("create a volume from {}", request.snapshot_id);
        self.change(call, |state| state.create_volume(request)).await
    }

    async fn volume(&self, id: &str) -> Result<Volume, SnapshotterError> {
        self.read(id).await?;
        self.cloud.state().volume(id)
    }

    async fn delete_volume(&self, id: &str) -> Result<(), SnapshotterError> {
        let effect = |state: &mut State| {
            state.volumes.remove(id);
            Ok(())
        };
        self.change(format!("delete volume {id}"), effect).await
    }
}
