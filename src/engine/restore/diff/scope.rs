//! Which objects are compared.

use std::collections::BTreeSet;

use bowline_api::{GroupResource, ItemId};

use super::super::children::is_remade;
use super::super::error::Error;
use super::super::open::Opened;
use super::super::{Preparation, compare, prepare};
use crate::engine::archive::Entry;
use crate::engine::model::difference::{self, Difference};
use crate::engine::model::fields::{set_text, text_at};
use crate::engine::model::filter::{Filters, KindLists, NamespaceFilter, closest};
use crate::engine::model::selector::Selectors;
use crate::engine::model::{Catalog, Kind, Meta, Object, kinds};

/// Which objects shall be compared; by default all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Namespaces that are taken; globs.
    pub included_namespaces: Vec<String>,
    /// Namespaces that are left out; globs.
    pub excluded_namespaces: Vec<String>,
    /// Resources that are taken.
    pub included_resources: Vec<String>,
    /// Resources that are left out.
    pub excluded_resources: Vec<String>,
    /// Whether cluster-scoped resources are taken.
    pub include_cluster_resources: Option<bool>,
    /// Which objects are taken, by label.
    pub selectors: Selectors,
}

/// What the words of a filter mean, and what is never compared.
#[derive(Debug)]
pub(super) struct Scope {
    pub filters: Filters,
    /// The namespaces that were named: of the cluster's own, only these are compared.
    named: Vec<String>,
}

impl Scope {
    pub(super) fn new(filter: &Filter, catalog: &Catalog) -> Result<Self, Error> {
        let lists = KindLists {
            included: &filter.included_resources,
            excluded: &filter.excluded_resources,
            include_cluster_resources: filter.include_cluster_resources,
            ..KindLists::default()
        };
        let filters = Filters {
            namespaces: NamespaceFilter::new(
                &filter.included_namespaces,
                &filter.excluded_namespaces,
            )?,
            kinds: lists.resolve(catalog)?,
            selectors: filter.selectors.clone(),
        };
        Ok(Self { filters, named: filter.included_namespaces.clone() })
    }

    /// Checks that every namespace that was named is in one of these backups.
    pub(super) fn check_namespaces(&self, backups: &[&Opened]) -> Result<(), Error> {
        let entries = backups.iter().flat_map(|opened| opened.contents.entries());
        let known: BTreeSet<&str> = entries
            .filter_map(|entry| {
                let is_namespace = is_namespaces(entry.resource());
                entry.namespace().or_else(|| is_namespace.then(|| entry.name()))
            })
            .collect();
        let filter = &self.filters.namespaces;
        if let Some(name) = filter.literals().find(|name| !known.contains(name)) {
            let similar = closest(name, known.iter().copied()).map(str::to_owned);
            return Err(Error::UnknownNamespace { name: name.to_owned(), similar });
        }
        match filter.unmatched(&known.iter().copied()) {
            Some(pattern) => Err(Error::NoSuchNamespace { pattern: pattern.to_owned() }),
            None => Ok(()),
        }
    }

    /// Whether any object of this kind is compared.
    pub(super) fn has_kind(&self, kind: &Kind) -> bool {
        kinds::never_restored(&kind.resource).is_none() && self.filters.includes_kind(kind)
    }

    /// Whether anything in this namespace is compared.
    pub(super) fn has_namespace(&self, namespace: &str) -> bool {
        let is_own = kinds::only_when_named(namespace);
        self.filters.namespaces.includes(namespace)
            && (!is_own || self.named.iter().any(|named| named == namespace))
    }

    /// Whether this object is compared: it is meant, and a restore would bring it back.
    ///
    /// `selects` tells whether the Service of this namespace and name selects its own pods.
    pub(super) fn has(
        &self,
        kind: &Kind,
        meta: &Meta,
        object: &Object,
        selects: &dyn Fn(&str, &str) -> bool,
    ) -> bool {
        let (resource, name) = (kind.resource.clone(), meta.name.clone());
        let id = ItemId { resource, namespace: meta.namespace.clone(), name };
        let namespace =
            if is_namespaces(&id.resource) { Some(&id.name) } else { id.namespace.as_ref() };
        self.has_kind(kind)
            && namespace.is_none_or(|namespace| self.has_namespace(namespace))
            && self.filters.includes_item(kind, meta)
            && !is_remade(&id, meta)
            && kinds::never_restored_object(&id, meta, object, selects).is_none()
    }
}

fn is_namespaces(resource: &GroupResource) -> bool {
    *resource == GroupResource::core("namespaces")
}

