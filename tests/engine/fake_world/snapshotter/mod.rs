//! A cloud in memory that snapshots the volumes of the fake cluster, and whose calls can fail.

mod moods;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bowline_api::{
    Operation, Right, Snapshot, SnapshotRequest, SnapshotState, SnapshotterError, Tags, Volume,
    VolumeOrigin, VolumeRequest, VolumeSnapshotter, VolumeSpec, VolumeState,
};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::fake_cluster::DRIVER;
use crate::faults::{Failure, Faults};

/// What the cloud keeps, whoever asks for it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cloud {
    state: Arc<Mutex<State>>,
}

/// How the cloud can behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Mood {
    /// New volumes fail after they were started.
    FailsVolumes,
    /// It tells its zones to nobody.
    Secretive,
    /// Snapshots stay as they are.
    Frozen,
    /// It takes everybody for the owner of another account.
    Blind,
    /// Nobody is told how snapshots are doing.
    Silent,
    /// It cannot be used at all.
    Unusable,
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
    /// How it behaves.
    moods: BTreeSet<Mood>,
    /// The zones that volumes can be made in.
    zones: Vec<String>,
    /// Snapshots that are not removed, however often it is asked for.
    stuck: BTreeSet<String>,
    /// How often the zones were asked for.
    asked_for_zones: usize,
    /// The zones of volumes that are not in `zone-a`.
    places: BTreeMap<String, String>,
    /// Snapshots that are not shown yet, and until when.
    hidden: BTreeMap<String, Instant>,
    /// Where its snapshots lie as it is reached.
    place: Option<String>,
    /// What is not granted.
    refused: BTreeSet<&'static str>,
    /// The volumes that rights were asked for.
    reviewed: Vec<Option<String>>,
    /// The snapshots that were described, as often as they were.
    described: Vec<String>,
}

#[derive(Clone, Debug)]
struct KeptSnapshot {
    snapshot: Snapshot,
    token: String,
    looks: usize,
    looked: usize,
}

/// A volume that was made from a snapshot.
#[derive(Clone, Debug)]
pub(crate) struct KeptVolume {
    pub(crate) id: String,
    /// The volume that the snapshot was taken of.
    pub(crate) source: String,
    pub(crate) tags: Tags,
    pub(crate) spec: VolumeSpec,
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

    /// Loses a snapshot.
    pub(crate) fn lose(&self, id: &str) {
        self.state().snapshots.remove(id).unwrap();
    }

    /// Lets the snapshots of a volume fail after they were started.
    pub(crate) fn fail_snapshots_of(&self, volume_id: &str) {
        self.state().failing.insert(volume_id.to_owned());
    }

    /// Lets new volumes fail after they were started.
    pub(crate) fn fail_volumes(&self) {
        self.state().set(Mood::FailsVolumes, true);
    }

    /// Reaches a region with these zones.
    pub(crate) fn be_in(&self, zones: &[&str]) {
        self.state().zones = zones.iter().map(|&zone| zone.to_owned()).collect();
    }

    /// Keeps a snapshot from being removed, or no longer.
    pub(crate) fn hold(&self, id: &str, held: bool) {
        let mut state = self.state();
        if held {
            state.stuck.insert(id.to_owned())
        } else {
            state.stuck.remove(id)
        };
        drop(state);
    }

    /// Changes the tags of a snapshot.
    pub(crate) fn retag(&self, id: &str, key: &str, value: &str) {
        let mut state = self.state();
        let kept = state.snapshots.get_mut(id).unwrap();
        kept.snapshot.tags.insert(key.to_owned(), value.to_owned());
        drop(state);
    }

    /// How often somebody wanted to know the zones.
    pub(crate) fn asked_for_zones(&self) -> usize {
        self.state().asked_for_zones
    }

    /// Puts a volume in another zone, before a snapshot of it is taken.
    pub(crate) fn put(&self, volume_id: &str, zone: &str) {
        self.state().places.insert(volume_id.to_owned(), zone.to_owned());
    }

    /// Shows a snapshot to nobody for a while.
    pub(crate) fn hide(&self, id: &str, time: Duration) {
        self.state().hidden.insert(id.to_owned(), Instant::now() + time);
    }

    /// Cannot be used at all, like a cloud that nobody here has an account of.
    pub(crate) fn be_unusable(&self) {
        self.state().set(Mood::Unusable, true);
    }

    /// Reaches this place from here on, and no other.
    pub(crate) fn reach(&self, place: &str) {
        self.state().place = Some(place.to_owned());
    }

    /// Refuses an action, by its name.
    pub(crate) fn refuse(&self, action: &'static str) {
        self.state().refused.insert(action);
    }

    /// The volumes that rights were asked for, once each time.
    pub(crate) fn reviewed(&self) -> Vec<Option<String>> {
        self.state().reviewed.clone()
    }

    /// Changes a snapshot.
    pub(crate) fn edit_snapshot(&self, id: &str, change: impl FnOnce(&mut Snapshot)) {
        change(&mut self.state().snapshots.get_mut(id).unwrap().snapshot);
    }

    /// Lets snapshots be what they are, however often they are looked at.
    pub(crate) fn freeze_snapshots(&self) {
        self.state().set(Mood::Frozen, true);
    }

