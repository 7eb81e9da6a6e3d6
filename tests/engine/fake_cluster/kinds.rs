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
    ("", "resourcequotas", "ResourceQuota", true),
    ("", "secrets", "Secret", true),
    ("", "serviceaccounts", "ServiceAccount", true),
    ("", "services", "Service", true),
    (
        "admissionregistration.k8s.io",
        "mutatingwebhookconfigurations",
        "MutatingWebhookConfiguration",
        false,
    ),
    ("apiextensions.k8s.io", "customresourcedefinitions", "CustomResourceDefinition", false),
    ("apps", "deployments", "Deployment", true),
    ("apps", "replicasets", "ReplicaSet", true),
    ("apps", "statefulsets", "StatefulSet", true),
    ("autoscaling", "horizontalpodautoscalers", "HorizontalPodAutoscaler", true),
    ("batch", "jobs", "Job", true),
    ("discovery.k8s.io", "endpointslices", "EndpointSlice", true),
    ("networking.k8s.io", "networkpolicies", "NetworkPolicy", true),
    ("rbac.authorization.k8s.io", "clusterrolebindings", "ClusterRoleBinding", false),
    ("rbac.authorization.k8s.io", "clusterroles", "ClusterRole", false),
    ("rbac.authorization.k8s.io", "rolebindings", "RoleBinding", true),
    ("rbac.authorization.k8s.io", "roles", "Role", true),
    ("storage.k8s.io", "storageclasses", "StorageClass", false),
    ("storage.k8s.io", "volumeattachments", "VolumeAttachment", false),
    ("storage.k8s.io", "volumeattributesclasses", "VolumeAttributesClass", false),
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

    /// The kind that a definition makes, in every version that is served; the preferred one first.
    pub(super) fn defined_by(definition: &Value) -> Vec<Self> {
        let versions = definition["spec"]["versions"].as_array().into_iter().flatten();
        let served = versions.filter(|version| version["served"] != false);
        served.map(|version| Self::of_version(&definition["spec"], version)).collect()
    }

    fn of_version(spec: &Value, version: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Self {
            group: text(&spec["group"]),
            version: text(&version["name"]),
            resource: text(&spec["names"]["plural"]),
            kind: text(&spec["names"]["kind"]),
            namespaced: spec["scope"] == "Namespaced",
            custom: true,
            status: version["subresources"]["status"].is_object(),
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
    let mut groups: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for kind in kinds.iter().filter(|kind| kind.group.is_empty() == core) {
        let versions = groups.entry(&kind.group).or_default();
        match versions.iter_mut().find(|it| it["version"] == kind.version) {
            Some(version) => version["resources"].as_array_mut().unwrap().push(kind.discovery()),
            None => versions.push(json!({"version": kind.version, "freshness": "Current",
                "resources": [kind.discovery()]})),
        }
    }
    let items: Vec<Value> = groups
        .into_iter()
        .map(|(group, versions)| json!({"metadata": {"name": group}, "versions": versions}))
        .collect();
    json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "items": items})
}
