//! What to list, in what order. Pure.

use std::collections::{BTreeMap, BTreeSet};

use bowline_api::{GroupResource, ItemId};
use serde::Serialize;

use super::hooks::PlannedHook;
use super::versions;
use crate::engine::context::Right;
use crate::engine::model::filter::Filters;
use crate::engine::model::{Catalog, Kind};
use crate::engine::report::Problem;

/// What a backup lists, in order.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The namespaces that are taken.
    pub namespaces: Vec<String>,
    /// Objects that are taken before all lists are read, in this order.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "as_texts")]
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    pub first: Vec<ItemId>,
    /// The lists to read.
    pub listings: Vec<Listing>,
    /// Versions beside the preferred ones in which objects are taken: `autoscaling/v1
    /// horizontalpodautoscalers`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub further_versions: Vec<String>,
    /// The claims that are listed, and what becomes of their volumes; known to the dry run only.
    pub volumes: Vec<PlannedVolume>,
    /// The commands that are run in pods around the snapshots of their volumes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<PlannedHook>,
    /// Served kinds that are not taken, with the reason.
    pub left_out: Vec<LeftOut>,
    /// API groups that could not be discovered, with the reason.
    pub unavailable: Vec<LeftOut>,
    /// What is an error of the backup already, as it could not be found out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Problem>,
    /// What the backup needs to be allowed, and whether it is; known to the dry run only.
    pub rights: Vec<Right>,
}

impl Plan {
    /// Adds every other version in which the kinds that are listed are served.
    pub(super) fn add_further_versions(&mut self, catalog: &Catalog) {
        let kinds: BTreeMap<_, _> =
            self.listings.iter().map(|it| (&it.kind.resource, &it.kind)).collect();
        let further = kinds.values().flat_map(|kind| versions::further(catalog, kind));
        self.further_versions = further.map(|it| versions::in_words(&it)).collect();
    }
}

/// One list to read.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Listing {
    /// The kind.
    #[serde(serialize_with = "as_resource", rename = "resource")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub kind: Kind,
    /// The namespace; none for cluster-scoped kinds, and where all namespaces are read at once.
    pub namespace: Option<String>,
}

/// What becomes of the volume of a claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PlannedVolume {
    /// The claim's namespace.
    pub namespace: String,
    /// The claim's name.
    pub claim: String,
    /// The persistent volume that it is bound to.
    pub persistent_volume: Option<String>,
    /// Who snapshots it.
    pub provider: Option<String>,
    /// The provider's name of the volume.
    pub volume_id: Option<String>,
    /// `snapshot`, `skipped`, `reattach`, `unbound`, or `refuse`: an error of the backup.
    pub verdict: String,
    /// Why.
    pub reason: Option<String>,
}

/// Something that is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LeftOut {
    /// A resource or an API group.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// What a kind must be able to do to be restorable.
pub(super) const NEEDED_VERBS: [&str; 4] = ["list", "create", "get", "delete"];

/// Decides what to list.
pub(super) fn plan(
    catalog: &Catalog,
    filters: &Filters,
    namespaces: Vec<String>,
    whole: &BTreeSet<GroupResource>,
) -> Plan {
    let mut plan = Plan {
        first: Vec::new(),
        listings: Vec::new(),
        further_versions: Vec::new(),
        volumes: Vec::new(),
        hooks: Vec::new(),
        left_out: Vec::new(),
        unavailable: catalog.unavailable.iter().map(unavailable).collect(),
        errors: Vec::new(),
        rights: Vec::new(),
        namespaces,
    };
    let is_whole =
        |kind: &Kind| filters.namespaces.is_everything() || whole.contains(&kind.resource);
    for kind in ordered(catalog) {
        match left_out(kind, filters) {
            Some(reason) => plan
                .left_out
                .push(LeftOut { name: kind.resource.to_string(), reason: reason.to_owned() }),
            None => plan.listings.extend(listings(kind, is_whole(kind), &plan.namespaces)),
        }
    }
    plan
}

/// Core kinds first, and of them pods, claims and volumes: what is found in one is looked for in the
/// next, so that an object made in between is in both.
fn ordered(catalog: &Catalog) -> Vec<&Kind> {
    let rank = |kind: &&Kind| match kind.resource.to_string().as_str() {
        "pods" => 0,
        "persistentvolumeclaims" => 1,
        "persistentvolumes" => 2,
        _ if kind.resource.group.is_empty() => 3,
        _ => 4,
    };
    let mut kinds: Vec<&Kind> = catalog.kinds.iter().collect();
    kinds.sort_by_key(rank);
    kinds
}

