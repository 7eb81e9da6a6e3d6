//! Waits until a claim is Bound to the very volume that was made for it.

use std::time::Duration;

use bowline_api::{GroupResource, ItemId};
use serde_json::{Value, json};

use super::claims::claims;
use super::execute::{Execution, Outcome};
use super::prepare::RESTORE_UID_LABEL;
use super::volumes::Failure;
use crate::engine::cluster::Object;
use crate::engine::model::Kind;
use crate::engine::model::fields::text_at;
use crate::engine::model::kinds::Step;
use crate::engine::report::{Problem, chain};

/// How long a claim is left alone before it is nudged.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often it is nudged, and after that given up.
const NUDGES: u32 = 30;
/// How long each nudge has to work.
const AFTER_NUDGE: Duration = Duration::from_secs(3);
/// The annotation whose change makes the volume controller look again.
pub(super) const NUDGE_ANNOTATION: &str = "bowline.io/nudge";

/// How often a claim is made again that was deleted or replaced while it was awaited.
const RENEWALS: usize = 3;

/// What a claim is found to be.
enum Found {
    /// Bound, says the claim of this UID.
    Bound(String),
    /// Deleted, or another than the one that waits for the volume.
    Replaced,
    Lost(String),
}

/// Waits until the claim exists, and is Bound to the volume of this name.
///
/// Claim and volume that name each other are often bound only at the controller's next resync: its
/// two workers get in each other's way and the loser is not queued again. A changed annotation makes
/// it look again at once.
pub(super) async fn bound(
    execution: &Execution<'_>,
    row: usize,
    claim: &ItemId,
    volume: &str,
) -> Result<(), Failure> {
    claims_are_made(execution).await;
    if execution.outcome(row) == Some(Outcome::Failed) {
        return Err(Failure::Told);
    }
    let Some(kind) = execution.ready.catalog.get(&claims()) else { return Ok(()) };
    let mut renewals = 0;
    for nudge in 0..=NUDGES {
        let patience = if nudge == 0 { PATIENCE } else { AFTER_NUDGE };
        match look(execution, kind, claim, volume, patience).await? {
            Some(Found::Bound(uid)) => return belongs(execution, claim, &uid, volume).await,
            Some(Found::Lost(message)) => {
                return Err(Failure::of_claim(Problem::of_item(claim, "bind", message)));
            }
            Some(Found::Replaced) if renewals < RENEWALS => {
                renewals += 1;
                renew(execution, row).await?;
            }
            Some(Found::Replaced) => {
                let message = "something deletes or replaces this claim again and again";
                return Err(Failure::of_claim(Problem::of_item(claim, "bind", message)));
            }
            None => {
                free(execution, claim, volume).await?;
                push(execution, kind, claim, nudge).await?;
            }
        }
    }
    let waited = PATIENCE + AFTER_NUDGE * NUDGES;
    let message = format!("not Bound to {volume} within {} s", waited.as_secs());
    Err(Failure::of_claim(Problem::of_item(claim, "bind", message)))
}

/// Makes the claim again, which something deleted or replaced.
async fn renew(execution: &Execution<'_>, row: usize) -> Result<(), Failure> {
    match execution.renew_claim(row).await {
        Ok(Outcome::Failed) => Err(Failure::Told),
        Ok(_) => Ok(()),
        Err(cause) => Err(Failure::Run(cause)),
    }
}

/// Lets the volume of an interrupted run go from a claim that is gone since.
///
/// It is Released, and binds to no other claim, of whatever name, before it forgets that one.
async fn free(execution: &Execution<'_>, claim: &ItemId, volume: &str) -> Result<(), Failure> {
    let resource = GroupResource::core("persistentvolumes");
    let Some(kind) = execution.ready.catalog.get(&resource) else { return Ok(()) };
    let cluster = &execution.context.cluster;
    let found = match cluster.get(kind, None, volume).await {
        Ok(found) => found.filter(|it| is_left(it, claim, &execution.plan.preparation.restore_uid)),
        Err(error) if error.is_passing() => None,
        Err(error) => return Err(Failure::Run(error.into())),
    };
    let Some(found) = found else { return Ok(()) };
    let version = text_at(&found, &["metadata", "resourceVersion"]);
    let patch = json!({"metadata": {"resourceVersion": version},
        "spec": {"claimRef": {"uid": null, "resourceVersion": null}}});
    match cluster.merge_patch(kind, None, volume, &patch).await {
        Err(error) if error.is_unreachable() => Err(Failure::Run(error.into())),
        _ => Ok(()),
    }
}

/// Whether this restore made the volume for a claim of this name that is gone.
fn is_left(volume: &Object, claim: &ItemId, restore_uid: &str) -> bool {
    let text = |path: &[&str]| text_at(volume, path);
    text(&["status", "phase"]) == Some("Released")
        && text(&["metadata", "labels", RESTORE_UID_LABEL]) == Some(restore_uid)
        && text(&["spec", "claimRef", "namespace"]) == claim.namespace.as_deref()
        && text(&["spec", "claimRef", "name"]) == Some(&claim.name)
}

