//! What every run of a backup needs to be allowed, whichever objects there are by then.
//!
//! [`rights`](super::rights) asks what one run needs; here it is what an account is given that makes
//! the same backup again and again. Kinds and namespaces are those of now: one that is new is refused,
//! which is an error of that backup, until the account is given more.

use std::collections::{BTreeMap, BTreeSet};

use bowline_api::{GroupResource, ItemId};

use super::error::Error;
use super::policies::PolicySource;
use super::preflight::{Ready, Request, check};
use super::versions::{self, ApiVersions};
use crate::engine::context::{Access, Context};
use crate::engine::model::Kind;
use crate::engine::model::relations::{definition_of, targets};

/// What an account needs that makes a backup.
#[derive(Clone, Debug)]
pub struct Needs {
    /// The identity of the cluster.
    pub cluster_uid: String,
    /// All of it.
    pub all: BTreeSet<Need>,
}

/// A kind of request that must be allowed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// Where; none for the whole cluster.
    pub namespace: Option<String>,
    /// What is read, or `pods/exec`.
    pub resource: GroupResource,
    /// The one object that is meant; none for all.
    pub name: Option<String>,
    /// `list`, `get`.
    pub verb: &'static str,
}

impl Need {
    fn to(verb: &'static str, resource: GroupResource, namespace: Option<String>) -> Self {
        Self { namespace, resource, name: None, verb }
    }

    fn named(self, name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..self }
    }
}

/// Finds out what a backup needs; writes nothing.
pub async fn needs(context: &Context, request: &Request) -> Result<Needs, Error> {
    let ready = check(context, request).await?;
    let mut all = everywhere();
    all.extend(of_policies(request));
    all.extend(of_hooks(&ready));
    all.extend(of_order(&ready));
    let listed: BTreeMap<_, _> =
        ready.plan.listings.iter().map(|it| (it.kind.resource.clone(), &it.kind)).collect();
    for kind in listed.values() {
        all.extend(places(&ready, kind).map(|it| Need::to("list", kind.resource.clone(), it)));
    }
    for kind in versioned(&ready, listed.values().copied()) {
        all.extend(places(&ready, kind).map(|it| Need::to("get", kind.resource.clone(), it)));
    }
    all.extend(of_relations(&ready, listed.into_keys().collect()));
    Ok(Needs { cluster_uid: ready.cluster_uid, all })
}

/// Which cluster it is, where things can be, and on which machines.
fn everywhere() -> BTreeSet<Need> {
    let namespaces = GroupResource::core("namespaces");
    BTreeSet::from([
        Need::to("get", namespaces.clone(), None).named("kube-system"),
        Need::to("list", namespaces, None),
        Need::to("list", GroupResource::core("nodes"), None),
    ])
}

fn of_policies(request: &Request) -> Option<Need> {
    let Some(PolicySource::ConfigMap { namespace, name }) = &request.policies else { return None };
    let namespace = Some(namespace.clone());
    Some(Need::to("get", GroupResource::core("configmaps"), namespace).named(name))
}

/// Commands in pods, in the namespaces in which pods have any.
fn of_hooks(ready: &Ready) -> BTreeSet<Need> {
    let namespaces = ready.hooks.iter().filter_map(|pod| pod.id.namespace.clone());
    let rights = |namespace: String| {
        let exec = Access::to_exec(&namespace).into_iter();
        let exec = exec.map(|it| Need::to(it.verb, it.resource, it.namespace));
        exec.chain([Need::to("get", GroupResource::core("pods"), Some(namespace))])
    };
    namespaces.flat_map(rights).collect()
}

/// Objects that are taken before the others of their kind; before a volume its claim.
fn of_order(ready: &Ready) -> BTreeSet<Need> {
    let first = &ready.plan.first;
    let get =
        |id: &ItemId| Need::to("get", id.resource.clone(), id.namespace.clone()).named(&id.name);
    let claims = ready.catalog.get(&GroupResource::core("persistentvolumeclaims"));
    let has_volumes =
        first.iter().any(|id| id.resource == GroupResource::core("persistentvolumes"));
    let claims = claims
        .filter(|_| has_volumes)
        .into_iter()
        .flat_map(|kind| places(ready, kind).map(|it| Need::to("get", kind.resource.clone(), it)));
    first.iter().map(get).chain(claims).collect()
}

/// The kinds of which single objects are read in another version, where labels select some.
fn versioned<'a>(
    ready: &'a Ready,
    listed: impl Iterator<Item = &'a Kind>,
) -> impl Iterator<Item = &'a Kind> {
    let is_custom = |kind: &Kind| kind.resource.group.contains('.') && !is_built_in(kind);
    let all = ready.api_versions == ApiVersions::All;
    let selects = !ready.filters.selectors.is_everything();
    listed.filter(move |kind| {
        selects && (all || is_custom(kind)) && !versions::further(&ready.catalog, kind).is_empty()
    })
}

fn is_built_in(kind: &Kind) -> bool {
    kind.resource.group.ends_with(".k8s.io")
}

/// What is looked up by name because something that was taken names it, and so on.
fn of_relations(ready: &Ready, listed: Vec<GroupResource>) -> BTreeSet<Need> {
    let mut needs = BTreeSet::new();
    let has_dotted = listed.iter().any(|it| it.group.contains('.'));
    let mut sources = listed;
    let first = ready.plan.first.iter().map(|id| id.resource.clone());
    sources.extend(first);
    let mut wanted: BTreeSet<GroupResource> = sources.iter().cloned().collect();
    while let Some(source) = sources.pop() {
        for target in targets(&source) {
            // Whose the volume of a claim is, is always asked.
            let is_volume = target == GroupResource::core("persistentvolumes");
            let Some(kind) = ready.catalog.get(&target) else { continue };
            if !is_volume && !may_come(ready, kind) {
                continue;
            }
            let is_binding = target.resource == "clusterrolebindings";
            let verb = if is_binding { "list" } else { "get" };
            needs.extend(places(ready, kind).map(|it| Need::to(verb, target.clone(), it)));
            if wanted.insert(target.clone()) {
                sources.push(target);
            }
        }
    }
    let definitions = definition_of(&GroupResource::core("")).resource;
    let may_come = ready.catalog.get(&definitions).is_some_and(|kind| may_come(ready, kind));
    needs.extend((has_dotted && may_come).then(|| Need::to("get", definitions, None)));
    needs
}

fn may_come(ready: &Ready, kind: &Kind) -> bool {
    let mut namespaces = ready.plan.namespaces.iter();
    ready.filters.allows_related(kind, None)
        || namespaces.any(|namespace| ready.filters.allows_related(kind, Some(namespace)))
}

/// Where a kind is read: in each namespace, if all are named, else in the cluster.
fn places(ready: &Ready, kind: &Kind) -> impl Iterator<Item = Option<String>> {
    let is_fixed = kind.namespaced && ready.filters.namespaces.is_fixed();
    let named = ready.plan.namespaces.iter().cloned().map(Some);
    let named: Vec<_> = if is_fixed { named.collect() } else { vec![None] };
    named.into_iter()
}
