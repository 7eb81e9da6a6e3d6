//! What is checked before anything is written.

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt as _;

use super::claim::Rules;
use super::error::Error;
use super::forecast;
use super::hooks::{self, Found, HookedPod};
use super::plan::{self, Plan};
use super::policies::{self, PolicySource};
use super::reach;
use super::rights;
use super::versions::{self, ApiVersions};
use crate::engine::cluster::{ListScope, Version};
use crate::engine::context::rights::of_cluster;
use crate::engine::context::{Access, Context, Granted};
use crate::engine::event::{Event, Stage};
use crate::engine::model::backup::BackupSpec;
use crate::engine::model::filter::{Filters, NamespaceFilter, Order, closest};
use crate::engine::model::policy::Policies;
use crate::engine::model::selector::Selectors;
use crate::engine::model::{Catalog, Kind, Meta};
use crate::engine::report::Problem;
use crate::engine::store::{BackupState, check_name};
use bowline_api::GroupResource;

/// So many namespaces are listed one by one, whatever else there is; and any number that is less than
/// half of all.
const MOST_ONE_BY_ONE: usize = 100;

/// What a backup is asked for.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The backup's name.
    pub name: String,
    /// Labels of the backup.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the backup; ours stand above them.
    pub annotations: BTreeMap<String, String>,
    /// What it shall hold.
    pub spec: BackupSpec,
    /// Which objects it shall hold, by label.
    pub selectors: Selectors,
    /// What decides about volumes, before all else.
    pub policies: Option<PolicySource>,
    /// How long it is kept.
    pub ttl: Option<std::time::Duration>,
    /// Whether an unfinished attempt of this name is cleared first.
    pub replace_incomplete: bool,
    /// In which versions it shall hold objects.
    pub api_versions: ApiVersions,
}

/// What is known once all is checked.
#[derive(Debug)]
pub(super) struct Ready {
    pub cluster_uid: String,
    pub version: Version,
    pub catalog: Catalog,
    pub filters: Filters,
    pub spec: BackupSpec,
    pub policies: Option<Policies>,
    pub plan: Plan,
    /// The pods in which something is run around the snapshots of their volumes.
    pub hooks: Vec<HookedPod>,
    /// Where pods may have hooks that nobody knows of.
    pub unknown_hooks: Vec<Problem>,
    pub nodes: BTreeSet<String>,
    pub replaces: Option<Replaced>,
    pub api_versions: ApiVersions,
}

impl Ready {
    /// What the user said of all volumes.
    pub(super) fn rules(&self) -> Rules<'_> {
        let snapshot_volumes = self.spec.snapshot_volumes != Some(false);
        Rules { policies: self.policies.as_ref(), snapshot_volumes }
    }
}

/// The unfinished attempt that a backup replaces, by its UID; none if its record is gone.
#[derive(Clone, Debug)]
pub(super) struct Replaced(pub Option<String>);

/// Decides what a backup would list; writes nothing.
pub async fn plan(context: &Context, request: &Request) -> Result<Plan, Error> {
    context.observer.observe(&Event::Stage(Stage::Preflight));
    let mut ready = check(context, request).await?;
    reach::check(context, &ready).await?;
    ready.plan.volumes = forecast::volumes(context, &ready).await?;
    versions::foresee(context, &mut ready).await?;
    ready.plan.errors = std::mem::take(&mut ready.unknown_hooks);
    ready.plan.rights = rights::ask(context, &ready.plan).await;
    Ok(ready.plan)
}

/// Checks names and places, and decides what to list.
pub(super) async fn check(context: &Context, request: &Request) -> Result<Ready, Error> {
    check_name(&request.name)?;
    let replaces = check_free(context, request).await?;
    let cluster = &context.cluster;
    let catalog = cluster.catalog().await.map_err(Error::Cluster)?;
    let namespaces = namespaces(context, &catalog).await?;
    let policies = policies::load(context, &catalog, request.policies.as_ref()).await?;
    let mut spec = without_excluded(request.spec.clone(), &namespaces);
    spec.resource_policy = policies.as_ref().and_then(policies::reference);
    let filters = filters(&spec, request.selectors.clone(), &catalog)?;
    check_namespaces(&request.spec, &filters.namespaces, &namespaces)?;
    let included = namespaces
        .iter()
        .map(|namespace| namespace.name.clone())
        .filter(|name| filters.namespaces.includes(name))
        .collect::<Vec<_>>();
    let whole = listed_whole(context, &catalog, &filters, included.len(), namespaces.len()).await;
    let mut plan = plan::plan(&catalog, &filters, included, &whole);
    if request.api_versions == ApiVersions::All {
        plan.add_further_versions(&catalog);
    }
    plan.first = Order::of_record(&spec.ordered_resources)?.resolve(&catalog)?;
    let (cluster_uid, version, nodes) =
        futures::try_join!(cluster.uid(), cluster.version(), cluster.nodes())
            .map_err(Error::Cluster)?;
    let nodes = nodes.hostnames;
    let mut ready = Ready {
        cluster_uid,
        version,
        catalog,
        filters,
        spec,
        policies,
        plan,
        hooks: Vec::new(),
        unknown_hooks: Vec::new(),
        nodes,
        replaces,
        api_versions: request.api_versions,
    };
    let Found { mut pods, unknown } = hooks::find(context, &ready).await?;
    rights::forbid_own(context, &mut pods).await;
    (ready.hooks, ready.unknown_hooks) = (pods, unknown);
    ready.plan.hooks = hooks::planned(&ready.hooks);
    Ok(ready)
}

