//! What a backup records of its volumes: Velero's two files, key by key.

use bowline_api::{Tags, VolumeSpec};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

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
///
/// Velero's fields end with the I/O operations. It ignores the others, which let a restore bring
/// back all that the volume was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NativeSnapshotSpec {
    /// The backup's name.
    pub backup_name: String,
    /// The backup's UID.
    #[serde(rename = "backupUID", alias = "backupUid")]
    pub backup_uid: String,
    /// The name of the volume snapshot location; Velero looks it up in the cluster it restores into.
    pub location: String,
    /// The `PersistentVolume`.
    pub persistent_volume_name: String,
    /// The provider's name of the volume.
    #[serde(rename = "providerVolumeID", alias = "providerVolumeId")]
    pub provider_volume_id: String,
    /// The provider's type of the volume.
    pub volume_type: String,
    /// The availability zone.
    #[serde(rename = "volumeAZ", alias = "volumeAz", skip_serializing_if = "Option::is_none")]
    pub volume_az: Option<String>,
    /// Provisioned I/O operations per second.
    #[serde(rename = "volumeIOPS", alias = "volumeIops", skip_serializing_if = "Option::is_none")]
    pub volume_iops: Option<i64>,
    /// Provisioned throughput in MiB per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume_throughput: Option<i64>,
    /// The size in GiB.
    #[serde(rename = "volumeSizeGiB", skip_serializing_if = "Option::is_none")]
    pub volume_size_gib: Option<i64>,
    /// Whether it is encrypted at rest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume_encrypted: Option<bool>,
    /// The key that it is encrypted with.
    #[serde(rename = "volumeKMSKeyID", skip_serializing_if = "Option::is_none")]
    pub volume_kms_key_id: Option<String>,
    /// Whether several machines can have it at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume_multi_attach: Option<bool>,
    /// The tags of the volume itself.
    #[serde(skip_serializing_if = "Tags::is_empty")]
    pub volume_tags: Tags,
    /// Who made the snapshot: `aws`, `local`. Absent in Velero's records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bowline_provider: Option<String>,
}

impl NativeSnapshotSpec {
    /// Records what the volume is like.
    #[must_use]
    pub fn with_volume(self, volume: &VolumeSpec) -> Self {
        let volume = volume.clone();
        Self {
            volume_type: volume.volume_type,
            volume_az: volume.zone,
            volume_iops: volume.iops,
            volume_throughput: volume.throughput,
            volume_size_gib: volume.size_gib,
            volume_encrypted: volume.encrypted,
            volume_kms_key_id: volume.kms_key_id,
            volume_multi_attach: volume.multi_attach,
            volume_tags: volume.tags,
            ..self
        }
    }

    /// What the restored volume shall be like.
    ///
    /// Velero writes 0 I/O operations for types that have none to provision.
    pub fn volume_spec(&self) -> VolumeSpec {
        VolumeSpec {
            volume_type: self.volume_type.clone(),
            zone: self.volume_az.clone().filter(|zone| !zone.is_empty()),
            iops: self.volume_iops.filter(|iops| *iops > 0),
            throughput: self.volume_throughput,
            size_gib: self.volume_size_gib,
            encrypted: self.volume_encrypted,
            kms_key_id: self.volume_kms_key_id.clone(),
            multi_attach: self.volume_multi_attach,
            tags: self.volume_tags.clone(),
        }
    }
}

/// What came of a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NativeSnapshotStatus {
    /// The provider's name of the snapshot; absent if it failed.
    #[serde(
        rename = "providerSnapshotID",
        alias = "providerSnapshotId",
        default,
        skip_serializing_if = "Option::is_none"
    )]
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
    /// What becomes of it in a restore, of one that was left out: `skipped`, `reattach`, `unbound`.
    /// Absent in Velero's records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bowline_state: Option<String>,
    /// `succeeded` or `failed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// The snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub native_snapshot_info: Option<NativeSnapshotInfo>,
    /// What a dynamically made volume gets back.
    #[serde(rename = "pvInfo", skip_serializing_if = "Option::is_none")]
    pub pv_info: Option<PersistentVolumeInfo>,
    /// What Velero tells of other methods; kept as it is.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
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
    #[serde(rename = "volumeAZ", alias = "volumeAz")]
    pub volume_az: String,
    /// Provisioned I/O operations per second, as text.
    #[serde(deserialize_with = "number_as_text")]
    pub iops: String,
    /// How it ended.
    #[serde(rename = "Phase", alias = "phase", skip_serializing_if = "Option::is_none")]
    pub phase: Option<SnapshotPhase>,
}

