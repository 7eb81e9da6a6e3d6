//! All objects of a cluster, read without any help from bowline.

use std::collections::BTreeMap;

use bowline_api::{GroupResource, ItemId};
use bowline_testkit::ControlPlane;
use futures::future::try_join_all;
use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::discovery::{ApiGroup, Discovery, verbs};
use kube::{Api, Client};
use serde_json::{Map, Value};

/// Every object that a cluster lists, by its identity.
pub(crate) type Inventory = BTreeMap<ItemId, Value>;

/// Reads all objects of all kinds.
pub(crate) async fn read(cluster: &ControlPlane) -> Inventory {
    let client = cluster.client().await.unwrap();
    let discovery = Discovery::new(client.clone()).run().await.unwrap();
    let resources = discovery.groups().flat_map(ApiGroup::recommended_resources);
    let lists = resources
        .filter(|(_, can)| can.supports_operation(verbs::LIST))
        .map(|(resource, _)| list(client.clone(), resource));
    try_join_all(lists).await.unwrap().into_iter().flatten().collect()
}

async fn list(client: Client, kind: ApiResource) -> Result<Vec<(ItemId, Value)>, kube::Error> {
    let api: Api<DynamicObject> = Api::all_with(client, &kind);
    let objects = api.list(&ListParams::default()).await?.items;
    let resource = GroupResource::new(&kind.group, &kind.plural);
    let with_id = |object: DynamicObject| {
        let id = ItemId {
            resource: resource.clone(),
            namespace: object.metadata.namespace.clone(),
            name: object.metadata.name.clone().unwrap_or_default(),
        };
        (id, serde_json::to_value(object).unwrap())
    };
    Ok(objects.into_iter().map(with_id).collect())
}

/// The objects of one namespace.
pub(crate) fn within<'a>(
    inventory: &'a Inventory,
    namespace: &'a str,
) -> impl Iterator<Item = (&'a ItemId, &'a Value)> {
    inventory.iter().filter(move |(id, _)| id.namespace.as_deref() == Some(namespace))
}

/// Objects that no controller replaces all the time.
pub(crate) fn is_steady(id: &ItemId) -> bool {
    let resource = id.resource.to_string();
    !["componentstatuses", "events", "leases.coordination.k8s.io"].contains(&resource.as_str())
        && id.resource.group != "events.k8s.io"
}

/// What servers, controllers and restores write into any object, as JSON pointers.
const WRITTEN_BY_MACHINES: &[&str] = &[
    "/apiVersion",
    "/kind",
    "/status",
    "/metadata/creationTimestamp",
    "/metadata/generation",
    "/metadata/managedFields",
    "/metadata/namespace",
    "/metadata/resourceVersion",
    "/metadata/uid",
    "/metadata/annotations/bowline.io~1backup-uid",
    "/metadata/annotations/bowline.io~1nudge",
    "/metadata/annotations/deployment.kubernetes.io~1revision",
    "/metadata/annotations/deprecated.daemonset.template.generation",
    "/metadata/annotations/pv.kubernetes.io~1bind-completed",
    "/metadata/annotations/pv.kubernetes.io~1bound-by-controller",
    "/metadata/annotations/velero.io~1original-pv-name",
    "/metadata/annotations/volume.beta.kubernetes.io~1storage-provisioner",
    "/metadata/annotations/volume.kubernetes.io~1selected-node",
    "/metadata/annotations/volume.kubernetes.io~1storage-provisioner",
    "/metadata/labels/bowline.io~1restore-uid",
    "/metadata/labels/velero.io~1backup-name",
    "/metadata/labels/velero.io~1restore-name",
];

/// What the cluster allots to objects of one kind.
const ALLOTTED: &[(&str, &[&str])] = &[
    ("persistentvolumeclaims", &["/spec/volumeName"]),
    ("services", &["/spec/clusterIP", "/spec/clusterIPs"]),
];

/// What of an object somebody meant: the part that a restore must bring back as it was.
pub(crate) fn meant(id: &ItemId, object: &Value) -> Value {
    let mut object = object.clone();
    let resource = id.resource.to_string();
    let allotted = ALLOTTED.iter().filter(|(kind, _)| *kind == resource);
    let headless = object.pointer("/spec/clusterIP") == Some(&Value::from("None"));
    let allotted = allotted.flat_map(|(_, pointers)| pointers.iter()).filter(|_| !headless);
    for pointer in WRITTEN_BY_MACHINES.iter().chain(allotted) {
        remove(&mut object, pointer);
    }
    if id.name == "web-public" {
        // The node port of a load balancer that nobody chose.
        remove(&mut object, "/spec/ports/0/nodePort");
    }
    for owner in object
        .pointer_mut("/metadata/ownerReferences")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        remove(owner, "/uid");
    }
    for key in ["annotations", "labels"] {
        let metadata = object["metadata"].as_object_mut().unwrap();
        if metadata.get(key).and_then(Value::as_object).is_some_and(Map::is_empty) {
            metadata.remove(key);
        }
    }
    object
}

fn remove(object: &mut Value, pointer: &str) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    if let Some(parent) = object.pointer_mut(parent).and_then(Value::as_object_mut) {
        parent.remove(&key.replace("~1", "/"));
    }
}