/// The kinds that are listed once for all namespaces although not all are wanted: that is less work
/// than hundreds of lists, but takes more of a right, which who names the namespaces may not have.
async fn listed_whole(
    context: &Context,
    catalog: &Catalog,
    filters: &Filters,
    included: usize,
    all: usize,
) -> BTreeSet<GroupResource> {
    let is_everything = filters.namespaces.is_everything();
    if is_everything || included <= MOST_ONE_BY_ONE || included * 2 < all {
        return BTreeSet::new();
    }
    let kinds = catalog.kinds.iter().filter(|kind| kind.namespaced && filters.includes_kind(kind));
    let resources: BTreeSet<_> = kinds.map(|kind| kind.resource.clone()).collect();
    let access = |resource| Access { verb: "list", resource, namespace: None };
    let rights = of_cluster(context, resources.iter().cloned().map(access).collect()).await;
    let granted = resources.into_iter().zip(rights);
    let granted = granted.filter(|(_, right)| right.granted == Granted::Yes);
    granted.map(|(resource, _)| resource).collect()
}

async fn check_free(context: &Context, request: &Request) -> Result<Option<Replaced>, Error> {
    let name = request.name.clone();
    match context.store.backup(&name).await.map_err(Error::Location)? {
        None => Ok(None),
        Some(BackupState::Incomplete(attempt)) if request.replace_incomplete => {
            Ok(Some(Replaced(attempt.map(|attempt| attempt.uid))))
        }
        Some(BackupState::Incomplete(attempt)) => {
            Err(Error::Incomplete { name, started: attempt.map(|attempt| attempt.start_timestamp) })
        }
        Some(BackupState::Deleting) => Err(Error::Deleting { name }),
        Some(BackupState::Committed(_) | BackupState::Invalid(_)) => {
            Err(Error::NameInUse { name, location: context.store.url().to_owned() })
        }
    }
}

async fn namespaces(context: &Context, catalog: &Catalog) -> Result<Vec<Meta>, Error> {
    let Some(kind) = namespace_kind(catalog) else { return Ok(Vec::new()) };
    let mut pages = context.cluster.list(kind, &ListScope::default());
    let mut found = Vec::new();
    while let Some(page) = pages.try_next().await.map_err(Error::Cluster)? {
        found.extend(page.items.into_iter().map(|listed| listed.meta));
    }
    Ok(found)
}

pub(super) fn namespace_kind(catalog: &Catalog) -> Option<&Kind> {
    catalog.get(&GroupResource::core("namespaces"))
}

/// A namespace with the exclude label is left out; Velero shows it in the spec, and so do we.
fn without_excluded(mut spec: BackupSpec, namespaces: &[Meta]) -> BackupSpec {
    let labelled = namespaces.iter().filter(|namespace| namespace.is_excluded());
    spec.excluded_namespaces.extend(labelled.map(|namespace| namespace.name.clone()));
    if spec.included_namespaces.is_empty() {
        spec.included_namespaces.push("*".to_owned());
    }
    spec
}

fn filters(spec: &BackupSpec, selectors: Selectors, catalog: &Catalog) -> Result<Filters, Error> {
    Ok(Filters {
        namespaces: NamespaceFilter::new(&spec.included_namespaces, &spec.excluded_namespaces)?,
        kinds: spec.kind_lists().resolve(catalog)?,
        selectors,
    })
}

/// Every namespace that is named must exist, and every pattern must match one.
fn check_namespaces(
    spec: &BackupSpec,
    filter: &NamespaceFilter,
    namespaces: &[Meta],
) -> Result<(), Error> {
    let exists = |name: &str| namespaces.iter().any(|namespace| namespace.name == name);
    let excluded = |name: &&str| spec.excluded_namespaces.iter().any(|e| e == name);
    for name in filter.literals().filter(|name| !excluded(name)) {
        if !exists(name) {
            let known = namespaces.iter().map(|namespace| namespace.name.as_str());
            let similar = closest(name, known).map(ToOwned::to_owned);
            return Err(Error::UnknownNamespace { name: name.to_owned(), similar });
        }
    }
    let known = namespaces.iter().map(|namespace| namespace.name.as_str());
    match filter.unmatched(&known) {
        Some(pattern) => Err(Error::NoSuchNamespace { pattern: pattern.to_owned() }),
        None => Ok(()),
    }
}
