//! A backup, and what the cluster holds now.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::iter;

use bowline_api::{GroupResource, ItemId};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::Deserialize as _;

use super::super::autoscaled;
use super::super::error::Error;
use super::super::known;
use super::super::open::{self, Opened};
use super::super::parts::Wanted;
use super::super::plan::kind_of;
use super::document::{
    Change, ChangeKind, DiffFooter, DiffHeader, DiffReader, Finding, NotCompared,
};
use super::restored::{Restored, without_disk};
use super::scope::{Filter, Read, Scope, compared, parsed, read, selects};
use crate::engine::archive::Entry;
use crate::engine::cluster::{self, ListScope, Listed};
use crate::engine::context::Context;
use crate::engine::model::filter::{Filters, NamespaceFilter};
use crate::engine::model::selector::{Selector, Selectors};
use crate::engine::model::{Catalog, Kind};

/// Tells what the cluster has more, less or otherwise than a backup, within what was backed up.
pub async fn cluster(
    context: &Context,
    from: &str,
    filter: &Filter,
    reader: &mut dyn DiffReader,
) -> Result<DiffFooter, Error> {
    let opened = open::open(&context.store, from, &Wanted::All).await?;
    let catalog = context.cluster.catalog().await.map_err(Error::Cluster)?;
    let known = known::kinds(&catalog, &opened);
    let scope = Scope::new(filter, &known)?;
    scope.check_namespaces(&[&opened])?;
    let mut footer = DiffFooter::default();
    let backed_up = match backed_up(&opened, &known) {
        Ok(filters) => Some(filters),
        Err(error) => {
            let reason = format!("what was backed up is not known: {error}");
            let name = "objects that the backup does not hold".to_owned();
            footer.not_compared.push(NotCompared { name, reason });
            None
        }
    };
    for (group, reason) in &catalog.unavailable {
        footer.not_compared.push(NotCompared { name: group.clone(), reason: reason.clone() });
    }
    reader.begin(DiffHeader { from: from.to_owned(), to: None }).map_err(Error::Shown)?;
    let mut sides = Sides {
        context,
        opened: &opened,
        catalog,
        known,
        scope,
        backed_up,
        autoscaled: BTreeSet::new(),
        restored: Restored::default(),
    };
    sides.look_at_autoscalers(&mut footer).await?;
    sides.look_at_volumes(&mut footer).await?;
    let compared = context.stop.unless_asked(sides.compare(&mut footer, reader)).await;
    compared.unwrap_or(Err(Error::Stopped))?;
    Ok(footer)
}

/// What the backup was asked to hold.
fn backed_up(opened: &Opened, catalog: &Catalog) -> Result<Filters, String> {
    let spec = &opened.backup.spec;
    let selectors = spec.label_selector.iter().chain(&spec.or_label_selectors);
    let selectors: Vec<Selector> = selectors
        .map(Selector::deserialize)
        .collect::<Result<_, _>>()
        .map_err(|it| it.to_string())?;
    Ok(Filters {
        namespaces: NamespaceFilter::new(&spec.included_namespaces, &spec.excluded_namespaces)
            .map_err(|error| error.to_string())?,
        kinds: spec.kind_lists().resolve(catalog).map_err(|error| error.to_string())?,
        selectors: Selectors::new(selectors),
    })
}

struct Sides<'a> {
    context: &'a Context,
    opened: &'a Opened,
    /// What the cluster serves.
    catalog: Catalog,
    /// What the cluster serves, and what only the archive knows.
    known: Catalog,
    scope: Scope,
    /// What the backup was asked to hold, where that is known.
    backed_up: Option<Filters>,
    /// Workloads whose number of pods an autoscaler decides: no restore changes that.
    autoscaled: BTreeSet<autoscaled::Target>,
    /// Volumes that stand for those of the backup.
    restored: Restored,
}

/// The objects of the backup that are compared with the lists of a kind, by namespace and name.
#[derive(Default)]
struct Group<'a>(HashMap<&'a str, HashMap<&'a str, Entry<'a>>>);

impl<'a> Group<'a> {
    fn add(&mut self, entry: Entry<'a>) {
        let namespace = self.0.entry(entry.namespace().unwrap_or_default()).or_default();
        namespace.insert(entry.name(), entry);
    }

    fn take(&mut self, namespace: Option<&str>, name: &str) -> Option<Entry<'a>> {
        self.0.get_mut(namespace.unwrap_or_default())?.remove(name)
    }

    fn entries(&self) -> impl Iterator<Item = Entry<'a>> {
        self.0.values().flat_map(HashMap::values).copied()
    }
}

/// What came of the lists of a kind.
#[derive(Default)]
struct Found {
    same: u64,
    changes: Vec<Change>,
    not_compared: Option<NotCompared>,
}

