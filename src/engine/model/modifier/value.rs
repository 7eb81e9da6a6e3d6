use serde_json::Value;

use crate::engine::model::policy::{Fault, Node};

/// Reads a value as Velero does: text that holds JSON.
///
/// A number, `true`, `false`, `null`, a map or a list stand for what they are; in quotes of their own
/// (`"\"1\""`) for text, and so does everything else.
pub(super) fn value(node: &Node<'_>) -> Result<Value, Fault> {
    let text = match node.value() {
        Value::String(text) => text,
        Value::Number(_) | Value::Bool(_) => return Ok(node.value().clone()),
        _ => {
            let hint = "write the JSON in quotes, as Velero wants it: value: '{\"a\": \"b\"}'";
            return Err(node.fault("a value must be text that holds JSON", hint));
        }
    };
    let json = |text: &str| {
        serde_json::from_str(text).map_err(|error| {
            let hint = "to have it taken as text, put it in quotes of its own: value: '\"...\"'";
            node.fault(format!("`{text}` is not JSON: {error}"), hint)
        })
    };
    if is_json(text) {
        return json(text);
    }
    // Velero puts it between quotes as it is, so that a backslash begins an escape.
    if text.contains('\\') { json(&format!("\"{text}\"")) } else { Ok(Value::String(text.clone())) }
}

/// Whether Velero would take this text for JSON.
fn is_json(text: &str) -> bool {
    let is_quoted = text.len() > 1 && text.starts_with('"') && text.ends_with('"');
    let is_word = ["true", "false"].iter().any(|word| text.eq_ignore_ascii_case(word));
    let is_number = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
        && text.parse::<f64>().is_ok();
    is_quoted || is_word || text == "null" || text.starts_with(['{', '[']) || is_number
}
