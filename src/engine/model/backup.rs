//! A backup: what is asked, and the document that makes it one.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::filter::KindLists;
use super::hooks::HookCounts;
use super::volume::{NativeSnapshot, SnapshotPhase};
use crate::engine::report::{BackupReport, Phase};

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
    /// Where the policies come from that decided about volumes: `ConfigMap velero/policies`.
    pub const VOLUME_POLICIES: &str = "bowline.io/volume-policies";
}

/// `velero-backup.json`: a Velero Backup object. Its existence makes a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Backup {
    /// `velero.io/v1`.
    pub api_version: String,
    /// `Backup`.
    pub kind: String,
    /// Its name, UID, labels and annotations.
    #[serde(deserialize_with = "without_nulls")]
    pub metadata: BackupMeta,
    /// What was asked.
    #[serde(default, deserialize_with = "without_nulls")]
    pub spec: BackupSpec,
    /// What came of it.
    #[serde(default, deserialize_with = "without_nulls")]
    pub status: BackupStatus,
}

/// The metadata of a backup's document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
    /// What else is written there, by whichever version of Velero; kept as it is.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// What a backup was asked to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
    /// Cluster-scoped resources that are taken.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub included_cluster_scoped_resources: Vec<String>,
    /// Cluster-scoped resources that are left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub excluded_cluster_scoped_resources: Vec<String>,
    /// Namespaced resources that are taken.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub included_namespace_scoped_resources: Vec<String>,
    /// Namespaced resources that are left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub excluded_namespace_scoped_resources: Vec<String>,
    /// Which objects are taken, by label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_selector: Option<Value>,
    /// Which objects are taken, by one of several selectors.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub or_label_selectors: Vec<Value>,
    /// Objects that are taken before the others of their kind.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub ordered_resources: BTreeMap<String, String>,
    /// Whether volumes are snapshotted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot_volumes: Option<bool>,
    /// The policies that decide about volumes, if a `ConfigMap` holds them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_policy: Option<ResourcePolicy>,
    /// How long it is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<String>,
    /// Whether Velero copied the files of volumes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_volumes_to_fs_backup: Option<bool>,
    /// How long Velero waited for a snapshot of a CSI driver.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub csi_snapshot_timeout: Option<String>,
    /// How long Velero waited for asynchronous operations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item_operation_timeout: Option<String>,
    /// Whether Velero copied the data of snapshots into the bucket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot_move_data: Option<bool>,
    /// Always there in Velero's documents.
    pub hooks: Map<String, Value>,
    /// Where it is kept.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub storage_location: String,
    /// Where its snapshots are kept.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub volume_snapshot_locations: Vec<String>,
    /// What else is written there, by whichever version of Velero; kept as it is.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl BackupSpec {
    /// Its lists of kinds.
    pub fn kind_lists(&self) -> KindLists<'_> {
        KindLists {
            included: &self.included_resources,
            excluded: &self.excluded_resources,
            include_cluster_resources: self.include_cluster_resources,
            included_cluster_scoped: &self.included_cluster_scoped_resources,
            excluded_cluster_scoped: &self.excluded_cluster_scoped_resources,
            included_namespace_scoped: &self.included_namespace_scoped_resources,
            excluded_namespace_scoped: &self.excluded_namespace_scoped_resources,
        }
    }
}

impl BackupSpec {
    /// Sets what Velero writes in every document, to what its server takes where nothing is said.
    ///
    /// It tells of what bowline does not do, and Velero's tools show it.
    #[must_use]
    pub fn with_defaults_of_velero(self) -> Self {
        Self {
            default_volumes_to_fs_backup: Some(false),
            csi_snapshot_timeout: Some("10m0s".to_owned()),
            item_operation_timeout: Some("4h0m0s".to_owned()),
            snapshot_move_data: Some(false),
            ..self
        }
    }
}

/// A reference to policies, as Velero has it: by name, in its own namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct ResourcePolicy {
    /// Always null in Velero's documents.
    pub api_group: Option<String>,
    /// `configmap`.
    pub kind: String,
    /// The name.
    pub name: String,
}

/// Metadata of the backups that a schedule makes; empty in a backup itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BackupSpecMeta {
    /// Labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// What came of a backup.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
    pub hook_status: Map<String, Value>,
    /// What else is written there, by whichever version of Velero; kept as it is.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl BackupStatus {
    /// How many commands were run in pods.
    pub fn hooks(&self) -> HookCounts {
        let number = |key: &str| self.hook_status.get(key).and_then(Value::as_u64).unwrap_or(0);
        HookCounts { attempted: number("hooksAttempted"), failed: number("hooksFailed") }
    }
}

