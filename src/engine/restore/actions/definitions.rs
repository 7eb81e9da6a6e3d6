use serde_json::{Value, json};

use super::{Draft, service_references};
use crate::engine::model::Object;
use crate::engine::model::fields::{at, maps_at_mut, remove, text_at};

/// Says in the words of v1 that unknown fields are kept, and leads conversion to where its backend is
/// restored.
///
/// A definition that was written in v1beta1 may say so for all versions at once, which v1 reads but refuses.
pub(super) fn prepare(draft: &mut Draft<'_>) {
    let service = &["spec", "conversion", "webhook", "clientConfig", "service"];
    let change = service_references::remap(&mut draft.object, service, draft.context);
    draft.changes.extend(change);
    let preserves = at(&draft.object, &["spec", "preserveUnknownFields"]) == Some(&json!(true));
    if preserves && text_at(&draft.object, &["apiVersion"]) == Some("apiextensions.k8s.io/v1") {
        remove(&mut draft.object, &["spec", "preserveUnknownFields"]);
        maps_at_mut(&mut draft.object, &["spec", "versions"]).for_each(preserve_unknown_fields);
        draft.note("preserveUnknownFields moved into the schemas");
    }
}

fn preserve_unknown_fields(version: &mut Object) {
    let schema = version.entry("schema").or_insert_with(|| json!({}));
    let Some(schema) = schema.as_object_mut() else { return };
    let root = schema.entry("openAPIV3Schema").or_insert_with(|| json!({"type": "object"}));
    if let Value::Object(root) = root {
        root.insert("x-kubernetes-preserve-unknown-fields".to_owned(), true.into());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::draft::{into_copy, prepared};
    use crate::engine::restore::Preparation;

    const ID: &str = "customresourcedefinitions.apiextensions.k8s.io/widgets.example.com";

    fn definition(version: &str, preserve: bool) -> Value {
        json!({"apiVersion": format!("apiextensions.k8s.io/{version}"),
            "spec": {"group": "example.com", "preserveUnknownFields": preserve, "versions": [
                {"name": "v1", "schema": {"openAPIV3Schema": {"type": "object", "title": "t"}}},
                {"name": "v2"}]},
            "status": {"storedVersions": ["v1"]}})
    }

    #[test]
    fn keeping_unknown_fields_moves_into_the_schema_of_every_version() {
        let (object, changes) = prepared(ID, definition("v1", true), &Preparation::default());
        let key = "x-kubernetes-preserve-unknown-fields";
        let expected = json!({"group": "example.com", "versions": [
            {"name": "v1", "schema": {"openAPIV3Schema": {"type": "object", "title": "t", key: true}}},
            {"name": "v2", "schema": {"openAPIV3Schema": {"type": "object", key: true}}}]});
        assert_eq!(object["spec"], expected);
        assert_eq!(object.get("status"), None);
        assert_eq!(changes, ["preserveUnknownFields moved into the schemas"]);
    }

    #[test]
    fn definitions_that_do_not_ask_for_it_keep_their_schemas() {
        for original in [definition("v1", false), definition("v1beta1", true)] {
            let (object, changes) = prepared(ID, original.clone(), &Preparation::default());
            assert_eq!(object["spec"], original["spec"]);
            assert!(changes.is_empty());
        }
    }

    #[test]
    fn conversion_follows_its_backend() {
        let definition = json!({"spec": {"conversion": {"strategy": "Webhook", "webhook": {
            "clientConfig": {"caBundle": "Y2E=", "service": {"name": "c", "namespace": "shop"}}}}}});
        let (object, changes) = prepared(ID, definition, &into_copy());
        let config = &object["spec"]["conversion"]["webhook"]["clientConfig"];
        assert_eq!(
            *config,
            json!({"caBundle": "Y2E=", "service": {"name": "c", "namespace": "copy"}})
        );
        assert_eq!(changes, ["backend shop/c -> copy/c"]);
    }
}
