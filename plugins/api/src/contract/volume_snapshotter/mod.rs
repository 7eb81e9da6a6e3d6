//! What every volume snapshotter must do.

mod snapshots;
mod volumes;

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::{
    Snapshot, SnapshotRequest, SnapshotState, SnapshotterError, Tags, Volume, VolumeRequest,
    VolumeSnapshotter, VolumeState,
};

/// The contents of a volume by path.
pub type Files = BTreeMap<String, Vec<u8>>;

/// How often something is looked at that is not yet done.
const LOOKS: u32 = 600;

/// Makes volumes for the suite, and looks into them.
#[async_trait]
pub trait SnapshotterFixture: Sync {
    /// The snapshotter, the same at every call; its snapshots may be any at first.
    fn snapshotter(&self) -> &dyn VolumeSnapshotter;

    /// Makes an empty volume and a persistent volume for it, bound to a claim.
    async fn make_volume(&self) -> Value;

    /// Puts files into a volume, in place of what was there.
    async fn fill_volume(&self, id: &str, files: &Files);

    /// Reads all files of a volume; none where the test environment cannot look inside.
    async fn read_volume(&self, id: &str) -> Option<Files>;

    /// The nodes that a cluster with these volumes has.
    fn nodes(&self) -> BTreeSet<String>;

    /// Waits before the next look at something that is not yet done.
    async fn pause(&self);
}

/// Checks a volume snapshotter against its trait.
pub async fn volume_snapshotter(fixture: &dyn SnapshotterFixture) {
    persistent_volumes_are_read_and_written(fixture).await;
    snapshots::check(fixture).await;
    volumes::check(fixture).await;
}

async fn persistent_volumes_are_read_and_written(fixture: &dyn SnapshotterFixture) {
    let snapshotter = fixture.snapshotter();
    let nfs = json!({
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "other"},
        "spec": {"nfs": {"server": "nfs.example.com", "path": "/data"}},
    });
    assert!(!snapshotter.handles(&nfs), "NFS is nobody's");
    assert!(!snapshotter.handles(&json!({})));
    assert!(snapshotter.volume_id(&nfs, &fixture.nodes()).is_err());
    assert!(snapshotter.set_volume(&mut nfs.clone(), &available_volume("/data/x")).is_err());

    let (one, two) = (fixture.make_volume().await, fixture.make_volume().await);
    let (one_id, two_id) = (id_of(fixture, &one), id_of(fixture, &two));
    assert_ne!(one_id, two_id);
    let mut moved = one.clone();
    let set = snapshotter.set_volume(&mut moved, &available_volume(&two_id));
    assert!(set.is_ok(), "{set:?}");
    assert_eq!(id_of(fixture, &moved), two_id);
    let set = snapshotter.set_volume(&mut moved, &available_volume(&one_id));
    assert!(set.is_ok(), "{set:?}");
    assert_eq!(moved, one, "only the volume is changed");
}

fn available_volume(id: &str) -> Volume {
    Volume { id: id.to_owned(), state: VolumeState::Available, zone: None }
}

fn id_of(fixture: &dyn SnapshotterFixture, persistent_volume: &Value) -> String {
    let snapshotter = fixture.snapshotter();
    assert!(snapshotter.handles(persistent_volume), "{persistent_volume}");
    let id = snapshotter.volume_id(persistent_volume, &fixture.nodes());
    id.unwrap_or_else(|error| panic!("the volume of {persistent_volume}: {error:?}"))
}

/// Makes a volume with contents and tells its id.
async fn make_volume(fixture: &dyn SnapshotterFixture, files: &Files) -> String {
    let id = id_of(fixture, &fixture.make_volume().await);
    fixture.fill_volume(&id, files).await;
    id
}

fn files(seed: u8) -> Files {
    let large = (0..300_000_u32).map(|i| i.to_le_bytes()[usize::from(seed % 2)] ^ seed).collect();
    [
        ("empty".to_owned(), Vec::new()),
        ("base/1/2619".to_owned(), vec![seed; 8192]),
        ("base/1/large".to_owned(), large),
        ("with space/ü".to_owned(), b"x".to_vec()),
    ]
    .into()
}

