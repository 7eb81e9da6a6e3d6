//! Service accounts that exist already get what the backup's have beyond them.
//!
//! Every namespace comes with a `default` account before anybody can restore it. Left as it is, it
//! would lack the image pull secrets that pods of the namespace rely on. As in Velero, nothing is
//! taken from the live account.

use serde_json::{Map, Value, json};

use crate::engine::model::Object;

/// What to merge into a live account; nothing if it has all that ours has.
pub(super) fn additions(ours: &Object, live: &Object) -> Option<Value> {
    let mut patch = Map::new();
    for list in ["secrets", "imagePullSecrets"] {
        if let Some(all) = union(ours.get(list), live.get(list)) {
            patch.insert(list.to_owned(), all);
        }
    }
    let metadata: Map<String, Value> = ["labels", "annotations"]
        .into_iter()
        .filter_map(|map| {
            Some((map.to_owned(), missing(metadata(ours, map), metadata(live, map))?))
        })
        .collect();
    if !metadata.is_empty() {
        patch.insert("metadata".to_owned(), Value::Object(metadata));
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}

fn metadata<'a>(account: &'a Object, map: &str) -> Option<&'a Map<String, Value>> {
    account.get("metadata")?.get(map)?.as_object()
}

/// All references of both lists, if ours has one more; a merge patch replaces whole lists.
fn union(ours: Option<&Value>, live: Option<&Value>) -> Option<Value> {
    let live = live.and_then(Value::as_array).cloned().unwrap_or_default();
    let known = |reference: &&Value| live.iter().any(|l| l.get("name") == reference.get("name"));
    let ours = ours.and_then(Value::as_array)?;
    let added: Vec<Value> = ours.iter().filter(|reference| !known(reference)).cloned().collect();
    (!added.is_empty()).then(|| json!([live, added].concat()))
}

/// The entries of ours whose keys the live map lacks; labels of a restore are no difference.
fn missing(ours: Option<&Map<String, Value>>, live: Option<&Map<String, Value>>) -> Option<Value> {
    let ignored = |key: &str| key.starts_with("velero.io/") || key.starts_with("bowline.io/");
    let known = |key: &str| live.is_some_and(|live| live.contains_key(key));
    let added: Map<String, Value> = ours?
        .iter()
        .filter(|(key, _)| !known(key) && !ignored(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    (!added.is_empty()).then_some(Value::Object(added))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "reads better with json! as the argument")]
    fn object(value: Value) -> Object {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn pull_secrets_of_both_are_kept() {
        let ours = object(json!({"imagePullSecrets": [{"name": "registry"}]}));
        let live = object(json!({"imagePullSecrets": [{"name": "mirror"}]}));
        let all = json!({"imagePullSecrets": [{"name": "mirror"}, {"name": "registry"}]});
        assert_eq!(additions(&ours, &live), Some(all));
    }

    #[test]
    fn a_live_annotation_is_never_overwritten() {
        let ours = object(json!({"metadata": {"annotations": {"role": "old", "team": "web"}}}));
        let live = object(json!({"metadata": {"annotations": {"role": "new"}}}));
        let team = json!({"metadata": {"annotations": {"team": "web"}}});
        assert_eq!(additions(&ours, &live), Some(team));
    }

    #[test]
    fn an_account_that_has_everything_is_left_alone() {
        let ours = object(json!({"secrets": [{"name": "a"}],
            "metadata": {"labels": {"velero.io/restore-name": "r1"}}}));
        let live = object(json!({"secrets": [{"name": "a"}, {"name": "b"}]}));
        assert_eq!(additions(&ours, &live), None);
    }
}
