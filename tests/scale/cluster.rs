//! An API server that has many objects, or takes them, and keeps none of what it takes.
//!
//! Everything that it answers with was made before: what is counted meanwhile is not its own.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bowline::engine::cluster::{Cluster, Options};
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Body;
use serde_json::{Value, json};
use tower::BoxError;

/// How many namespaces there are beside `kube-system`.
pub(crate) const NAMESPACES: usize = 20;
/// The kinds of which there are many: their collections, and the kind.
const MANY: [(&str, &str, &str); 3] = [
    ("/api/v1/configmaps", "v1", "ConfigMap"),
    ("/api/v1/secrets", "v1", "Secret"),
    ("/apis/apps/v1/deployments", "apps/v1", "Deployment"),
];

/// A server that all connections share.
#[derive(Clone, Debug)]
pub(crate) struct ApiServer(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    namespaces: Vec<Bytes>,
    /// The objects of each of the many kinds.
    objects: [Vec<Bytes>; MANY.len()],
    core: Bytes,
    groups: Bytes,
    made: AtomicU64,
}

impl ApiServer {
    /// A server of so many objects.
    pub(crate) fn with(objects: usize) -> Self {
        let mut many: [Vec<Bytes>; MANY.len()] = Default::default();
        // Lists come in the order of namespaces.
        let mut numbers: Vec<usize> = (0..objects).collect();
        numbers.sort_by_key(|number| number % NAMESPACES);
        for number in numbers {
            let kind = number / NAMESPACES % MANY.len();
            many[kind].push(object(number, kind).to_string().into());
        }
        let own = (0..NAMESPACES).filter(|_| objects > 0).map(namespace);
        let namespaces = ["kube-system".to_owned()].into_iter().chain(own);
        let namespaces = namespaces.map(|name| {
            let metadata = json!({"name": name, "uid": format!("uid-of-{name}")});
            json!({"metadata": metadata}).to_string().into()
        });
        Self(Arc::new(Shared {
            namespaces: namespaces.collect(),
            objects: many,
            core: discovery("", &[("configmaps", "ConfigMap"), ("secrets", "Secret")]),
            groups: discovery("apps", &[("deployments", "Deployment")]),
            made: AtomicU64::default(),
        }))
    }

    /// A connection, whose requests are counted.
    pub(crate) fn connect(&self, requests: &Arc<AtomicU64>) -> Cluster {
        let server = self.clone();
        let service = tower::service_fn(move |request| {
            let server = server.clone();
            async move { server.serve(request).await }
        });
        let options = Options { requests: Arc::clone(requests), ..Options::default() };
        Cluster::from_service(service, &options)
    }

    /// How many objects were made.
    pub(crate) fn made(&self) -> u64 {
        self.0.made.load(Relaxed)
    }

    pub(crate) async fn serve<B>(&self, request: Request<B>) -> io::Result<Response<Full<Bytes>>>
    where
        B: Body<Error: Into<BoxError>>,
    {
        let (head, body) = request.into_parts();
        drop(body.collect().await.map_err(io::Error::other)?);
        let (code, reply) = self.answer(&head.method, head.uri.path(), head.uri.query());
        Response::builder().status(code).body(Full::new(reply)).map_err(io::Error::other)
    }

