//! A restore: what is asked, and what is recorded of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a restore was asked to bring back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RestoreSpec {
    /// The backup.
    pub backup_name: String,
    /// Namespaces (of the backup) that are taken; globs.
    pub included_namespaces: Vec<String>,
    /// Namespaces that are left out; globs.
    pub excluded_namespaces: Vec<String>,
    /// Resources that are taken.
    pub included_resources: Vec<String>,
    /// Resources that are left out.
    pub excluded_resources: Vec<String>,
    /// Whether cluster-scoped resources are taken.
    pub include_cluster_resources: Option<bool>,
    /// Which objects are taken, by label.
    pub label_selector: Option<Value>,
    /// Namespaces that come back under another name.
    pub namespace_mapping: BTreeMap<String, String>,
    /// Whether volumes are made from snapshots; otherwise claims come back empty.
    #[serde(rename = "restorePVs")]
    pub restore_volumes: Option<bool>,
    /// Whether a claim without a usable snapshot comes back empty rather than not at all.
    pub allow_empty_volumes: bool,
    /// Zones (of the backup's volumes) whose volumes are made in another one.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub zone_mapping: BTreeMap<String, String>,
}

impl RestoreSpec {
    /// The namespace in the target of what lived in `namespace`.
    pub fn target_namespace<'a>(&'a self, namespace: &'a str) -> &'a str {
        self.namespace_mapping.get(namespace).map_or(namespace, String::as_str)
    }
}

/// `bowline-restore.json`: written before the first change to the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoreRecord {
    /// The restore's name.
    pub name: String,
    /// Its identity.
    pub uid: String,
    /// The identity of the backup.
    #[serde(rename = "backupUID")]
    pub backup_uid: String,
    /// The identity of the target cluster.
    #[serde(rename = "clusterUID")]
    pub cluster_uid: String,
    /// The version of bowline.
    pub version: String,
    /// When it began.
    pub start_timestamp: Timestamp,
    /// What was asked.
    pub spec: RestoreSpec,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_of_zones_is_recorded_only_where_there_is_one() {
        let mut spec = RestoreSpec { backup_name: "b".to_owned(), ..RestoreSpec::default() };
        let written = serde_json::to_value(&spec).unwrap();
        assert_eq!(written.get("zoneMapping"), None);
        assert_eq!(serde_json::from_value::<RestoreSpec>(written).unwrap(), spec);
        spec.zone_mapping.insert("a".to_owned(), "b".to_owned());
        let written = serde_json::to_value(&spec).unwrap();
        assert_eq!(written["zoneMapping"]["a"], "b");
        assert_eq!(serde_json::from_value::<RestoreSpec>(written).unwrap(), spec);
    }
}
