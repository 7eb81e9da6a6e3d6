//! In which of its versions an object is restored.
//!
//! The recorded, preferred one wherever the target serves it: nothing is converted without need. Of
//! kinds that a webhook converts it is the stored one, as the webhook may not answer yet.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use bowline_api::{GroupResource, ItemId};

use super::actions::Draft;
use super::classify::{custom_kinds, unanswered};
use super::error::Error;
use super::judgement::UPDATE;
use super::plan::{Plan, Verdict, api_version};
use super::preflight::Ready;
use super::row::Row;
use super::select::{self, damaged};
use crate::engine::archive::Entry;
use crate::engine::context::{Context, definition};
use crate::engine::model::Object;
use crate::engine::model::conversion::Conversion;
use crate::engine::model::fields::{maps_at, text_at};
use crate::engine::model::relations::definition_of;
use crate::engine::model::restore::ExistingResourcePolicy;

/// What helps where an archive holds no version that the target serves.
pub(super) const OTHER_VERSIONS: &str = "a backup made with `bowline backup create --api-versions \
    all` holds every version that its cluster serves";

/// What helps where this restore has the target serve the version.
const BROUGHT: &str = "this restore updates its definition, which then serves that version: \
    bowline restore resume makes it";

/// What helps where another restore would.
const NOT_BROUGHT: &str = "--existing-resource-policy=update brings the backup's definition, where the \
    target's serves no version that it lacks; a backup made with `bowline backup create \
    --api-versions all` holds every version that its cluster serves";

/// What is known of versions, on both sides.
pub(super) struct Versions {
    /// The resources that a definition in the archive makes.
    custom: BTreeSet<GroupResource>,
    /// The resources that the archive holds in further versions.
    further: BTreeSet<GroupResource>,
    /// Of those that a webhook converts in the target, the version in which it is not asked.
    stored: BTreeMap<GroupResource, String>,
    /// The aggregated APIs, by group and version, that are registered with this restore.
    apis: BTreeSet<(String, String)>,
}

/// What the plan says of objects that come back in another version than the recorded one.
pub(super) type Notes = BTreeMap<(GroupResource, String), String>;

impl Versions {
    /// Reads the definitions of kinds of which there are several versions.
    pub(super) async fn of(
        context: &Context,
        ready: &Ready,
        apis: BTreeSet<(String, String)>,
    ) -> Result<Self, Error> {
        let entries = ready.opened.contents.entries().filter(|entry| !entry.preferred());
        let further: BTreeSet<_> = entries.map(|entry| entry.resource().clone()).collect();
        let mut stored = BTreeMap::new();
        for resource in &further {
            let conversion = conversion(context, ready, resource).await?;
            if let Some(version) = conversion.without_webhook() {
                stored.insert(resource.clone(), version.to_owned());
            }
        }
        Ok(Self { custom: custom_kinds(ready), further, stored, apis })
    }

    /// Whether a definition in the archive makes this resource.
    pub(super) fn is_custom(&self, resource: &GroupResource) -> bool {
        self.custom.contains(resource)
    }

