//! The kinds that a restore understands: those of the target, and those of the archive.

use std::collections::BTreeMap;

use bowline_api::{GroupResource, ItemId};
use serde::Deserialize;

use super::open::Opened;
use crate::engine::archive::Entry;
use crate::engine::model::kinds::built_in;
use crate::engine::model::relations::definition_of;
use crate::engine::model::{Catalog, Kind};

/// What the target serves, and what only the archive knows.
///
/// A word such as `widgets` must be understood although its definition is yet to be restored.
pub(super) fn kinds(catalog: &Catalog, opened: &Opened) -> Catalog {
    let mut firsts: BTreeMap<&GroupResource, Entry<'_>> = BTreeMap::new();
    for entry in opened.contents.entries() {
        firsts.entry(entry.resource()).or_insert(entry);
    }
    let unknown = firsts.into_values().filter(|entry| catalog.get(entry.resource()).is_none());
    let mut known = catalog.clone();
    known.kinds.extend(unknown.map(|entry| kind(opened, entry)));
    known
}

/// A kind as its definition in the archive describes it, or, without one, an object of it.
fn kind(opened: &Opened, entry: Entry<'_>) -> Kind {
    let DefinedNames { kind, singular, short_names } = names(opened, entry).unwrap_or_default();
    Kind {
        resource: entry.resource().clone(),
        version: entry.version().to_owned(),
        kind: if kind.is_empty() { kind_of(opened, entry) } else { kind },
        singular,
        short_names,
        namespaced: entry.namespace().is_some(),
        verbs: Vec::new(),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DefinedNames {
    kind: String,
    singular: String,
    short_names: Vec<String>,
}

fn names(opened: &Opened, entry: Entry<'_>) -> Option<DefinedNames> {
    #[derive(Deserialize)]
    struct Definition {
        spec: Spec,
    }
    #[derive(Deserialize)]
    struct Spec {
        names: DefinedNames,
    }
    let definition = definition_of(entry.resource());
    let json = opened.contents.read(opened.contents.find(&definition)?).ok()?;
    serde_json::from_slice(&json).map(|it: Definition| it.spec.names).ok()
}

/// Whether only an object itself tells what kind it is of.
pub(super) fn is_told_by_objects(resource: &GroupResource, has: impl Fn(&ItemId) -> bool) -> bool {
    built_in(resource).is_none() && !has(&definition_of(resource))
}

/// The kind that an object of the archive says it is; empty where it cannot be read.
fn kind_of(opened: &Opened, entry: Entry<'_>) -> String {
    #[derive(Deserialize)]
    struct Item {
        kind: String,
    }
    if let Some(known) = built_in(entry.resource()) {
        // No archive with another one is read.
        return known.kind.to_owned();
    }
    let json = opened.contents.read(entry).unwrap_or_default();
    serde_json::from_slice(&json).map(|item: Item| item.kind).unwrap_or_default()
}
