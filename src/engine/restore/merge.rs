//! The patch that makes a live object what the backup holds, and no more than that. Pure.

use bowline_api::GroupResource;
use serde_json::{Map, Value};

use super::insignificant::is_ignored;
use crate::engine::model::Object;
use crate::engine::model::entries::copy;
use crate::engine::model::fields::{at, map_at, remove, set_text};

/// What is no difference, and yet goes along with an update: what an apply of today would take for the
/// object's last configuration.
///
/// The labels of restores do not: they tell who made the object, and that is who they told of before.
const GO_ALONG: &[&[&str]] =
    &[&["metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration"]];

/// The merge patch (RFC 7386) that makes `live` what ours is at these paths.
///
/// All else stays as it is: what the server and controllers filled in, also within lists, of which a
/// merge patch holds all or nothing. It is conditional on the version of the live object.
///
/// What cannot be made so is the error, in words: a part of it would be said to be all.
pub(super) fn patch(
    resource: &GroupResource,
    ours: &Object,
    live: &Object,
    differing: &[String],
) -> Result<Value, String> {
    let source = Value::Object(ours.clone());
    let mut wanted = Value::Object(live.clone());
    for pointer in differing.iter().filter(|pointer| words(pointer).is_none()) {
        if !copy(&mut wanted, &source, pointer) {
            return Err(format!("{pointer} cannot be changed in place"));
        }
    }
    if let Value::Object(wanted) = &mut wanted {
        for map in differing.iter().filter_map(|pointer| words(pointer)) {
            replace_words(resource, map, ours, wanted);
        }
        go_along(ours, wanted);
    }
    let mut patch =
        change(&Value::Object(live.clone()), &wanted).unwrap_or_else(|| Map::new().into());
    if let Some(version) = at(live, &["metadata", "resourceVersion"]).and_then(Value::as_str)
        && let Some(patch) = patch.as_object_mut()
    {
        set_text(patch, &["metadata", "resourceVersion"], version);
    }
    Ok(patch)
}

/// The labels or annotations, if all of them differ: where only one of the two has any that count.
fn words(pointer: &str) -> Option<&'static str> {
    ["labels", "annotations"]
        .into_iter()
        .find(|map| pointer.strip_prefix("/metadata/") == Some(map))
}

/// Replaces the labels or annotations, but for those that tell nothing about what was meant.
fn replace_words(resource: &GroupResource, map: &str, ours: &Object, wanted: &mut Object) {
    let counts = |key: &&String| !is_ignored(resource, &["metadata", map, key]);
    let keys = |object: &Object| -> Vec<String> {
        let keys = map_at(object, &["metadata", map]).into_iter().flat_map(Map::keys);
        keys.filter(counts).cloned().collect()
    };
    for key in keys(wanted) {
        remove(wanted, &["metadata", map, &key]);
    }
    for key in keys(ours) {
        let text = at(ours, &["metadata", map, &key]).and_then(Value::as_str);
        set_text(wanted, &["metadata", map, &key], text.unwrap_or_default());
    }
}

fn go_along(ours: &Object, wanted: &mut Object) {
    for path in GO_ALONG {
        match at(ours, path).and_then(Value::as_str) {
            Some(text) => set_text(wanted, path, text),
            None => drop(remove(wanted, path)),
        }
    }
}