    /// The version of an object that is restored, if the target takes any: else the recorded one.
    ///
    /// The stored one where a webhook converts the others, the recorded one, the one that the target
    /// prefers, the one that Kubernetes would prefer.
    pub(super) fn choose<'a>(&self, ready: &'a Ready, entry: Entry<'a>) -> Entry<'a> {
        if !self.further.contains(entry.resource()) {
            return entry;
        }
        let id = entry.id();
        let stored = self.stored.get(&id.resource).map(String::as_str);
        let preferred = ready.catalog.get(&id.resource).map(|kind| kind.version.as_str());
        let rank = |it: &Entry<'_>| {
            let version = it.version();
            let is = |wanted: Option<&str>| wanted == Some(version);
            (is(stored), it.preferred(), is(preferred), priority(version))
        };
        let versions = ready.opened.contents.versions(&id);
        versions.filter(|it| self.serves(ready, it)).max_by_key(rank).unwrap_or(entry)
    }

    /// Whether the target takes this kind in this version, now or once its definition or its API is
    /// restored.
    pub(super) fn serves(&self, ready: &Ready, entry: &Entry<'_>) -> bool {
        let resource = entry.resource();
        let version = api_version(resource, entry.version());
        let is_registered = || {
            let api = (resource.group.clone(), entry.version().to_owned());
            self.apis.contains(&api) && unanswered(ready, &resource.group).is_none()
        };
        let catalog = &ready.catalog;
        catalog.serves(resource, &version)
            || catalog.get(resource).is_none() && (self.is_custom(resource) || is_registered())
    }

    /// What the plan says of the rows that come back in another version than the recorded one.
    pub(super) fn notes(&self, ready: &Ready, rows: &[Row<'_>]) -> Notes {
        let others = rows.iter().filter(|row| !row.entry.preferred());
        others.map(|row| (key(&row.entry), self.note(ready, &row.entry))).collect()
    }

    fn note(&self, ready: &Ready, entry: &Entry<'_>) -> String {
        let (resource, version) = key(entry);
        let recorded = ready.opened.contents.find(&entry.id());
        let recorded = recorded.map(|it| api_version(it.resource(), it.version()));
        let recorded = recorded.unwrap_or_default();
        if self.stored.get(&resource).is_some_and(|stored| stored == entry.version()) {
            return format!("as {version}: stored so, it needs no conversion from {recorded}");
        }
        format!("as {version}: the target does not serve {recorded}")
    }
}

/// Says in which version an object comes back, if not in the recorded one.
pub(super) fn tell(draft: &mut Draft<'_>) {
    let Some(version) = text_at(&draft.object, &["apiVersion"]) else { return };
    let key = (draft.id.resource.clone(), version.to_owned());
    draft.changes.extend(draft.context.versions.get(&key).cloned());
}

fn key(entry: &Entry<'_>) -> (GroupResource, String) {
    (entry.resource().clone(), api_version(entry.resource(), entry.version()))
}

/// How the target converts a kind, or will once its definition is restored.
async fn conversion(
    context: &Context,
    ready: &Ready,
    resource: &GroupResource,
) -> Result<Conversion, Error> {
    let id = definition_of(resource);
    let live = definition(context, &ready.catalog, resource).await.map_err(Error::Cluster)?;
    let recorded = || ready.opened.contents.find(&id).map(|entry| select::read(ready, entry));
    let definition = match live {
        Some(live) => Some(live),
        None => recorded().transpose().map_err(|cause| damaged(ready, cause))?.map(|it| it.1),
    };
    Ok(definition.map(|it| Conversion::of(&it)).unwrap_or_default())
}

/// The order in which Kubernetes prefers versions: `v2`, `v1`, `v2beta1`, `v1beta2`, `v1alpha1`, others
/// by name.
///
/// <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definition-versioning/#version-priority>
fn priority(version: &str) -> (u8, u64, u64, Reverse<String>) {
    let other = (0, 0, 0, Reverse(version.to_owned()));
    let number = |text: &str| text.parse().ok().filter(|_| text.starts_with(|c: char| c != '+'));
    let Some(rest) = version.strip_prefix('v') else { return other };
    let parts = [("beta", 2), ("alpha", 1)];
    let staged = parts.iter().find_map(|(word, rank)| Some((rest.split_once(word)?, *rank)));
    let read = match staged {
        Some(((major, minor), rank)) => number(major).zip(number(minor)).map(|it| (rank, it)),
        None => number(rest).map(|major| (3, (major, 0))),
    };
    read.map_or(other, |(rank, (major, minor))| (rank, major, minor, Reverse(String::new())))
}

/// Why an object can't be made: the versions that there are, on both sides.
pub(super) fn not_served(ready: &Ready, entry: &Entry<'_>) -> String {
    let resource = entry.resource();
    let id = entry.id();
    let held = ready.opened.contents.versions(&id);
    let held: Vec<String> = held.map(|it| api_version(resource, it.version())).collect();
    let served = ready.catalog.served.iter().filter(|(served, _)| served == resource);
    let served: Vec<&str> = served.map(|(_, version)| version.as_str()).collect();
    let held = held.join(" and ");
    if served.is_empty() {
        return format!("the target does not serve {resource} ({held})");
    }
    let served = served.join(" and ");
    format!("the backup holds it as {held}, which the target does not serve; it serves {served}")
}

