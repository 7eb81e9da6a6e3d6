//! Puts what shapes, serves and looks after others where it has to come.

use std::collections::{BTreeMap, BTreeSet};

use bowline_api::{GroupResource, ItemId};

use super::order::{Need, rounds};
use super::registration::{Registration, Service};
use super::scene::{Answering, Look, Scene, Stage, answering};
use super::{Authority, PodTemplate};
use crate::engine::archive::Entry;
use crate::engine::model::kinds::Step;
use crate::engine::model::{Meta, Object};
use crate::engine::report::Problem;
use crate::engine::restore::Preparation;
use crate::engine::restore::error::Error;
use crate::engine::restore::namespaces::Namespaces;
use crate::engine::restore::plan::Verdict;
use crate::engine::restore::preflight::Ready;
use crate::engine::restore::prepare;
use crate::engine::restore::row::Row;
use crate::engine::restore::select;

/// Moves the objects of a plan into their steps and rounds; tells what cannot be put in order.
///
/// Comes before the rows are sorted.
pub(in super::super) fn arrange(
    ready: &Ready,
    preparation: &Preparation,
    namespaces: &Namespaces,
    rows: &mut [Row<'_>],
) -> Result<Vec<Problem>, Error> {
    let archive = Archive { ready, preparation };
    let (scene, of_rows) = archive.scene(namespaces, rows)?;
    let mut looks = BTreeMap::new();
    for (index, row) in rows.iter().enumerate() {
        let id = row.entry.id();
        let is_looked_at = PodTemplate::is_of(&id.resource) || are_endpoints(&id.resource);
        if row.verdict == Verdict::Create && is_looked_at {
            let look =
                scene.look(&id, &preparation.target(&id), &select::object(ready, row.entry)?);
            if !look.is_plain() {
                looks.insert(index, look);
            }
        }
    }
    let aggregated = rows.iter().filter(|row| row.step == Step::Aggregated);
    let aggregated = aggregated.map(|row| row.entry.resource().group.clone()).collect();
    let order = Order::new(&scene.registrations, &looks, &aggregated);
    for (registration, &index) in of_rows.iter().enumerate() {
        order.place_registration(registration, &mut rows[index]);
    }
    let mut warnings = order.cycles();
    for (index, look) in &looks {
        warnings.extend(order.place(look, &mut rows[*index]));
    }
    Ok(warnings)
}

fn are_endpoints(resource: &GroupResource) -> bool {
    matches!(
        (resource.group.as_str(), resource.resource.as_str()),
        ("", "endpoints") | ("discovery.k8s.io", "endpointslices")
    )
}

/// The groups of the kinds that have the API server call somebody.
const REGISTERING: [&str; 3] =
    ["admissionregistration.k8s.io", "apiregistration.k8s.io", "apiextensions.k8s.io"];

/// The objects of the archive as they would be in the target.
struct Archive<'a> {
    ready: &'a Ready,
    preparation: &'a Preparation,
}

impl Archive<'_> {
    /// Reads what objects are looked at by; gives back the row of each registration, too.
    fn scene(
        &self,
        namespaces: &Namespaces,
        rows: &[Row<'_>],
    ) -> Result<(Scene, Vec<usize>), Error> {
        let mut scene = Scene { labels: namespaces.labels(), ..Scene::default() };
        let mut of_rows = Vec::new();
        for (index, row) in rows.iter().enumerate().filter(|(_, it)| it.verdict == Verdict::Create)
        {
            let id = row.entry.id();
            if REGISTERING.contains(&id.resource.group.as_str()) {
                let prepared =
                    prepare::prepare(&id, select::object(self.ready, row.entry)?, self.preparation);
                let found = Registration::read(&id, &prepared.object);
                of_rows.extend(found.iter().map(|_| index));
                scene.registrations.extend(found);
                continue;
            }
            match (id.resource.group.as_str(), id.resource.resource.as_str()) {
                ("", "namespaces") => {
                    let name = self.preparation.target(&id).name;
                    scene
                        .labels
                        .entry(name)
                        .or_insert(labels(&select::object(self.ready, row.entry)?));
                }
                ("", "persistentvolumeclaims") => {
                    scene.restored.insert((id.resource, id.namespace));
                }
                _ if row.step == Step::CustomResources => {
                    scene.custom.insert(id.resource.group.clone());
                    scene.restored.insert((id.resource, id.namespace));
                }
                _ => {}
            }
        }
        scene.services = self.services(&scene.registrations, rows)?;
        scene.authority = self.authority(&scene.restored)?;
        Ok((scene, of_rows))
    }

    /// What the called services lead to, as far as they are restored.
    fn services(
        &self,
        registrations: &[Registration],
        rows: &[Row<'_>],
    ) -> Result<BTreeMap<Service, Answering>, Error> {
        let called: BTreeSet<&Service> = registrations.iter().flat_map(|it| &it.services).collect();
        let mut found = BTreeMap::new();
        let resource = GroupResource::core("services");
        for row in rows.iter().filter(|row| *row.entry.resource() == resource) {
            let target = self.preparation.target(&row.entry.id());
            let service = (target.namespace.unwrap_or_default(), target.name);
            if called.contains(&service) {
                found.insert(service, answering(&select::object(self.ready, row.entry)?));
            }
        }
        Ok(found)
    }

    /// Who may write what of this, by the roles and bindings that the archive holds.
    ///
    /// Those of other namespaces hold there alone.
    fn authority(
        &self,
        restored: &BTreeSet<(GroupResource, Option<String>)>,
    ) -> Result<Authority, Error> {
        let homes: BTreeSet<&str> = restored.iter().filter_map(|(_, it)| it.as_deref()).collect();
        let mut authority = Authority::default();
        for are_bindings in [false, true] {
            let is_meant = |entry: &Entry<'_>| {
                let GroupResource { group, resource } = entry.resource();
                group == "rbac.authorization.k8s.io"
                    && resource.ends_with("bindings") == are_bindings
                    && entry.namespace().is_none_or(|namespace| homes.contains(namespace))
                    && entry.preferred()
            };
            for entry in self.ready.opened.contents.entries().filter(is_meant) {
                authority.read(entry.id(), select::object(self.ready, entry)?);
            }
        }
        Ok(authority)
    }
}

