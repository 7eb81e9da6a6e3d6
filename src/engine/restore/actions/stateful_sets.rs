use super::Draft;
use crate::engine::model::fields::{maps_at_mut, remove};

/// Drops from the claim templates what only a claim can have.
pub(super) fn prepare(draft: &mut Draft<'_>) {
    for template in maps_at_mut(&mut draft.object, &["spec", "volumeClaimTemplates"]) {
        template.remove("status");
        remove(template, &["metadata", "creationTimestamp"]);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::draft::prepared;
    use crate::engine::restore::Preparation;

    #[test]
    fn claim_templates_lose_their_status() {
        let set = json!({"spec": {"volumeClaimTemplates": [{"kind": "PersistentVolumeClaim",
            "metadata": {"name": "data", "creationTimestamp": null},
            "spec": {"storageClassName": "standard"}, "status": {"phase": "Pending"}}]}});
        let (object, changes) = prepared("statefulsets.apps/shop/db", set, &Preparation::default());
        let templates = json!([{"kind": "PersistentVolumeClaim", "metadata": {"name": "data"},
            "spec": {"storageClassName": "standard"}}]);
        assert_eq!(object["spec"]["volumeClaimTemplates"], templates);
        assert!(changes.is_empty());
    }
}
