//! What a backup's records name and its archive does not hold.
//!
//! Velero lists an object before it is written. Where anything fails, the snapshot of a volume above
//! all, neither that object nor those that led to it are written: the volume, its claim and the pod.

use std::collections::{BTreeMap, BTreeSet};

use bowline_api::{GroupResource, ItemId};

use super::claims::claims;
use super::open::Opened;
use super::plan::Verdict;
use super::preflight::{Ready, Request};
use crate::engine::model::kinds;
use crate::engine::model::results::Subject;
use crate::engine::model::volume::VolumeInfo;
use crate::engine::model::{Catalog, Kind};
use crate::engine::report::Phase;

/// What is asked of the list of a backup's objects: names by kind, as `apps/v1/Deployment`.
pub(super) type Listed = BTreeMap<String, Vec<String>>;

/// An object that the backup should hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Missing {
    pub id: ItemId,
    /// Refused; or skipped, where nothing says that it failed.
    pub verdict: Verdict,
    pub reason: String,
}

/// The objects that a list names and the archive does not hold.
pub(super) fn of_list(opened: &Opened, catalog: &Catalog, listed: &Listed) -> Vec<ItemId> {
    let ids = listed.iter().flat_map(|(kind, names)| {
        let resource = resource_of(catalog, kind);
        names.iter().map(move |name| match name.split_once('/') {
            Some((namespace, name)) => ItemId::namespaced(resource.clone(), namespace, name),
            None => ItemId::cluster(resource.clone(), name),
        })
    });
    ids.filter(|id| opened.contents.find(id).is_none()).collect()
}

/// The resource of `apps/v1/Deployment`; one that nobody knows is called by its kind.
fn resource_of(catalog: &Catalog, listed: &str) -> GroupResource {
    let (api_version, kind) = listed.rsplit_once('/').unwrap_or(("", listed));
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let is_it = |it: &&Kind| it.kind == kind && it.resource.group == group;
    match catalog.kinds.iter().find(is_it) {
        Some(kind) => kind.resource.clone(),
        None => GroupResource::new(group, kind.to_ascii_lowercase()),
    }
}

/// Decides what is said of each object that is missing, and meant.
pub(super) fn plan(ready: &Ready, request: &Request) -> Vec<Missing> {
    let claims = ready.opened.volumes.values().filter_map(|info| failed_claim(&ready.opened, info));
    let all: BTreeSet<ItemId> = ready.lost.iter().cloned().chain(claims).collect();
    let meant = all.iter().filter(|id| is_meant(ready, request, id));
    meant.map(|id| missing(ready, &all, id)).collect()
}

/// The claim of a volume whose data was not kept, if the claim is not in the archive either.
fn failed_claim(opened: &Opened, info: &VolumeInfo) -> Option<ItemId> {
    let is_kept = info.backup_method.is_some() && info.result.as_deref() != Some("failed");
    let id = claim_of(info).filter(|_| !is_kept)?;
    opened.contents.find(&id).is_none().then_some(id)
}

fn claim_of(info: &VolumeInfo) -> Option<ItemId> {
    let (namespace, name) = info.pvc_namespace.as_deref().zip(info.pvc_name.as_deref())?;
    let is_named = !namespace.is_empty() && !name.is_empty();
    is_named.then(|| ItemId::namespaced(claims(), namespace, name))
}

/// A volume is told with its claim.
fn is_meant(ready: &Ready, request: &Request, id: &ItemId) -> bool {
    if kinds::never_restored(&id.resource).is_some() || volume_info(ready, id).is_some() {
        return false;
    }
    let namespaces = &ready.filters.namespaces;
    let Some(namespace) = id.namespace.as_ref() else {
        return namespaces.is_everything() && allows(ready, id);
    };
    let named = request.spec.included_namespaces.contains(namespace);
    (named || !kinds::only_when_named(namespace))
        && namespaces.includes(namespace)
        && allows(ready, id)
}

fn allows(ready: &Ready, id: &ItemId) -> bool {
    let kind = ready.known.get(&id.resource);
    kind.is_none_or(|kind| ready.filters.allows_related(kind, id.namespace.as_deref()))
}

/// What is known of a volume that has a claim.
fn volume_info<'a>(ready: &'a Ready, id: &ItemId) -> Option<&'a VolumeInfo> {
    let is_volume = id.resource == GroupResource::core("persistentvolumes");
    let info = is_volume.then(|| ready.opened.volumes.get(&id.name)).flatten();
    info.filter(|info| claim_of(info).is_some())
}

fn missing(ready: &Ready, all: &BTreeSet<ItemId>, id: &ItemId) -> Missing {
    let backup = &ready.opened.backup;
    let is_partial = backup.phase() == Phase::PartiallyFailed;
    // With a selector nobody knows whether an object that is not there would be meant.
    let verdict = if is_partial && ready.filters.selectors.is_everything() {
        Verdict::Refuse
    } else {
        Verdict::Skip
    };
    let reasons = reasons(ready, all, id);
    let reason = match reasons.as_slice() {
        [] => "it is not in the backup, although its list of objects names it".to_owned(),
        reasons => format!("it is not in the backup: {}", reasons.join("; ")),
    };
    Missing { id: id.clone(), verdict, reason }
}

/// What was recorded of it, or else of what is missing beside it.
fn reasons(ready: &Ready, all: &BTreeSet<ItemId>, id: &ItemId) -> Vec<String> {
    let opened = &ready.opened;
    let text = id.to_string();
    let info = opened.volumes.values().find(|info| claim_of(info).as_ref() == Some(id));
    let volume = info.map_or("", |info| info.pv_name.as_str());
    let snapshot = opened.snapshots.get(volume);
    let disk = snapshot.map_or("", |snapshot| snapshot.spec.provider_volume_id.as_str());
    let own = Subject {
        namespace: id.namespace.as_deref(),
        names: vec![&id.name, volume],
        marks: vec![&text, volume, disk],
    };
    let mut reasons = opened.others.results.errors_about(&own);
    if reasons.is_empty() {
        let beside = all.iter().filter(|it| it.namespace == id.namespace);
        let names = beside.map(|it| it.name.as_str()).collect();
        reasons = opened.others.results.errors_about(&Subject { names, marks: Vec::new(), ..own });
    }
    let skipped = info.and_then(|info| info.skipped_reason.as_deref());
    reasons.extend(skipped.map(|reason| {
        format!("its volume {volume} was not backed up: {}", reason.trim_end_matches(';'))
    }));
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_of_a_list_is_known_by_its_group_and_otherwise_by_its_name() {
        let kind = |group: &str, plural: &str, name: &str| Kind {
            resource: GroupResource::new(group, plural),
            version: "v1".to_owned(),
            kind: name.to_owned(),
            singular: String::new(),
            short_names: Vec::new(),
            namespaced: true,
            verbs: Vec::new(),
        };
        let kinds = vec![
            kind("", "services", "Service"),
            kind("serving.knative.dev", "services", "Service"),
            kind("apps", "deployments", "Deployment"),
        ];
        let catalog = Catalog { kinds, ..Catalog::default() };
        for (listed, resource) in [
            ("v1/Service", "services"),
            ("serving.knative.dev/v1/Service", "services.serving.knative.dev"),
            ("apps/v1/Deployment", "deployments.apps"),
            ("example.com/v1/Widget", "widget.example.com"),
        ] {
            assert_eq!(resource_of(&catalog, listed).to_string(), resource);
        }
    }
}
