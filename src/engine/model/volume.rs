//! What a backup records of its volumes: Velero's two files, key by key.

use serde::{Deserialize, Serialize};

/// A snapshot that a provider was asked for: an entry of `<name>-volumesnapshots.json.gz`.
///
/// A failed one is kept, too: without its entry a restore would make an empty volume in its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NativeSnapshot {
    /// What was asked.
    pub spec: NativeSnapshotSpec,
    /// What came of it.
    #[serde(default)]
    pub status: NativeSnapshotStatus,
}

/// What a provider was asked to snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NativeSnapshotSpec {
    /// The backup's name.
    pub backup_name: String,
    /// The backup's UID.
    #[serde(rename = "backupUID")]
    pub backup_uid: String,
    /// The name of the volume snapshot location; Velero looks it up in the cluster it restores into.
    pub location: String,
    /// The `PersistentVolume`.
    pub persistent_volume_name: String,
    /// The provider's name of the volume.
    #[serde(rename = "providerVolumeID")]
    pub provider_volume_id: String,
    /// The provider's type of the volume.
    pub volume_type: String,
    /// The availability zone.
    #[serde(rename = "volumeAZ", skip_serializing_if = "Option::is_none")]
    pub volume_az: Option<String>,
    /// Provisioned I/O operations per second.
    #[serde(rename = "volumeIOPS", skip_serializing_if = "Option::is_none")]
    pub volume_iops: Option<i64>,
}

/// What came of a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NativeSnapshotStatus {
    /// The provider's name of the snapshot; absent if it failed.
    #[serde(rename = "providerSnapshotID", default, skip_serializing_if = "Option::is_none")]
    pub provider_snapshot_id: Option<String>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<SnapshotPhase>,
}

/// How a snapshot ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SnapshotPhase {
    /// Not started.
    New,
    /// Usable.
    Completed,
    /// Not usable.
    Failed,
}

/// What became of one `PersistentVolume`: an entry of `<name>-volumeinfo.json.gz`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VolumeInfo {
    /// The claim's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pvc_name: Option<String>,
    /// The claim's namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pvc_namespace: Option<String>,
    /// The `PersistentVolume`'s name.
    pub pv_name: String,
    /// How its data is kept; absent if it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup_method: Option<String>,
    /// Whether the data was copied out of the snapshot.
    pub snapshot_data_moved: bool,
    /// Whether the snapshot stays after its data was copied.
    pub preserve_local_snapshot: bool,
    /// Whether the data was left out on purpose.
    pub skipped: bool,
    /// Why it was left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped_reason: Option<String>,
    /// `succeeded` or `failed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// The snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub native_snapshot_info: Option<NativeSnapshotInfo>,
    /// What a dynamically made volume gets back.
    #[serde(rename = "pvInfo", skip_serializing_if = "Option::is_none")]
    pub pv_info: Option<PersistentVolumeInfo>,
}

/// A provider's snapshot, in Velero's odd capitals.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NativeSnapshotInfo {
    /// The provider's name of the snapshot; empty if it failed.
    pub snapshot_handle: String,
    /// The provider's type of the volume.
    pub volume_type: String,
    /// The availability zone.
    #[serde(rename = "volumeAZ")]
    pub volume_az: String,
    /// Provisioned I/O operations per second, as text.
    pub iops: String,
    /// How it ended.
    #[serde(rename = "Phase", skip_serializing_if = "Option::is_none")]
    pub phase: Option<SnapshotPhase>,
}

/// What of a `PersistentVolume` its successor gets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PersistentVolumeInfo {
    /// `Delete` or `Retain`.
    pub reclaim_policy: String,
    /// Its labels.
    pub labels: Option<std::collections::BTreeMap<String, String>>,
}

/// The method of volumes that were snapshotted by their provider.
pub const NATIVE_SNAPSHOT: &str = "NativeSnapshot";

/// The annotation of a claim that says what becomes of its volume.
pub const VOLUME_ANNOTATION: &str = "bowline.io/volume";

/// Tags and labels that tell what a snapshot or a volume was made for.
pub mod tags {
    /// The backup, by name.
    pub const BACKUP: &str = "velero.io/backup";
    /// The `PersistentVolume`, by name.
    pub const PERSISTENT_VOLUME: &str = "velero.io/pv";
    /// The backup, by UID.
    pub const BACKUP_UID: &str = "bowline.io/backup-uid";
    /// The cluster that was backed up, by UID.
    pub const CLUSTER_UID: &str = "bowline.io/cluster-uid";
    /// The claim, as `namespace/name`.
    pub const CLAIM: &str = "bowline.io/claim";
    /// The restore, by UID.
    pub const RESTORE_UID: &str = "bowline.io/restore-uid";
}