impl Found {
    fn take(&mut self, finding: Finding) {
        match finding {
            Finding::Ignored => {}
            Finding::Same => self.same += 1,
            Finding::Different(change) => self.changes.push(change),
        }
    }
}

impl Sides<'_> {
    /// Finds out whose number of pods is no difference. Who may not read that compares it.
    async fn look_at_autoscalers(&mut self, footer: &mut DiffFooter) -> Result<(), Error> {
        let entries = self.opened.contents.entries().filter(Entry::preferred);
        let scaled = entries.filter(|entry| autoscaled::may_be_scaled(entry.resource()));
        let namespaces = scaled.filter_map(|entry| entry.namespace().map(str::to_owned));
        let namespaces = namespaces.filter(|it| self.scope.has_namespace(it)).collect();
        match autoscaled::targets(self.context, &self.catalog, Some(namespaces)).await {
            Ok(targets) => self.autoscaled = targets,
            Err(error) if error.is_unreachable() => return Err(Error::Cluster(error)),
            Err(error) => footer.not_compared.push(NotCompared {
                name: "which workloads are autoscaled".to_owned(),
                reason: error.to_string(),
            }),
        }
        Ok(())
    }

    /// Finds out which volumes a restore of this backup made. Who may not read that compares them all.
    async fn look_at_volumes(&mut self, footer: &mut DiffFooter) -> Result<(), Error> {
        let kind = |resource| self.catalog.get(&GroupResource::core(resource));
        let is_meant = |kind: &&Kind| self.scope.has_kind(kind);
        let volumes = kind("persistentvolumes").filter(is_meant);
        let namespaces = match kind("persistentvolumeclaims").filter(is_meant) {
            Some(claims) if volumes.is_none() => self.namespaces(claims),
            None if volumes.is_none() => return Ok(()),
            _ => vec![None],
        };
        match Restored::read(self.context, &self.catalog, self.opened, namespaces).await {
            Ok(restored) => self.restored = restored,
            Err(Error::Cluster(error)) if !error.is_unreachable() => {
                footer.not_compared.push(NotCompared {
                    name: "which volumes a restore of this backup made".to_owned(),
                    reason: error.to_string(),
                });
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// The name that a volume has in the backup which a restore of it made.
    fn original(&self, kind: &Kind, name: &str) -> Option<&str> {
        let is_volume = kind.resource == GroupResource::core("persistentvolumes");
        self.restored.original(name).filter(|_| is_volume)
    }

    async fn compare(
        &self,
        footer: &mut DiffFooter,
        reader: &mut dyn DiffReader,
    ) -> Result<(), Error> {
        let groups = self.groups();
        let mut found = stream::iter(groups)
            .map(|(resource, group)| async move { self.look(&resource, group).await })
            .buffered(self.context.limits.lists);
        while let Some(Found { same, changes, not_compared }) = found.try_next().await? {
            footer.not_compared.extend(not_compared);
            footer.count_same(same);
            for change in changes {
                footer.take(Finding::Different(change), reader)?;
            }
        }
        Ok(())
    }

    /// Every kind that is compared, with what the backup holds of it.
    fn groups(&self) -> BTreeMap<GroupResource, Group<'_>> {
        let mut groups: BTreeMap<GroupResource, Group<'_>> = BTreeMap::new();
        let is_meant = |kind: &&Kind| {
            let backed_up = self.backed_up.as_ref();
            let restorable = kind.supports(&["list", "create"]);
            restorable
                && self.scope.has_kind(kind)
                && backed_up.is_some_and(|filters| filters.includes_kind(kind))
        };
        for kind in self.catalog.kinds.iter().filter(is_meant) {
            groups.entry(kind.resource.clone()).or_default();
        }
        for entry in self.opened.contents.entries().filter(Entry::preferred) {
            let kind = self.known.get(entry.resource());
            if kind.is_some_and(|kind| self.scope.has_kind(kind)) {
                let group = groups.entry(entry.resource().clone()).or_default();
                group.add(entry);
            }
        }
        groups
    }

    async fn look(&self, resource: &GroupResource, mut left: Group<'_>) -> Result<Found, Error> {
        let mut found = Found::default();
        let first = left.entries().next();
        let kind = self.kind(resource, first);
        let lists = kind
            .iter()
            .flat_map(|kind| self.namespaces(kind).into_iter().map(move |it| (kind, it)));
        for (kind, namespace) in lists {
            if let Err(error) = self.list(kind, namespace, &mut left, &mut found).await? {
                let (name, reason) = (resource.to_string(), error.to_string());
                found.not_compared = Some(NotCompared { name, reason });
                return Ok(found);
            }
        }
        for entry in left.entries() {
            if self.read(entry)?.is_some() {
                found.take(Finding::of_one_side(ChangeKind::Removed, entry.id()));
            }
        }
        found.changes.sort_by(|one, other| one.place().cmp(&other.place()));
        Ok(found)
    }

    /// The kind in the version that the backup holds, or, where that is not served, in the cluster's.
    fn kind(&self, resource: &GroupResource, entry: Option<Entry<'_>>) -> Option<Kind> {
        let preferred = self.catalog.get(resource)?;
        let recorded = entry.and_then(|entry| kind_of(&self.catalog, &entry));
        let recorded = recorded.map(Cow::into_owned);
        let is_served = |kind: &Kind| self.catalog.serves(resource, &kind.api_version());
        Some(recorded.filter(is_served).unwrap_or_else(|| preferred.clone()))
    }

    /// The namespaces whose lists are read one by one; one of none for the cluster as a whole.
    ///
    /// Whoever may read some namespaces only can compare these, if they are named.
    fn namespaces(&self, kind: &Kind) -> Vec<Option<String>> {
        let filters = [Some(&self.scope.filters), self.backed_up.as_ref()].into_iter().flatten();
        let names_all = |filter: &NamespaceFilter| {
            filter.literals().next().is_some() && filter.unmatched(&iter::empty()).is_none()
        };
        let mut narrow = filters.map(|it| &it.namespaces).filter(|filter| names_all(filter));
        let Some(filter) = narrow.next().filter(|_| kind.namespaced) else { return vec![None] };
        let named: BTreeSet<&str> = filter.literals().collect();
        let named = named.into_iter().filter(|it| self.scope.has_namespace(it));
        named.map(|it| Some(it.to_owned())).collect()
    }

    /// Compares what a list holds, and takes it out of what is left.
    async fn list(
        &self,
        kind: &Kind,
        namespace: Option<String>,
        left: &mut Group<'_>,
        found: &mut Found,
    ) -> Result<Result<(), cluster::Error>, Error> {
        let mut pages =
            self.context.cluster.list(kind, &ListScope { namespace, label_selector: None });
        loop {
            let page = match pages.try_next().await {
                Ok(Some(page)) => page,
                Ok(None) => return Ok(Ok(())),
                Err(error) if error.is_unreachable() => return Err(Error::Cluster(error)),
                Err(error) => return Ok(Err(error)),
            };
            for listed in &page.items {
                let (namespace, name) = (listed.meta.namespace.as_deref(), &listed.meta.name);
                let original = self.original(kind, name);
                let entry = left.take(namespace, original.unwrap_or(name));
                found.take(self.judge(kind, entry, listed)?);
            }
        }
    }

    /// Compares a live object with that of the backup, if this holds it.
    fn judge(
        &self,
        kind: &Kind,
        entry: Option<Entry<'_>>,
        listed: &Listed,
    ) -> Result<Finding, Error> {
        let (namespace, name) = (listed.meta.namespace.clone(), listed.meta.name.clone());
        let id = ItemId { resource: kind.resource.clone(), namespace, name };
        let live = parsed(&listed.json);
        let Some(entry) = entry else {
            let is_added = self.would_be_backed_up(kind, &live);
            let added = is_added.then(|| Finding::of_one_side(ChangeKind::Added, id));
            return Ok(added.unwrap_or(Finding::Ignored));
        };
        let Some(read) = self.read(entry)? else { return Ok(Finding::Ignored) };
        let mut object = read.object;
        autoscaled::keep_replicas(&self.autoscaled, &id, &mut object, &live.object);
        if id.resource == GroupResource::core("persistentvolumeclaims") {
            self.restored.follow(&mut object, &live.object);
        }
        let mut fields = compared(&id, object, &live.object);
        if self.original(kind, &id.name).is_some() {
            without_disk(&mut fields, &live.object);
        }
        Ok(Finding::of_fields(id, fields))
    }

    /// Whether an object that only the cluster has is within what was backed up.
    fn would_be_backed_up(&self, kind: &Kind, live: &Read) -> bool {
        let Some(filters) = &self.backed_up else { return false };
        let selects = |namespace: &str, name: &str| {
            let id = ItemId::namespaced(GroupResource::core("services"), namespace, name);
            // A service that the backup does not hold is told itself.
            self.opened.contents.find(&id).is_none() || selects(self.opened, namespace, name)
        };
        filters.includes_item(kind, &live.meta)
            && !live.meta.is_excluded()
            && self.scope.has(kind, &live.meta, &live.object, &selects)
    }

    fn read(&self, entry: Entry<'_>) -> Result<Option<Read>, Error> {
        read(self.opened, &self.known, &self.scope, entry)
    }
}
