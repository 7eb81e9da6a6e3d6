//! What discovery documents say. Pure.
//!
//! Both forms are understood: the aggregated one (Kubernetes 1.26 and later, two requests) and the
//! one document per group and version of older servers. See
//! <https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api>.

use bowline_api::GroupResource;
use serde::Deserialize;

use crate::engine::model::{Catalog, Kind};

/// Kinds that several groups serve, the same objects under each.
///
/// Taken once, from the group that is met first (Velero's `CohabitatingResources`).
const COHABITING: &[(&str, [&str; 2])] = &[
    ("deployments", ["extensions", "apps"]),
    ("daemonsets", ["extensions", "apps"]),
    ("replicasets", ["extensions", "apps"]),
    ("networkpolicies", ["extensions", "networking.k8s.io"]),
    ("events", ["", "events.k8s.io"]),
];

/// A group with its versions, the preferred one first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) versions: Vec<Version>,
}

/// A version of a group: its resources, or why they are not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) name: String,
    pub(super) resources: Result<Vec<Kind>, String>,
}

/// Puts the groups together, in this order.
///
/// Of every kind the preferred version is taken, else the first that has it.
pub(super) fn assemble(groups: Vec<Group>) -> Catalog {
    let mut catalog = Catalog::default();
    for group in groups {
        for version in group.versions {
            match version.resources {
                Ok(kinds) => kinds.into_iter().for_each(|kind| take(&mut catalog, kind)),
                Err(reason) => catalog.unavailable.push((group.name.clone(), reason)),
            }
        }
    }
    catalog
}

fn take(catalog: &mut Catalog, kind: Kind) {
    catalog.served.push((kind.resource.clone(), kind.api_version()));
    let known = catalog
        .kinds
        .iter()
        .any(|known| known.resource == kind.resource || cohabit(&known.resource, &kind.resource));
    if !known {
        catalog.kinds.push(kind);
    }
}

fn cohabit(one: &GroupResource, other: &GroupResource) -> bool {
    one.resource == other.resource
        && COHABITING.iter().any(|(resource, groups)| {
            *resource == one.resource
                && groups.contains(&one.group.as_str())
                && groups.contains(&other.group.as_str())
        })
}

/// The aggregated form, `APIGroupDiscoveryList`; none if the document is something else.
pub(super) fn aggregated(document: &[u8]) -> Option<Vec<Group>> {
    let list: AggregatedList = serde_json::from_slice(document).ok()?;
    let is_aggregated = list.kind == "APIGroupDiscoveryList";
    is_aggregated.then(|| list.items.into_iter().map(Group::from).collect())
}

#[derive(Deserialize)]
struct AggregatedList {
    kind: String,
    #[serde(default)]
    items: Vec<AggregatedGroup>,
}

#[derive(Deserialize)]
struct AggregatedGroup {
    #[serde(default)]
    metadata: AggregatedName,
    #[serde(default)]
    versions: Vec<AggregatedVersion>,
}

/// The core group has no name, and may have no metadata.
#[derive(Default, Deserialize)]
struct AggregatedName {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct AggregatedVersion {
    version: String,
    #[serde(default)]
    resources: Vec<AggregatedResource>,
    /// `Stale` when the backend of an aggregated API does not answer.
    #[serde(default)]
    freshness: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AggregatedResource {
    resource: String,
    response_kind: Option<ResponseKind>,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    singular_resource: String,
    #[serde(default)]
    verbs: Vec<String>,
    #[serde(default)]
    short_names: Vec<String>,
}

#[derive(Deserialize)]
struct ResponseKind {
    #[serde(default)]
    kind: String,
}

impl From<AggregatedGroup> for Group {
    fn from(group: AggregatedGroup) -> Self {
        let name = group.metadata.name;
        let versions = group.versions.into_iter().map(|version| version.read(&name)).collect();
        Self { name, versions }
    }
}

impl AggregatedVersion {
    fn read(self, group: &str) -> Version {
        let resources = if self.freshness == "Stale" {
            Err(format!("version {} is stale: what serves it does not answer", self.version))
        } else {
            let kinds = self.resources.into_iter();
            Ok(kinds.filter_map(|resource| resource.read(group, &self.version)).collect())
        };
        Version { name: self.version, resources }
    }
}

impl AggregatedResource {
    /// None where only subresources are served, which leaves the parent without a kind.
    fn read(self, group: &str, version: &str) -> Option<Kind> {
        let kind = self.response_kind?.kind;
        (!kind.is_empty()).then(|| Kind {
            resource: GroupResource::new(group, self.resource),
            version: version.to_owned(),
            kind,
            singular: self.singular_resource,
            short_names: self.short_names,
            namespaced: self.scope == "Namespaced",
            verbs: self.verbs,
        })
    }
}

/// The versions of the core group (`APIVersions` at `/api`).
#[derive(Deserialize)]
pub(super) struct CoreVersions {
    #[serde(default)]
    pub(super) versions: Vec<String>,
}

/// The groups and their versions (`APIGroupList` at `/apis`).
#[derive(Deserialize)]
pub(super) struct GroupList {
    #[serde(default)]
    pub(super) groups: Vec<ListedGroup>,
}

/// A group of a [`GroupList`].
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListedGroup {
    pub(super) name: String,
    #[serde(default)]
    versions: Vec<ListedVersion>,
    preferred_version: Option<ListedVersion>,
}

#[derive(Deserialize)]
struct ListedVersion {
    version: String,
}

impl ListedGroup {
    /// Its versions, the preferred one first.
    pub(super) fn versions(self) -> Vec<String> {
        let preferred = self.preferred_version.map(|listed| listed.version);
        let mut versions: Vec<_> = self.versions.into_iter().map(|listed| listed.version).collect();
        versions.sort_by_key(|version| Some(version) != preferred.as_ref());
        versions
    }
}

/// The resources of one version of a group (`APIResourceList`).
#[derive(Deserialize)]
pub(super) struct ResourceList {
    #[serde(default)]
    resources: Vec<ListedResource>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListedResource {
    name: String,
    #[serde(default)]
    singular_name: String,
    #[serde(default)]
    namespaced: bool,
    kind: String,
    #[serde(default)]
    verbs: Vec<String>,
    #[serde(default)]
    short_names: Vec<String>,
}

impl ResourceList {
    /// The kinds in it, without subresources.
    pub(super) fn kinds(self, group: &str, version: &str) -> Vec<Kind> {
        let resources = self.resources.into_iter();
        resources
            .filter(|resource| !resource.name.contains('/'))
            .map(|resource| Kind {
                resource: GroupResource::new(group, resource.name),
                version: version.to_owned(),
                kind: resource.kind,
                singular: resource.singular_name,
                short_names: resource.short_names,
                namespaced: resource.namespaced,
                verbs: resource.verbs,
            })
            .collect()
    }
}
