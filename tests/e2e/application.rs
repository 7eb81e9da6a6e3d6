//! What the lab must look like when a run has gone well.

use std::collections::BTreeMap;

use bowline_api::ItemId;
use bowline_testkit::Output;
use serde_json::{Value, json};

use crate::inventory::{Inventory, within};

/// The report of a run that must have gone well: done, `Completed`, without errors.
#[track_caller]
pub(crate) fn completed(output: &Output) -> Value {
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    let report = output.json();
    assert_eq!((&report["phase"], &report["errors"]), (&json!("Completed"), &json!([])));
    report
}

/// The phase of each pod of a namespace.
pub(crate) fn pods(inventory: &Inventory, namespace: &str) -> BTreeMap<String, String> {
    let pods = within(inventory, namespace).filter(|(id, _)| id.resource.to_string() == "pods");
    let phase = |pod: &Value| pod["status"]["phase"].as_str().unwrap_or_default().to_owned();
    pods.map(|(id, pod)| (id.name.clone(), phase(pod))).collect()
}

/// Checks that the pods of all workloads are there and run.
#[track_caller]
pub(crate) fn all_pods_run(inventory: &Inventory, namespace: &str) {
    let pods = pods(inventory, namespace);
    let of = |workload: &str| pods.keys().filter(|name| name.starts_with(workload)).count();
    let counts = (of("nginx-ss-"), of("web-"), of("log-shipper-"), pods.len());
    assert!(pods.values().all(|phase| phase == "Running"), "{pods:?}");
    assert_eq!(counts, (3, 2, 1, 6), "{pods:?}");
}

/// Names an object in a namespace.
pub(crate) fn object(resource: &str, namespace: &str, name: &str) -> ItemId {
    ItemId::namespaced(resource.parse().unwrap(), namespace, name)
}

/// Names an object that lives in no namespace.
pub(crate) fn cluster_object(resource: &str, name: &str) -> ItemId {
    ItemId::cluster(resource.parse().unwrap(), name)
}
