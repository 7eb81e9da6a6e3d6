//! Which cluster it is, what it runs, and which machines.

use std::collections::BTreeSet;

use bowline_api::GroupResource;
use futures::TryStreamExt as _;
use serde::Deserialize;
use serde_json::Value;

use super::client::Cluster;
use super::error::Error;
use super::list::ListScope;
use super::wire::Call;
use crate::engine::model::Kind;

/// The version of an API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// 1.
    pub major: u32,
    /// 35.
    pub minor: u32,
    /// `v1.35.4`, with whatever the provider adds: `v1.35.4-eks-1234abc`.
    pub git_version: String,
}

/// The machines of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nodes {
    /// What they call themselves, in the label `kubernetes.io/hostname`.
    pub hostnames: BTreeSet<String>,
    /// The zones that some of them are in; empty where none tells.
    pub zones: BTreeSet<String>,
}

/// The labels that tell a node's zone, the current one first.
const ZONE_LABELS: [&str; 2] =
    ["topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VersionInfo {
    major: String,
    minor: String,
    git_version: String,
}

impl Cluster {
    /// The UID of the namespace `kube-system`, by which a cluster is known whatever its address.
    pub async fn uid(&self) -> Result<String, Error> {
        let path = "/api/v1/namespaces/kube-system".to_owned();
        let call = Call::get(path, "read namespaces/kube-system".to_owned());
        let namespace: Value = self.ask(&call).await?;
        let uid = namespace["metadata"]["uid"].as_str();
        let source = || "it has no metadata.uid".into();
        uid.map(str::to_owned)
            .ok_or_else(|| Error::Decode { request: call.request(), source: source() })
    }

    /// The version of the API server.
    pub async fn version(&self) -> Result<Version, Error> {
        let call = Call::get("/version".to_owned(), "read the server's version".to_owned());
        let info: VersionInfo = self.ask(&call).await?;
        let number = |text: &str| {
            // Some providers write "35+".
            let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
            digits.parse().map_err(|source: std::num::ParseIntError| Error::Decode {
                request: call.request(),
                source: source.into(),
            })
        };
        let (major, minor) = (number(&info.major)?, number(&info.minor)?);
        Ok(Version { major, minor, git_version: info.git_version })
    }

    /// What the nodes call themselves, and where they are.
    pub async fn nodes(&self) -> Result<Nodes, Error> {
        let nodes = Kind {
            resource: GroupResource::core("nodes"),
            version: "v1".to_owned(),
            kind: "Node".to_owned(),
            singular: "node".to_owned(),
            short_names: Vec::new(),
            namespaced: false,
            verbs: vec!["list".to_owned()],
        };
        let pages = self.list(&nodes, &ListScope::default());
        pages
            .try_fold(Nodes::default(), |mut nodes, page| async move {
                for node in &page.items {
                    let label = |key: &&str| node.meta.labels.get(*key).cloned();
                    nodes.hostnames.extend(label(&"kubernetes.io/hostname"));
                    nodes.zones.extend(ZONE_LABELS.iter().find_map(label));
                }
                Ok(nodes)
            })
            .await
    }
}
