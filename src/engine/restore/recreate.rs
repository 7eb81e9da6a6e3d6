//! Deletes what differs and makes it anew, of the kinds for which that is safe.
//!
//! Nothing is deleted before the server has said that it would take what is made instead. Killed
//! between the two, a restore that goes on finds nothing there, and makes it.

use std::time::Duration;

use bowline_api::{GroupResource, ItemId};
use serde_json::Value;

use super::clones::ports_of;
use super::error::Cause;
use super::execute::{Execution, Outcome};
use super::prepare::Prepared;
use super::row::Row;
use super::update::Met;
use super::wording::told;
use super::{claim_retention, node_ports};
use crate::engine::cluster::{Creation, Deletion, Object, Propagation};
use crate::engine::model::Kind;
use crate::engine::model::fields::{at, text_at};
use crate::engine::report::Problem;

/// Kinds that can be deleted and made anew: what they hold is all in the object, and what hangs on them
/// comes again.
const LISTED: &[&str] = &[
    "configmaps",
    "secrets",
    "services",
    "daemonsets.apps",
    "deployments.apps",
    "statefulsets.apps",
    "cronjobs.batch",
    "jobs.batch",
    "horizontalpodautoscalers.autoscaling",
    "ingresses.networking.k8s.io",
    "networkpolicies.networking.k8s.io",
    "poddisruptionbudgets.policy",
    "clusterrolebindings.rbac.authorization.k8s.io",
    "rolebindings.rbac.authorization.k8s.io",
    "roles.rbac.authorization.k8s.io",
];

/// Why others are not.
const REASONS: &[(&[&str], &str)] = &[
    (&["namespaces"], "all that is in it would be deleted with it"),
    (&["persistentvolumeclaims", "persistentvolumes"], "its data would be deleted with it"),
    (
        &["customresourcedefinitions.apiextensions.k8s.io"],
        "all objects of its kind would be deleted with it",
    ),
];

/// The reason of all the rest.
const NOT_LISTED: &str = "nobody knows what would be deleted with it";

/// How long an object may take to be gone.
const GONE: Duration = Duration::from_mins(1);

/// Whether objects of this kind may be deleted and made anew.
pub(super) fn is_listed(resource: &GroupResource) -> bool {
    LISTED.contains(&resource.to_string().as_str())
}

/// Tells why an object that differs in this is not made anew, if so.
pub(super) fn obstacle(
    id: &ItemId,
    ours: &Object,
    live: &Object,
    differing: &[String],
) -> Option<String> {
    if !is_listed(&id.resource) {
        let resource = id.resource.to_string();
        let reason = REASONS.iter().find(|(kinds, _)| kinds.contains(&resource.as_str()));
        return Some(reason.map_or(NOT_LISTED, |(_, reason)| reason).to_owned());
    }
    let selects = |pointer: &String| pointer == "/spec" || pointer.starts_with("/spec/selector");
    (keeps_its_pods(&id.resource) && differing.iter().any(selects))
        .then(|| "its selector differs, so that its pods would be in the way".to_owned())
        .or_else(|| claim_retention::obstacle(id, ours, live))
}

/// Whether a kind's objects are deleted without what they own: the pods of a `StatefulSet` hold claims,
/// and the new one takes them over.
pub(super) fn keeps_its_pods(resource: &GroupResource) -> bool {
    *resource == GroupResource::new("apps", "statefulsets")
}

