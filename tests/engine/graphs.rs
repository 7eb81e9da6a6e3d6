//! Any graph of objects, backed up and restored into a fresh cluster, is what it was, but for what
//! [`equality`](crate::equality) lists.

use std::collections::BTreeMap;

use bowline::engine::report::Phase;
use bowline::engine::restore::Request;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

use crate::application::{backup, claim, object, restore, widgets};
use crate::equality::stripped;
use crate::fake_cluster::{DRIVER, FakeCluster};
use crate::fake_world::World;

const NAMESPACES: [&str; 2] = ["shop", "mall"];

/// One object of a graph, and what it refers to.
#[derive(Clone, Debug)]
struct Node {
    kind: &'static str,
    namespace: &'static str,
    labels: BTreeMap<String, String>,
    content: BTreeMap<String, Value>,
    number: u8,
    /// An earlier object of the same namespace that owns this one.
    owner: Option<Index>,
}

const KINDS: &[&str] = &[
    "ConfigMap",
    "Secret",
    "ServiceAccount",
    "Service",
    "Deployment",
    "StatefulSet",
    "PersistentVolumeClaim",
    "Widget",
    "Role",
    "RoleBinding",
    "ClusterRole",
    "ClusterRoleBinding",
];

fn node() -> impl Strategy<Value = Node> {
    (
        select(KINDS),
        select(&NAMESPACES[..]),
        btree_map("[a-z]{1,5}", "[a-z0-9]{0,5}", 0..3),
        btree_map("[a-z가~/]{1,6}", value(), 0..4),
        0u8..3,
        proptest::option::of(any::<Index>()),
    )
        .prop_map(|(kind, namespace, labels, content, number, owner)| Node {
            kind,
            namespace,
            labels,
            content,
            number,
            owner,
        })
}

/// Any JSON that an API server would store: a null within a map is dropped by it.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[ -~가-힣]{0,12}".prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            btree_map("[a-zA-Z.]{1,6}", inner, 0..3).prop_map(|map| json!(map)),
        ]
    })
}

impl Node {
    fn is_namespaced(&self) -> bool {
        !self.kind.starts_with("Cluster")
    }

    /// The object; names of roles may hold colons.
    fn object(&self, index: usize) -> Value {
        let rbac = "rbac.authorization.k8s.io/v1";
        let text: BTreeMap<&String, String> =
            self.content.iter().map(|(key, value)| (key, value.to_string())).collect();
        let (version, rest) = match self.kind {
            "Secret" => ("v1", json!({"type": "Opaque", "data": text})),
            "ServiceAccount" => ("v1", json!({"imagePullSecrets": [{"name": "pull"}]})),
            "Service" => ("v1", json!({"spec": self.service()})),
            "PersistentVolumeClaim" => ("v1", json!({"spec": claim()})),
            "Deployment" => ("apps/v1", json!({"spec": self.workload()})),
            "StatefulSet" => {
                let mut spec = self.workload();
                spec["volumeClaimTemplates"] =
                    json!([{"metadata": {"name": "d"}, "spec": claim()}]);
                ("apps/v1", json!({"spec": spec}))
            }
            "Widget" => ("example.com/v1", json!({"spec": self.content})),
            "Role" | "ClusterRole" => (
                rbac,
                json!({"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}),
            ),
            "RoleBinding" | "ClusterRoleBinding" => {
                let account = json!({"kind": "ServiceAccount", "namespace": "shop", "name": "a"});
                let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "x:y"});
                (rbac, json!({"subjects": [account], "roleRef": role}))
            }
            _ => ("v1", json!({"data": text})),
        };
        let name = match self.kind {
            kind if kind.contains("Role") => format!("team:{}:{index}", kind.to_lowercase()),
            kind => format!("{}-{index}", kind.to_lowercase()),
        };
        let mut object = object(version, self.kind, self.namespace, &name, &rest);
        if !self.is_namespaced() {
            object["metadata"].as_object_mut().unwrap().remove("namespace");
        }
        if !self.labels.is_empty() {
            object["metadata"]["labels"] = json!(self.labels);
        }
        object
    }

    fn service(&self) -> Value {
        let port = json!({"port": 80, "name": "web"});
        match self.number {
            0 => json!({"type": "ClusterIP", "ports": [port]}),
            1 => json!({"clusterIP": "None", "ports": [port]}),
            _ => json!({"type": "ExternalName", "externalName": "example.com"}),
        }
    }