fn tags(backup: &str) -> Tags {
    let contract = ("bowline.example.com/contract".to_owned(), "yes".to_owned());
    [contract, ("bowline.example.com/backup".to_owned(), backup.to_owned())].into()
}

fn snapshot_request(volume_id: &str, token: &str) -> SnapshotRequest {
    let (volume_id, token) = (volume_id.to_owned(), token.to_owned());
    SnapshotRequest { volume_id, tags: tags(&token), token }
}

fn volume_request(
    fixture: &dyn SnapshotterFixture,
    snapshot: &Snapshot,
    token: &str,
) -> VolumeRequest {
    VolumeRequest {
        same_cluster: true,
        snapshot_id: snapshot.id.clone(),
        source_volume_id: snapshot.volume_id.clone(),
        persistent_volume: format!("bowline-{token}").to_lowercase(),
        claim: "contract/data".to_owned(),
        token: token.to_owned(),
        tags: tags(token),
        spec: snapshot.volume.clone(),
        nodes: fixture.nodes(),
    }
}

/// Makes a snapshot and waits until it is complete.
async fn snapshot(fixture: &dyn SnapshotterFixture, volume_id: &str, token: &str) -> Snapshot {
    let request = snapshot_request(volume_id, token);
    let made = fixture.snapshotter().create_snapshot(&request).await;
    completed(fixture, made).await
}

async fn completed(
    fixture: &dyn SnapshotterFixture,
    made: Result<Snapshot, SnapshotterError>,
) -> Snapshot {
    let mut snapshot = made.unwrap_or_else(|error| panic!("create a snapshot: {error:?}"));
    for _ in 0..LOOKS {
        match snapshot.state {
            SnapshotState::Completed => return snapshot,
            SnapshotState::Failed(reason) => panic!("snapshot {}: {reason}", snapshot.id),
            SnapshotState::Pending(_) => fixture.pause().await,
        }
        let found = fixture.snapshotter().snapshot(&snapshot.id).await;
        snapshot = found.unwrap_or_else(|error| panic!("describe a snapshot: {error:?}"));
    }
    panic!("snapshot {} is never complete", snapshot.id)
}

/// Makes a volume and waits until it is available.
async fn volume(fixture: &dyn SnapshotterFixture, request: &VolumeRequest) -> Volume {
    let made = fixture.snapshotter().create_volume(request).await;
    available(fixture, made).await
}

async fn available(
    fixture: &dyn SnapshotterFixture,
    made: Result<Volume, SnapshotterError>,
) -> Volume {
    let mut volume = made.unwrap_or_else(|error| panic!("create a volume: {error:?}"));
    for _ in 0..LOOKS {
        match volume.state {
            VolumeState::Available => return volume,
            VolumeState::Failed(reason) => panic!("volume {}: {reason}", volume.id),
            VolumeState::Creating => fixture.pause().await,
        }
        let found = fixture.snapshotter().volume(&volume.id).await;
        volume = found.unwrap_or_else(|error| panic!("describe a volume: {error:?}"));
    }
    panic!("volume {} is never available", volume.id)
}

/// Compares a volume with what it should hold, where it can be seen.
async fn assert_volume_holds(fixture: &dyn SnapshotterFixture, id: &str, expected: &Files) {
    if let Some(found) = fixture.read_volume(id).await {
        let names: Vec<&String> = found.keys().collect();
        assert!(found == *expected, "volume {id} is not as it was; it holds {names:?}");
    }
}

fn assert_not_found<T: std::fmt::Debug>(result: Result<T, SnapshotterError>) {
    assert!(matches!(result, Err(SnapshotterError::NotFound { .. })), "{result:?}");
}

fn assert_refused<T: std::fmt::Debug>(result: Result<T, SnapshotterError>) {
    assert!(matches!(result, Err(SnapshotterError::Refused { .. })), "{result:?}");
}