/// The merge patch from one value to another; none if they are the same.
fn change(from: &Value, to: &Value) -> Option<Value> {
    let (Value::Object(from), Value::Object(to)) = (from, to) else {
        return (from != to).then(|| to.clone());
    };
    let gone = from.keys().filter(|key| !to.contains_key(*key));
    let mut patch: Map<String, Value> = gone.map(|key| (key.clone(), Value::Null)).collect();
    for (key, to) in to {
        let change = match from.get(key) {
            Some(from) => change(from, to),
            None => Some(to.clone()),
        };
        patch.extend(change.map(|change| (key.clone(), change)));
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}

#[cfg(test)]
mod tests {
    use bowline_api::ItemId;
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::Preparation;
    use super::super::compare;
    use super::super::prepare::prepare;
    use super::super::samples::{object, samples};
    use super::*;

    /// Applies a merge patch as RFC 7386 has it.
    fn merge(target: &mut Value, patch: &Value) {
        let Value::Object(patch) = patch else {
            *target = patch.clone();
            return;
        };
        if !target.is_object() {
            *target = json!({});
        }
        for (key, value) in patch {
            if value.is_null() {
                target.as_object_mut().unwrap().remove(key);
            } else {
                merge(&mut target[key], value);
            }
        }
    }

    fn services() -> GroupResource {
        "services".parse().unwrap()
    }

    #[test]
    fn labels_of_restores_and_controllers_stay_with_the_live_object() {
        let id = "deployments.apps".parse().unwrap();
        let with = |labels: Value, annotations: Value| {
            object(json!({"metadata": {"labels": labels, "annotations": annotations}}))
        };
        let revision = "deployment.kubernetes.io/revision";
        let ours = with(json!({"app": "web", "bowline.io/restore-uid": "new"}), json!({"a": "b"}));
        let live = with(json!({"bowline.io/restore-uid": "old"}), json!({revision: "3"}));
        let differing = ["/metadata/labels".to_owned(), "/metadata/annotations".to_owned()];
        let there = json!({"metadata": {"labels": {"app": "web"}, "annotations": {"a": "b"}}});
        assert_eq!(patch(&id, &ours, &live, &differing).unwrap(), there);
        let back = json!({"metadata": {"labels": {"app": null}, "annotations": {"a": null}}});
        let both = with(
            json!({"app": "web", "bowline.io/restore-uid": "x"}),
            json!({"a": "b", revision: "3"}),
        );
        assert_eq!(patch(&id, &live, &both, &differing).unwrap(), back);
    }

    #[test]
    fn an_update_does_not_say_that_it_made_the_object() {
        let made = |uid: &str, restore: &str| {
            let labels = json!({"velero.io/backup-name": restore, "velero.io/restore-name": restore,
                "bowline.io/restore-uid": uid});
            object(json!({"metadata": {"labels": labels}, "data": {"a": uid}}))
        };
        let id = "configmaps".parse().unwrap();
        let differing = ["/data/a".to_owned()];
        let patch = patch(&id, &made("new", "b"), &made("old", "a"), &differing).unwrap();
        assert_eq!(patch, json!({"data": {"a": "new"}}));
    }

    fn patched(id: &str, ours: &Object, live: &Object, differing: &[String]) -> Value {
        let mut value = Value::Object(live.clone());
        let id: ItemId = id.parse().unwrap();
        merge(&mut value, &patch(&id.resource, ours, live, differing).unwrap());
        value
    }

    #[test]
    fn only_what_differs_is_touched_also_within_a_list() {
        let ours = object(json!({"metadata": {"labels": {"a": "1"}},
            "spec": {"ports": [{"port": 80, "name": "web"}], "kept": 1}}));
        let live = object(json!({"metadata": {"resourceVersion": "7", "labels": {"b": "2"}},
            "spec": {"ports": [{"port": 80, "name": "old", "nodePort": 31000}], "kept": 1,
                "filledIn": true}, "status": {"x": 1}}));
        let differing = ["/metadata/labels/a", "/metadata/labels/b", "/spec/ports[port=80]/name"];
        let patch = patch(&services(), &ours, &live, &differing.map(str::to_owned)).unwrap();
        let expected = json!({"metadata": {"resourceVersion": "7", "labels": {"a": "1", "b": null}},
            "spec": {"ports": [{"port": 80, "name": "web", "nodePort": 31000}]}});
        assert_eq!(patch, expected);
    }

    #[test]
    fn the_configuration_that_was_applied_last_goes_along() {
        let last = "kubectl.kubernetes.io/last-applied-configuration";
        let with = |text: Option<&str>| object(json!({"metadata": {"annotations": {last: text}}}));
        let none = object(json!({"metadata": {"annotations": {"own": "x"}}}));
        let annotations = |ours: &Object, live: &Object| {
            patch(&services(), ours, live, &[]).unwrap()["metadata"]["annotations"][last].clone()
        };
        assert_eq!(annotations(&with(Some("old")), &with(Some("new"))), "old");
        assert_eq!(
            patch(&services(), &none, &with(Some("new")), &[]).unwrap()["metadata"]["annotations"],
            json!(null)
        );
        assert_eq!(patch(&services(), &none, &none, &[]).unwrap(), json!({}));
    }

    #[test]
    fn ports_in_another_order_do_not_change_their_node_ports() {
        let ports = |ports: Value| {
            object(json!({"metadata": {"name": "web", "namespace": "shop"},
                "spec": {"type": "NodePort", "ports": ports}}))
        };
        let ours = ports(json!([{"name": "http", "port": 80}, {"name": "https", "port": 443}]));
        let live = ports(json!([{"name": "https", "port": 443, "nodePort": 30443},
            {"name": "http", "port": 80, "nodePort": 30080}]));
        let id = "services/shop/web".parse().unwrap();
        let differing = compare::pointers(&compare::differences(&id, &ours, &live));
        assert_eq!(differing, ["/spec/ports"]);
        // The API server fills in the node port that the port of the same name has.
        let patch = patch(&services(), &ours, &live, &differing).unwrap();
        assert_eq!(patch, json!({"spec": {"ports": ours["spec"]["ports"]}}));
    }

    #[test]
    fn what_cannot_be_changed_in_place_makes_no_patch() {
        let (ours, live) = (object(json!({"spec": {"a": {"b": 1}}})), object(json!({"spec": {}})));
        let refused = patch(&services(), &ours, &live, &["/spec/a/b".to_owned()]).unwrap_err();
        assert_eq!(refused, "/spec/a/b cannot be changed in place");
    }

    /// Changes every leaf that is not a part of the object's name.
    fn shaken(value: &mut Value, path: &str, by: u8) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    shaken(value, &format!("{path}/{key}"), by.wrapping_mul(31).wrapping_add(7));
                }
            }
            Value::Array(list) if by.is_multiple_of(5) && !list.is_empty() => drop(list.pop()),
            Value::Array(list) => list.iter_mut().for_each(|it| shaken(it, path, by / 2)),
            Value::String(text) if by.is_multiple_of(3) => text.push('x'),
            Value::Number(_) if by.is_multiple_of(3) => *value = json!(4711),
            Value::Bool(flag) if by.is_multiple_of(3) => *flag = !*flag,
            _ => {}
        }
    }

    proptest! {
        #[test]
        fn what_was_patched_differs_no_more_and_kept_what_the_server_said(
            index in 0..samples().len(), by: u8,
        ) {
            let sample = samples().remove(index);
            // Of these, parts of lists are left to the cluster; they are not updated this way.
            prop_assume!(!["pods", "serviceaccounts"].contains(&sample.id.resource.resource.as_str()));
            let context = Preparation { restore: "rescue".to_owned(), ..Preparation::default() };
            let ours = prepare(&sample.id, sample.object.clone(), &context).object;
            let mut live = Value::Object(sample.object.clone());
            for part in ["spec", "data", "rules", "subjects", "webhooks"] {
                if let Some(value) = live.get_mut(part) {
                    shaken(value, "", by);
                }
            }
            let live = object(live);
            let differing = compare::pointers(&compare::differences(&sample.id, &ours, &live));
            let after = patched(&sample.id.to_string(), &ours, &live, &differing);
            prop_assert_eq!(&after["metadata"]["uid"], &sample.object["metadata"]["uid"]);
            prop_assert_eq!(after.get("status"), sample.object.get("status"));
            let left = compare::differences(&sample.id, &ours, &object(after));
            prop_assert!(left.is_empty(), "{}: {differing:?} then {left:?}", sample.id);
        }
    }
}
