//! Claims that a `StatefulSet` would delete once it is what the backup holds. Pure.

use bowline_api::{GroupResource, ItemId};
use serde_json::Value;

use crate::engine::model::Object;
use crate::engine::model::fields::{at, text_at};

/// When claims are deleted with the pods that have them.
const WHEN: [&str; 2] = ["whenDeleted", "whenScaled"];

/// Tells why claims with data would be deleted if the live object became ours, if so.
///
/// <https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#persistentvolumeclaim-retention>
pub(super) fn obstacle(id: &ItemId, ours: &Object, live: &Object) -> Option<String> {
    if id.resource != GroupResource::new("apps", "statefulsets") {
        return None;
    }
    if let Some(when) = WHEN.iter().find(|when| deletes(ours, when) && !deletes(live, when)) {
        return Some(format!("its claims would be deleted from then on ({when}: Delete)"));
    }
    let (wanted, there) = (replicas(ours), replicas(live));
    (wanted < there && deletes(live, "whenScaled")).then(|| {
        format!(
            "it would shrink from {there} to {wanted} replicas, and the claims of the others would \
             be deleted (whenScaled: Delete)"
        )
    })
}

fn deletes(set: &Object, when: &str) -> bool {
    text_at(set, &["spec", "persistentVolumeClaimRetentionPolicy", when]) == Some("Delete")
}

fn replicas(set: &Object) -> i64 {
    at(set, &["spec", "replicas"]).and_then(Value::as_i64).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::samples::object;
    use super::*;

    #[test]
    fn a_set_neither_loses_claims_nor_begins_to() {
        let set = |replicas: i64, deleted: &str, scaled: &str| {
            object(json!({"spec": {"replicas": replicas, "persistentVolumeClaimRetentionPolicy":
                {"whenDeleted": deleted, "whenScaled": scaled}}}))
        };
        let why = |ours: Object, live: Object| {
            obstacle(&"statefulsets.apps/shop/db".parse().unwrap(), &ours, &live)
        };
        let (keep, go) = ("Retain", "Delete");
        let plain = |replicas: i64| object(json!({"spec": {"replicas": replicas}}));
        assert!(why(plain(1), set(3, keep, go)).unwrap().contains("from 3 to 1"));
        assert!(why(object(json!({"spec": {}})), set(2, keep, go)).is_some());
        assert!(why(set(1, keep, go), plain(3)).unwrap().contains("whenScaled"));
        assert!(why(set(3, go, keep), plain(3)).unwrap().contains("whenDeleted"));
        assert_eq!(why(set(3, go, go), set(3, go, go)), None);
        assert_eq!(why(set(1, keep, keep), set(3, keep, keep)), None);
        assert_eq!(why(plain(4), set(3, go, go)), None);
        let other = "deployments.apps/shop/db".parse().unwrap();
        assert_eq!(obstacle(&other, &plain(1), &set(3, keep, go)), None);
    }
}
