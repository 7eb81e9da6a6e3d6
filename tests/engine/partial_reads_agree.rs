//! Whatever a backup holds and a restore is asked for: read in part, it is planned as it is by a pass
//! over all of it.

use std::collections::BTreeMap;

use bowline::engine::model::restore::ExistingResourcePolicy;
use bowline::engine::report::chain;
use bowline::engine::restore::Request;
use bowline::engine::store::BackupKeys;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

use crate::application::{backup, claim, object, restore, widgets};
use crate::fake_cluster::{DRIVER, FakeCluster};
use crate::fake_world::World;
use crate::faults::Script;
use crate::partial_reads::{add_ballast, printed};

const RBAC: &str = "rbac.authorization.k8s.io/v1";
const NAMESPACES: [&str; 8] = ["ant", "bee", "cat", "dog", "eel", "fox", "gnu", "hen"];
/// Namespaces that no restore asks for: what is left of the archive without them is less than half.
const NEVER_MEANT: [&str; 5] = ["rat", "sow", "tit", "ure", "yak"];
const NAMES: [&str; 3] = ["alpha", "beta", "gamma"];

/// An object, and what it refers to: often something in another namespace.
#[derive(Clone, Debug)]
struct Node {
    kind: &'static str,
    namespace: &'static str,
    name: &'static str,
    other_namespace: &'static str,
    other_name: &'static str,
    flag: bool,
}

const KINDS: [&str; 15] = [
    "ConfigMap",
    "ServiceAccount",
    "Service",
    "EndpointSlice",
    "Deployment",
    "StatefulSet",
    "Pod",
    "PersistentVolumeClaim",
    "Widget",
    "Role",
    "RoleBinding",
    "ClusterRole",
    "ClusterRoleBinding",
    "MutatingWebhookConfiguration",
    "HorizontalPodAutoscaler",
];

fn node() -> impl Strategy<Value = Node> {
    let (namespaces, names) = (|| select(&NAMESPACES[..]), || select(&NAMES[..]));
    let parts = (select(&KINDS[..]), namespaces(), names(), namespaces(), names(), any::<bool>());
    parts.prop_map(|(kind, namespace, name, other_namespace, other_name, flag)| Node {
        kind,
        namespace,
        name,
        other_namespace,
        other_name,
        flag,
    })
}

impl Node {
    fn object(&self) -> Value {
        let (version, rest) = self.content();
        let mut it = object(version, self.kind, self.namespace, self.name, &rest);
        if self.kind.starts_with("Cluster") || self.kind.starts_with("Mutating") {
            it["metadata"].as_object_mut().unwrap().remove("namespace");
        }
        it["metadata"]["labels"] = json!({"app": self.name});
        if self.kind == "EndpointSlice" {
            it["metadata"]["labels"]["kubernetes.io/service-name"] = json!(self.other_name);
        }
        it
    }

    fn content(&self) -> (&'static str, Value) {
        let labels = json!({"app": self.name});
        let account = json!({"kind": "ServiceAccount", "namespace": self.other_namespace,
            "name": self.other_name});
        let role =
            if self.flag || self.kind.starts_with("Cluster") { "ClusterRole" } else { "Role" };
        let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": role,
            "name": self.other_name});
        let mounts = json!([{"name": "v",
            "persistentVolumeClaim": {"claimName": self.other_name}}]);
        let pods = json!({"serviceAccountName": self.other_name, "volumes": mounts,
            "containers": [{"name": "c", "image": "registry.example.com/app:1"}]});
        let template = json!({"metadata": {"labels": labels}, "spec": pods});
        let (group, kind) =
            if self.flag { ("example.com", "widgets") } else { ("", "persistentvolumeclaims") };
        let grant = json!({"apiGroups": [group], "resources": [kind], "verbs": ["create"]});
        match self.kind {
            "Service" if self.flag => ("v1", json!({"spec": {"ports": [{"port": 443}]}})),
            "Service" => ("v1", json!({"spec": {"selector": labels, "ports": [{"port": 443}]}})),
            "EndpointSlice" => (
                "discovery.k8s.io/v1",
                json!({"addressType": "IPv4", "endpoints": [], "ports": []}),
            ),
            "Pod" => ("v1", json!({"spec": pods})),
            "Deployment" | "StatefulSet" => {
                let mut spec = json!({"replicas": 1, "selector": {"matchLabels": labels},
                    "template": template});
                if self.kind == "StatefulSet" {
                    spec["volumeClaimTemplates"] =
                        json!([{"metadata": {"name": "d"}, "spec": claim()}]);
                }
                ("apps/v1", json!({"spec": spec}))
            }
            "PersistentVolumeClaim" => ("v1", json!({"spec": claim()})),
            "Widget" => ("example.com/v1", json!({"spec": {"size": 1}})),
            "Role" | "ClusterRole" => (RBAC, json!({"rules": [grant]})),
            "RoleBinding" | "ClusterRoleBinding" => {
                (RBAC, json!({"subjects": [account], "roleRef": role}))
            }
            "MutatingWebhookConfiguration" => {
                let service = json!({"namespace": self.other_namespace, "name": self.other_name});
                let rules = json!([{"apiGroups": [""], "resources": ["pods"],
                    "operations": ["CREATE"]}]);
                let webhook = json!({"name": "hook.example.com", "rules": rules,
                    "failurePolicy": if self.flag { "Fail" } else { "Ignore" },
                    "clientConfig": {"service": service}});
                ("admissionregistration.k8s.io/v1", json!({"webhooks": [webhook]}))
            }
            "HorizontalPodAutoscaler" => {
                let target = json!({"apiVersion": "apps/v1", "kind": "Deployment",
                    "name": self.other_name});
                ("autoscaling/v1", json!({"spec": {"scaleTargetRef": target, "maxReplicas": 3}}))
            }
            _ => ("v1", json!({"data": {"a": self.other_name}})),
        }
    }
}