impl NativeSnapshotInfo {
    /// What is told of a snapshot of a volume like this.
    pub fn new(handle: Option<&str>, volume: &VolumeSpec) -> Self {
        Self {
            snapshot_handle: handle.unwrap_or_default().to_owned(),
            volume_type: volume.volume_type.clone(),
            volume_az: volume.zone.clone().unwrap_or_default(),
            iops: volume.iops.unwrap_or_default().to_string(),
            phase: None,
        }
    }
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

/// The method of volumes that were snapshotted by their CSI driver.
pub const CSI_SNAPSHOT: &str = "CSISnapshot";

/// The method of volumes whose files were copied through a pod.
pub const POD_VOLUME_BACKUP: &str = "PodVolumeBackup";
/// The state of a volume that is not copied, and comes back as the very same.
pub const REATTACH: &str = "reattach";
/// The state of a volume that is left out on purpose.
pub const SKIPPED: &str = "skipped";
/// The state of a volume that does not exist yet.
pub const UNBOUND: &str = "unbound";

/// The annotation of a claim that says what becomes of its volume.
pub const VOLUME_ANNOTATION: &str = "bowline.io/volume";

fn number_as_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Iops {
        Text(String),
        Number(i64),
    }
    Ok(match Option::deserialize(deserializer)? {
        Some(Iops::Text(text)) => text,
        Some(Iops::Number(number)) => number.to_string(),
        None => String::new(),
    })
}

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
    /// The location that holds the backup, as its URL.
    pub const LOCATION: &str = "bowline.io/location";
    /// The restore, by UID.
    pub const RESTORE_UID: &str = "bowline.io/restore-uid";

    /// The most characters that a provider takes as the value of a tag.
    const LONGEST: usize = 256;

    /// A location's URL as a tag: without credentials, and no longer than a tag can be.
    pub fn location(url: &str) -> String {
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let separator = if scheme.is_empty() { "" } else { "://" };
        [scheme, separator, host, path].concat().chars().take(LONGEST).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_volume_is_like_is_read_as_it_was_recorded() {
        let volume = VolumeSpec {
            volume_type: "gp3".to_owned(),
            zone: Some("us-east-1a".to_owned()),
            iops: Some(4000),
            throughput: Some(250),
            size_gib: Some(20),
            encrypted: Some(true),
            kms_key_id: Some("arn:aws:kms:us-east-1:1:key/k".to_owned()),
            multi_attach: Some(false),
            tags: Tags::from([("team".to_owned(), "shop".to_owned())]),
        };
        let spec = NativeSnapshotSpec::default().with_volume(&volume);
        let written = serde_json::to_value(&spec).unwrap();
        assert_eq!(
            (&written["volumeThroughput"], &written["volumeSizeGiB"], &written["volumeKMSKeyID"]),
            (&json!(250), &json!(20), &json!("arn:aws:kms:us-east-1:1:key/k"))
        );
        let read: NativeSnapshotSpec = serde_json::from_value(written).unwrap();
        assert_eq!(read.volume_spec(), volume);
    }

    #[test]
    fn a_record_of_velero_asks_for_no_operations_per_second_where_it_says_0() {
        let record = json!({"volumeType": "gp2", "volumeAZ": "us-east-1a", "volumeIOPS": 0});
        let spec: NativeSnapshotSpec = serde_json::from_value(record.clone()).unwrap();
        let volume = spec.volume_spec();
        assert_eq!((volume.volume_type.as_str(), volume.iops), ("gp2", None));
        let again = serde_json::to_value(&spec).unwrap();
        assert!(record.as_object().unwrap().iter().all(|(key, value)| again[key] == *value));
    }

    #[test]
    fn a_location_is_a_tag_without_credentials_and_of_bounded_length() {
        for (url, expected) in [
            ("s3://bucket/prefix?region=us-east-1", "s3://bucket/prefix?region=us-east-1"),
            ("s3://key:secret@bucket/pre@fix", "s3://bucket/pre@fix"),
            ("file:///var/backups", "file:///var/backups"),
            ("s3://key:secret@bucket?endpoint=http://a/b", "s3://bucket?endpoint=http://a/b"),
        ] {
            assert_eq!(tags::location(url), expected);
        }
        let long = format!("file:///{}", "ä".repeat(300));
        assert_eq!(tags::location(&long).chars().count(), 256);
    }
}
