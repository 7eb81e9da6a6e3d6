//! Bound claims lose what would make a restored one wait for something that is gone.

use serde_json::{Map, Value};

/// Removes the data sources and the selector of a bound claim, and the labels of other backup runs.
///
/// A restored claim gets its data from its volume; a source that no longer exists would keep it
/// Pending, and a selector might not match the new volume. Velero stores its claims so, too.
pub(super) fn clean(mut claim: Map<String, Value>) -> Map<String, Value> {
    let bound = claim.get("status").and_then(|status| status.get("phase")) == Some(&"Bound".into());
    let Some(spec) = claim.get_mut("spec").and_then(Value::as_object_mut) else { return claim };
    if !bound || spec.get("volumeName").and_then(Value::as_str).is_none_or(str::is_empty) {
        return claim;
    }
    spec.remove("dataSource");
    spec.remove("dataSourceRef");
    if spec.get("storageClassName") != Some(&Value::from("")) {
        spec.remove("selector");
    }
    let labels = claim.get_mut("metadata").and_then(|metadata| metadata.get_mut("labels"));
    if let Some(labels) = labels.and_then(Value::as_object_mut) {
        for label in
            ["velero.io/restore-name", "velero.io/backup-name", "velero.io/volume-snapshot-name"]
        {
            labels.remove(label);
        }
    }
    claim
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cleaned(claim: Value) -> Value {
        let Value::Object(claim) = claim else { unreachable!() };
        Value::Object(clean(claim))
    }

    #[test]
    fn a_bound_claim_loses_its_sources_and_its_selector() {
        let claim = cleaned(json!({
            "metadata": {"name": "data", "labels": {"app": "db", "velero.io/restore-name": "r"}},
            "spec": {"volumeName": "pv-1", "storageClassName": "standard", "selector": {},
                "dataSource": {"name": "snap"}, "dataSourceRef": {"name": "snap"}},
            "status": {"phase": "Bound"},
        }));
        assert_eq!(claim["spec"], json!({"volumeName": "pv-1", "storageClassName": "standard"}));
        assert_eq!(claim["metadata"]["labels"], json!({"app": "db"}));
    }

    #[test]
    fn a_claim_that_is_not_bound_keeps_everything() {
        let claim = json!({
            "spec": {"dataSource": {"name": "snap"}, "selector": {}},
            "status": {"phase": "Pending"},
        });
        assert_eq!(cleaned(claim.clone()), claim);
    }

    #[test]
    fn a_statically_bound_claim_keeps_its_selector() {
        let claim = cleaned(json!({
            "spec": {"volumeName": "pv-1", "storageClassName": "", "selector": {"a": "b"}},
            "status": {"phase": "Bound"},
        }));
        assert_eq!(claim["spec"]["selector"], json!({"a": "b"}));
    }
}
