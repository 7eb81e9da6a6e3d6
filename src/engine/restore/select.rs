//! Which objects of the archive are meant: by the filters, and because another one needs them.

use std::collections::BTreeSet;

use bowline_api::{GroupResource, ItemId};
use serde::Deserialize as _;
use serde_json::{Map, Value};

use super::error::{Cause, Error};
use super::preflight::Ready;
use crate::engine::archive::Entry;
use crate::engine::model::relations::{
    Relation, binding_names_account, definition_of, has_relations, namespace_of, relations,
};
use crate::engine::model::{Kind, Meta};

/// Reads one object and its metadata.
pub(super) fn read(ready: &Ready, entry: Entry<'_>) -> Result<(Meta, Map<String, Value>), Cause> {
    let json = ready.opened.contents.read(entry)?;
    // The reader has checked that it is an object of this name.
    let object: Map<String, Value> = serde_json::from_slice(&json).unwrap_or_default();
    let meta = object.get("metadata").and_then(|meta| Meta::deserialize(meta).ok());
    Ok((meta.unwrap_or_default(), object))
}

/// Reads the metadata of one object alone: what else there is need not be parsed.
fn read_meta(ready: &Ready, entry: Entry<'_>) -> Result<Meta, Cause> {
    #[derive(serde::Deserialize)]
    struct Head {
        metadata: Meta,
    }
    let json = ready.opened.contents.read(entry)?;
    Ok(serde_json::from_slice(&json).map(|head: Head| head.metadata).unwrap_or_default())
}

/// Reads one object while it is planned: an archive that cannot be read ends that.
pub(super) fn object(ready: &Ready, entry: Entry<'_>) -> Result<Map<String, Value>, Error> {
    read(ready, entry).map(|(_, object)| object).map_err(|cause| damaged(ready, cause))
}

/// Selects objects, in the archive's order.
pub(super) fn select(ready: &Ready) -> Result<Vec<Entry<'_>>, Error> {
    let contents = &ready.opened.contents;
    let chosen = vec![false; contents.len()];
    let mut selection = Selection { ready, chosen, accounts: BTreeSet::new() };
    selection.run().map_err(|cause| damaged(ready, cause))?;
    let mut entries = Vec::with_capacity(selection.chosen.iter().filter(|it| **it).count());
    entries.extend(contents.entries().filter(|entry| selection.chosen[entry.index()]));
    Ok(entries)
}

pub(super) fn damaged(ready: &Ready, cause: Cause) -> Error {
    let name = &ready.opened.backup.metadata.name;
    match cause {
        Cause::Archive(source) => Error::of_archive(name, source),
        other => Error::Broken { name: name.clone(), source: Box::new(other) },
    }
}

/// Whether an object is meant only as the home of others: a namespace that the filters leave out.
pub(super) fn is_home_only(ready: &Ready, id: &ItemId) -> bool {
    let allows = |kind: &Kind| ready.filters.allows_related(kind, None);
    is_namespace(id) && !ready.known.get(&id.resource).is_some_and(allows)
}

fn is_namespace(id: &ItemId) -> bool {
    id.resource == GroupResource::core("namespaces")
}

struct Selection<'a> {
    ready: &'a Ready,
    /// Whether it is chosen, for each entry.
    chosen: Vec<bool>,
    accounts: BTreeSet<(String, String)>,
}

impl Selection<'_> {
    fn run(&mut self) -> Result<(), Cause> {
        let mut needed = BTreeSet::new();
        for entry in self.ready.opened.contents.entries().filter(Entry::preferred) {
            // Most of a backup may be left out, and is not read then.
            if !self.may_be_included(&entry) {
                continue;
            }
            let (meta, object) = if has_relations(entry.resource()) {
                read(self.ready, entry)?
            } else {
                (read_meta(self.ready, entry)?, Map::new())
            };
            if self.included(&entry, &meta) {
                self.choose(entry, &object, &mut needed);
            }
        }
        self.choose_bindings(&mut needed)?;
        while let Some(id) = needed.pop_first() {
            self.choose_needed(&id, &mut needed)?;
        }
        Ok(())
    }

    /// Whether an object is meant by all that its name tells.
    fn may_be_included(&self, entry: &Entry<'_>) -> bool {
        let kind = self.ready.known.get(entry.resource());
        kind.is_some_and(|kind| self.ready.filters.may_include(kind, entry.namespace()))
    }

    fn included(&self, entry: &Entry<'_>, meta: &Meta) -> bool {
        let kind = self.ready.known.get(entry.resource());
        kind.is_some_and(|kind| self.ready.filters.includes_item(kind, meta))
    }

    fn choose(
        &mut self,
        entry: Entry<'_>,
        object: &Map<String, Value>,
        needed: &mut BTreeSet<ItemId>,
    ) {
        let id = entry.id();
        needed.extend(namespace_of(&id));
        if id.resource.group.contains('.') {
            needed.insert(definition_of(&id.resource));
        }
        let relations =
            if has_relations(&id.resource) { relations(&id, object) } else { Vec::new() };
        for relation in relations {
            match relation {
                Relation::Item(id) => {
                    needed.insert(id);
                }
                Relation::BindingsOf { namespace, account } => {
                    self.accounts.insert((namespace, account));
                }
            }
        }
        self.chosen[entry.index()] = true;
    }

    /// Chooses the cluster role bindings of accounts that were chosen.
    fn choose_bindings(&mut self, needed: &mut BTreeSet<ItemId>) -> Result<(), Cause> {
        let resource = GroupResource::new("rbac.authorization.k8s.io", "clusterrolebindings");
        for entry in self.ready.opened.contents.entries().filter(Entry::preferred) {
            if *entry.resource() != resource || self.chosen[entry.index()] {
                continue;
            }
            let (_, binding) = read(self.ready, entry)?;
            let names = |(namespace, account): &(String, String)| {
                binding_names_account(&binding, namespace, account)
            };
            if self.accounts.iter().any(names) {
                needed.insert(entry.id());
            }
        }
        Ok(())
    }

    fn choose_needed(&mut self, id: &ItemId, needed: &mut BTreeSet<ItemId>) -> Result<(), Cause> {
        let found = self.ready.opened.contents.find(id).filter(|_| self.allowed(id));
        let Some(entry) = found.filter(|entry| !self.chosen[entry.index()]) else {
            return Ok(());
        };
        let (_, object) = read(self.ready, entry)?;
        self.choose(entry, &object, needed);
        Ok(())
    }

    /// Objects go into the namespace that they had, with its labels, whatever kinds are meant.
    fn allowed(&self, id: &ItemId) -> bool {
        if is_namespace(id) {
            return true;
        }
        let allowed =
            |kind: &Kind| self.ready.filters.allows_related(kind, id.namespace.as_deref());
        self.ready.known.get(&id.resource).is_some_and(allowed)
    }
}
