//! What the tables of kinds say of an object, before the target is looked at.

use std::borrow::Cow;
use std::collections::BTreeSet;

use bowline_api::{GroupResource, ItemId};

use super::Preparation;
use super::error::Error;
use super::plan::{Row, Verdict, api_version};
use super::preflight::{Ready, Request};
use super::prepare;
use super::select::{self, Selected, damaged};
use crate::engine::archive::Entry;
use crate::engine::model::kinds::{self, Step};
use crate::engine::model::{Meta, Object};

/// The resources that a definition in the archive, or in the target, makes.
pub(super) fn custom_kinds(ready: &Ready) -> BTreeSet<GroupResource> {
    let definitions = GroupResource::new("apiextensions.k8s.io", "customresourcedefinitions");
    let entries = ready.opened.contents.entries().filter(|entry| *entry.resource() == definitions);
    entries.filter_map(|entry| entry.name().parse().ok()).collect()
}

/// What deciding by the tables alone needs.
pub(super) struct Tables<'a, 't> {
    pub ready: &'a Ready,
    pub request: &'t Request,
    pub custom: BTreeSet<GroupResource>,
    pub preparation: &'t Preparation,
}

impl<'a> Tables<'a, '_> {
    /// Decides by the tables alone, before the target is looked at.
    pub(super) fn classify(&self, selected: Selected<'a>) -> Result<Row<'a>, Error> {
        let Selected { entry, meta } = selected;
        let id = entry.id();
        let entry = self.in_served_version(entry);
        let (_, object) =
            select::read(self.ready, entry).map_err(|cause| damaged(self.ready, cause))?;
        let (step, _) = kinds::step(&id.resource, self.custom.contains(&id.resource));
        let mut row = Row {
            entry,
            step,
            verdict: Verdict::Create,
            reason: Cow::Borrowed(""),
            uid: meta.uid.clone(),
            live_uid: None,
            ours: false,
            hint: None,
            first: false,
            child: None,
        };
        if let Some(reason) = self.never(&id, &meta, &object) {
            row.decide(Verdict::Skip, reason);
        } else if !is_served(self.ready, &self.custom, &entry) {
            row.decide(Verdict::Refuse, not_served(self.ready, &entry));
        } else {
            row.first = step == Step::Services && self.names_its_ports(&id, object);
            row.child = (!meta.owner_references.is_empty()).then(|| Box::new(meta));
        }
        Ok(row)
    }

    /// The object in the version that the source preferred, or else in one that the target serves.
    ///
    /// Velero writes others, too, where it was told to (`EnableAPIGroupVersions`).
    fn in_served_version(&self, entry: Entry<'a>) -> Entry<'a> {
        if is_served(self.ready, &self.custom, &entry) {
            return entry;
        }
        let id = entry.id();
        let mut versions = self.ready.opened.contents.versions(&id);
        versions.find(|it| is_served(self.ready, &self.custom, it)).unwrap_or(entry)
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
        kinds::never_restored_object(id, meta, object, &selects)
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

/// Whether the target takes this kind in this version, now or once its definition is restored.
fn is_served(ready: &Ready, custom: &BTreeSet<GroupResource>, entry: &Entry<'_>) -> bool {
    let version = api_version(entry.resource(), entry.version());
    ready.catalog.serves(entry.resource(), &version)
        || (custom.contains(entry.resource()) && ready.catalog.get(entry.resource()).is_none())
}

fn not_served(ready: &Ready, entry: &Entry<'_>) -> String {
    let wanted = api_version(entry.resource(), entry.version());
    match ready.catalog.get(entry.resource()) {
        Some(kind) => format!(
            "the backup holds it as {wanted}, which the target does not serve; it serves {}",
            kind.api_version()
        ),
        None => format!("the target does not serve {} ({wanted})", entry.resource()),
    }
}
