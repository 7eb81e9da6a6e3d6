//! What clusters are full of, in sizes that are real, and the same every time.

use anyhow::{Result, ensure};
use http::{Method, Request};
use kube::Client;
use serde_json::{Value, json};

const NAMESPACES: usize = 100;
/// The group of the custom resources.
const GROUP: &str = "scale.example.com";

/// Of a hundred objects so many are of a kind.
const SHARES: [(Kind, usize); 8] = [
    (Kind::ConfigMap, 38),
    (Kind::Secret, 25),
    (Kind::Widget, 10),
    (Kind::Deployment, 6),
    (Kind::Service, 6),
    (Kind::ServiceAccount, 5),
    (Kind::RoleBinding, 5),
    (Kind::NetworkPolicy, 5),
];

#[derive(Clone, Copy, Debug)]
enum Kind {
    ConfigMap,
    Secret,
    Widget,
    Deployment,
    Service,
    ServiceAccount,
    RoleBinding,
    NetworkPolicy,
}

/// So many objects in a hundred namespaces.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    objects: usize,
}

/// An object, and where it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub collection: String,
    pub body: Value,
}

impl Load {
    pub(crate) fn new(objects: usize) -> Self {
        Self { objects }
    }

    pub(crate) fn namespace(number: usize) -> String {
        format!("scale-{:03}", number % NAMESPACES)
    }

    /// What must be there before the others.
    pub(crate) fn first(&self) -> impl Iterator<Item = Object> {
        let namespaces = (0..NAMESPACES.min(self.objects.max(1))).map(|number| Object {
            collection: "/api/v1/namespaces".to_owned(),
            body: json!({"apiVersion": "v1", "kind": "Namespace",
                "metadata": {"name": Self::namespace(number)}}),
        });
        std::iter::once(definition()).chain(namespaces)
    }

    /// All others, by kind and namespace: a server makes them faster than in any other order.
    pub(crate) fn objects(&self) -> impl Iterator<Item = Object> {
        let mut numbers: Vec<usize> = (0..self.objects).collect();
        numbers
            .sort_by_cached_key(|&number| (plural(kind_of(number)), namespace_of(number), number));
        numbers.into_iter().map(object)
    }

    /// Checks that a cluster holds all of it, by the counts of the API server.
    pub(crate) async fn check(&self, client: &Client) -> Result<()> {
        let collections: Vec<&str> = (0..100).map(|slot| plural(kind_of(slot))).collect();
        for (place, share) in SHARES.iter().map(|(kind, share)| (plural(*kind), *share)) {
            let whole = self.objects / 100 * share;
            let rest = collections.iter().take(self.objects % 100).filter(|it| **it == place);
            let expected = whole + rest.count();
            let found = count(client, place).await?;
            ensure!(found >= expected, "{found} of {expected} are there: {place}");
        }
        Ok(())
    }
}

/// How many objects a collection has in all namespaces.
async fn count(client: &Client, collection: &str) -> Result<usize> {
    let request = Request::builder().method(Method::GET).uri(format!("{collection}?limit=1"));
    let list: Value = client.request(request.body(Vec::new())?).await?;
    let items = list["items"].as_array().map_or(0, Vec::len);
    let remaining = list["metadata"]["remainingItemCount"].as_u64().unwrap_or(0);
    Ok(items + usize::try_from(remaining)?)
}

/// The kinds alternate, so that each namespace has all of them.
fn kind_of(slot: usize) -> Kind {
    let mut slot = slot % 100;
    for (kind, share) in SHARES {
        if slot < share {
            return kind;
        }
        slot -= share;
    }
    Kind::ConfigMap
}

/// Not `number % NAMESPACES`, which would put all of one slot into one namespace.
fn namespace_of(number: usize) -> String {
    Load::namespace(number / 100 + number)
}