    fn workload(&self) -> Value {
        let labels = json!({"app": self.number.to_string()});
        json!({"replicas": self.number, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers":
                [{"name": "c", "image": "registry.example.com/app:1", "env": [{"name": "A"}]}]}}})
    }
}

/// A cluster with this graph in it.
fn cluster(nodes: &[Node]) -> FakeCluster {
    let cluster = FakeCluster::new("source");
    cluster.add(json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
        "metadata": {"name": "standard"}, "provisioner": DRIVER}));
    for name in NAMESPACES {
        cluster.add(json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": name, "labels": {"of": name}}}));
    }
    cluster.add(widgets());
    let mut made: Vec<Value> = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        let mut object = node.object(index);
        let near = |it: &&Value| it["metadata"]["namespace"] == node.namespace;
        let near: Vec<&Value> = made.iter().filter(near).collect();
        let owner = node.owner.filter(|_| node.is_namespaced() && !near.is_empty());
        if let Some(owner) = owner.map(|owner| owner.get(&near)) {
            object["metadata"]["ownerReferences"] = json!([{"apiVersion": owner["apiVersion"],
                "kind": owner["kind"], "name": owner["metadata"]["name"],
                "uid": owner["metadata"]["uid"]}]);
        }
        made.push(cluster.add(object));
    }
    cluster
}

/// What people and controllers put into a cluster, without what may differ.
fn all(cluster: &FakeCluster) -> BTreeMap<String, Value> {
    let elsewhere = ["nodes/", "persistentvolumes/"];
    let objects = cluster.objects().into_iter();
    let compared = objects.filter(|(id, _)| !elsewhere.iter().any(|it| id.starts_with(it)));
    compared.map(|(id, object)| (id.clone(), stripped(&id, object))).collect()
}

/// Owner references that lead to nobody, or to somebody else than they say.
fn astray(cluster: &FakeCluster) -> Vec<String> {
    let objects = cluster.objects();
    let names: BTreeMap<_, _> = objects
        .values()
        .map(|it| (it["metadata"]["uid"].to_string(), (&it["kind"], &it["metadata"]["name"])))
        .collect();
    let strays = objects.iter().filter(|(_, object)| {
        let owners = object["metadata"]["ownerReferences"].as_array().into_iter().flatten();
        let wrong =
            |it: &Value| names.get(&it["uid"].to_string()) != Some(&(&it["kind"], &it["name"]));
        owners.into_iter().any(wrong)
    });
    strays.map(|(id, _)| id.clone()).collect()
}

fn everything(name: &str) -> Request {
    let mut request = restore(name);
    request.spec.include_cluster_resources = Some(true);
    request
}

async fn restored(nodes: &[Node]) -> Result<(), TestCaseError> {
    let source = World::new(cluster(nodes));
    let mut request = backup();
    request.spec.included_namespaces = NAMESPACES.map(str::to_owned).to_vec();
    request.spec.include_cluster_resources = Some(true);
    let report = source.back_up(&request).await.unwrap();
    prop_assert_eq!(report.errors, []);
    let target = source.beside(FakeCluster::new("target"));
    let report = target.restore(&everything("rescue")).await.unwrap();
    prop_assert_eq!((report.phase, report.errors), (Phase::Completed, Vec::new()));
    prop_assert_eq!(all(&target.cluster), all(&source.cluster));
    prop_assert_eq!(astray(&target.cluster), Vec::<String>::new());
    prop_assert_eq!(target.cluster.collected(), Vec::<String>::new());
    for (name, world) in [("again", &target), ("onto-itself", &source)] {
        let before = world.cluster.objects();
        let report = world.restore(&everything(name)).await.unwrap();
        prop_assert_eq!(
            (report.phase, &report.warnings, &report.errors),
            (Phase::Completed, &vec![], &vec![])
        );
        prop_assert_eq!((report.items.created, report.items.updated), (0, 0), "{}", name);
        prop_assert_eq!(world.cluster.objects(), before, "{}", name);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_graph_comes_back_equal_and_restoring_again_changes_nothing(nodes in vec(node(), 0..14)) {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(restored(&nodes))?;
    }
}
