use serde_json::{Map, Value};

use super::error::Fault;

/// The one text that a `ConfigMap` holds, under any key.
pub fn only_text(object: &Map<String, Value>) -> Result<&str, Fault> {
    let data = object.get("data").and_then(Value::as_object);
    let texts: Vec<_> = data.into_iter().flatten().filter_map(|(_, it)| it.as_str()).collect();
    let [text] = texts[..] else {
        let reason = format!("it has {} keys, and must have one", texts.len());
        let hint = "put the document under one key, of any name".to_owned();
        return Err(Fault { path: "data".to_owned(), reason, hint });
    };
    Ok(text)
}
