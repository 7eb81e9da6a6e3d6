//! The cluster against a wire without a server.

mod catalog;
mod identity;
mod list;
mod objects;
mod page;
mod socket;
mod wait;
mod wire;

use serde_json::{Value, json};

use super::fake::{Log, Request, kind};
use super::objects::Object;
use crate::engine::model::Kind;

fn pods() -> Kind {
    kind("", "v1", "pods", "Pod", true)
}

fn config_maps() -> Kind {
    kind("", "v1", "configmaps", "ConfigMap", true)
}

fn nodes() -> Kind {
    kind("", "v1", "nodes", "Node", false)
}

fn object(value: Value) -> Object {
    serde_json::from_value(value).unwrap()
}

/// A config map with the label of a restore.
fn config_map(name: &str, restore: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "shop", "labels": {"restore": restore}},
    })
}

/// The requests so far.
fn requests(log: &Log) -> Vec<Request> {
    log.lock().unwrap().clone()
}

/// The requests so far: `GET /path`.
fn lines(log: &Log) -> Vec<String> {
    requests(log).iter().map(|request| format!("{} {}", request.method, request.path)).collect()
}
