//! Objects as a real API server returned them, for tests.

use bowline_api::ItemId;
use serde_json::Value;

use crate::engine::model::Object;

/// An object of a backup.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) id: ItemId,
    pub(super) object: Object,
}

/// One object of every kind that a small shop has; one per line, as `{"id": ..., "object": ...}`.
pub(super) fn samples() -> Vec<Sample> {
    include_str!("samples.jsonl")
        .lines()
        .map(|line| {
            let mut line: Value = serde_json::from_str(line).unwrap();
            let id = line["id"].as_str().unwrap().parse().unwrap();
            Sample { id, object: object(line["object"].take()) }
        })
        .collect()
}

/// The map of a JSON object.
pub(super) fn object(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        other => panic!("not an object: {other}"),
    }
}
