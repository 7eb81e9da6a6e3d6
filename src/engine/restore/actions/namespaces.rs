use super::Draft;
use crate::engine::model::fields::{remove, set_text, text_at};

const NAME_LABEL: [&str; 3] = ["metadata", "labels", "kubernetes.io/metadata.name"];

/// Renames a namespace under the mapping, and drops the finalizers that the API server sets.
pub(super) fn prepare(draft: &mut Draft<'_>) {
    remove(&mut draft.object, &["spec", "finalizers"]);
    let (old, new) = (&draft.id.name, draft.context.namespace(&draft.id.name));
    if old == new {
        return;
    }
    if text_at(&draft.object, &NAME_LABEL).is_some() {
        set_text(&mut draft.object, &NAME_LABEL, new);
    }
    draft.note(format!("name {old} -> {new}"));
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::draft::{into_copy, prepared};
    use crate::engine::restore::Preparation;

    fn namespace() -> Value {
        json!({"metadata": {"name": "shop", "annotations": {"example.com/note": "한국어 <b>"},
                "labels": {"kubernetes.io/metadata.name": "shop", "team": "web"}},
            "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}})
    }

    #[test]
    fn a_mapped_namespace_is_renamed_with_its_label() {
        let (object, changes) = prepared("namespaces/shop", namespace(), &into_copy());
        let expected = json!({"metadata": {"name": "copy",
            "annotations": {"example.com/note": "한국어 <b>"},
            "labels": {"kubernetes.io/metadata.name": "copy", "team": "web"}}});
        assert_eq!(object, expected);
        assert_eq!(changes, ["name shop -> copy"]);
    }

    #[test]
    fn a_namespace_gets_no_labels_of_the_restore() {
        let context = Preparation { backup: "nightly".to_owned(), ..Preparation::default() };
        let (object, changes) = prepared("namespaces/shop", namespace(), &context);
        let labels = json!({"kubernetes.io/metadata.name": "shop", "team": "web"});
        assert_eq!(object["metadata"]["labels"], labels);
        assert!(changes.is_empty());
    }
}