fn labels(namespace: &Object) -> BTreeMap<String, String> {
    let meta = namespace.get("metadata").cloned().unwrap_or_default();
    serde_json::from_value::<Meta>(meta).unwrap_or_default().labels
}

/// Which registrations come when.
pub(super) struct Order<'a> {
    registrations: &'a [Registration],
    /// Whether something of the restore has to pass each.
    pub(super) urgent: Vec<bool>,
    backed: Vec<bool>,
    pub(super) rounds: Vec<usize>,
    /// Whose backends come up without being shaped by whom.
    pub(super) broken: Vec<(usize, usize)>,
}

impl<'a> Order<'a> {
    pub(super) fn new(
        registrations: &'a [Registration],
        looks: &BTreeMap<usize, Look>,
        aggregated: &BTreeSet<String>,
    ) -> Self {
        let count = registrations.len();
        let shapes = |index: usize, look: &Look| {
            !look.backs.contains(&index) && look.shaped_by.iter().any(|(it, _)| *it == index)
        };
        let serves = |it: &Registration| {
            it.api.as_ref().is_some_and(|(group, _)| aggregated.contains(group))
        };
        let urgent: Vec<bool> = (0..count)
            .map(|it| looks.values().any(|look| shapes(it, look)) || serves(&registrations[it]))
            .collect();
        let mut needs = vec![Vec::new(); count];
        for look in looks.values() {
            let by = look.shaped_by.iter();
            let by = by.filter(|(it, _)| urgent[*it] && !look.backs.contains(it));
            let by: Vec<Need> = by.map(|&(on, is_essential)| Need { on, is_essential }).collect();
            look.backs.iter().for_each(|&index| needs[index].extend(&by));
        }
        let (rounds, broken) = rounds(&needs);
        let backed =
            (0..count).map(|it| looks.values().any(|look| look.backs.contains(&it))).collect();
        Self { registrations, urgent, backed, rounds, broken }
    }

    fn name(&self, registration: usize) -> &ItemId {
        &self.registrations[registration].id
    }

    fn place_registration(&self, index: usize, row: &mut Row<'_>) {
        if !self.registrations[index].is_installed() {
            return;
        }
        if self.urgent[index] {
            row.step = Step::Registrations;
        } else {
            row.step = Step::LateRegistrations;
            row.explain("nothing of this restore has to pass it");
        }
        let stage =
            Stage { round: self.rounds[index], is_backed: self.backed[index], ..Stage::default() };
        row.more_mut().stage = Some(stage);
    }

    /// What cannot be put in order.
    pub(super) fn cycles(&self) -> Vec<Problem> {
        let told = self.broken.iter().map(|&(needing, needed)| {
            let message = format!(
                "it and {} need one another: its backend comes first, its pods not shaped by the \
                 other",
                self.name(needed)
            );
            Problem::of_item(self.name(needing), "plan", message)
        });
        told.collect()
    }

    /// Puts an object where it has to come; tells if that is too early for what it is.
    fn place(&self, look: &Look, row: &mut Row<'_>) -> Option<Problem> {
        let urgent = look.backs.iter().copied().find(|&it| self.urgent[it]);
        let of_backs = look.backs.iter().filter(|&&it| urgent.is_none() || self.urgent[it]);
        let round = of_backs.map(|&it| self.rounds[it]).min().unwrap_or_default();
        let mut warning = None;
        let is_backend = match (urgent.or_else(|| look.backs.first().copied()), &look.operates) {
            (Some(backed), None) => {
                self.place_backend(look, backed, row);
                true
            }
            (Some(backed), Some(kind)) if urgent.is_some() => {
                self.place_backend(look, backed, row);
                let message = format!(
                    "it may write {kind}, but backs {}, which shapes the pods of others: it starts \
                     before the workloads that it looks after",
                    self.name(backed)
                );
                warning = Some(Problem::of_item(&row.entry.id(), "plan", message));
                true
            }
            (_, Some(kind)) => {
                row.step = Step::Operators;
                row.explain(format!(
                    "its account may write {kind}: it starts after these and what they own"
                ));
                false
            }
            (None, None) => false,
        };
        let before = |it: &usize| self.urgent[*it] && (!is_backend || self.rounds[*it] < round);
        let shaping = look.shaped_by.iter().filter(|(it, _)| before(it));
        let shaped_by = shaping.map(|&(it, closed)| (self.name(it).clone(), closed)).collect();
        row.more_mut().stage = Some(Stage { round, shaped_by, is_backed: false });
        warning
    }

    fn place_backend(&self, look: &Look, backed: usize, row: &mut Row<'_>) {
        row.step = Step::Backends;
        let own = look.shaped_by.iter().any(|(it, _)| look.backs.contains(it));
        let note = if own { ", which would shape its own pods, too: these come first" } else { "" };
        row.explain(format!("backs {}{note}", self.name(backed)));
    }
}
