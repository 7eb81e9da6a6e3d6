//! The namespaces of a drill, closed off before anything comes into them.

use std::time::Duration;

use bowline_api::GroupResource;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Map, Value, json};

use super::error::Cause;
use super::request::{Request, Security};
use crate::engine::cluster::{self, Cluster, Created, Creation, Object};
use crate::engine::context::Context;
use crate::engine::model::Catalog;
use crate::engine::model::drill::{DRILL_LABEL, DrillRecord};
use crate::engine::model::fields::map_at;

/// The name of what closes a namespace off.
const NAME: &str = "bowline-drill";

/// How long the quota controller may take to see a new quota. Until then nothing can be made that
/// the quota counts.
const SEEN_WITHIN: Duration = Duration::from_mins(1);

/// The ports at which names are resolved; `OpenShift`'s pods have another one than its service.
const DNS: [(&str, u16); 4] = [("UDP", 53), ("TCP", 53), ("UDP", 5353), ("TCP", 5353)];

/// Where the pods are that resolve names: of Kubernetes, whoever runs it, and of `OpenShift`.
const DNS_NAMESPACES: [&str; 2] = ["kube-system", "openshift-dns"];

/// What a namespace carries, if a cluster resolves names elsewhere.
const DNS_LABEL: &str = "bowline.io/dns";

/// Where a node answers for the cluster's DNS itself.
const NODE_LOCAL_DNS: &str = "169.254.20.10/32";

/// What every drill has to say of how it is closed off.
pub(super) const REMARK: &str = "a drill is closed off by network policies: they hold only where \
     the cluster's network plug-in enforces them, which cannot be asked";

/// Makes the namespaces of a drill.
pub(super) async fn make(
    context: &Context,
    request: &Request,
    record: &DrillRecord,
) -> Result<(), Cause> {
    let catalog = context.cluster.catalog().await?;
    stream::iter(record.namespaces.values())
        .map(|name| make_one(&context.cluster, &catalog, request, (name, record)))
        .buffer_unordered(context.limits.creates)
        .try_collect()
        .await
}

async fn make_one(
    cluster: &Cluster,
    catalog: &Catalog,
    request: &Request,
    (name, record): (&str, &DrillRecord),
) -> Result<(), Cause> {
    let namespace = namespace(name, record, request.security);
    create(cluster, catalog, ("", "namespaces"), (None, namespace)).await?;
    // The policy before anything that could send.
    let policy = policy(record);
    create(cluster, catalog, ("networking.k8s.io", "networkpolicies"), (Some(name), policy))
        .await?;
    let quota = quota(record, request);
    let kind = create(cluster, catalog, ("", "resourcequotas"), (Some(name), quota)).await?;
    let is_seen = |it: Option<&Object>| {
        let hard = it.and_then(|it| map_at(it, &["status", "hard"]));
        hard.filter(|hard| !hard.is_empty()).map(drop)
    };
    let seen = cluster.wait_for(kind, Some(name), NAME, SEEN_WITHIN, is_seen).await?;
    seen.ok_or_else(|| Cause::NoQuota(name.to_owned()))
}

async fn create<'c>(
    cluster: &Cluster,
    catalog: &'c Catalog,
    (group, resource): (&str, &str),
    (namespace, object): (Option<&str>, Value),
) -> Result<&'c crate::engine::model::Kind, Cause> {
    let resource = GroupResource::new(group, resource);
    let not_served = || cluster::Error::NotServed { request: format!("create {resource}") };
    let kind = catalog.get(&resource).ok_or_else(not_served)?;
    let object = object.as_object().cloned().unwrap_or_default();
    let creation = Creation { mark: Some(DRILL_LABEL), ..Creation::default() };
    match cluster.create(kind, namespace, &object, &creation).await? {
        Created::Created(_) => Ok(kind),
        Created::Exists => {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            Err(Cause::NamespaceTaken(namespace.unwrap_or(name).to_owned()))
        }
    }
}

fn namespace(name: &str, record: &DrillRecord, security: Security) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {
        DRILL_LABEL: record.uid,
        "velero.io/exclude-from-backup": "true",
        "pod-security.kubernetes.io/enforce": security.to_string(),
    }}})
}

fn metadata(record: &DrillRecord) -> Value {
    json!({"name": NAME, "labels": {DRILL_LABEL: record.uid}})
}

/// No ports on nodes, no load balancers, and what else was asked for.
fn quota(record: &DrillRecord, request: &Request) -> Value {
    let mut hard: Map<String, Value> =
        request.quota.0.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
    hard.insert("services.loadbalancers".to_owned(), json!("0"));
    hard.insert("services.nodeports".to_owned(), json!("0"));
    json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata(record),
        "spec": {"hard": hard}})
}

/// Traffic among the drill's own pods, and to where names are resolved; nothing else, either way.
fn policy(record: &DrillRecord) -> Value {
    let own = json!({"namespaceSelector": {"matchLabels": {DRILL_LABEL: record.uid}}});
    let ports = DNS.map(|(protocol, port)| json!({"protocol": protocol, "port": port}));
    let names = json!([
        {"namespaceSelector": {"matchExpressions": [{"key": "kubernetes.io/metadata.name",
            "operator": "In", "values": DNS_NAMESPACES}]}},
        {"namespaceSelector": {"matchLabels": {DNS_LABEL: "true"}}},
        {"ipBlock": {"cidr": NODE_LOCAL_DNS}},
    ]);
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": metadata(record),
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [own]}],
            "egress": [{"to": [own]}, {"to": names, "ports": ports}]}})
}
