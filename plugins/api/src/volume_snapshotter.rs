//! Something that snapshots volumes and makes volumes from snapshots.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as StdError;
use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Tags of a snapshot or a volume.
pub type Tags = BTreeMap<String, String>;

/// The cloud's own snapshots of the volumes behind persistent volumes.
///
/// Everything is idempotent by identity: two requests with the same `token` make one snapshot or one
/// volume, also across processes and after a lost reply. An implementation looks by tag for what an
/// earlier call made before it makes anything.
#[async_trait]
pub trait VolumeSnapshotter: fmt::Debug + Send + Sync {
    /// Names the provider, as records and reports do: `aws`, `local`.
    fn provider(&self) -> &'static str;

    /// Tells whether this persistent volume is of a kind that the provider handles, wherever it is.
    fn handles(&self, persistent_volume: &Value) -> bool;

    /// Names the volume behind a persistent volume that it [handles](Self::handles).
    ///
    /// `nodes` holds the `kubernetes.io/hostname` label of every node of the cluster. Fails where
    /// the volume cannot be reached from here, and says why.
    fn volume_id(
        &self,
        persistent_volume: &Value,
        nodes: &BTreeSet<String>,
    ) -> Result<String, SnapshotterError>;

    /// Points a persistent volume (as it was backed up) to another volume, and to its zone.
    fn set_volume(
        &self,
        persistent_volume: &mut Value,
        volume: &Volume,
    ) -> Result<(), SnapshotterError>;

    /// Names the zones that volumes can be made in from here, in order; empty if there are none.
    async fn zones(&self) -> Result<Vec<String>, SnapshotterError> {
        Ok(Vec::new())
    }

    /// Names where its snapshots lie as it is reached from here: a region; none if there is but one
    /// such place.
    ///
    /// What was made in one place seems not to exist in another.
    async fn place(&self) -> Result<Option<String>, SnapshotterError> {
        Ok(None)
    }

    /// Asks whether this caller may do what an operation needs, without doing it.
    ///
    /// `subject` is what the operation is about, for providers that ask for it: a volume to back up,
    /// a snapshot to delete.
    async fn rights(
        &self,
        operation: Operation,
        subject: Option<&str>,
    ) -> Result<Vec<Right>, SnapshotterError> {
        let _ = (operation, subject);
        Ok(Vec::new())
    }

    /// Tells by its form alone whether an id can be that of one of this provider's snapshots.
    ///
    /// That a snapshot does not exist means something only from the provider that made it.
    fn is_snapshot_id(&self, id: &str) -> bool;

    /// Starts the snapshot of a volume, or finds the one that this token started.
    async fn create_snapshot(
        &self,
        request: &SnapshotRequest,
    ) -> Result<Snapshot, SnapshotterError>;

    /// Describes a snapshot. One that belongs to somebody who is not trusted is refused.
    async fn snapshot(&self, id: &str) -> Result<Snapshot, SnapshotterError>;

    /// Finds the snapshots that carry a tag.
    async fn snapshots_tagged(
        &self,
        key: &str,
        value: &str,
    ) -> Result<Vec<Snapshot>, SnapshotterError>;

    /// Removes a snapshot, complete or not; one that does not exist is removed already.
    async fn delete_snapshot(&self, id: &str) -> Result<(), SnapshotterError>;

    /// Starts to make a volume from a completed snapshot, or finds the one that this token started.
    async fn create_volume(&self, request: &VolumeRequest) -> Result<Volume, SnapshotterError>;

    /// Describes a volume that this provider made.
    async fn volume(&self, id: &str) -> Result<Volume, SnapshotterError>;

    /// Finds what [`create_volume`](Self::create_volume) made, or began to make, for a token; none
    /// if nothing is there of it.
    ///
    /// It can be removed then, whatever became of the process that asked for it.
    async fn volume_made_by(
        &self,
        origin: &VolumeOrigin,
    ) -> Result<Option<Volume>, SnapshotterError>;

    /// Removes a volume that [`create_volume`](Self::create_volume) made; refuses any other.
    async fn delete_volume(&self, id: &str) -> Result<(), SnapshotterError>;
}

/// What a provider is about to be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Snapshots of volumes.
    Backup,
    /// Volumes from snapshots.
    Restore,
    /// The end of snapshots.
    Delete,
    /// The end of volumes that were made from snapshots.
    TakeDown,
}

/// Something that an operation needs to be allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Right {
    /// The provider's name for it: `ec2:CreateSnapshot`.
    pub action: String,
    /// Whether it is granted; if not, what the provider said.
    pub refusal: Option<String>,
}

/// What to snapshot, and how to mark it.
#[derive(Clone, Debug)]
pub struct SnapshotRequest {
    /// The volume, as [`VolumeSnapshotter::volume_id`] named it.
    pub volume_id: String,
    /// The identity of this request: at most 64 characters of `[a-zA-Z0-9-]`.
    pub token: String,
    /// What the snapshot is tagged with.
    pub tags: Tags,
}