/// Says what helps where the backup's own definition would bring the version that is lacking.
pub(super) fn look_at_definitions(
    ready: &Ready,
    policy: ExistingResourcePolicy,
    plan: &mut Plan<'_>,
) -> Result<(), Error> {
    let is_lacking = |row: &Row<'_>| row.hint() == Some(OTHER_VERSIONS);
    let version = |row: &Row<'_>| (row.entry.resource().clone(), row.entry.version().to_owned());
    let lacking = plan.rows.iter().filter(|row| is_lacking(row));
    let lacking: BTreeSet<(GroupResource, String)> = lacking.map(version).collect();
    let wanted: BTreeSet<ItemId> = lacking.iter().map(|it| definition_of(&it.0)).collect();
    let Some(resource) = wanted.first().map(|it| &it.resource) else { return Ok(()) };
    let definitions = plan.rows.iter().filter(|row| row.entry.resource() == resource);
    let definitions = definitions.map(|row| (row.entry.id(), row));
    let definitions: BTreeMap<ItemId, &Row<'_>> =
        definitions.filter(|(id, _)| wanted.contains(id)).collect();
    let mut hints = BTreeMap::new();
    for (resource, version) in lacking {
        let Some(row) = definitions.get(&definition_of(&resource)) else { continue };
        let Some(hint) = bringing(policy, row.verdict, row.hint()) else { continue };
        if serves(&select::object(ready, row.entry)?, &version) {
            hints.insert((resource, version), hint);
        }
    }
    for row in plan.rows.iter_mut().filter(|row| is_lacking(row)) {
        if let Some(hint) = hints.get(&version(row)) {
            row.more_mut().hint = Some(hint);
        }
    }
    Ok(())
}

/// How the backup's definition comes, by what is decided about it; nothing where it cannot.
fn bringing(
    policy: ExistingResourcePolicy,
    verdict: Verdict,
    hint: Option<&'static str>,
) -> Option<&'static str> {
    let may_be_updated = match hint {
        None => policy == ExistingResourcePolicy::None,
        Some(hint) => hint == UPDATE,
    };
    match verdict {
        Verdict::Update => Some(BROUGHT),
        Verdict::Differs if may_be_updated => Some(NOT_BROUGHT),
        _ => None,
    }
}

/// Whether a definition has its kind served in this version.
fn serves(definition: &Object, version: &str) -> bool {
    let is_served = |it: &Object| it.get("served") == Some(&true.into());
    let mut versions = maps_at(definition, &["spec", "versions"]);
    versions.any(|it| text_at(it, &["name"]) == Some(version) && is_served(it))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_is_advised_only_where_it_was_not_tried_and_not_refused() {
        use ExistingResourcePolicy::{None as Leave, Recreate, Update};
        for (policy, verdict, hint, expected) in [
            (Leave, Verdict::Differs, None, Some(NOT_BROUGHT)),
            (Leave, Verdict::Differs, Some("left to the original of the clone"), None),
            (Leave, Verdict::Unchanged, None, None),
            (Recreate, Verdict::Differs, Some(UPDATE), Some(NOT_BROUGHT)),
            (Recreate, Verdict::Differs, None, None),
            (Update, Verdict::Differs, None, None),
            (Update, Verdict::Update, None, Some(BROUGHT)),
        ] {
            assert_eq!(
                bringing(policy, verdict, hint),
                expected,
                "{policy:?} {verdict:?} {hint:?}"
            );
        }
    }

    #[test]
    fn versions_have_the_order_of_kubernetes() {
        let ordered =
            ["v10", "v2", "v1", "v11beta2", "v10beta3", "v3beta1", "v12alpha1", "foo1", "foo10"];
        let mut sorted = ordered;
        sorted.reverse();
        sorted.sort_by_key(|version| Reverse(priority(version)));
        assert_eq!(sorted, ordered);
        for odd in ["v", "vbeta", "v1beta", "v1gamma1", "v+1"] {
            assert_eq!(priority(odd).0, 0, "{odd}");
        }
    }
}