    /// Loses all snapshots.
    pub(crate) fn forget_snapshots(&self) {
        self.state().snapshots.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn set(&mut self, mood: Mood, on: bool) {
        if on {
            self.moods.insert(mood)
        } else {
            self.moods.remove(&mood)
        };
    }

    fn check_usable(&self) -> Result<(), SnapshotterError> {
        if !self.moods.contains(&Mood::Unusable) {
            return Ok(());
        }
        let (what, reason) = ("the connection".to_owned(), "there is no account".to_owned());
        Err(SnapshotterError::Refused { what, reason })
    }

    fn create_snapshot(&mut self, request: &SnapshotRequest) -> Snapshot {
        if let Some(kept) = self.snapshots.values().find(|kept| kept.token == request.token) {
            return kept.snapshot.clone();
        }
        self.made += 1;
        let id = format!("snap-{}", self.made);
        let zone = self.places.get(&request.volume_id).map_or("zone-a", String::as_str);
        let spec = VolumeSpec {
            volume_type: "fast".to_owned(),
            zone: Some(zone.to_owned()),
            iops: Some(3000),
            throughput: Some(250),
            size_gib: Some(20),
            encrypted: Some(true),
            kms_key_id: Some("key-1".to_owned()),
            multi_attach: Some(false),
            tags: Tags::from([("team".to_owned(), "shop".to_owned())]),
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
        let kept = KeptSnapshot { snapshot, token, looks: self.looks, looked: 0 };
        self.snapshots.insert(id.clone(), kept);
        self.snapshot(&id).unwrap_or_else(|| unreachable!("just inserted"))
    }

    /// Looks at a snapshot, which is how time passes here.
    fn snapshot(&mut self, id: &str) -> Option<Snapshot> {
        if self.hidden.get(id).is_some_and(|until| Instant::now() < *until) {
            return None;
        }
        let kept = self.snapshots.get_mut(id)?;
        if self.moods.contains(&Mood::Frozen) {
            // As it is.
        } else if kept.looks > 0 {
            kept.looks -= 1;
            let percent = 100 * kept.looked / (kept.looked + kept.looks + 1);
            kept.snapshot.state = SnapshotState::Pending(u8::try_from(percent).ok());
            kept.looked += 1;
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
            spec: request.spec.clone(),
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
        } else if self.moods.contains(&Mood::FailsVolumes) {
            kept.state = VolumeState::Failed("no space in zone-a".to_owned());
        } else if kept.state == VolumeState::Creating {
            kept.state = VolumeState::Available;
        }
        let zone = kept.spec.zone.clone();
        Ok(Volume { id: id.to_owned(), state: kept.state.clone(), zone })
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
        persistent_volume["spec"]["nodeAffinity"]["zone"] = json!(volume.zone);
        Ok(())
    }

    async fn zones(&self) -> Result<Vec<String>, SnapshotterError> {
        self.read("zones").await?;
        let mut state = self.cloud.state();
        state.asked_for_zones += 1;
        if state.moods.contains(&Mood::Secretive) {
            let (what, reason) = ("the zones".to_owned(), "not for you".to_owned());
            return Err(SnapshotterError::Refused { what, reason });
        }
        Ok(state.zones.clone())
    }

    async fn place(&self) -> Result<Option<String>, SnapshotterError> {
        self.read("place").await?;
        self.cloud.state().check_usable()?;
        Ok(self.cloud.state().place.clone())
    }

    fn is_snapshot_id(&self, id: &str) -> bool {
        id.starts_with("snap-")
    }

    async fn rights(
        &self,
        operation: Operation,
        volume_id: Option<&str>,
    ) -> Result<Vec<Right>, SnapshotterError> {
        self.read("rights").await?;
        let mut state = self.cloud.state();
        state.reviewed.push(volume_id.map(str::to_owned));
        let action = match operation {
            Operation::Backup => "fake:CreateSnapshot",
            Operation::Restore => "fake:CreateVolume",
            Operation::Delete => "fake:DeleteSnapshot",
            Operation::TakeDown => "fake:DeleteVolume",
        };
        let refusal = state.refused.contains(action).then(|| "not for you".to_owned());
        drop(state);
        Ok(vec![Right { action: action.to_owned(), refusal }])
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
        let mut state = self.cloud.state();
        state.described.push(id.to_owned());
        if state.moods.contains(&Mood::Silent) {
            return Err(broken(Failure::Refused, id));
        }
        if state.moods.contains(&Mood::Blind) {
            return Err(not_found("snapshot", id));
        }
        state.snapshot(id).ok_or_else(|| not_found("snapshot", id))
    }

    async fn snapshots_tagged(
        &self,
        key: &str,
        value: &str,
    ) -> Result<Vec<Snapshot>, SnapshotterError> {
        self.read("snapshots").await?;
        self.cloud.state().check_usable()?;
        let mut found = self.cloud.snapshots();
        found.retain(|snapshot| snapshot.tags.get(key).is_some_and(|found| found == value));
        if self.cloud.state().moods.contains(&Mood::Blind) {
            found.clear();
        }
        Ok(found)
    }

    async fn delete_snapshot(&self, id: &str) -> Result<(), SnapshotterError> {
        let effect = |state: &mut State| {
            if state.stuck.contains(id) {
                let reason = "it is in use".to_owned();
                return Err(SnapshotterError::Refused { what: format!("snapshot {id}"), reason });
            }
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

    async fn volume_made_by(
        &self,
        origin: &VolumeOrigin,
    ) -> Result<Option<Volume>, SnapshotterError> {
        self.read(&origin.persistent_volume).await?;
        let made = self.cloud.volumes().into_iter().find(|made| made.token == origin.token);
        made.map(|made| self.cloud.state().volume(&made.id)).transpose()
    }

    async fn delete_volume(&self, id: &str) -> Result<(), SnapshotterError> {
        let effect = |state: &mut State| {
            state.volumes.remove(id);
            Ok(())
        };
        self.change(format!("delete volume {id}"), effect).await
    }
}