/// A snapshot as its provider describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The provider's name for it.
    pub id: String,
    /// The volume that it was taken of.
    pub volume_id: String,
    /// How far it is.
    pub state: SnapshotState,
    /// Its tags.
    pub tags: Tags,
    /// What the volume was like, so that the restored one is like it.
    ///
    /// Complete only in the answer to [`VolumeSnapshotter::create_snapshot`]: a snapshot outlives its
    /// volume.
    pub volume: VolumeSpec,
    /// The account that owns it, if it is not the caller's own but a trusted one. The provider does
    /// not show such a snapshot's tags.
    pub shared_by: Option<String>,
}

/// How far a snapshot is. Only a completed one can be restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapshotState {
    /// Data is still being copied; percent, where the provider tells.
    Pending(Option<u8>),
    /// All data is safe.
    Completed,
    /// It will never complete; why.
    Failed(String),
}

/// What a volume is like. Absent values are unknown or do not apply.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VolumeSpec {
    /// The provider's type: `gp3`, `directory`.
    pub volume_type: String,
    /// The availability zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Provisioned I/O operations per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iops: Option<i64>,
    /// Provisioned throughput in MiB per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throughput: Option<i64>,
    /// The size in GiB.
    #[serde(rename = "sizeGiB", skip_serializing_if = "Option::is_none")]
    pub size_gib: Option<i64>,
    /// Whether it is encrypted at rest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encrypted: Option<bool>,
    /// The key that it is encrypted with, by its provider's name.
    #[serde(rename = "kmsKeyID", skip_serializing_if = "Option::is_none")]
    pub kms_key_id: Option<String>,
    /// Whether several machines can have it at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multi_attach: Option<bool>,
    /// The tags of the volume itself.
    #[serde(skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

/// What volume to make, and of what.
#[derive(Clone, Debug)]
pub struct VolumeRequest {
    /// The completed snapshot.
    pub snapshot_id: String,
    /// The volume that the snapshot was taken of.
    pub source_volume_id: String,
    /// The name of the persistent volume that it is for.
    pub persistent_volume: String,
    /// The claim that it is for, as `namespace/name`.
    pub claim: String,
    /// The identity of this request: at most 64 characters of `[a-zA-Z0-9-]`.
    pub token: String,
    /// What the volume is tagged with.
    pub tags: Tags,
    /// What the volume shall be like.
    pub spec: VolumeSpec,
    /// Whether it is for the very cluster that its source was of.
    ///
    /// If not, the tags by which that cluster owns its volumes do not come along: whoever tears it
    /// down would take this one, too.
    pub same_cluster: bool,
    /// The `kubernetes.io/hostname` label of every node of the target cluster.
    pub nodes: BTreeSet<String>,
}

/// By what a volume that was asked for is found again: parts of its [`VolumeRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeOrigin {
    /// The identity of the request.
    pub token: String,
    /// The volume that the snapshot was taken of.
    pub source_volume_id: String,
    /// The name of the persistent volume that it is for.
    pub persistent_volume: String,
}

impl VolumeRequest {
    /// By what the volume is found again.
    pub fn origin(&self) -> VolumeOrigin {
        VolumeOrigin {
            token: self.token.clone(),
            source_volume_id: self.source_volume_id.clone(),
            persistent_volume: self.persistent_volume.clone(),
        }
    }
}

/// A volume as its provider describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// The provider's name for it.
    pub id: String,
    /// How far it is.
    pub state: VolumeState,
    /// The availability zone that it is in; none if it is in no zone.
    pub zone: Option<String>,
}

/// How far a volume is. Only an available one may get a persistent volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VolumeState {
    /// Accepted, but not there yet.
    Creating,
    /// It holds the snapshot's data.
    Available,
    /// It will never be available; why.
    Failed(String),
}

/// Why a provider did not do what it was asked, by meaning.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotterError {
    /// There is no such volume or snapshot.
    #[error("{what} does not exist")]
    NotFound {
        /// `snapshot snap-1`, `volume /data/x`.
        what: String,
    },
    /// The volume exists, but not for this machine or account.
    #[error("{what} cannot be reached from here: {reason}")]
    Unreachable {
        /// `volume /data/x`.
        what: String,
        /// Why, and what would help.
        reason: String,
    },
    /// The provider will not do this, however often it is asked.
    #[error("{what} was refused: {reason}")]
    Refused {
        /// `volume /data/x`.
        what: String,
        /// Why.
        reason: String,
    },
    /// The data is not what was recorded of it.
    #[error("{what} is damaged: {reason}")]
    Damaged {
        /// `snapshot snap-1`.
        what: String,
        /// Where it differs.
        reason: String,
    },
    /// Everything else: unreachable, out of retries, a broken disk.
    #[error("failed to {operation} {what}")]
    Failed {
        /// What was tried, as a verb: `copy`, `describe`.
        operation: &'static str,
        /// `snapshot snap-1`.
        what: String,
        /// What the provider said.
        source: Box<dyn StdError + Send + Sync>,
    },
}
