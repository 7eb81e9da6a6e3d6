//! What a backup's records name and its archive does not hold.
//!
//! Velero lists an object before it is written. Where anything fails, the snapshot of a volume above
//! all, neither that object nor those that led to it are written: the volume, its claim and the pod.

use std::collections::{BTreeMap, BTreeSet};

use bowline_api::{GroupResource, ItemId};

use super::claims::claims;
use super::open::Opened;
use super::plan::{EMPTY, Verdict};
use super::preflight::{Ready, Request};
use crate::engine::model::kinds;
use crate::engine::model::names::check_listed;
use crate::engine::model::results::Subject;
use crate::engine::model::volume::VolumeInfo;
use crate::engine::model::{Catalog, Kind};
use crate::engine::report::{Phase, Problem};

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

/// What a list names and the archive does not hold.
#[derive(Debug, Default)]
pub(super) struct Lost {
    pub ids: BTreeSet<ItemId>,
    /// What the list names that no object can be called, in part.
    pub impossible: Vec<String>,
    /// Whether there is a list.
    pub is_listed: bool,
}

impl Missing {
    pub(super) fn new(id: ItemId) -> Self {
        Self { id, verdict: Verdict::Refuse, reason: "it is not in the backup".to_owned() }
    }

    /// Leaves it to the set that makes it, without its data, as asked.
    pub(super) fn leave_to(&mut self, set: &ItemId) {
        self.verdict = Verdict::Skip;
        self.reason = format!("{EMPTY}: {set} makes it without its data; {}", self.reason);
    }

    pub(super) fn is_made_empty(&self) -> bool {
        self.reason.starts_with(EMPTY)
    }
}

/// The objects that a list names and the archive does not hold.
///
/// A list comes from a bucket: what can't be a name is left out, as it goes into requests.
pub(super) fn of_list(opened: &Opened, catalog: &Catalog, listed: &Listed) -> Lost {
    let mut lost = Lost { is_listed: !listed.is_empty(), ..Lost::default() };
    for (kind, names) in listed {
        let resource = resource_of(catalog, kind);
        for name in names {
            match named(&resource, name) {
                Some(id) if opened.contents.find(&id).is_none() => drop(lost.ids.insert(id)),
                Some(_) => {}
                None => lost.impossible.push(format!("{kind} {name}")),
            }
        }
    }
    lost
}