/// The numbers as Velero writes them: none for nothing.
pub fn hook_status(counts: HookCounts) -> Map<String, Value> {
    let numbers = [("hooksAttempted", counts.attempted), ("hooksFailed", counts.failed)];
    let numbers = numbers.into_iter().filter(|(_, number)| *number > 0);
    numbers.map(|(key, number)| (key.to_owned(), number.into())).collect()
}

/// How many objects a backup holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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

    /// Why it may not be restored, as a sentence goes on after "cannot be restored"; none if it may.
    ///
    /// Only what came to its end is good. What a partly failed backup lacks is known.
    pub fn flaw(&self) -> Option<String> {
        let reason = match self.phase() {
            Phase::Completed | Phase::PartiallyFailed => return None,
            Phase::New | Phase::Queued | Phase::ReadyToStart => "it was not begun yet",
            Phase::InProgress | Phase::Incomplete => "it is still being made, or its maker died",
            Phase::WaitingForPluginOperations
            | Phase::WaitingForPluginOperationsPartiallyFailed => {
                "the data of its volumes is still being moved"
            }
            Phase::Finalizing | Phase::FinalizingPartiallyFailed => {
                "its archive is still to be completed"
            }
            Phase::Deleting => "its files and snapshots are being deleted",
            Phase::FailedValidation => return Some(self.validation_errors()),
            Phase::Failed => {
                let reason = self.status.failure_reason.as_deref().filter(|it| !it.is_empty());
                reason.unwrap_or("it broke off, and whatever its archive holds is not all")
            }
        };
        Some(reason.to_owned())
    }

    fn validation_errors(&self) -> String {
        let errors = self.status.rest.get("validationErrors").and_then(Value::as_array);
        let errors: Vec<_> = errors.into_iter().flatten().filter_map(Value::as_str).collect();
        let refused = "what was asked for was refused, and nothing was backed up";
        if errors.is_empty() {
            refused.to_owned()
        } else {
            format!("{refused}: {}", errors.join("; "))
        }
    }

    /// Whether bowline made it, and so vouches for its files by their digests.
    pub fn is_ours(&self) -> bool {
        self.annotation(annotations::VERSION).is_some()
    }

    /// Adds what is known at the end only: what came of the snapshots, and what vouches for its
    /// files.
    ///
    /// Who checks a backup does the same, and compares.
    pub fn conclude(
        &mut self,
        report: &BackupReport,
        snapshots: &[NativeSnapshot],
        digests_sha256: &str,
    ) {
        let digest = (annotations::DIGESTS_SHA256.to_owned(), digests_sha256.to_owned());
        self.metadata.annotations.extend([digest]);
        let completed = |it: &&NativeSnapshot| it.status.phase == Some(SnapshotPhase::Completed);
        let status = &mut self.status;
        status.phase = Some(report.phase);
        status.completion_timestamp = report.completion_timestamp;
        status.volume_snapshots_attempted = snapshots.len() as u64;
        status.volume_snapshots_completed = snapshots.iter().filter(completed).count() as u64;
        status.warnings = report.warnings.len() as u64;
        status.errors = report.errors.len() as u64;
    }

    /// An annotation's value.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.metadata.annotations.get(key).map(String::as_str)
    }
}

/// Reads what older versions of Velero wrote: an empty list, map or time is `null` there.
fn without_nulls<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned + Default,
{
    let mut value = Value::deserialize(deserializer)?;
    drop_nulls(&mut value);
    if value.is_null() {
        return Ok(T::default());
    }
    serde_json::from_value(value).map_err(D::Error::custom)
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_filter_of_velero_is_read_and_written_under_its_key() {
        let written = json!({
            "metadata": {}, "hooks": {}, "includedNamespaces": ["shop"],
            "includedClusterScopedResources": ["storageclasses.storage.k8s.io"],
            "excludedClusterScopedResources": ["volumesnapshotcontents.snapshot.storage.k8s.io"],
            "includedNamespaceScopedResources": ["*"],
            "excludedNamespaceScopedResources": ["volumesnapshots.snapshot.storage.k8s.io"],
            "orLabelSelectors": [{"matchLabels": {"app": "web"}}, {"matchLabels": {"app": "db"}}],
            "orderedResources": {"pods": "shop/db-0,shop/db-1"},
        });
        let spec: BackupSpec = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(spec.excluded_cluster_scoped_resources.len(), 1);
        assert_eq!(spec.or_label_selectors.len(), 2);
        assert_eq!(serde_json::to_value(&spec).unwrap(), written);
    }
}
