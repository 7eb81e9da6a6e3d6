//! The namespaces of the target, and those of them that are being deleted.
//!
//! Nothing can be made in such a namespace. It is awaited once, for all objects in it together; what
//! does not go in time is an error of the namespace, and nothing is made in it.

use std::collections::{BTreeMap, BTreeSet};

use bowline_api::{GroupResource, ItemId};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::Value;
use tokio::time::Instant;

use super::error::{Cause, Error};
use super::execute::Execution;
use super::preflight::Ready;
use crate::engine::cluster::{ListScope, Object};
use crate::engine::context::Context;
use crate::engine::model::Meta;
use crate::engine::model::fields::{maps_at, text_at};
use crate::engine::report::Problem;

/// What the plan says of what is in the way, and will be gone.
pub(super) const AWAITED: &str = "the one that is there is being deleted; awaited";

/// The condition that tells of an API group that nobody answers for.
const UNDISCOVERED: &str = "NamespaceDeletionDiscoveryFailure";

/// The namespaces of the target.
#[derive(Debug, Default)]
pub(super) struct Namespaces(BTreeMap<String, Meta>);

impl Namespaces {
    /// Reads them.
    pub(super) async fn read(context: &Context, ready: &Ready) -> Result<Self, Error> {
        let mut found = BTreeMap::new();
        let Some(kind) = ready.catalog.get(&resource()) else { return Ok(Self(found)) };
        let mut pages = context.cluster.list(kind, &ListScope::default());
        while let Some(page) = pages.try_next().await.map_err(Error::Cluster)? {
            found.extend(page.items.into_iter().map(|it| (it.meta.name.clone(), it.meta)));
        }
        Ok(Self(found))
    }

    /// Whether objects can be in this namespace: it exists and is not being deleted.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|meta| meta.deletion_timestamp.is_none())
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// Those that are being deleted.
    pub(super) fn ending(&self) -> BTreeSet<String> {
        let ending = self.0.iter().filter(|(_, meta)| meta.deletion_timestamp.is_some());
        ending.map(|(name, _)| name.clone()).collect()
    }

    /// The labels of those that stay.
    pub(super) fn labels(&self) -> BTreeMap<String, BTreeMap<String, String>> {
        let staying = self.0.iter().filter(|(name, _)| self.contains(name));
        staying.map(|(name, meta)| (name.clone(), meta.labels.clone())).collect()
    }
}

fn resource() -> GroupResource {
    GroupResource::core("namespaces")
}

/// The namespaces into which something is made although they are being deleted, with how many
/// objects that is.
pub(super) fn awaited(execution: &Execution<'_>) -> BTreeMap<String, usize> {
    let plan = execution.plan;
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for row in plan.rows.iter().filter(|row| row.is_made()) {
        let namespace = execution.target(row).namespace;
        if let Some(namespace) = namespace.filter(|it| plan.ending.contains(it)) {
            *counts.entry(namespace).or_default() += 1;
        }
    }
    let own = plan.rows.iter().filter(|row| row.dying && *row.entry.resource() == resource());
    for row in own {
        counts.entry(execution.target(row).name).or_default();
    }
    counts
}

/// Waits until the namespaces of the plan that are being deleted are gone; bars those that stay.
///
/// All of them together have the time that one has.
pub(super) async fn await_ends(execution: &Execution<'_>) -> Result<(), Cause> {
    let Some(kind) = execution.ready.catalog.get(&resource()) else { return Ok(()) };
    let deadline = execution.gate.deadline();
    stream::iter(awaited(execution))
        .map(|(name, objects)| async move {
            let left = deadline.saturating_duration_since(Instant::now());
            let gone = |it: Option<&Object>| it.is_none_or(|it| !is_dying(it)).then_some(());
            let cluster = &execution.context.cluster;
            let id = ItemId::cluster(resource(), &name);
            let waited = cluster.wait_for(kind, None, &name, left, gone).await;
            match execution.settle_as("await", waited, &id)? {
                Some(Some(())) => return Ok(()),
                Some(None) => {
                    // Why it stays is only told: that it does is known.
                    let live = cluster.get(kind, None, &name).await.ok().flatten();
                    let live = live.unwrap_or_default();
                    execution.journal.error(stays(execution, &name, objects, &live));
                }
                None => {}
            }
            execution.gate.bar(&name);
            Ok(())
        })
        .buffer_unordered(execution.context.limits.creates)
        .try_collect()
        .await
}

/// Whether an object is being deleted.
pub(super) fn is_dying(object: &Object) -> bool {
    text_at(object, &["metadata", "deletionTimestamp"]).is_some()
}

fn stays(execution: &Execution<'_>, name: &str, objects: usize, live: &Object) -> Problem {
    let waited = execution.request.terminating_timeout.as_secs();
    let nothing = format!("none of its {objects} objects was created");
    let mut parts = vec![format!("it is still being deleted after {waited} s")];
    parts.extend(remains(live));
    parts.push(nothing);
    let message = parts.join("; ");
    let restore = &execution.request.name;
    let hint = if conditions(live).any(|(kind, _)| kind == UNDISCOVERED) {
        "an aggregated API has no backend: repair it or delete its APIService; then "
    } else {
        "finish what holds it; then "
    };
    Problem::of_item(&ItemId::cluster(resource(), name), "await", message)
        .with_hint(format!("{hint}bowline restore resume {restore}"))
}

/// What the controller says of why a namespace is still there.
fn remains(namespace: &Object) -> Vec<String> {
    let said = conditions(namespace);
    said.map(|(_, message)| message.trim_end_matches('.').to_owned()).collect()
}

/// The conditions that hold, with their messages, but those that merely tell of a success.
fn conditions(namespace: &Object) -> impl Iterator<Item = (&str, &str)> {
    let all = maps_at(namespace, &["status", "conditions"]);
    let holds = all.filter(|it| it.get("status").and_then(Value::as_str) == Some("True"));
    holds.filter_map(|it| Some((text_at(it, &["type"])?, text_at(it, &["message"])?)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::samples::object;
    use super::*;

    #[test]
    fn what_holds_a_namespace_is_told_in_its_own_words() {
        let condition = |kind: &str, status: &str, message: &str| json!({"type": kind, "status": status, "message": message});
        let namespace = object(json!({"status": {"conditions": [
            condition("NamespaceDeletionContentFailure", "False", "All content deleted"),
            condition("NamespaceContentRemaining", "True", "configmaps. has 1 resource instances"),
            condition("NamespaceFinalizersRemaining", "True", "example.com/hold in 1 instances."),
        ]}}));
        assert_eq!(
            remains(&namespace),
            ["configmaps. has 1 resource instances", "example.com/hold in 1 instances"]
        );
    }

    #[test]
    fn a_namespace_that_is_being_deleted_holds_nothing() {
        let meta = |deleted: Option<&str>| Meta {
            deletion_timestamp: deleted.map(str::to_owned),
            ..Meta::default()
        };
        let known = Namespaces(BTreeMap::from([
            ("shop".to_owned(), meta(None)),
            ("gone".to_owned(), meta(Some("2026-01-01T00:00:00Z"))),
        ]));
        assert!(known.contains("shop") && !known.contains("gone") && !known.contains("other"));
        assert_eq!(known.ending(), BTreeSet::from(["gone".to_owned()]));
        assert_eq!(known.labels().into_keys().collect::<Vec<_>>(), ["shop"]);
    }
}
