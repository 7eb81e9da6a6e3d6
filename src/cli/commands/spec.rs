//! What a backup or a restore was asked for, in words; whoever recorded it.

use serde_json::Value;

use super::lookup::selector;
use crate::cli::description::Description;

/// Fields of a specification, and what they are called.
type Fields = &'static [(&'static str, &'static str)];

/// Which objects are meant.
const FILTERS: Fields = &[
    ("includedNamespaces", "Namespaces"),
    ("excludedNamespaces", "Namespaces left out"),
    ("includedResources", "Resources"),
    ("excludedResources", "Resources left out"),
    ("includeClusterResources", "Cluster-scoped resources"),
    ("includedClusterScopedResources", "Cluster-scoped taken"),
    ("excludedClusterScopedResources", "Cluster-scoped left out"),
    ("includedNamespaceScopedResources", "Namespace-scoped taken"),
    ("excludedNamespaceScopedResources", "Namespace-scoped left out"),
    ("labelSelector", "Selector"),
    ("orLabelSelectors", "Selectors"),
];

/// What is done with them. What has no name here is told under its own.
const SETTINGS: Fields = &[
    ("orderedResources", "Ordered resources"),
    ("storageLocation", "Storage location"),
    ("volumeSnapshotLocations", "Snapshot locations"),
    ("snapshotVolumes", "Snapshot volumes"),
    ("snapshotMoveData", "Snapshot move data"),
    ("datamover", "Data mover"),
    ("defaultVolumesToFsBackup", "File-system backups"),
    ("resourcePolicy", "Resource policy"),
    ("uploaderConfig", "Uploader"),
    ("volumeGroupSnapshotLabelKey", "Volume group label"),
    ("ttl", "TTL"),
    ("csiSnapshotTimeout", "CSI snapshot timeout"),
    ("itemOperationTimeout", "Item operation timeout"),
    ("namespaceMapping", "Namespace mappings"),
    ("zoneMapping", "Zone mappings"),
    ("restorePVs", "Restore volumes"),
    ("allowEmptyVolumes", "Allow empty volumes"),
    ("existingResourcePolicy", "Existing resources"),
    ("preserveNodePorts", "Preserve node ports"),
    ("restoreStatus", "Restore status"),
    ("resourceModifier", "Resource modifier"),
    ("hooks", "Hooks"),
];

/// What is told elsewhere, or says nothing.
const ELSEWHERE: [&str; 2] = ["backupName", "metadata"];

/// Adds two sections to a description: which objects are meant, and what is done with them.
pub(super) fn describe(text: &mut Description, spec: &Value) {
    let told = |fields: Fields| -> Vec<(&str, String)> {
        fields.iter().map(|(field, name)| (*name, words(&spec[field]))).collect()
    };
    let mut filters = told(FILTERS);
    for (name, value) in &mut filters {
        if value.is_empty() && ["Namespaces", "Resources"].contains(name) {
            "*".clone_into(value);
        }
    }
    text.group("Filters", &filters);
    let mut settings = told(SETTINGS);
    let others = spec.as_object().into_iter().flatten().filter(|(field, _)| is_other(field));
    settings.extend(others.map(|(field, value)| (field.as_str(), words(value))));
    text.group("Settings", &settings);
}

fn is_other(field: &str) -> bool {
    let named = FILTERS.iter().chain(SETTINGS).any(|(known, _)| *known == field);
    !named && !ELSEWHERE.contains(&field)
}

/// A value in one line: lists joined by commas, maps as `key=value`, selectors as they are typed.
fn words(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(items) => {
            let separator = if items.iter().any(is_selector) { " or " } else { ", " };
            items.iter().map(words).collect::<Vec<_>>().join(separator)
        }
        Value::Object(_) if is_selector(value) => selector(value),
        Value::Object(map) => {
            let pairs = map.iter().map(|(key, value)| (key, words(value)));
            let pairs = pairs.filter(|(_, value)| !value.is_empty());
            pairs.map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join("; ")
        }
    }
}

fn is_selector(value: &Value) -> bool {
    value.get("matchLabels").or_else(|| value.get("matchExpressions")).is_some()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn described(spec: &Value) -> String {
        let mut text = Description::default();
        describe(&mut text, spec);
        text.to_string()
    }

    #[test]
    fn without_filters_everything_is_meant() {
        let spec = json!({"hooks": {}, "metadata": {}, "includedNamespaces": []});
        assert_eq!(described(&spec), "\nFilters:\n  Namespaces:  *\n  Resources:   *\n");
    }

    #[test]
    fn what_this_program_has_no_words_for_is_told_all_the_same() {
        let spec = json!({
            "orLabelSelectors": [{"matchLabels": {"a": "b"}}, {"matchLabels": {"c": "d"}}],
            "orderedResources": {"pods": "shop/a,shop/b", "services": "shop/c"},
            "resourcePolicy": {"kind": "configmap", "name": "policies"},
            "includeClusterResources": false, "later": ["x", 1], "metadata": {"labels": {"a": "b"}},
        });
        let expected = "
Filters:
  Namespaces:                *
  Resources:                 *
  Cluster-scoped resources:  false
  Selectors:                 a=b or c=d

Settings:
  Ordered resources:  pods=shop/a,shop/b; services=shop/c
  Resource policy:    kind=configmap; name=policies
  later:              x, 1
";
        assert_eq!(described(&spec), expected);
    }
}
