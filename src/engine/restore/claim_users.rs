//! Who uses a claim, or the volume that it is bound to.

use std::collections::BTreeSet;

use bowline_api::{GroupResource, ItemId};
use futures::TryStreamExt as _;
use serde_json::Value;

use crate::engine::cluster::{Cluster, Error, ListScope};
use crate::engine::model::Catalog;

/// Finds who uses a claim; none if nobody does.
///
/// A pod that waits for the claim counts, too: what made the pod would make the claim anew. One that has
/// ended does not, nor one that is `leaving` and lets go of the volume with it.
pub(super) async fn user(
    cluster: &Cluster,
    catalog: &Catalog,
    claim: &ItemId,
    volume: Option<&str>,
    leaving: &BTreeSet<String>,
) -> Result<Option<String>, Error> {
    let pods = GroupResource::core("pods");
    let namespace = claim.namespace.clone();
    let name = claim.name.as_str();
    let mounts = |pod: &Value| mounts(pod, name).then(|| name_of(pod).to_owned());
    let mounting = all(cluster, catalog, &pods, namespace, mounts).await?;
    if let Some(pod) = mounting.iter().find(|pod| !leaving.contains(*pod)) {
        return Ok(Some(format!("pod {pod} mounts it")));
    }
    let Some(volume) = volume.filter(|_| mounting.is_empty()) else { return Ok(None) };
    let attachments = GroupResource::new("storage.k8s.io", "volumeattachments");
    let node = |attachment: &Value| node_of(attachment, volume).map(str::to_owned);
    let nodes = all(cluster, catalog, &attachments, None, node).await?;
    Ok(nodes.first().map(|node| format!("its volume {volume} is attached to node {node}")))
}

/// What is found of the objects that have it.
async fn all<T>(
    cluster: &Cluster,
    catalog: &Catalog,
    resource: &GroupResource,
    namespace: Option<String>,
    find: impl Fn(&Value) -> Option<T>,
) -> Result<Vec<T>, Error> {
    let mut found = Vec::new();
    let Some(kind) = catalog.get(resource) else { return Ok(found) };
    let scope = ListScope { namespace, label_selector: None };
    let mut pages = cluster.list(kind, &scope);
    while let Some(page) = pages.try_next().await? {
        let objects = page.items.iter().filter_map(|it| serde_json::from_slice(&it.json).ok());
        found.extend(objects.filter_map(|object: Value| find(&object)));
    }
    Ok(found)
}

fn mounts(pod: &Value, claim: &str) -> bool {
    let ended = matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    let mut volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
    !ended
        && volumes.any(|volume| {
            let ephemeral = || {
                let part = volume["name"].as_str().unwrap_or_default();
                format!("{}-{part}", name_of(pod)) == claim
            };
            volume["persistentVolumeClaim"]["claimName"] == claim
                || volume["ephemeral"].is_object() && ephemeral()
        })
}

fn node_of<'a>(attachment: &'a Value, volume: &str) -> Option<&'a str> {
    let spec = &attachment["spec"];
    (spec["source"]["persistentVolumeName"] == volume)
        .then(|| spec["nodeName"].as_str().unwrap_or("of unknown name"))
}

fn name_of(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(phase: &str, volume: &Value) -> Value {
        json!({"metadata": {"name": "db-0"}, "spec": {"volumes": [volume]},
            "status": {"phase": phase}})
    }

    #[test]
    fn a_pod_mounts_the_claims_that_it_names_and_those_made_for_it_until_it_ends() {
        let named = json!({"name": "data", "persistentVolumeClaim": {"claimName": "data"}});
        for phase in ["Pending", "Running", "Unknown"] {
            assert!(mounts(&pod(phase, &named), "data"), "{phase}");
        }
        assert!(!mounts(&pod("Succeeded", &named), "data"));
        assert!(!mounts(&pod("Failed", &named), "data"));
        assert!(!mounts(&pod("Running", &named), "other"));
        let ephemeral = json!({"name": "scratch", "ephemeral": {"volumeClaimTemplate": {}}});
        assert!(mounts(&pod("Running", &ephemeral), "db-0-scratch"));
        assert!(!mounts(&pod("Running", &ephemeral), "scratch"));
    }

    #[test]
    fn an_attachment_tells_where_its_volume_is() {
        let attachment =
            json!({"spec": {"nodeName": "n1", "source": {"persistentVolumeName": "pvc-1"}}});
        assert_eq!(node_of(&attachment, "pvc-1"), Some("n1"));
        assert_eq!(node_of(&attachment, "pvc-2"), None);
    }
}