/// An object of an archive, read.
pub(super) struct Read {
    pub meta: Meta,
    pub object: Object,
}

/// Reads an object of a backup if it is compared.
pub(super) fn read(
    opened: &Opened,
    catalog: &Catalog,
    scope: &Scope,
    entry: Entry<'_>,
) -> Result<Option<Read>, Error> {
    let Some(kind) = catalog.get(entry.resource()).filter(|kind| scope.has_kind(kind)) else {
        return Ok(None);
    };
    if entry.namespace().is_some_and(|namespace| !scope.has_namespace(namespace)) {
        return Ok(None);
    }
    let read = read_entry(opened, entry)?;
    let selects = |namespace: &str, name: &str| selects(opened, namespace, name);
    let is_compared = scope.has(kind, &read.meta, &read.object, &selects);
    Ok(is_compared.then_some(read))
}

/// Reads an object of a backup.
pub(super) fn read_entry(opened: &Opened, entry: Entry<'_>) -> Result<Read, Error> {
    let json = opened.contents.read(entry).map_err(|source| damaged(opened, source))?;
    Ok(parsed(&json))
}

/// An object and its metadata.
pub(super) fn parsed(json: &[u8]) -> Read {
    // Archives and lists have checked that it is an object.
    let object: Object = serde_json::from_slice(json).unwrap_or_default();
    let meta = object.get("metadata").cloned().unwrap_or_default();
    Read { meta: serde_json::from_value(meta).unwrap_or_default(), object }
}

/// Whether the backup's service of this name selects its own pods.
pub(super) fn selects(opened: &Opened, namespace: &str, name: &str) -> bool {
    let id = ItemId::namespaced(GroupResource::core("services"), namespace, name);
    let json = opened.contents.find(&id).and_then(|entry| opened.contents.read(entry).ok());
    let service = json.map(|json| parsed(&json).object).unwrap_or_default();
    let selector = service.get("spec").and_then(|spec| spec.get("selector")?.as_object());
    selector.is_some_and(|selector| !selector.is_empty())
}

/// Where two objects of a name differ in what somebody meant.
pub(super) fn compared(id: &ItemId, from: Object, to: &Object) -> Vec<Difference> {
    let is_claim = id.resource == GroupResource::core("persistentvolumeclaims");
    let volumes = if is_claim { volume_differences(&id.resource, &from, to) } else { Vec::new() };
    // Nothing is mapped or renamed, and no volume is made: each comes back as itself.
    let prepared = prepare::prepare(id, from, &Preparation::default());
    let mut fields = compare::differences(id, &prepared.object, to);
    fields.retain(|field| !volumes.iter().any(|volume| volume.path == field.path));
    fields.extend(volumes);
    fields
}

/// What a claim is about, which a restore decides for itself: its volume, and how much it asked for.
fn volume_differences(resource: &GroupResource, from: &Object, to: &Object) -> Vec<Difference> {
    let [from, to] = [from, to].map(|claim| {
        let mut of_volume = Object::new();
        for path in [&["spec", "volumeName"][..], &["spec", "resources", "requests", "storage"]] {
            if let Some(text) = text_at(claim, path) {
                set_text(&mut of_volume, path, text);
            }
        }
        of_volume
    });
    difference::differences(resource, &from, &to)
}

pub(super) fn damaged(opened: &Opened, source: crate::engine::archive::Error) -> Error {
    Error::of_archive(&opened.backup.metadata.name, source)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_claim_on_another_volume_or_of_another_size_is_not_the_same() {
        let claim = |volume: &str, size: &str| {
            let claim = json!({"metadata": {}, "status": {"phase": "Bound"}, "spec":
                {"volumeName": volume, "resources": {"requests": {"storage": size}}}});
            serde_json::from_value::<Object>(claim).unwrap()
        };
        let paths = |from: Object, to: Object| -> Vec<(String, Value)> {
            let id = "persistentvolumeclaims/shop/data".parse().unwrap();
            let found = compared(&id, from, &to);
            found.into_iter().map(|it| (it.path, it.cluster)).collect()
        };
        let was = || claim("pvc-1", "1Gi");
        assert_eq!(paths(was(), was()), []);
        let other = ("/spec/volumeName".to_owned(), json!("pvc-2"));
        assert_eq!(paths(was(), claim("pvc-2", "1Gi")), [other]);
        let grown = ("/spec/resources/requests/storage".to_owned(), json!("2Gi"));
        assert_eq!(paths(was(), claim("pvc-1", "2Gi")), [grown]);
    }
}
