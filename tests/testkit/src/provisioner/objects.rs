//! The object of a volume.

use k8s_openapi::api::core::v1::Node;
use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::worker::Order;

pub(super) const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";

/// What all volumes have, for those that say where their data lies.
///
/// `capacity` is that of the claim, `reclaim_policy` that of its class.
pub(super) fn persistent_volume(
    order: &Order,
    provisioner: &str,
    reclaim_policy: &str,
    affinity: &[Value],
) -> Value {
    let claim = &order.claim;
    let spec = claim.spec.clone().unwrap_or_default();
    json!({
        "metadata": { "name": order.name, "annotations": { PROVISIONED_BY: provisioner } },
        "spec": {
            "capacity": spec.resources.and_then(|resources| resources.requests),
            "accessModes": spec.access_modes,
            "volumeMode": spec.volume_mode,
            "storageClassName": spec.storage_class_name,
            "persistentVolumeReclaimPolicy": reclaim_policy,
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": claim.metadata.namespace,
                "name": claim.metadata.name,
                "uid": claim.metadata.uid,
            },
            "nodeAffinity": { "required": { "nodeSelectorTerms": [
                { "matchExpressions": affinity },
            ] } },
        },
    })
}

/// Ties a volume to what these labels of the node say.
pub(super) fn affinity(node: &Node, labels: &[&str]) -> Vec<Value> {
    let here = labels.iter().filter_map(|key| Some((key, node.labels().get(*key)?)));
    here.map(|(key, value)| json!({ "key": key, "operator": "In", "values": [value] })).collect()
}
