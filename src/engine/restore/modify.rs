//! Follows a person's resource modifiers, as far as they leave an object what it is.

use bowline_api::{GroupResource, ItemId};
use serde_json::Value;

use super::Preparation;
use super::actions::{Alteration, Draft};
use super::maps::Use;
use crate::engine::model::entries::is_within;
use crate::engine::model::modifier::{Rule, changed_paths};

/// How many places are told of an object that a rule changed.
const TOLD: usize = 6;

/// Places that say what an object is, or that only the server or this restore may write.
const KEPT: &[&str] = &[
    "/apiVersion",
    "/kind",
    "/status",
    "/metadata/creationTimestamp",
    "/metadata/deletionGracePeriodSeconds",
    "/metadata/deletionTimestamp",
    "/metadata/generateName",
    "/metadata/generation",
    "/metadata/managedFields",
    "/metadata/name",
    "/metadata/namespace",
    "/metadata/ownerReferences",
    "/metadata/resourceVersion",
    "/metadata/selfLink",
    "/metadata/uid",
];

/// Labels and annotations that are this program's, or the volume controller's.
const KEPT_KEYS: &[&str] = &[
    "/metadata/annotations/bowline.io~1",
    "/metadata/annotations/pv.kubernetes.io~1",
    "/metadata/labels/bowline.io~1",
];

/// What leads a claim to a volume: only a volume that this restore made may be there.
const OF_CLAIMS: &[&str] = &["/spec/volumeName", "/spec/dataSource", "/spec/dataSourceRef"];

/// All that may be changed about a volume; the rest says which one it is, and whose.
const FREE_OF_VOLUMES: &[&str] = &[
    "/spec/accessModes",
    "/spec/mountOptions",
    "/spec/nodeAffinity",
    "/spec/persistentVolumeReclaimPolicy",
    "/spec/storageClassName",
    "/spec/volumeAttributesClassName",
];

/// Applies the rules whose conditions hold; says why not, if one of them does not fit.
///
/// As in Velero all conditions look at the object as it was before the first rule.
pub(super) fn apply(draft: &mut Draft<'_>, uses: &mut Vec<Use>) -> Option<String> {
    let rules = draft.context.modifiers.rules();
    if !rules.iter().any(|rule| rule.conditions.may_hold(draft.id)) {
        return None;
    }
    let original = Value::Object(std::mem::take(&mut draft.object));
    let mut object = original.clone();
    let mut fault = None;
    for (index, rule) in rules.iter().enumerate() {
        if !rule.conditions.hold(draft.id, &original) {
            continue;
        }
        uses.push(Use::Rule(index));
        let number = index + 1;
        match follow(draft, rule, &object) {
            Ok(Some((changed, paths))) => {
                object = changed;
                let change = format!("modifier rule {number}: {}", named(&paths));
                draft.alter(Alteration { change, paths });
            }
            Ok(None) => {
                draft.changes.push(format!("modifier rule {number}: a test in it does not hold"));
            }
            Err(reason) => {
                fault.get_or_insert_with(|| format!("modifier rule {number}: {reason}"));
            }
        }
    }
    if let Value::Object(object) = object {
        draft.object = object;
    }
    fault
}

/// What a rule makes of an object, and where it changes it; nothing if a test does not hold.
fn follow(
    draft: &Draft<'_>,
    rule: &Rule,
    object: &Value,
) -> Result<Option<(Value, Vec<String>)>, String> {
    let changed = rule.apply(draft.id, object).map_err(|unfit| unfit.to_string())?;
    let Some(changed) = changed else { return Ok(None) };
    let paths = changed_paths(object, &changed);
    if let Some(path) = paths.iter().find(|path| is_kept(draft.id, draft.context, path)) {
        return Err(format!("{path} is not for a modifier to change"));
    }
    Ok(Some((changed, paths)))
}

/// Places that were changed, in words.
fn named(paths: &[String]) -> String {
    let named = paths.iter().take(TOLD).map(String::as_str).collect::<Vec<_>>().join(", ");
    match paths.len() {
        0 => "changes nothing".to_owned(),
        more if more > TOLD => format!("{named} and {} more", more - TOLD),
        _ => named,
    }
}

/// Whether a place is not to be changed.
fn is_kept(id: &ItemId, context: &Preparation, path: &str) -> bool {
    let is_claim = id.resource == GroupResource::core("persistentvolumeclaims");
    let is_volume = id.resource == GroupResource::core("persistentvolumes");
    // What a place is a part of may not be replaced either, the object as a whole least of all.
    let touches = |place: &str| is_within(path, place) || is_within(place, path);
    KEPT.iter().any(|it| touches(it))
        || KEPT_KEYS.iter().any(|prefix| path.starts_with(prefix))
        || is_claim && OF_CLAIMS.iter().any(|it| touches(it))
        || is_volume && is_kept_of_volume(context.reattached.contains(&id.name), path)
}

