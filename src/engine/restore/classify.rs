//! What the tables of kinds say of an object, before the target is looked at.

use std::collections::BTreeSet;

use bowline_api::{GroupResource, ItemId};

use super::Preparation;
use super::error::Error;
use super::jobs;
use super::plan::{Turn, Verdict};
use super::preflight::{Ready, Request};
use super::prepare;
use super::row::Row;
use super::select;
use super::staging::services;
use super::versions::{self, Versions};
use crate::engine::archive::Entry;
use crate::engine::model::fields::text_at;
use crate::engine::model::kinds::{self, Step};
use crate::engine::model::{Meta, Object};

/// The resources that a definition in the archive, or in the target, makes.
pub(super) fn custom_kinds(ready: &Ready) -> BTreeSet<GroupResource> {
    let definitions = GroupResource::new("apiextensions.k8s.io", "customresourcedefinitions");
    let entries = ready.opened.contents.entries().filter(|entry| *entry.resource() == definitions);
    entries.filter_map(|entry| entry.name().parse().ok()).collect()
}

/// What to do about objects whose API nobody answers for.
const UNANSWERED: &str = "repair what serves it, or delete its APIService, and restore again";

/// What deciding by the tables alone needs.
pub(super) struct Tables<'a, 't> {
    pub ready: &'a Ready,
    pub request: &'t Request,
    pub versions: &'t Versions,
    pub preparation: &'t Preparation,
}

impl<'a> Tables<'a, '_> {
    /// Decides by the tables alone, before the target is looked at.
    pub(super) fn classify(&self, entry: Entry<'a>) -> Result<Row<'a>, Error> {
        let id = entry.id();
        let entry = self.versions.choose(self.ready, entry);
        let (meta, object) =
            select::read(self.ready, entry).map_err(|it| select::damaged(self.ready, it))?;
        let (step, _) = kinds::step(&id.resource, self.versions.is_custom(&id.resource));
        let mut row = Row::new(entry, step);
        row.finished = self.comes_back_finished(&id, &object);
        if let Some(reason) = self.never(&id, &meta, &object) {
            row.decide(Verdict::Skip, reason);
        } else if !self.versions.serves(self.ready, &entry) {
            row.decide(Verdict::Refuse, versions::not_served(self.ready, &entry));
            row.more_mut().hint = self.hint(&id);
        } else {
            if step == Step::Services && self.names_its_ports(&id, object) {
                row.turn = Turn::First;
            }
            if !meta.owner_references.is_empty() {
                row.more_mut().owners = meta.owner_references;
            }
        }
        Ok(row)
    }

    /// What would help where the target does not serve a kind.
    fn hint(&self, id: &ItemId) -> Option<&'static str> {
        if unanswered(self.ready, &id.resource.group).is_some() {
            return Some(UNANSWERED);
        }
        self.ready.catalog.get(&id.resource).map(|_| versions::OTHER_VERSIONS)
    }

    /// Why an object never comes back, if it does not.
    fn never(&self, id: &ItemId, meta: &Meta, object: &Object) -> Option<&'static str> {
        if let Some(reason) = kinds::never_restored(&id.resource) {
            return Some(reason);
        }
        let namespace = id.namespace.as_ref().or_else(|| is_namespace(id).then_some(&id.name));
        let named = |namespace: &String| self.request.spec.included_namespaces.contains(namespace);
        if namespace.is_some_and(|name| kinds::only_when_named(name) && !named(name)) {
            return Some(
                "every cluster has its own; it comes back only where its namespace is named",
            );
        }
        let selects = |namespace: &str, name: &str| service_selects(self.ready, namespace, name);
        let reason = kinds::never_restored_object(id, meta, object, &selects);
        reason.filter(|_| !self.comes_back_finished(id, object))
    }

    /// Whether it is a job that had finished, and is to be restored as finished.
    fn comes_back_finished(&self, id: &ItemId, object: &Object) -> bool {
        self.request.spec.restore_finished_jobs && jobs::had_finished(id, object)
    }

    fn names_its_ports(&self, id: &ItemId, service: Object) -> bool {
        let service = prepare::prepare(id, service, self.preparation).object;
        let ports = service.get("spec").and_then(|spec| spec.get("ports")?.as_array());
        ports.into_iter().flatten().any(|port| port.get("nodePort").is_some())
    }
}

fn is_namespace(id: &ItemId) -> bool {
    id.resource == GroupResource::core("namespaces")
}

/// Whether the archive's service of this name selects its own pods.
fn service_selects(ready: &Ready, namespace: &str, name: &str) -> bool {
    let id = ItemId::namespaced(GroupResource::core("services"), namespace, name);
    let selector = |object: Object| {
        object.get("spec")?.get("selector")?.as_object().map(|selector| !selector.is_empty())
    };
    let found = ready.opened.contents.find(&id).and_then(|entry| select::read(ready, entry).ok());
    found.and_then(|(_, object)| selector(object)).unwrap_or(false)
}

/// The aggregated APIs, by group and version, that objects which are meant register.
pub(super) fn aggregated_apis(
    ready: &Ready,
    selected: &[Entry<'_>],
) -> Result<BTreeSet<(String, String)>, Error> {
    let resource = GroupResource::new("apiregistration.k8s.io", "apiservices");
    let mut apis = BTreeSet::new();
    for entry in selected.iter().filter(|it| *it.resource() == resource) {
        let object = select::object(ready, *entry)?;
        let text = |key| text_at(&object, &["spec", key]).map(str::to_owned);
        let api = text("group").zip(text("version"));
        apis.extend(api.filter(|_| !services(&entry.id(), &object).is_empty()));
    }
    Ok(apis)
}

/// Why nobody answers for an API group of the target, if so.
pub(super) fn unanswered<'a>(ready: &'a Ready, group: &str) -> Option<&'a str> {
    let found = ready.catalog.unavailable.iter().find(|(name, _)| name == group);
    found.map(|(_, reason)| reason.as_str())
}
