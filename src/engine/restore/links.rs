//! What an object that was just made still lacks: its owners, and who manages its fields. Pure.
//!
//! A POST drops `managedFields`, and an owner's new UID may be known only later. Both are put back by
//! one patch.

use serde_json::{Map, Value, json};

use crate::engine::cluster::FIELD_MANAGER;
use crate::engine::model::Object;
use crate::engine::model::fields::{at, map_at, maps_at, text_at};

const MANAGED_FIELDS: &[&str] = &["metadata", "managedFields"];

/// The patch that gives a live object what it lacks; none if it lacks nothing.
///
/// It holds only as long as nobody changes the object. Owners that it has by now are left as they are.
pub(super) fn patch(live: &Object, owners: &[Value], managers: Option<&Value>) -> Option<Value> {
    let mut metadata = Map::new();
    if !owners.is_empty() && at(live, &["metadata", "ownerReferences"]).is_none() {
        metadata.insert("ownerReferences".to_owned(), json!(owners));
    }
    if let Some(managers) = managers.and_then(|recorded| with_managers(live, recorded)) {
        metadata.insert("managedFields".to_owned(), Value::Array(managers));
    }
    if metadata.is_empty() {
        return None;
    }
    let version = at(live, &["metadata", "resourceVersion"]).cloned().unwrap_or_default();
    metadata.insert("resourceVersion".to_owned(), version);
    Some(json!({ "metadata": metadata }))
}

/// The recorded managers, and those that came since; none if all who apply are there already.
///
/// What we wrote belongs to those who wrote it before us: as long as we are named for a field, too, an
/// apply that no longer mentions it does not remove it. Entries for the status stay as they are.
fn with_managers(live: &Object, recorded: &Value) -> Option<Vec<Value>> {
    let recorded = recorded.as_array()?.iter().filter_map(Value::as_object);
    let recorded: Vec<&Object> =
        recorded.filter(|it| !is_ours(it) && text_at(it, &["subresource"]).is_none()).collect();
    let present: Vec<&Object> = maps_at(live, MANAGED_FIELDS).collect();
    let lacks = |entry: &&&Object| {
        is_applied(entry) && !present.iter().any(|it| is_applied(it) && same(entry, it))
    };
    recorded.iter().find(lacks)?;
    let stays = |entry: &&Object| {
        text_at(entry, &["subresource"]).is_some()
            || (!is_ours(entry) && !recorded.iter().any(|it| same(entry, it)))
    };
    let entries = recorded.iter().copied().chain(present.into_iter().filter(stays));
    Some(entries.cloned().map(Value::Object).collect())
}

/// Whether somebody applies the object from the server's side.
pub(super) fn has_applied(managed_fields: &Value) -> bool {
    let entries = managed_fields.as_array().into_iter().flatten();
    entries.filter_map(Value::as_object).any(is_applied)
}

fn is_applied(entry: &Object) -> bool {
    text_at(entry, &["operation"]) == Some("Apply")
}

fn is_ours(entry: &Object) -> bool {
    text_at(entry, &["manager"]) == Some(FIELD_MANAGER)
}

/// Whether two entries are of the same manager, in the same role.
fn same(one: &Object, other: &Object) -> bool {
    ["manager", "operation", "subresource"]
        .iter()
        .all(|key| text_at(one, &[key]) == text_at(other, &[key]))
}

/// Whether a live object is the one of this identity and is to stay.
pub(super) fn is_alive(live: &Object, uid: &str) -> bool {
    text_at(live, &["metadata", "uid"]) == Some(uid)
        && map_at(live, &["metadata"]).is_some_and(|it| !it.contains_key("deletionTimestamp"))
}

#[cfg(test)]
mod tests {
    use super::super::samples::object;
    use super::*;

    fn entry(manager: &str, operation: &str) -> Value {
        json!({"manager": manager, "operation": operation, "apiVersion": "v1",
            "fieldsV1": {"f:data": {"f:of": {format!("f:{manager}"): {}}}}})
    }

    fn status(manager: &str) -> Value {
        json!({"manager": manager, "operation": "Update", "subresource": "status"})
    }

    fn live(managers: &Value) -> Object {
        object(json!({"metadata": {"resourceVersion": "7", "managedFields": managers}}))
    }

    #[test]
    fn owners_and_managers_go_into_one_patch_that_holds_for_what_was_read() {
        let (owners, recorded) = ([json!({"uid": "new"})], json!([entry("gitops", "Apply")]));
        let patch = patch(&live(&json!([])), &owners, Some(&recorded));
        let expected = json!({"metadata": {"resourceVersion": "7", "ownerReferences": owners,
            "managedFields": recorded}});
        assert_eq!(patch, Some(expected));
    }

    #[test]
    fn what_an_object_has_is_not_put_back_again() {
        let recorded = json!([entry("gitops", "Apply"), entry("kubectl", "Update")]);
        assert_eq!(patch(&live(&recorded), &[], Some(&recorded)), None);
        assert_eq!(patch(&live(&json!([])), &[], None), None);
        let mut owned = live(&json!([]));
        owned["metadata"]["ownerReferences"] = json!([{"uid": "controller"}]);
        assert_eq!(patch(&owned, &[json!({"uid": "new"})], None), None);
    }

    #[test]
    fn a_manager_that_applied_again_meanwhile_is_believed() {
        let newer = json!([{"manager": "gitops", "operation": "Apply", "fieldsV1": {}}]);
        assert_eq!(patch(&live(&newer), &[], Some(&json!([entry("gitops", "Apply")]))), None);
    }

    #[test]
    fn our_own_entry_gives_way_and_those_that_came_since_stay() {
        let recorded = json!([
            entry("gitops", "Apply"),
            entry("editor", "Update"),
            status("controller"),
            entry(FIELD_MANAGER, "Update")
        ]);
        let since = json!([
            entry(FIELD_MANAGER, "Update"),
            status(FIELD_MANAGER),
            entry("editor", "Update"),
            entry("webhook", "Update")
        ]);
        let patch = patch(&live(&since), &[], Some(&recorded)).unwrap();
        let expected = json!([
            entry("gitops", "Apply"),
            entry("editor", "Update"),
            status(FIELD_MANAGER),
            entry("webhook", "Update")
        ]);
        assert_eq!(patch["metadata"]["managedFields"], expected);
    }

    #[test]
    fn an_owner_is_alive_as_long_as_it_is_the_same_and_is_not_being_deleted() {
        let owner = |rest: Value| is_alive(&object(json!({ "metadata": rest })), "new");
        assert!(owner(json!({"uid": "new"})));
        assert!(!owner(json!({"uid": "newer"})));
        assert!(!owner(json!({"uid": "new", "deletionTimestamp": "2026-03-01T00:00:00Z"})));
    }
}
