//! A restore: what is asked, and what is recorded of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::filter::KindLists;

/// What a restore was asked to bring back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a field of the document")]
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
    /// Which objects are taken, by one of several selectors.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub or_label_selectors: Vec<Value>,
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
    /// Resources whose recorded status comes back; by default of none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore_status: Option<RestoreStatusSpec>,
    /// Whether services keep even those node ports that the cluster chose for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preserve_node_ports: Option<bool>,
    /// What becomes of an object that exists already and differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub existing_resource_policy: Option<ExistingResourcePolicy>,
    /// Storage classes that claims, volumes and claim templates get another one for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub storage_class_mapping: BTreeMap<String, String>,
    /// Beginnings of images' names that are replaced.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub image_mapping: BTreeMap<String, String>,
    /// The `ConfigMap` that its resource modifiers are in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_modifier: Option<ResourceModifier>,
    /// Its resource modifiers, as they were read: a restore that goes on follows the very same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_modifier_rules: Option<String>,
    /// Whether a clone beside its original brings what acts outward, too.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub include_outward: bool,
    /// The identity of the drill that it is a part of, and has itself: nothing is made but what
    /// stays inside of the drill's namespaces, and can be taken down with them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drill: Option<String>,
    /// Whether claims that something made first, with volumes that nothing mounts, are replaced.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub take_over_claims: bool,
    /// Whether jobs that had finished come back, as finished.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub restore_finished_jobs: bool,
    /// Workloads of the target that are scaled down while it works, as `namespace/name`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub quiesce: Vec<String>,
    /// What is run in restored pods, and before them.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub hooks: Map<String, Value>,
}

/// Where resource modifiers are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ResourceModifier {
    /// The kind of object: `configmap`.
    pub kind: String,
    /// Its namespace; Velero knows but its own.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// What becomes of an object that exists already and differs from the backup's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ExistingResourcePolicy {
    /// It is left as it is.
    #[default]
    None,
    /// It is changed to what the backup holds.
    Update,
    /// It is deleted and made anew, where that is safe for its kind.
    Recreate,
}

/// Resources whose recorded status comes back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct RestoreStatusSpec {
    /// Resources whose status comes back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub included_resources: Vec<String>,
    /// Resources whose status does not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub excluded_resources: Vec<String>,
}

impl RestoreSpec {
    /// Its lists of kinds; restores know those of the older set only, as Velero's do.
    pub fn kind_lists(&self) -> KindLists<'_> {
        KindLists {
            included: &self.included_resources,
            excluded: &self.excluded_resources,
            include_cluster_resources: self.include_cluster_resources,
            ..KindLists::default()
        }
    }
}

/// `bowline-restore.json`: written before the first change to the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
    /// Its labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// What was asked.
    pub spec: RestoreSpec,
    /// How it was asked to work; a later run may do so otherwise.
    #[serde(default)]
    pub options: RestoreOptions,
}

/// How a restore works, beside what it brings back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct RestoreOptions {
    /// For how many seconds readiness is awaited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_timeout_seconds: Option<u64>,
    /// For how many seconds what is being deleted is awaited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminating_timeout_seconds: Option<u64>,
    /// The name that the cloud knows the cluster by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_name: Option<String>,
    /// Accounts whose shared snapshots may be used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trusted_accounts: Vec<String>,
    /// The key that new volumes are encrypted with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key_id: Option<String>,
}

/// `bowline-run-2.json`: written before a further run of a restore changes anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoreRun {
    /// Which run it is; the first has no such record.
    pub run: u32,
    /// What tells it from another run that would have the same number.
    pub uid: String,
    /// The version of bowline.
    pub version: String,
    /// When it began.
    pub start_timestamp: Timestamp,
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

    #[test]
    fn a_record_from_before_a_field_was_known_is_equal_to_the_same_request_now() {
        let record = serde_json::json!({"backupName": "b", "includedNamespaces": ["shop"],
            "excludedNamespaces": [], "includedResources": [], "excludedResources": [],
            "includeClusterResources": null, "labelSelector": null, "namespaceMapping": {},
            "restorePVs": null, "allowEmptyVolumes": false});
        let spec = RestoreSpec {
            backup_name: "b".to_owned(),
            included_namespaces: vec!["shop".to_owned()],
            ..RestoreSpec::default()
        };
        assert_eq!(serde_json::from_value::<RestoreSpec>(record.clone()).unwrap(), spec);
        assert_eq!(serde_json::to_value(&spec).unwrap(), record);
    }

    #[test]
    fn all_that_can_be_asked_reads_back_under_veleros_keys() {
        let status = RestoreStatusSpec {
            included_resources: vec!["widgets".to_owned()],
            excluded_resources: Vec::new(),
        };
        let spec = RestoreSpec {
            or_label_selectors: vec![serde_json::json!({"matchLabels": {"a": "b"}})],
            restore_status: Some(status),
            preserve_node_ports: Some(false),
            ..RestoreSpec::default()
        };
        let written = serde_json::to_value(&spec).unwrap();
        assert_eq!(written["restoreStatus"]["includedResources"][0], "widgets");
        assert_eq!(written["orLabelSelectors"][0]["matchLabels"]["a"], "b");
        assert_eq!(written["preserveNodePorts"], false);
        assert_eq!(serde_json::from_value::<RestoreSpec>(written).unwrap(), spec);
    }
}
