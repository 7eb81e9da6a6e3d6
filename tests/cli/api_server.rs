//! An API server that answers reads from a table: enough for a dry run.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::site::Site;

/// A server of these objects, by path; it answers as long as it is polled.
#[derive(Clone, Debug, Default)]
pub(crate) struct ApiServer {
    objects: Vec<Value>,
    /// What is asked for and never answered.
    silent: Option<&'static str>,
}

/// The cluster of a server, unless it is another's.
pub(crate) const HERE: &str = "7a0f6a52-0000-4000-8000-000000000002";

/// The kinds that are served: group, resource, short name, kind, and whether it is namespaced.
type Served = (&'static str, &'static str, &'static str, &'static str, bool);

const KINDS: [Served; 8] = [
    ("", "configmaps", "cm", "ConfigMap", true),
    ("", "namespaces", "ns", "Namespace", false),
    ("", "nodes", "no", "Node", false),
    ("", "persistentvolumeclaims", "pvc", "PersistentVolumeClaim", true),
    ("", "persistentvolumes", "pv", "PersistentVolume", false),
    ("", "pods", "po", "Pod", true),
    ("apps", "deployments", "deploy", "Deployment", true),
    ("storage.k8s.io", "storageclasses", "sc", "StorageClass", false),
];

/// A site whose kubeconfig leads to a cluster with the namespaces `kube-system` and `shop`, which ends
/// with what is returned beside it.
pub(crate) async fn site_with_cluster() -> (Site, JoinSet<()>) {
    let shop = json!({"kind": "Namespace", "metadata": {"name": "shop", "uid": "uid-of-shop"}});
    site_of(ApiServer::new().with(shop)).await
}

/// A site whose kubeconfig leads to this server, which ends with what is returned beside it.
pub(crate) async fn site_of(server: ApiServer) -> (Site, JoinSet<()>) {
    server.lead(&Site::new()).await
}

impl ApiServer {
    /// A server with its own namespace and nothing else.
    pub(crate) fn new() -> Self {
        Self::of(HERE)
    }

    /// The server of another cluster.
    pub(crate) fn of(cluster: &str) -> Self {
        Self::default().with(json!({"kind": "Namespace", "metadata": {"name": "kube-system",
            "uid": cluster}}))
    }

    /// The same server, which does not answer requests of these words.
    pub(crate) fn silent_on(self, words: &'static str) -> Self {
        Self { silent: Some(words), ..self }
    }

    /// The site with a kubeconfig that leads here; the server ends with what is returned beside it.
    pub(crate) async fn lead(self, site: &Site) -> (Site, JoinSet<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let site = site.with_server(&format!("http://{}", listener.local_addr().unwrap()));
        let mut server = JoinSet::new();
        server.spawn(self.serve(listener));
        (site, server)
    }

    /// The same server with one more object.
    pub(crate) fn with(mut self, object: Value) -> Self {
        self.objects.push(object);
        self
    }

    /// Answers until it is dropped.
    pub(crate) async fn serve(self, listener: TcpListener) {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            connections.spawn(self.clone().answer_all(stream));
        }
    }

    async fn answer_all(self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        while let Some((line, length)) = head(&mut stream).await {
            let mut body = vec![0; length];
            if stream.read_exact(&mut body).await.is_err() {
                return;
            }
            if self.silent.is_some_and(|words| line.contains(words)) {
                std::future::pending::<()>().await;
            }
            let (code, reply) = match self.answer(&line) {
                Some(reply) => ("200 OK", reply),
                None => ("404 Not Found", json!({"kind": "Status", "code": 404})),
            };
            let reply = reply.to_string();
            let length = reply.len();
            let head = format!(
                "HTTP/1.1 {code}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
            );
            // A client that hangs up is none of ours.
            if stream.write_all((head + &reply).as_bytes()).await.is_err() {
                return;
            }
        }
    }

    fn answer(&self, line: &str) -> Option<Value> {
        let (method, path) = line.split_once(' ')?;
        let path = path.split([' ', '?']).next()?;
        let list = |items: Vec<Value>| json!({"kind": "APIGroupDiscoveryList", "items": items});
        match (method, path) {
            ("POST", _) => return Some(json!({"status": {"allowed": true}})),
            (_, "/api") => return Some(list(groups(true))),
            (_, "/apis") => return Some(list(groups(false))),
            (_, "/version") => {
                return Some(json!({"gitVersion": "v1.35.0", "major": "1", "minor": "35"}));
            }
            _ => {}
        }
        let parts: Vec<_> = path.split('/').collect();
        let (group, parts) = match parts[..] {
            ["", "api", _, ref parts @ ..] => ("", parts),
            ["", "apis", group, _, ref parts @ ..] => (group, parts),
            _ => return None,
        };
        let (namespace, resource, name) = match *parts {
            ["namespaces", namespace, resource] => (Some(namespace), resource, None),
            ["namespaces", namespace, resource, name] => (Some(namespace), resource, Some(name)),
            [resource, name] => (None, resource, Some(name)),
            [resource] => (None, resource, None),
            _ => return None,
        };
        let served = |kind: &&Served| (kind.0, kind.1) == (group, resource);
        let (.., kind, _) = *KINDS.iter().find(served)?;
        let mut found = self.objects.iter().filter(|object| {
            let meta = &object["metadata"];
            object["kind"] == kind
                && namespace.is_none_or(|namespace| meta["namespace"] == namespace)
                && name.is_none_or(|name| meta["name"] == name)
        });
        match name {
            Some(_) => found.next().cloned(),
            None => Some(json!({"kind": format!("{kind}List"), "apiVersion": "v1",
                "metadata": {"resourceVersion": "1"}, "items": found.collect::<Vec<_>>()})),
        }
    }
}

/// The first line of a request and the length of its body; none at the end of the connection.
async fn head(stream: &mut BufReader<TcpStream>) -> Option<(String, usize)> {
    let (mut first, mut length) = (String::new(), 0);
    stream.read_line(&mut first).await.ok().filter(|read| *read > 0)?;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        if line.trim().is_empty() {
            return Some((first, length));
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
}

/// The groups as aggregated discovery has them.
fn groups(core: bool) -> Vec<Value> {
    let kinds = KINDS.iter().filter(|(group, ..)| group.is_empty() == core);
    let mut groups: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for (group, resource, short, kind, namespaced) in kinds {
        groups.entry(group).or_default().push(json!({
            "resource": resource, "shortNames": [short], "singularResource": kind.to_lowercase(),
            "responseKind": {"group": group, "version": "v1", "kind": kind},
            "scope": if *namespaced { "Namespaced" } else { "Cluster" },
            "verbs": ["create", "delete", "get", "list", "patch"],
        }));
    }
    let version =
        |resources| json!({"version": "v1", "freshness": "Current", "resources": resources});
    let group = |(name, kinds)| json!({"metadata": {"name": name}, "versions": [version(kinds)]});
    groups.into_iter().map(group).collect()
}