    fn answer(&self, method: &Method, path: &str, query: Option<&str>) -> (u16, Bytes) {
        const MISSING: &[u8] = br#"{"kind":"Status","code":404,"reason":"NotFound"}"#;
        let shared = &*self.0;
        if *method == Method::POST {
            if path.contains("authorization.k8s.io") {
                return (201, Bytes::from_static(br#"{"status":{"allowed":true}}"#));
            }
            shared.made.fetch_add(1, Relaxed);
            return (201, Bytes::from_static(br#"{"metadata":{"uid":"new"}}"#));
        }
        let many = MANY.iter().position(|(collection, ..)| *collection == path);
        match (path, many) {
            ("/version", _) => {
                (200, Bytes::from_static(br#"{"major":"1","minor":"35","gitVersion":"v1.35.4"}"#))
            }
            ("/api", _) => (200, shared.core.clone()),
            ("/apis", _) => (200, shared.groups.clone()),
            ("/api/v1/namespaces", _) => (200, page("v1", "Namespace", &shared.namespaces, query)),
            ("/api/v1/namespaces/kube-system", _) => (200, shared.namespaces[0].clone()),
            (_, Some(many)) => {
                let (_, version, kind) = MANY[many];
                (200, page(version, kind, &shared.objects[many], query))
            }
            _ if path.ends_with('s') => (200, page("v1", "Thing", &[], query)),
            _ => (404, Bytes::from_static(MISSING)),
        }
    }
}

/// A page as long as is asked for.
fn page(version: &str, kind: &str, objects: &[Bytes], query: Option<&str>) -> Bytes {
    let query = query.unwrap_or_default();
    let number = |key: &str| {
        let found = query.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='));
        found.and_then(|value| value.parse::<usize>().ok())
    };
    let start = number("continue").unwrap_or(0).min(objects.len());
    let end = objects.len().min(start.saturating_add(number("limit").unwrap_or(usize::MAX)));
    let next = if end < objects.len() { end.to_string() } else { String::new() };
    let head = format!(
        r#"{{"apiVersion":"{version}","kind":"{kind}List","metadata":{{"resourceVersion":"1","continue":"{next}"}},"items":["#
    );
    let size = objects[start..end].iter().map(|object| object.len() + 1).sum::<usize>();
    let mut page = Vec::with_capacity(head.len() + size + 2);
    page.extend(head.as_bytes());
    for (index, object) in objects[start..end].iter().enumerate() {
        if index > 0 {
            page.push(b',');
        }
        page.extend_from_slice(object);
    }
    page.extend(b"]}");
    page.into()
}

fn namespace(number: usize) -> String {
    format!("shop-{number:02}")
}

fn object(number: usize, kind: usize) -> Value {
    let metadata = json!({"name": format!("item-{number:06}"),
        "namespace": namespace(number % NAMESPACES), "uid": format!("uid-{number}"),
        "labels": {"app.kubernetes.io/name": format!("app-{}", number % 7)}});
    let text = noise(number);
    match MANY[kind].2 {
        "ConfigMap" => json!({"metadata": metadata, "data": {"settings": text}}),
        "Secret" => json!({"metadata": metadata, "data": {"token": text}}),
        _ => {
            let labels = json!({"app": "web"});
            let environment = json!([{"name": "TOKEN", "value": text}]);
            let containers = json!([{"name": "web", "image": "registry.example.com/web:1",
                "env": environment}]);
            json!({"metadata": metadata, "spec": {"replicas": 0,
                "selector": {"matchLabels": labels}, "template": {
                    "metadata": {"labels": labels}, "spec": {"containers": containers}}}})
        }
    }
}

/// Text that does not pack to nothing, as no real one does (xorshift64*).
fn noise(seed: usize) -> String {
    let mut state = (seed as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut word = || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        format!("{:016x}", state.wrapping_mul(0x2545_F491_4F6C_DD1D))
    };
    (0..24).map(|_| word()).collect()
}

/// The aggregated discovery document of one group.
fn discovery(group: &str, kinds: &[(&str, &str)]) -> Bytes {
    let kinds = kinds.iter().map(|(resource, kind)| (*resource, *kind, "Namespaced"));
    let namespaces = group.is_empty().then_some(("namespaces", "Namespace", "Cluster"));
    let resources = kinds.chain(namespaces).map(|(resource, kind, scope)| {
        json!({"resource": resource, "scope": scope, "singularResource": kind.to_lowercase(),
            "responseKind": {"group": group, "version": "v1", "kind": kind},
            "verbs": ["create", "delete", "get", "list", "patch", "update", "watch"]})
    });
    let version = json!({"version": "v1", "freshness": "Current",
        "resources": resources.collect::<Vec<_>>()});
    json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2",
        "items": [{"metadata": {"name": group}, "versions": [version]}]})
    .to_string()
    .into()
}
