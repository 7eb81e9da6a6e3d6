//! What the fake cluster serves.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// A kind that is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Served {
    pub(super) group: String,
    pub(super) version: String,
    pub(super) resource: String,
    pub(super) kind: String,
    pub(super) namespaced: bool,
    /// Built-in kinds come without `apiVersion` and `kind` in lists.
    pub(super) custom: bool,
    /// Whether the status can be written by itself.
    pub(super) status: bool,
}

const BUILT_IN: &[(&str, &str, &str, bool)] = &[
    ("", "configmaps", "ConfigMap", true),
    ("", "events", "Event", true),
    ("", "namespaces", "Namespace", false),
    ("", "nodes", "Node", false),
    ("", "persistentvolumeclaims", "PersistentVolumeClaim", true),
    ("", "persistentvolumes", "PersistentVolume", false),
    ("", "pods", "Pod", true),
    ("", "secrets", "Secret", true),
    ("", "serviceaccounts", "ServiceAccount", true),
    ("", "services", "Service", true),
    ("apiextensions.k8s.io", "customresourcedefinitions", "CustomResourceDefinition", false),
    ("apps", "deployments", "Deployment", true),
    ("apps", "replicasets", "ReplicaSet", true),
    ("apps", "statefulsets", "StatefulSet", true),
    ("rbac.authorization.k8s.io", "clusterrolebindings", "ClusterRoleBinding", false),
    ("rbac.authorization.k8s.io", "clusterroles", "ClusterRole", false),
    ("rbac.authorization.k8s.io", "rolebindings", "RoleBinding", true),
    ("rbac.authorization.k8s.io", "roles", "Role", true),
    ("storage.k8s.io", "storageclasses", "StorageClass", false),
];

impl Served {
    pub(super) fn built_in() -> Vec<Self> {
        let read = |(group, resource, kind, namespaced): &(&str, &str, &str, bool)| Self {
            group: (*group).to_owned(),
            version: "v1".to_owned(),
            resource: (*resource).to_owned(),
            kind: (*kind).to_owned(),
            namespaced: *namespaced,
            custom: false,
            status: true,
        };
        BUILT_IN.iter().map(read).collect()
    }

    /// The kind that a definition makes.
    pub(super) fn defined_by(definition: &Value) -> Self {
        let spec = &definition["spec"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Self {
            group: text(&spec["group"]),
            version: text(&spec["versions"][0]["name"]),
            resource: text(&spec["names"]["plural"]),
            kind: text(&spec["names"]["kind"]),
            namespaced: spec["scope"] == "Namespaced",
            custom: true,
            status: spec["versions"][0]["subresources"]["status"].is_object(),
        }
    }

    pub(super) fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// The group and resource: `deployments.apps`.
    pub(super) fn name(&self) -> String {
        if self.group.is_empty() {
            self.resource.clone()
        } else {
            format!("{}.{}", self.resource, self.group)
        }
    }

    fn discovery(&self) -> Value {
        json!({
            "resource": self.resource,
            "responseKind": {"group": self.group, "version": self.version, "kind": self.kind},
            "scope": if self.namespaced { "Namespaced" } else { "Cluster" },
            "singularResource": self.kind.to_lowercase(),
            "verbs": ["create", "delete", "get", "list", "patch", "update", "watch"],
        })
    }
}

/// The aggregated discovery document of the core group, or of all others.
pub(super) fn discovery(kinds: &[Served], core: bool) -> Value {
    let mut groups: BTreeMap<(&str, &str), Vec<Value>> = BTreeMap::new();
    for kind in kinds.iter().filter(|kind| kind.group.is_empty() == core) {
        groups.entry((&kind.group, &kind.version)).or_default().push(kind.discovery());
    }
    let items: Vec<Value> = groups
        .into_iter()
        .map(|((group, version), resources)| {
            let version =
                json!({"version": version, "resources": resources, "freshness": "Current"});
            json!({"metadata": {"name": group}, "versions": [version]})
        })
        .collect();
    json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "items": items})
}