fn left_out(kind: &Kind, filters: &Filters) -> Option<&'static str> {
    if !kind.supports(&NEEDED_VERBS) {
        return Some("it cannot be listed and created");
    }
    if kind.resource.group.is_empty() && kind.resource.resource == "namespaces" {
        return Some("namespaces are taken as far as something in them is");
    }
    (!filters.includes_kind(kind)).then_some("the filters leave it out")
}

fn listings(kind: &Kind, is_whole: bool, namespaces: &[String]) -> Vec<Listing> {
    let listing = |namespace| Listing { kind: kind.clone(), namespace };
    if !kind.namespaced || is_whole {
        return vec![listing(None)];
    }
    namespaces.iter().map(|namespace| listing(Some(namespace.clone()))).collect()
}

fn unavailable((group, reason): &(String, String)) -> LeftOut {
    LeftOut { name: group.clone(), reason: reason.clone() }
}

fn as_resource<S: serde::Serializer>(kind: &Kind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&kind.resource)
}

fn as_texts<S: serde::Serializer>(ids: &[ItemId], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(ids.iter().map(ToString::to_string))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::model::filter::NamespaceFilter;

    fn kind(resource: &str, namespaced: bool, verbs: &[&str]) -> Kind {
        Kind {
            resource: resource.parse::<GroupResource>().unwrap(),
            version: "v1".to_owned(),
            kind: String::new(),
            singular: String::new(),
            short_names: Vec::new(),
            namespaced,
            verbs: verbs.iter().map(ToString::to_string).collect(),
        }
    }

    fn catalog() -> Catalog {
        let kinds = [
            ("configmaps", true),
            ("persistentvolumes", false),
            ("namespaces", false),
            ("pods", true),
            ("persistentvolumeclaims", true),
            ("deployments.apps", true),
            ("storageclasses.storage.k8s.io", false),
        ];
        let mut kinds: Vec<Kind> =
            kinds.iter().map(|(name, scope)| kind(name, *scope, &NEEDED_VERBS)).collect();
        kinds.push(kind("bindings", true, &["create"]));
        Catalog { kinds, ..Catalog::default() }
    }

    fn listed(plan: &Plan) -> Vec<(String, Option<&str>)> {
        let listing = |l: &'_ Listing| l.kind.resource.to_string();
        plan.listings.iter().map(|l| (listing(l), l.namespace.as_deref())).collect()
    }

    #[test]
    fn without_filters_every_kind_is_read_once_for_all_namespaces() {
        let plan =
            plan(&catalog(), &Filters::default(), vec!["a".into(), "b".into()], &<_>::default());
        let names: Vec<String> = listed(&plan).into_iter().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            [
                "pods",
                "persistentvolumeclaims",
                "persistentvolumes",
                "configmaps",
                "deployments.apps",
                "storageclasses.storage.k8s.io"
            ]
        );
        assert!(plan.listings.iter().all(|listing| listing.namespace.is_none()));
    }

    #[test]
    fn what_cannot_be_created_again_is_left_out_with_that_reason() {
        let plan = plan(&catalog(), &Filters::default(), Vec::new(), &<_>::default());
        let reason = |name: &str| plan.left_out.iter().find(|l| l.name == name).unwrap();
        assert_eq!(reason("bindings").reason, "it cannot be listed and created");
    }

    #[test]
    fn named_namespaces_are_read_one_by_one_and_the_cluster_not_at_all() {
        let names = vec!["a".to_owned(), "b".to_owned()];
        let namespaces = NamespaceFilter::new(&names, &[]).unwrap();
        let filters = Filters { namespaces, ..Filters::default() };
        let plan = plan(&catalog(), &filters, names, &<_>::default());
        assert_eq!(listed(&plan)[..2], [("pods".into(), Some("a")), ("pods".into(), Some("b"))]);
        assert!(listed(&plan).iter().all(|(_, namespace)| namespace.is_some()));
    }

    #[test]
    fn a_kind_may_be_read_once_for_all_namespaces_although_some_are_left_out() {
        let names = vec!["a".to_owned(), "b".to_owned()];
        let namespaces = NamespaceFilter::new(&names, &[]).unwrap();
        let filters = Filters { namespaces, ..Filters::default() };
        let plan =
            plan(&catalog(), &filters, names, &BTreeSet::from([GroupResource::core("pods")]));
        assert_eq!(listed(&plan)[0], ("pods".into(), None));
        assert!(listed(&plan)[1..].iter().all(|(_, namespace)| namespace.is_some()));
    }
}
