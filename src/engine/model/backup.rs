//! A backup: what is asked, and the document that makes it one.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::engine::report::Phase;

/// The version of the archive's layout.
pub const FORMAT_VERSION: &str = "1.1.0";

/// Annotations that bind a backup's files to its document.
pub mod annotations {
    /// The SHA-256 of the archive, in hexadecimal.
    pub const ARCHIVE_SHA256: &str = "bowline.io/archive-sha256";
    /// The size of the archive in bytes.
    pub const ARCHIVE_SIZE: &str = "bowline.io/archive-size";
    /// The SHA-256 of the digests file, in hexadecimal.
    pub const DIGESTS_SHA256: &str = "bowline.io/digests-sha256";
    /// The identity of the cluster that was backed up.
    pub const CLUSTER_UID: &str = "bowline.io/cluster-uid";
    /// The version of bowline that wrote the backup.
    pub const VERSION: &str = "bowline.io/version";
}

/// `velero-backup.json`: a Velero Backup object. Its existence makes a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Backup {
    /// `velero.io/v1`.
    pub api_version: String,
    /// `Backup`.
    pub kind: String,
    /// Its name, UID, labels and annotations.
    pub metadata: BackupMeta,
    /// What was asked.
    #[serde(default)]
    pub spec: BackupSpec,
    /// What came of it.
    #[serde(default)]
    pub status: BackupStatus,
}

/// The metadata of a backup's document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BackupMeta {
    /// The backup's name.
    pub name: String,
    /// The namespace of Velero's objects.
    pub namespace: String,
    /// The identity of the backup.
    pub uid: String,
    /// When it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creation_timestamp: Option<Timestamp>,
    /// Its labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// What a backup was asked to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BackupSpec {
    /// Always there in Velero's documents.
    pub metadata: BackupSpecMeta,
    /// Namespaces that are taken; globs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub included_namespaces: Vec<String>,
    /// Namespaces that are left out; globs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub excluded_namespaces: Vec<String>,
    /// Resources that are taken.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub included_resources: Vec<String>,
    /// Resources that are left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub excluded_resources: Vec<String>,
    /// Whether cluster-scoped resources are taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub include_cluster_resources: Option<bool>,
    /// Which objects are taken, by label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_selector: Option<Value>,
    /// Whether volumes are snapshotted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot_volumes: Option<bool>,
    /// How long it is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<String>,
    /// Always there in Velero's documents.
    pub hooks: serde_json::Map<String, Value>,
    /// Where it is kept.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub storage_location: String,
    /// Where its snapshots are kept.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub volume_snapshot_locations: Vec<String>,
}

/// Metadata of the backups that a schedule makes; empty in a backup itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupSpecMeta {
    /// Labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// What came of a backup.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BackupStatus {
    /// Always 1.
    pub version: u32,
    /// The version of the archive's layout.
    pub format_version: String,
    /// When a Velero on the same bucket deletes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiration: Option<Timestamp>,
    /// How it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// When it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_timestamp: Option<Timestamp>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completion_timestamp: Option<Timestamp>,
    /// How many objects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// How many snapshots were asked for.
    #[serde(skip_serializing_if = "is_zero")]
    pub volume_snapshots_attempted: u64,
    /// How many of them completed.
    #[serde(skip_serializing_if = "is_zero")]
    pub volume_snapshots_completed: u64,
    /// How many warnings.
    #[serde(skip_serializing_if = "is_zero")]
    pub warnings: u64,
    /// How many errors.
    #[serde(skip_serializing_if = "is_zero")]
    pub errors: u64,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// Always there in Velero's documents.
    pub hook_status: serde_json::Map<String, Value>,
}

/// How many objects a backup holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Progress {
    /// Found.
    pub total_items: u64,
    /// Written.
    pub items_backed_up: u64,
}

/// `bowline-attempt.json`: the first key of a backup. What a killed attempt leaves behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// The backup's name.
    pub name: String,
    /// The identity of the attempt, and of the backup if it succeeds.
    pub uid: String,
    /// The identity of the cluster.
    #[serde(rename = "clusterUID")]
    pub cluster_uid: String,
    /// The version of bowline.
    pub version: String,
    /// When it began.
    pub start_timestamp: Timestamp,
}

/// `bowline-provider-<provider>.json`: a provider that was about to be asked for snapshots.
///
/// Without such a record the attempt asked nobody: there is nothing to look for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProviderRecord {
    /// Its name: `aws`, `local`.
    pub provider: String,
    /// Where its snapshots lie, as it says: a region; absent if there is but one such place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
}

/// Why a document is no backup that can be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBackup {
    /// Another kind of object.
    #[error("it is a {api_version} {kind}, not a velero.io/v1 Backup")]
    NotABackup {
        /// What it says of itself.
        api_version: String,
        /// What it says of itself.
        kind: String,
    },
    /// Copied or renamed by hand.
    #[error("it names itself \"{name}\"")]
    OtherName {
        /// What it says of itself.
        name: String,
    },
}

impl Backup {
    /// Checks that a document read under `name` is the backup of that name.
    pub fn validate(&self, name: &str) -> Result<(), InvalidBackup> {
        if self.api_version != "velero.io/v1" || self.kind != "Backup" {
            return Err(InvalidBackup::NotABackup {
                api_version: self.api_version.clone(),
                kind: self.kind.clone(),
            });
        }
        if self.metadata.name != name {
            return Err(InvalidBackup::OtherName { name: self.metadata.name.clone() });
        }
        Ok(())
    }

    /// How it ended; one without a phase was never finished.
    pub fn phase(&self) -> Phase {
        self.status.phase.unwrap_or(Phase::New)
    }

    /// An annotation's value.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.metadata.annotations.get(key).map(String::as_str)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}