/// Checks that the volume knows of the claim, too, and of no other that had its name.
async fn belongs(
    execution: &Execution<'_>,
    claim: &ItemId,
    uid: &str,
    volume: &str,
) -> Result<(), Failure> {
    let resource = GroupResource::core("persistentvolumes");
    let Some(kind) = execution.ready.catalog.get(&resource) else { return Ok(()) };
    let problem = |message: String| Failure::of_claim(Problem::of_item(claim, "bind", message));
    match execution.context.cluster.get(kind, None, volume).await {
        Ok(Some(found)) if text_at(&found, &["spec", "claimRef", "uid"]) == Some(uid) => Ok(()),
        Ok(Some(_)) => Err(problem(format!("volume {volume} belongs to another claim"))),
        Ok(None) => Err(problem(format!("volume {volume} is gone"))),
        Err(error) if error.is_unreachable() => Err(Failure::Run(error.into())),
        Err(error) => Err(problem(chain(&error))),
    }
}

pub(super) async fn claims_are_made(execution: &Execution<'_>) {
    let mut done = execution.done.subscribe();
    // An error means that the steps broke off, and this future is dropped with them.
    drop(done.wait_for(|step| step.is_some_and(|step| step >= Step::Claims)).await);
}

async fn look(
    execution: &Execution<'_>,
    kind: &Kind,
    claim: &ItemId,
    volume: &str,
    patience: Duration,
) -> Result<Option<Found>, Failure> {
    let (cluster, namespace) = (&execution.context.cluster, claim.namespace.as_deref());
    let judge = |object: Option<&Object>| match object {
        Some(object) => judge(object, volume),
        None => Some(Found::Replaced),
    };
    match cluster.wait_for(kind, namespace, &claim.name, patience, judge).await {
        Ok(found) => Ok(found),
        // Whether the server comes back is for the next request to find out, which is patient.
        Err(error) if error.is_passing() => Ok(None),
        Err(error) => Err(Failure::of_claim(Problem::of_item(claim, "bind", chain(&error)))),
    }
}

fn judge(claim: &Object, volume: &str) -> Option<Found> {
    let text = |part: &str, key: &str| claim.get(part)?.get(key)?.as_str();
    match (text("status", "phase"), text("spec", "volumeName")) {
        (Some("Bound"), Some(name)) if name == volume => {
            Some(Found::Bound(text("metadata", "uid")?.to_owned()))
        }
        (_, Some(name)) if !name.is_empty() && name != volume => Some(Found::Replaced),
        (Some("Lost"), _) => Some(Found::Lost(format!("its volume {volume} is lost"))),
        _ => None,
    }
}

/// Changes an annotation; that this is refused (the claim was just changed) does not matter.
async fn push(
    execution: &Execution<'_>,
    kind: &Kind,
    claim: &ItemId,
    nudge: u32,
) -> Result<(), Failure> {
    let patch: Value = json!({"metadata": {"annotations": {NUDGE_ANNOTATION: nudge.to_string()}}});
    let namespace = claim.namespace.as_deref();
    match execution.context.cluster.merge_patch(kind, namespace, &claim.name, &patch).await {
        Err(error) if error.is_unreachable() => Err(Failure::Run(error.into())),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(phase: &str, volume: &str) -> Option<Found> {
        let claim = json!({"metadata": {"uid": "1"}, "spec": {"volumeName": volume},
            "status": {"phase": phase}});
        judge(claim.as_object()?, "bowline-1")
    }

    #[test]
    fn only_a_claim_that_is_bound_to_the_volume_made_for_it_is_done() {
        assert!(matches!(found("Bound", "bowline-1"), Some(Found::Bound(uid)) if uid == "1"));
        assert!(found("Pending", "bowline-1").is_none());
        assert!(matches!(found("Bound", "pvc-2"), Some(Found::Replaced)));
        assert!(matches!(found("Lost", "bowline-1"), Some(Found::Lost(_))));
    }

    #[test]
    fn only_a_released_volume_of_this_very_restore_is_let_go() {
        let is_left = |phase: &str, uid: &str, name: &str| {
            let volume = json!({"metadata": {"labels": {RESTORE_UID_LABEL: uid}},
                "spec": {"claimRef": {"namespace": "shop", "name": name, "uid": "old"}},
                "status": {"phase": phase}});
            let claim = "persistentvolumeclaims/shop/data".parse().unwrap();
            is_left(volume.as_object().unwrap(), &claim, "u1")
        };
        assert!(is_left("Released", "u1", "data"));
        assert!(!is_left("Bound", "u1", "data"), "its claim is there");
        assert!(!is_left("Released", "u2", "data"), "of another restore");
        assert!(!is_left("Released", "u1", "other"), "of another claim");
    }
}