fn plural(kind: Kind) -> &'static str {
    match kind {
        Kind::ConfigMap => "/api/v1/configmaps",
        Kind::Secret => "/api/v1/secrets",
        Kind::Widget => "/apis/scale.example.com/v1/widgets",
        Kind::Deployment => "/apis/apps/v1/deployments",
        Kind::Service => "/api/v1/services",
        Kind::ServiceAccount => "/api/v1/serviceaccounts",
        Kind::RoleBinding => "/apis/rbac.authorization.k8s.io/v1/rolebindings",
        Kind::NetworkPolicy => "/apis/networking.k8s.io/v1/networkpolicies",
    }
}

fn object(number: usize) -> Object {
    let kind = kind_of(number);
    let namespace = namespace_of(number);
    let (start, place) = plural(kind).rsplit_once('/').unwrap_or_default();
    let mut body = body(kind, &mut Text::new(number));
    body["metadata"] = json!({
        "name": format!("item-{number:07}"),
        "namespace": namespace,
        "labels": {"app.kubernetes.io/name": format!("app-{}", number % 40),
            "app.kubernetes.io/managed-by": "scale"},
    });
    Object { collection: format!("{start}/namespaces/{namespace}/{place}"), body }
}

fn body(kind: Kind, text: &mut Text) -> Value {
    let labels = json!({"app": text.word()});
    match kind {
        Kind::ConfigMap => json!({"apiVersion": "v1", "kind": "ConfigMap",
            "data": {"settings.yaml": text.lines(24), "mode": text.word()}}),
        Kind::Secret => json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "stringData": {"token": text.noise(700), "user": text.word()}}),
        Kind::Widget => json!({"apiVersion": format!("{GROUP}/v1"), "kind": "Widget",
            "spec": {"owner": text.word(), "notes": text.lines(16), "size": 3}}),
        // Paused: it is there, and keeps no controller busy while others are measured.
        Kind::Deployment => json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "spec": {"paused": true, "replicas": 0, "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [
                    {"name": "web", "image": "registry.example.com/web:1",
                        "env": (0..8).map(|_| json!({"name": text.word(), "value": text.word()}))
                            .collect::<Vec<_>>(),
                        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}}}]}}}}),
        Kind::Service => json!({"apiVersion": "v1", "kind": "Service",
            "spec": {"clusterIP": "None", "ports": [{"name": "http", "port": 80}]}}),
        Kind::ServiceAccount => json!({"apiVersion": "v1", "kind": "ServiceAccount"}),
        Kind::RoleBinding => json!({"apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                "name": "view"},
            "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io",
                "name": text.word()}]}),
        Kind::NetworkPolicy => json!({"apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "spec": {"podSelector": {"matchLabels": labels}, "policyTypes": ["Ingress"],
                "ingress": [{"from": [{"podSelector": {}}]}]}}),
    }
}

fn definition() -> Object {
    let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let schema = json!({"type": "object", "properties": {"spec": open}});
    Object {
        collection: "/apis/apiextensions.k8s.io/v1/customresourcedefinitions".to_owned(),
        body: json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("widgets.{GROUP}")},
            "spec": {"group": GROUP, "scope": "Namespaced",
                "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
                "versions": [{"name": "v1", "served": true, "storage": true,
                    "schema": {"openAPIV3Schema": schema}}]}}),
    }
}

/// Text that is the same for the same seed, and packs about as well as real text does.
struct Text(u64);

impl Text {
    fn new(seed: usize) -> Self {
        Self((seed as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    /// The next number (xorshift64*).
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn word(&mut self) -> String {
        format!("word-{}", self.next() >> 50)
    }

    fn lines(&mut self, count: usize) -> String {
        let mut line = |at| format!("key-{at}:\n  value: {}\n  more: true\n", self.word());
        (0..count).map(&mut line).collect::<Vec<_>>().concat()
    }

    fn noise(&mut self, length: usize) -> String {
        let piece = |_| format!("{:016x}", self.next());
        (0..length.div_ceil(16)).map(piece).collect::<Vec<_>>().concat()
    }
}