fn named(resource: &GroupResource, listed: &str) -> Option<ItemId> {
    let (namespace, name) = check_listed(listed).ok()?;
    let (resource, namespace) = (resource.clone(), namespace.map(str::to_owned));
    Some(ItemId { resource, namespace, name: name.to_owned() })
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

/// Decides what is said of each object that is missing, and meant; and what else is odd.
pub(super) fn plan(ready: &Ready, request: &Request) -> (Vec<Missing>, Vec<Problem>) {
    let mut suspects = Suspects::default();
    ready.lost.ids.iter().for_each(|id| suspects.add(&ready.opened, id, Named::InList));
    if request.spec.restore_volumes != Some(false) {
        let promised = ready.opened.lacking.iter();
        promised
            .for_each(|(id, promise)| suspects.add(&ready.opened, id, Named::Promised(promise)));
    }
    let failed = ready.opened.volumes.values().filter_map(|info| failed_claim(ready, info));
    failed.for_each(|id| suspects.add(&ready.opened, &id, Named::Failed));
    let Suspects(mut suspects) = suspects;
    suspects.retain(|id, _| is_meant(ready, request, id));
    let more = leave_some(&mut suspects);
    let telling = Telling::new(ready, &suspects);
    let missing = suspects.iter().map(|(id, suspect)| telling.missing(id, suspect)).collect();
    let warnings = [impossible(&ready.lost.impossible), more];
    (missing, warnings.into_iter().flatten().collect())
}

/// How many objects are named that are neither a claim nor a volume.
const NAMED: usize = 200;

/// Leaves what is too much to be told; says how much.
fn leave_some(suspects: &mut BTreeMap<ItemId, Suspect>) -> Option<Problem> {
    let mut others = 0;
    suspects.retain(|id, _| {
        others += usize::from(!holds_data(&id.resource));
        holds_data(&id.resource) || others <= NAMED
    });
    let more = others.checked_sub(NAMED).filter(|more| *more > 0)?;
    let message = format!("{more} more objects are in the backup's list and not in its archive");
    Some(Problem::of_run("plan", message))
}

fn impossible(names: &[String]) -> Option<Problem> {
    let first = names.first()?;
    let message = format!(
        "the backup's list of objects holds {} names that no object can have, such as \"{}\"; they \
         are ignored",
        names.len(),
        first.escape_debug()
    );
    Some(Problem::of_run("open", message))
}

fn persistent_volumes() -> GroupResource {
    GroupResource::core("persistentvolumes")
}

/// Whether objects of this kind lead to the data of a volume.
fn holds_data(resource: &GroupResource) -> bool {
    *resource == claims() || *resource == persistent_volumes()
}

/// What makes it missing.
#[derive(Debug, Default)]
struct Suspect {
    /// The words of a promise that the archive does not keep, as the end of a sentence.
    promise: Option<String>,
    /// Whether the list names it, or the volume that it stands for.
    is_listed: bool,
}

/// Who names an object that is missing.
#[derive(Clone, Copy)]
enum Named<'a> {
    InList,
    /// The record of a volume that was not kept.
    Failed,
    /// A record of what was kept, in these words.
    Promised(&'a str),
}

/// What may be missing. A volume is told with its claim.
#[derive(Default)]
struct Suspects(BTreeMap<ItemId, Suspect>);

impl Suspects {
    fn add(&mut self, opened: &Opened, id: &ItemId, by: Named<'_>) {
        let info = (id.resource == persistent_volumes()).then(|| opened.volumes.get(&id.name));
        let claim = info.flatten().and_then(VolumeInfo::claim);
        // Otherwise that claim is refused, with the same words.
        if claim.as_ref().is_some_and(|claim| opened.contents.find(claim).is_some()) {
            return;
        }
        let of_volume = claim.as_ref().map(|_| format!(", nor is its volume {}", id.name));
        let suspect = self.0.entry(claim.unwrap_or_else(|| id.clone())).or_default();
        match by {
            Named::InList => suspect.is_listed = true,
            Named::Failed => {}
            Named::Promised(promise) => {
                let of_volume = of_volume.unwrap_or_default();
                suspect.promise = Some(format!("{of_volume}, although {promise}"));
            }
        }
    }
}

/// The claim of a volume whose data was not kept, if the claim is not in the archive either.
///
/// Velero records the claim of every volume, also where claims were left out: only where it says
/// that the volume failed, or where no list tells which objects there were, is that one missed.
fn failed_claim(ready: &Ready, info: &VolumeInfo) -> Option<ItemId> {
    let is_failed = info.result.as_deref() == Some("failed");
    let is_missed = is_failed || !info.is_kept() && !ready.lost.is_listed;
    let id = info.claim().filter(|_| is_missed)?;
    ready.opened.contents.find(&id).is_none().then_some(id)
}

/// The claims of volumes whose data was kept, as far as the archive does not hold them.
pub(super) fn kept_claims(opened: &Opened) -> impl Iterator<Item = ItemId> {
    let is_kept =
        |info: &&VolumeInfo| info.is_kept() || opened.snapshots.contains_key(&info.pv_name);
    let claims = opened.volumes.values().filter(is_kept).filter_map(VolumeInfo::claim);
    claims.filter(|claim| opened.contents.find(claim).is_none())
}

fn is_meant(ready: &Ready, request: &Request, id: &ItemId) -> bool {
    if kinds::never_restored(&id.resource).is_some() {
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

/// What is known to tell of what is missing.
struct Telling<'a> {
    opened: &'a Opened,
    is_partial: bool,
    /// With a selector nobody knows whether an object that is not there would be meant.
    is_everything: bool,
    by_claim: BTreeMap<ItemId, &'a VolumeInfo>,
    /// What is recorded of anything that is missing, by its namespace.
    beside: BTreeMap<Option<String>, Vec<String>>,
}

impl<'a> Telling<'a> {
    fn new(ready: &'a Ready, all: &BTreeMap<ItemId, Suspect>) -> Self {
        let opened = &ready.opened;
        let by_claim = opened.volumes.values().filter_map(|info| Some((info.claim()?, info)));
        let mut names: BTreeMap<Option<String>, BTreeSet<&str>> = BTreeMap::new();
        for id in all.keys() {
            names.entry(id.namespace.clone()).or_default().insert(&id.name);
        }
        let told = |(namespace, names): (Option<String>, BTreeSet<&str>)| {
            let subject = Subject { namespace: namespace.as_deref(), names, marks: Vec::new() };
            let errors = opened.others.results.errors_about(&subject);
            (namespace, errors)
        };
        Self {
            opened,
            is_partial: opened.backup.phase() == Phase::PartiallyFailed,
            is_everything: ready.filters.selectors.is_everything(),
            by_claim: by_claim.collect(),
            beside: names.into_iter().map(told).collect(),
        }
    }

    fn missing(&self, id: &ItemId, suspect: &Suspect) -> Missing {
        let is_lost = self.is_partial || suspect.is_lost(&id.resource);
        let verdict = if is_lost && self.is_everything { Verdict::Refuse } else { Verdict::Skip };
        let mut reasons = self.reasons(id);
        let reason = match (&suspect.promise, reasons.is_empty()) {
            (Some(promise), _) => {
                reasons.insert(0, format!("it is not in the backup{promise}"));
                reasons.join("; ")
            }
            (None, false) => format!("it is not in the backup: {}", reasons.join("; ")),
            (None, true) => {
                "it is not in the backup, although its list of objects names it".to_owned()
            }
        };
        Missing { id: id.clone(), verdict, reason }
    }

    /// What was recorded of it, or else of what is missing beside it.
    fn reasons(&self, id: &ItemId) -> Vec<String> {
        let opened = self.opened;
        let text = id.to_string();
        let info = self.by_claim.get(id);
        let volume = info.map_or("", |info| info.pv_name.as_str());
        let snapshot = opened.snapshots.get(volume);
        let disk = snapshot.map_or("", |snapshot| snapshot.spec.provider_volume_id.as_str());
        let own = Subject {
            namespace: id.namespace.as_deref(),
            names: BTreeSet::from([id.name.as_str(), volume]),
            marks: vec![&text, volume, disk],
        };
        let mut reasons = opened.others.results.errors_about(&own);
        if reasons.is_empty() {
            reasons = self.beside.get(&id.namespace).cloned().unwrap_or_default();
        }
        let skipped = info.and_then(|info| info.skipped_reason.as_deref());
        reasons.extend(skipped.map(|reason| {
            format!("its volume {volume} was not backed up: {}", reason.trim_end_matches(';'))
        }));
        reasons
    }
}

impl Suspect {
    /// Whether data is lost with it, whatever the backup says of itself.
    fn is_lost(&self, resource: &GroupResource) -> bool {
        self.promise.is_some() || self.is_listed && holds_data(resource)
    }
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
