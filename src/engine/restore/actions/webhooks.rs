use super::{Draft, service_references};
use crate::engine::model::fields::{maps_at_mut, text_at};

/// Declares side effects as v1 requires, and leads each webhook to where its backend is restored.
///
/// Only v1 insists: what was written in v1beta1 may say `Unknown` or `Some`. Bundles of certificates stay.
pub(super) fn prepare(draft: &mut Draft<'_>) {
    if text_at(&draft.object, &["apiVersion"]) == Some("admissionregistration.k8s.io/v1") {
        declare_side_effects(draft);
    }
    let context = draft.context;
    let mut changes = Vec::new();
    for webhook in maps_at_mut(&mut draft.object, &["webhooks"]) {
        changes.extend(service_references::remap(webhook, &["clientConfig", "service"], context));
    }
    draft.changes.extend(changes);
}

fn declare_side_effects(draft: &mut Draft<'_>) {
    let mut changes = Vec::new();
    for webhook in maps_at_mut(&mut draft.object, &["webhooks"]) {
        let declared = text_at(webhook, &["sideEffects"]).unwrap_or("unset");
        if !matches!(declared, "None" | "NoneOnDryRun") {
            let name = text_at(webhook, &["name"]).unwrap_or_default();
            changes.push(format!("side effects of {name} {declared} -> None"));
            webhook.insert("sideEffects".to_owned(), "None".into());
        }
    }
    draft.changes.extend(changes);
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::draft::{into_copy, prepared};
    use crate::engine::restore::Preparation;

    const ID: &str = "validatingwebhookconfigurations.admissionregistration.k8s.io/shop";

    fn side_effects(version: &str, declared: &str) -> Value {
        let api_version = format!("admissionregistration.k8s.io/{version}");
        let configuration = json!({"apiVersion": api_version,
            "webhooks": [{"name": "a.example.com", "sideEffects": declared}]});
        let (object, _) = prepared(ID, configuration, &Preparation::default());
        object["webhooks"][0]["sideEffects"].clone()
    }

    #[test]
    fn side_effects_that_v1_refuses_become_none() {
        assert_eq!(side_effects("v1", "Unknown"), "None");
        assert_eq!(side_effects("v1", "Some"), "None");
        assert_eq!(side_effects("v1", "None"), "None");
        assert_eq!(side_effects("v1", "NoneOnDryRun"), "NoneOnDryRun");
        assert_eq!(side_effects("v1beta1", "Unknown"), "Unknown");
    }

    #[test]
    fn a_webhook_follows_its_backend_and_keeps_its_certificates() {
        let configuration = json!({"webhooks": [
            {"clientConfig": {"caBundle": "Y2E=", "service": {"name": "shop", "namespace": "shop"}}},
            {"clientConfig": {"service": {"name": "shop", "namespace": "other"}}},
            {"clientConfig": {"url": "https://shop.example.com"}}]});
        let (object, changes) = prepared(ID, configuration, &into_copy());
        let expected = json!([
            {"clientConfig": {"caBundle": "Y2E=", "service": {"name": "shop", "namespace": "copy"}}},
            {"clientConfig": {"service": {"name": "shop", "namespace": "other"}}},
            {"clientConfig": {"url": "https://shop.example.com"}}]);
        assert_eq!(object["webhooks"], expected);
        assert_eq!(changes, ["backend shop/shop -> copy/shop"]);
    }
}