fn is_kept_of_volume(is_reattached: bool, path: &str) -> bool {
    let is_free = FREE_OF_VOLUMES.iter().any(|place| is_within(path, place));
    is_within(path, "/spec") && (!is_free || is_reattached && path.ends_with("ReclaimPolicy"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::prepare::{Prepared, prepare};
    use super::super::samples::object;
    use super::*;
    use crate::engine::model::modifier::Modifiers;
    use crate::engine::model::policy::Origin;

    fn modified(id: &str, recorded: Value, patches: &str, reattached: &[&str]) -> Prepared {
        let yaml = format!(
            "version: v1\nresourceModifierRules:\n- conditions: {{groupResource: \"*.*\"}}\n  {patches}\n"
        );
        let modifiers = Modifiers::read(Origin::File("m.yaml".to_owned()), &yaml).unwrap();
        let reattached = reattached.iter().map(ToString::to_string).collect();
        let context = Preparation { modifiers, reattached, ..Preparation::default() };
        prepare(&id.parse().unwrap(), object(recorded), &context)
    }

    fn volume() -> Value {
        json!({"metadata": {"name": "pv-1"}, "spec": {"storageClassName": "a",
            "persistentVolumeReclaimPolicy": "Retain", "csi": {"volumeHandle": "vol-1"},
            "claimRef": {"namespace": "shop", "name": "data"}}})
    }

    fn fault(patches: &str, reattached: &[&str]) -> Option<String> {
        modified("persistentvolumes/pv-1", volume(), patches, reattached).fault
    }

    #[test]
    fn what_is_told_of_a_change_are_places_and_not_what_stands_there() {
        let patches = "mergePatches: [{patchData: '{\"data\": {\"password\": \"hunter2\"}}'}]";
        let it = modified("secrets/shop/s", json!({"data": {"a": "b"}}), patches, &[]);
        assert_eq!(it.changes, ["modifier rule 1: /data/password"]);
        assert_eq!((it.uses, it.fault), (vec![Use::Rule(0)], None));
        assert_eq!(it.object["data"], json!({"a": "b", "password": "hunter2"}));
    }

    #[test]
    fn a_test_that_does_not_hold_is_told_and_changes_nothing() {
        let patches = "patches: [{operation: test, path: /data/a, value: x}, \
             {operation: remove, path: /data/a}]";
        let it = modified("configmaps/shop/c", json!({"data": {"a": "b"}}), patches, &[]);
        assert_eq!(it.changes, ["modifier rule 1: a test in it does not hold"]);
        assert_eq!((&it.object["data"], it.fault), (&json!({"a": "b"}), None));
    }

    #[test]
    fn of_a_volume_only_what_does_not_say_which_one_it_is_may_be_changed() {
        let merge = |spec: &str| format!("mergePatches: [{{patchData: '{{\"spec\": {spec}}}'}}]");
        assert_eq!(
            fault(&merge(r#"{"storageClassName": "b", "mountOptions": ["ro"]}"#), &[]),
            None
        );
        for spec in [
            r#"{"csi": {"volumeHandle": "vol-2"}}"#,
            r#"{"csi": null, "hostPath": {"path": "/"}}"#,
            r#"{"claimRef": {"name": "other"}}"#,
            "null",
            "\"text\"",
        ] {
            let fault = fault(&merge(spec), &[]);
            assert!(fault.is_some_and(|it| it.contains("not for a modifier")), "{spec}");
        }
        let policy = merge(r#"{"persistentVolumeReclaimPolicy": "Delete"}"#);
        assert_eq!(fault(&policy, &[]), None);
        assert!(fault(&policy, &["pv-1"]).is_some());
    }

    #[test]
    fn nothing_becomes_of_an_object_that_is_none_any_more() {
        let patches = "mergePatches: [{patchData: '{\"metadata\": null}'}]";
        let it = modified("configmaps/shop/c", json!({"metadata": {"name": "c"}}), patches, &[]);
        assert!(it.fault.is_some());
        assert_eq!(it.object["metadata"]["name"], "c");
        let add = "patches: [{operation: replace, path: /metadata, value: x}]";
        let it = modified("configmaps/shop/c", json!({"metadata": {"name": "c"}}), add, &[]);
        assert!(it.fault.is_some());
    }
}