impl Execution<'_> {
    /// Deletes an object that differs, waits until it is gone, and makes it anew.
    pub(super) async fn recreate(
        &self,
        index: usize,
        row: &Row<'_>,
        kind: &Kind,
        mut prepared: Prepared,
    ) -> Result<Outcome, Cause> {
        let id = prepared.id.clone();
        match self.meet(row, kind, &mut prepared).await? {
            // Deleted by an attempt of which the reply was lost, or by somebody: it is made anyway.
            Met::Absent => {}
            Met::Same => return Ok(Outcome::Unchanged),
            Met::Changed(how) => return Ok(self.not_recreated(&id, how, None)),
            Met::AsPlanned { live, differing } => {
                if let Some(why) = obstacle(&id, &prepared.object, &live, &differing) {
                    return Ok(self.not_recreated(&id, why, None));
                }
                let gone = self.is_accepted(kind, &prepared, live).await?
                    && self.clear(row, kind, &id).await?;
                if !gone {
                    return Ok(Outcome::Failed);
                }
            }
        }
        match self.create(index, row, kind, &prepared).await? {
            Outcome::Created => Ok(Outcome::Recreated),
            Outcome::Differs => {
                let message = "something else made it anew, and it differs";
                Ok(self.not_recreated(&id, message.to_owned(), None))
            }
            other => Ok(other),
        }
    }

    /// Whether the server would take what is to be made: else nothing is deleted.
    async fn is_accepted(
        &self,
        kind: &Kind,
        prepared: &Prepared,
        live: Object,
    ) -> Result<bool, Cause> {
        let mut object = prepared.object.clone();
        if prepared.id.resource == GroupResource::core("services") {
            // Those that the live one holds are free once it is gone.
            let held = ports_of(&Value::Object(live));
            for port in held {
                node_ports::give_up(&mut object, port);
            }
        }
        let creation = Creation { dry_run: true, mark: None };
        let namespace = prepared.id.namespace.as_deref();
        match self.context.cluster.create(kind, namespace, &object, &creation).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_unreachable() => Err(error.into()),
            Err(error) => {
                let message = format!(
                    "nothing was deleted, as the target would not take the backup's: {}",
                    told(&prepared.id.resource, &error)
                );
                self.not_recreated(&prepared.id, message, error.status());
                Ok(false)
            }
        }
    }

    /// Deletes the object that was compared, and waits until it is gone.
    async fn clear(&self, row: &Row<'_>, kind: &Kind, id: &ItemId) -> Result<bool, Cause> {
        let cluster = &self.context.cluster;
        let namespace = id.namespace.as_deref();
        let uid = row.live_uid();
        let keeps = keeps_its_pods(&id.resource);
        let propagation = if keeps { Propagation::Orphan } else { Propagation::Background };
        let deletion = Deletion { uid, propagation, ..Deletion::default() };
        match cluster.delete(kind, namespace, &id.name, &deletion).await {
            Ok(()) => {}
            Err(error) if error.is_unreachable() => return Err(error.into()),
            Err(error) => {
                self.not_recreated(id, told(&id.resource, &error), error.status());
                return Ok(false);
            }
        }
        let is_gone = |live: Option<&Object>| {
            let uid_now = live.map(|live| text_at(live, &["metadata", "uid"]));
            (uid_now.is_none_or(|now| now != uid)).then_some(())
        };
        let waited = cluster.wait_for(kind, namespace, &id.name, GONE, is_gone).await;
        match self.settle_as("recreate", waited, id)? {
            Some(Some(())) => return Ok(true),
            Some(None) => {}
            None => return Ok(false),
        }
        let live = cluster.get(kind, namespace, &id.name).await;
        let Some(live) = self.settle_as("recreate", live, id)? else { return Ok(false) };
        let message = held(live.as_ref());
        self.not_recreated(id, message, None);
        Ok(false)
    }

    fn not_recreated(&self, id: &ItemId, message: String, status: Option<u16>) -> Outcome {
        let problem = Problem::of_item(id, "recreate", message).with_status(status);
        self.journal.error(problem.with_hint("when that is mended, restore it again"));
        Outcome::Failed
    }
}

/// Why an object that was deleted is still there.
fn held(live: Option<&Object>) -> String {
    let finalizers = live.and_then(|live| at(live, &["metadata", "finalizers"])?.as_array());
    let names = finalizers.into_iter().flatten().filter_map(Value::as_str);
    let names = names.collect::<Vec<_>>().join(", ");
    let finalizers = if names.is_empty() { "no finalizer".to_owned() } else { names };
    format!("it was deleted, but is not gone after {} s: {finalizers} holds it", GONE.as_secs())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::samples::object;
    use super::*;

    fn why(id: &str, differing: &str) -> Option<String> {
        let none = Object::new();
        obstacle(&id.parse().unwrap(), &none, &none, &[differing.to_owned()])
    }

    #[test]
    fn only_what_is_safe_to_delete_is_made_anew() {
        for id in [
            "configmaps/shop/c",
            "deployments.apps/shop/d",
            "roles.rbac.authorization.k8s.io/shop/r",
        ] {
            assert_eq!(why(id, "/spec/selector"), None, "{id}");
        }
        for (id, reason) in [
            ("namespaces/shop", "all that is in it"),
            ("persistentvolumeclaims/shop/data", "its data"),
            ("customresourcedefinitions.apiextensions.k8s.io/w", "all objects of its kind"),
            ("widgets.example.com/shop/w", "nobody knows"),
            ("deployments.example.com/shop/d", "nobody knows"),
        ] {
            assert!(why(id, "/spec").unwrap().starts_with(reason), "{id}");
        }
    }

    #[test]
    fn a_set_is_made_anew_only_if_it_takes_its_pods_over() {
        let id = "statefulsets.apps/shop/db";
        assert_eq!(why(id, "/spec/serviceName"), None);
        assert!(why(id, "/spec/selector/matchLabels/app").unwrap().contains("selector"));
    }

    #[test]
    fn what_holds_a_deleted_object_is_named() {
        let live = object(json!({"metadata": {"finalizers": ["a.example.com/x", "b"]}}));
        let told = "it was deleted, but is not gone after 60 s: a.example.com/x, b holds it";
        assert_eq!(held(Some(&live)), told);
        assert!(held(None).ends_with("no finalizer holds it"));
    }
}
