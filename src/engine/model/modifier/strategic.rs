//! Strategic merge patches, as `kubectl patch` sends them by default.

use serde_json::{Map, Value};

/// Lists that are merged by a field of their elements (`x-kubernetes-patch-merge-key` in the API of
/// Kubernetes); all others are replaced as a whole. No field of these names means anything else in a
/// kind of the API server's own.
const MERGE_KEYS: &[(&str, &str)] = &[
    ("containers", "name"),
    ("env", "name"),
    ("ephemeralContainers", "name"),
    ("hostAliases", "ip"),
    ("imagePullSecrets", "name"),
    ("initContainers", "name"),
    ("matchConditions", "name"),
    ("resourceClaims", "name"),
    ("schedulingGates", "name"),
    ("secrets", "name"),
    ("topologySpreadConstraints", "topologyKey"),
    ("variables", "name"),
    ("volumeDevices", "devicePath"),
    ("volumeMounts", "mountPath"),
    ("volumes", "name"),
    ("webhooks", "name"),
];

/// Lists of texts that are merged.
const MERGED_TEXTS: &[&str] = &["finalizers"];

const DIRECTIVE: &str = "$patch";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";

/// Why a patch cannot be followed, whatever it is applied to: it has a directive that is not known here.
pub(super) fn fault(patch: &Value) -> Option<String> {
    match patch {
        Value::Object(map) => map.iter().find_map(|(key, value)| {
            let is_known = match key.strip_prefix('$') {
                None => true,
                Some("patch") => {
                    return match value.as_str() {
                        Some("delete" | "merge" | "replace") => None,
                        _ => Some(format!("there is no directive {DIRECTIVE}: {value}")),
                    };
                }
                Some(_) => key.starts_with(DELETE_FROM),
            };
            if is_known {
                fault(value)
            } else {
                Some(format!("directive \"{key}\" is not supported"))
            }
        }),
        Value::Array(list) => list.iter().find_map(fault),
        _ => None,
    }
}

/// Merges a patch into an object.
pub(super) fn merge(object: &mut Value, patch: &Value) -> Result<(), String> {
    let (Value::Object(object), Value::Object(patch)) = (object, patch) else {
        return Err("it must be a map".to_owned());
    };
    merge_map(object, patch, "")
}

/// Merges a map that stands under the field `of`.
fn merge_map(
    map: &mut Map<String, Value>,
    patch: &Map<String, Value>,
    of: &str,
) -> Result<(), String> {
    if matches!(directive(patch), Some("replace" | "delete")) {
        map.clear();
    }
    if directive(patch) == Some("delete") {
        return Ok(());
    }
    for (key, value) in patch.iter().filter(|(key, _)| *key != DIRECTIVE) {
        match (key.strip_prefix(DELETE_FROM), value) {
            (Some(field), Value::Array(doomed)) => {
                if let Some(Value::Array(list)) = map.get_mut(field) {
                    list.retain(|it| !doomed.contains(it));
                }
            }
            (Some(_), _) => return Err(format!("{key} must be a list")),
            (None, Value::Null) => drop(map.remove(key)),
            (None, Value::Object(value)) => {
                let place = map.entry(key).or_insert(Value::Null);
                let mut merged = place.as_object().cloned().unwrap_or_default();
                merge_map(&mut merged, value, key)?;
                *place = Value::Object(merged);
                if directive(value) == Some("delete") {
                    map.remove(key);
                }
            }
            (None, Value::Array(list)) => {
                let place = map.entry(key).or_insert(Value::Null);
                let mut merged = place.as_array().cloned().unwrap_or_default();
                merge_list(&mut merged, list, key, of)?;
                *place = Value::Array(merged);
            }
            (None, value) => drop(map.insert(key.clone(), value.clone())),
        }
    }
    Ok(())
}

fn directive(map: &Map<String, Value>) -> Option<&str> {
    map.get(DIRECTIVE)?.as_str()
}

/// By which field the elements of a list are known, if they are merged.
fn merge_key(field: &str, of: &str) -> Option<&'static str> {
    if field == "ports" {
        let is_container = ["containers", "initContainers", "ephemeralContainers"].contains(&of);
        return Some(if is_container { "containerPort" } else { "port" });
    }
    MERGE_KEYS.iter().find(|(known, _)| *known == field).map(|(_, key)| *key)
}

fn merge_list(list: &mut Vec<Value>, patch: &[Value], field: &str, of: &str) -> Result<(), String> {
    if MERGED_TEXTS.contains(&field) {
        let new: Vec<_> = patch.iter().filter(|it| !list.contains(it)).cloned().collect();
        list.extend(new);
        return Ok(());
    }
    let maps: Option<Vec<_>> = patch.iter().map(Value::as_object).collect();
    let (Some(key), Some(maps)) = (merge_key(field, of), maps) else {
        *list = patch.to_vec();
        return Ok(());
    };
    if maps.iter().any(|it| directive(it) == Some("replace")) {
        list.clear();
    }
    let order = list.clone();
    let mut patched = Vec::new();
    for element in maps.into_iter().filter(|it| directive(it) != Some("replace")) {
        let Some(name) = element.get(key) else {
            return Err(format!("an element of {field} has no {key}"));
        };
        let found = list.iter().position(|it| it.get(key) == Some(name));
        let found = found.map(|index| list.remove(index));
        if directive(element) != Some("delete") {
            let mut merged = found.as_ref().and_then(Value::as_object).cloned().unwrap_or_default();
            merge_map(&mut merged, element, field)?;
            patched.push(Value::Object(merged));
        }
    }
    let place = |it: &Value| order.iter().position(|known| known.get(key) == it.get(key));
    *list = weave(std::mem::take(list), patched, place);
    Ok(())
}

/// Puts what a patch does not name between what it does, as near to its old place as can be: the order
/// that `kubectl patch` leaves behind, in which new elements come first.
fn weave(
    untouched: Vec<Value>,
    mut patched: Vec<Value>,
    place: impl Fn(&Value) -> Option<usize>,
) -> Vec<Value> {
    let mut from = 0;
    for element in untouched {
        let here = place(&element);
        let later =
            patched[from..].iter().position(|it| place(it).is_some_and(|it| Some(it) > here));
        let index = later.map_or(patched.len(), |index| from + index);
        patched.insert(index, element);
        from = index + 1;
    }
    patched
}