/// What a restore is asked for, and where.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a wish of its own")]
struct Case {
    included: Vec<&'static str>,
    pattern: bool,
    excluded: Vec<&'static str>,
    mapped: bool,
    cluster: Option<bool>,
    kinds: Vec<&'static str>,
    labelled: bool,
    policy: ExistingResourcePolicy,
    /// Whether the definitions of custom kinds are left out of the backup.
    undefined: bool,
    /// Whether it goes into the cluster that it came from.
    onto_itself: bool,
}

fn case() -> impl Strategy<Value = Case> {
    let policy = select(vec![
        ExistingResourcePolicy::None,
        ExistingResourcePolicy::Update,
        ExistingResourcePolicy::Recreate,
    ]);
    let words = vec!["deployments", "rolebindings", "widgets", "pvc", "services", "namespaces"];
    let kinds = prop_oneof![3 => Just(Vec::new()), 1 => subsequence(words, 1..4)];
    let namespaces = (
        subsequence(&NAMESPACES[..], 1..3),
        any::<bool>(),
        subsequence(&NAMESPACES[..], 0..2),
        any::<bool>(),
    );
    let cluster = select(vec![None, None, Some(true), Some(false)]);
    let rest = (cluster, kinds, prop::bool::weighted(0.2), policy, any::<bool>(), any::<bool>());
    (namespaces, rest).prop_map(|(namespaces, rest)| {
        let (included, pattern, mut excluded, mapped) = namespaces;
        let (cluster, kinds, labelled, policy, undefined, onto_itself) = rest;
        excluded.retain(|it| !included.contains(it));
        Case {
            included,
            pattern,
            excluded,
            mapped,
            cluster,
            kinds,
            labelled,
            policy,
            undefined,
            onto_itself,
        }
    })
}

impl Case {
    fn request(&self) -> Request {
        let mut request = restore("rescue");
        let owned = |words: &[&str]| words.iter().map(|&it| it.to_owned()).collect::<Vec<_>>();
        request.spec.included_namespaces = owned(&self.included);
        if self.pattern {
            request.spec.included_namespaces.push(format!("{}*", &self.included[0][..2]));
        }
        request.spec.excluded_namespaces = owned(&self.excluded);
        request.spec.include_cluster_resources = self.cluster;
        request.spec.included_resources = owned(&self.kinds);
        request.spec.existing_resource_policy = Some(self.policy);
        if self.mapped {
            let mapping = (self.included[0].to_owned(), "copy".to_owned());
            request.spec.namespace_mapping = BTreeMap::from([mapping]);
        }
        if self.labelled {
            request.selectors = "app=alpha".parse().unwrap();
        }
        request
    }
}

fn cluster(nodes: &[Node]) -> FakeCluster {
    let cluster = FakeCluster::new("source");
    cluster.add(json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
        "metadata": {"name": "standard"}, "provisioner": DRIVER}));
    cluster.add(widgets());
    for (seed, name) in (0..).zip(NAMESPACES.into_iter().chain(NEVER_MEANT)) {
        cluster.add(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}));
        add_ballast(&cluster, name, seed);
    }
    let objects = nodes.iter().map(|node| {
        let object = node.object();
        let place = object["metadata"].get("namespace").map(Value::to_string);
        ((node.kind, place, node.name), object)
    });
    // One of each name.
    let objects: BTreeMap<_, _> = objects.collect();
    for object in objects.into_values() {
        cluster.add(object);
    }
    cluster
}

/// The plan, or why there is none.
async fn planned(world: &World, request: &Request) -> Result<String, String> {
    let planned = world.start(Script::Sound).engine.plan_restore(request).await;
    planned.map(|plan| printed(&plan)).map_err(|error| chain(&error))
}

async fn agree(nodes: &[Node], case: &Case) -> Result<(), TestCaseError> {
    let source = World::new(cluster(nodes));
    let mut request = backup();
    request.spec.included_namespaces = Vec::new();
    if case.undefined {
        request.spec.excluded_resources = vec!["customresourcedefinitions".to_owned()];
    }
    source.back_up(&request).await.unwrap();
    let keys = BackupKeys("nightly");
    let cluster = if case.onto_itself { source.cluster.copy() } else { FakeCluster::new("target") };
    let in_part = source.copy().await.beside(cluster.copy());
    let by_pass = source.copy().await.beside(cluster);
    by_pass.bucket.delete(&keys.index()).await;
    let request = case.request();
    let plan = planned(&in_part, &request).await;
    prop_assert_eq!(&plan, &planned(&by_pass, &request).await);
    let read = in_part.bucket.reads(&keys.archive());
    prop_assert_eq!((read.ranges > 0, read.whole), (true, 0), "{:?}", plan);
    prop_assert_eq!(by_pass.bucket.reads(&keys.archive()).whole, 1);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_part_of_the_archive_makes_the_plan_that_all_of_it_makes(
        nodes in vec(node(), 5..50),
        case in case(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(agree(&nodes, &case))?;
    }
}
