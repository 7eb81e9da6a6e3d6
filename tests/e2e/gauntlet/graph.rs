//! Objects with owners, by chance, as an API server takes them.

use kube::api::{ApiResource, DynamicObject, PostParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

/// One object of a graph.
#[derive(Debug, Clone)]
pub(super) struct Node {
    kind: &'static str,
    text: String,
    number: u8,
    /// An earlier object that owns it.
    owner: Option<Index>,
}

const KINDS: &[&str] =
    &["ConfigMap", "Secret", "Service", "Deployment", "Picture", "Role", "NetworkPolicy"];

/// A graph of a few objects.
pub(super) fn graph() -> impl Strategy<Value = Vec<Node>> {
    let node = (select(KINDS), "[ -~가-힣]{0,20}", 0u8..3, proptest::option::of(any::<Index>()))
        .prop_map(|(kind, text, number, owner)| Node { kind, text, number, owner });
    vec(node, 6..10)
}

impl Node {
    fn object(&self, namespace: &str, index: usize) -> Value {
        let kind = self.kind.to_lowercase();
        let name = if kind == "role" { format!("a:{index}") } else { format!("{kind}-{index}") };
        let labels = json!({"app": index.to_string()});
        let (version, rest) = match self.kind {
            "Secret" => ("v1", json!({"stringData": {"text": self.text}})),
            "Service" => ("v1", json!({"spec": {"selector": labels, "ports": [{"port": 80}]}})),
            "Deployment" => {
                let containers = json!([{"name": "c", "image": "registry.example.com/app:1",
                    "env": [{"name": "TEXT", "value": self.text}]}]);
                let template =
                    json!({"metadata": {"labels": labels}, "spec": {"containers": containers}});
                (
                    "apps/v1",
                    json!({"spec": {"replicas": self.number,
                    "selector": {"matchLabels": labels}, "template": template}}),
                )
            }
            "Picture" => (
                "gallery.example.com/v1",
                json!({"spec": {"title": self.text,
                "width": self.number, "frame": {"text": [self.text, self.number]}}}),
            ),
            "Role" => (
                "rbac.authorization.k8s.io/v1",
                json!({"rules":
                [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}),
            ),
            "NetworkPolicy" => ("networking.k8s.io/v1", json!({"spec": {"podSelector": {}}})),
            _ => ("v1", json!({"data": {"text": self.text}})),
        };
        let mut object = json!({"apiVersion": version, "kind": self.kind,
            "metadata": {"name": name, "namespace": namespace, "labels": labels,
                "annotations": {"example.com/text": self.text}}});
        object.as_object_mut().unwrap().extend(rest.as_object().cloned().unwrap());
        object
    }
}

/// Makes a namespace with this graph in it.
pub(super) async fn make(client: &Client, namespace: &str, graph: &[Node]) {
    let home = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
    create(client, None, home).await;
    let mut made: Vec<Value> = Vec::new();
    for (index, node) in graph.iter().enumerate() {
        let mut object = node.object(namespace, index);
        if let Some(owner) = node.owner.filter(|_| !made.is_empty()).map(|owner| owner.get(&made)) {
            object["metadata"]["ownerReferences"] = json!([{"apiVersion": owner["apiVersion"],
                "kind": owner["kind"], "name": owner["metadata"]["name"],
                "uid": owner["metadata"]["uid"]}]);
        }
        made.push(create(client, Some(namespace), object).await);
    }
}

async fn create(client: &Client, namespace: Option<&str>, object: Value) -> Value {
    let text = |key: &str| object[key].as_str().unwrap().to_owned();
    let version = text("apiVersion");
    let (group, version) = version.split_once('/').unwrap_or(("", &version));
    let kind = text("kind");
    let mut resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, &kind));
    if kind == "NetworkPolicy" {
        "networkpolicies".clone_into(&mut resource.plural);
    }
    let api: Api<DynamicObject> = match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    let object = serde_json::from_value(object).unwrap();
    let made = api.create(&PostParams::default(), &object).await.unwrap();
    serde_json::to_value(made).unwrap()
}
