//! The objects that every cluster starts with.

use anyhow::Result;
use k8s_openapi::api::core::v1::{Node, ServiceAccount};
use k8s_openapi::api::storage::v1::{CSIDriver, CSINode, StorageClass};
use kube::api::PostParams;
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::provisioner::{CLASS, DRIVER, Storage, ZONE_LABEL};

/// The name that `kubernetes.io/hostname` carries on this host's node.
pub(super) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// This host's architecture, as Go calls it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// Registers the one node, which kwok then plays.
pub(super) async fn create_node(client: &Client, cluster: &str, zone: &str) -> Result<()> {
    let name = format!("{cluster}-node");
    let region = zone.trim_end_matches(|letter: char| letter.is_ascii_lowercase());
    let node = serde_json::from_value(json!({
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/hostname": host_name(),
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": architecture(),
                "topology.kubernetes.io/region": region,
                "topology.kubernetes.io/zone": zone,
                ZONE_LABEL: zone,
            },
        },
    }))?;
    Api::<Node>::all(client.clone()).create(&PostParams::default(), &node).await?;
    Ok(())
}

/// Registers the EBS CSI driver as it registers itself.
pub(super) async fn register_driver(client: &Client, cluster: &str) -> Result<()> {
    let driver = serde_json::from_value(json!({
        "metadata": { "name": DRIVER },
        "spec": { "attachRequired": true, "podInfoOnMount": false, "fsGroupPolicy": "File" },
    }))?;
    Api::<CSIDriver>::all(client.clone()).create(&PostParams::default(), &driver).await?;
    let node = serde_json::from_value(json!({
        "metadata": { "name": format!("{cluster}-node") },
        "spec": { "drivers": [{
            "name": DRIVER,
            "nodeID": "i-0123456789abcdef0",
            "topologyKeys": [ZONE_LABEL],
        }] },
    }))?;
    Api::<CSINode>::all(client.clone()).create(&PostParams::default(), &node).await?;
    Ok(())
}

/// Creates the class `standard`, whose claims the stand-in provisioner serves.
///
/// As is usual, EBS volumes go with their claims. Directories stay: with Delete, the controller
/// manager would remove them itself.
pub(super) async fn create_storage_class(client: &Client, storage: &Storage) -> Result<()> {
    let (policy, parameters) = match storage {
        Storage::HostPath => ("Retain", Value::Null),
        Storage::Ebs(_) => ("Delete", json!({ "type": "gp3" })),
    };
    let class = serde_json::from_value(json!({
        "metadata": {
            "name": CLASS,
            "annotations": { "storageclass.kubernetes.io/is-default-class": "true" },
        },
        "provisioner": storage.provisioner(),
        "parameters": parameters,
        "reclaimPolicy": policy,
        "volumeBindingMode": "WaitForFirstConsumer",
    }))?;
    Api::<StorageClass>::all(client.clone()).create(&PostParams::default(), &class).await?;
    Ok(())
}

/// Whether the node is ready, and pods may be made in the default namespace.
pub(super) async fn is_ready(client: &Client, cluster: &str) -> Result<Option<()>> {
    let node = Api::<Node>::all(client.clone()).get(&format!("{cluster}-node")).await?;
    let accounts = Api::<ServiceAccount>::default_namespaced(client.clone());
    let account = accounts.get_opt("default").await?;
    Ok((node_is_ready(&node) && account.is_some()).then_some(()))
}

/// Whether the node's condition `Ready` is true and it takes pods.
pub(super) fn node_is_ready(node: &Node) -> bool {
    let conditions = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let ready = conditions.filter(|one| one.type_ == "Ready").any(|one| one.status == "True");
    let tainted = node.spec.iter().any(|spec| spec.taints.iter().flatten().next().is_some());
    ready && !tainted
}
