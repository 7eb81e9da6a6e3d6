//! The shape of a document: which keys it has, and what they hold.

use std::collections::BTreeSet;

use serde_json::Value;

/// The paths of all values with their types: `/spec/ttl string`.
///
/// Elements of a list have the path of the list with `[]`, so that lists of any length compare.
pub(crate) fn shape(document: &Value) -> BTreeSet<String> {
    let mut shape = BTreeSet::new();
    add(&mut shape, "", document);
    shape
}

fn add(shape: &mut BTreeSet<String>, path: &str, value: &Value) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    };
    shape.insert(format!("{path} {kind}"));
    match value {
        Value::Array(list) => list.iter().for_each(|it| add(shape, &format!("{path}[]"), it)),
        Value::Object(map) => {
            map.iter().for_each(|(key, it)| add(shape, &format!("{path}/{key}"), it));
        }
        _ => {}
    }
}
