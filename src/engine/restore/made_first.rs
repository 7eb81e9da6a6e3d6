//! Makes claims, also where something else was faster.

use std::sync::PoisonError;
use std::time::Duration;

use bowline_api::{GroupResource, ItemId};
use serde_json::json;

use super::claims::claims;
use super::error::Cause;
use super::execute::{Execution, Outcome};
use super::existing_claims::VOLUME_NAME;
use super::mounters;
use super::plan::kind_of;
use super::prepare::Prepared;
use super::row::Row;
use super::take_over::{IN_USE, KEPT_LABEL};
use super::volumes::Failure;
use crate::engine::cluster::{Created, Deletion};
use crate::engine::model::Kind;
use crate::engine::model::fields::{Object, at, text_at};
use crate::engine::report::{Problem, chain};

/// How often a claim is replaced that something makes again and again.
const ROUNDS: usize = 5;
/// How long a claim may take to be gone. It stays as long as a pod has it.
const GONE_WITHIN: Duration = Duration::from_mins(1);

/// Whether it is a claim that a volume of this restore is meant for.
pub(super) fn is_reserved(prepared: &Prepared) -> bool {
    prepared.id.resource == claims() && text_at(&prepared.object, VOLUME_NAME).is_some()
}

impl Execution<'_> {
    /// Makes a claim that waits for its volume; what else has its name is replaced, or an error.
    pub(super) async fn make_claim(
        &self,
        index: usize,
        row: &Row<'_>,
        kind: &Kind,
        prepared: &Prepared,
    ) -> Result<Outcome, Cause> {
        let outcome = self.try_claim(index, row, kind, prepared).await;
        match outcome {
            Ok(outcome) => Ok(outcome),
            Err(Failure::Run(cause)) => Err(cause),
            Err(failure) => {
                if let Failure::Claim(problem) = failure {
                    self.journal.error(*problem);
                }
                Ok(Outcome::Failed)
            }
        }
    }

    /// Makes a claim again that was deleted or replaced since.
    pub(super) async fn renew_claim(&self, index: usize) -> Result<Outcome, Cause> {
        let row = &self.plan.rows[index];
        let Some(kind) = kind_of(&self.ready.catalog, &row.entry) else {
            return Ok(Outcome::Failed);
        };
        let prepared = self.plan.prepared(self.ready, row)?;
        let outcome = self.make_claim(index, row, &kind, &prepared).await?;
        self.conclude(index, row, outcome);
        Ok(outcome)
    }

    async fn try_claim(
        &self,
        index: usize,
        row: &Row<'_>,
        kind: &Kind,
        prepared: &Prepared,
    ) -> Result<Outcome, Failure> {
        let id = &prepared.id;
        for _ in 0..ROUNDS {
            match self.post(index, row, kind, prepared).await.map_err(Failure::Run)? {
                Some(Created::Created(_)) => return Ok(Outcome::Created),
                Some(Created::Exists) => {}
                None => return Err(Failure::Told),
            }
            let live = self.context.cluster.get(kind, id.namespace.as_deref(), &id.name).await;
            let Some(live) = live.map_err(|error| failed(id, error))? else { continue };
            let wanted = text_at(&prepared.object, VOLUME_NAME);
            let goes = text_at(&live, &["metadata", "deletionTimestamp"]).is_some();
            if text_at(&live, VOLUME_NAME) == wanted && !goes {
                self.owners.made(row.uid(), kind, id, &live);
                return Ok(Outcome::Unchanged);
            }
            self.clear_claim(kind, id, &live, wanted.unwrap_or_default()).await?;
        }
        let message = "something makes this claim again and again as soon as it is deleted";
        let hint = "stop what makes it, and restore again";
        Err(Failure::of_claim(Problem::of_item(id, "take over", message).with_hint(hint)))
    }

    /// Takes a claim that something else made out of the way, and keeps its volume.
    ///
    /// The volume is retained first: whatever breaks off after that, nothing is lost.
    async fn clear_claim(
        &self,
        kind: &Kind,
        id: &ItemId,
        live: &Object,
        wanted: &str,
    ) -> Result<(), Failure> {
        let volume = text_at(live, VOLUME_NAME).filter(|name| !name.is_empty());
        if !self.request.spec.take_over_claims {
            return Err(Failure::of_claim(self.foreign(id, volume, wanted)));
        }
        let cluster = &self.context.cluster;
        let user = self.claim_user(id, volume).await;
        if let Some(user) = user.map_err(|error| failed(id, error))? {
            let message = format!("something else made this claim, and {user}");
            return Err(Failure::of_claim(
                Problem::of_item(id, "take over", message).with_hint(IN_USE),
            ));
        }
        let uid = text_at(live, &["metadata", "uid"]).unwrap_or_default();
        if let Some(volume) = volume {
            self.retain(id, uid, volume).await?;
        }
        // A pod that uses it by now, or a volume that it got meanwhile, was not looked at.
        let resource_version = text_at(live, &["metadata", "resourceVersion"]);
        let deletion = Deletion { uid: Some(uid), resource_version, ..Deletion::default() };
        match cluster.delete(kind, id.namespace.as_deref(), &id.name, &deletion).await {
            // It was changed, or another has its name by now: that is looked at next.
            Err(error) if error.status() == Some(409) => Ok(()),
            Err(error) => Err(failed(id, error)),
            Ok(()) => self.gone(kind, id, uid).await,
        }
    }

    /// Sees to it that the volume of a claim outlives it, and can be found again.
    async fn retain(&self, id: &ItemId, uid: &str, volume: &str) -> Result<(), Failure> {
        let resource = GroupResource::core("persistentvolumes");
        let Some(kind) = self.ready.catalog.get(&resource) else { return Ok(()) };
        let cluster = &self.context.cluster;
        let live = cluster.get(kind, None, volume).await.map_err(|error| failed(id, error))?;
        if !live.is_some_and(|live| may_be_of(&live, id, uid)) {
            return Ok(());
        }
        let labels = json!({KEPT_LABEL: self.plan.preparation.restore_uid});
        let patch = json!({"metadata": {"labels": labels},
            "spec": {"persistentVolumeReclaimPolicy": "Retain"}});
        let patched = cluster.merge_patch(kind, None, volume, &patch).await;
        patched.map(drop).map_err(|error| failed(id, error))
    }

    async fn gone(&self, kind: &Kind, id: &ItemId, uid: &str) -> Result<(), Failure> {
        let cluster = &self.context.cluster;
        let gone = |live: Option<&Object>| {
            let same = live.is_some_and(|it| text_at(it, &["metadata", "uid"]) == Some(uid));
            (!same).then_some(())
        };
        let namespace = id.namespace.as_deref();
        let waited = cluster.wait_for(kind, namespace, &id.name, GONE_WITHIN, gone).await;
        if waited.map_err(|error| failed(id, error))?.is_some() {
            return Ok(());
        }
        let live = cluster.get(kind, namespace, &id.name).await.ok().flatten().unwrap_or_default();
        let message = format!(
            "the claim that something else made is being deleted, and not gone within {} s{}",
            GONE_WITHIN.as_secs(),
            holders(&live)
        );
        Err(Failure::of_claim(Problem::of_item(id, "take over", message).with_hint(IN_USE)))
    }

    /// What is told of a claim that something else made, if it is not to be replaced.
    fn foreign(&self, id: &ItemId, volume: Option<&str>, wanted: &str) -> Problem {
        let has =
            volume.map_or_else(|| "has no volume".to_owned(), |it| format!("has volume {it}"));
        let message = format!(
            "something else made this claim meanwhile; it {has}, and its data is not the backup's"
        );
        let namespace = id.namespace.as_deref().unwrap_or_default();
        let hint = format!(
            "PersistentVolume {wanted} has the backup's and waits for it: stop what mounts the claim, \
             kubectl --namespace={namespace} delete persistentvolumeclaim {}, and bowline restore resume {}; \
             or restore again with --take-over-claims",
            id.name, self.request.name
        );
        Problem::of_item(id, "create", message).with_hint(hint)
    }

    /// Why a workload is not made: it would start on something that is not the backup's.
    pub(super) fn held_back(&self, row: &Row<'_>, id: &ItemId, object: &Object) -> Option<Problem> {
        let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        let claim = mounters::mounted(&row.entry.id(), object, &lost);
        drop(lost);
        let claim = claim?;
        let message = format!("not made: claim {}, which it needs, could not be had", claim.name);
        let hint = format!(
            "when the claim is mended, bowline restore resume {} makes it",
            self.request.name
        );
        Some(Problem::of_item(id, "create", message).with_hint(hint))
    }
}

/// Whether a volume is that of a claim, or may become so at any moment.
fn may_be_of(volume: &Object, claim: &ItemId, uid: &str) -> bool {
    let text = |key: &str| text_at(volume, &["spec", "claimRef", key]);
    let is_free = at(volume, &["spec", "claimRef"]).is_none();
    let is_named =
        text("namespace") == claim.namespace.as_deref() && text("name") == Some(&claim.name);
    is_free || is_named && text("uid").is_none_or(|it| it == uid)
}

/// The finalizers that keep an object from being gone.
fn holders(live: &Object) -> String {
    let finalizers = at(live, &["metadata", "finalizers"]).and_then(|it| it.as_array());
    let names: Vec<&str> = finalizers.into_iter().flatten().filter_map(|it| it.as_str()).collect();
    if names.is_empty() { String::new() } else { format!(": {} holds it", names.join(", ")) }
}

fn failed(id: &ItemId, error: crate::engine::cluster::Error) -> Failure {
    if error.is_unreachable() {
        return Failure::Run(error.into());
    }
    let problem = Problem::of_item(id, "take over", chain(&error));
    Failure::of_claim(problem.with_status(error.status()))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::samples::object;
    use super::*;

    #[test]
    fn a_volume_is_kept_unless_it_belongs_to_another_claim() {
        let claim: ItemId = "persistentvolumeclaims/shop/data".parse().unwrap();
        let may_be = |reference: Value| {
            let volume = object(json!({"spec": {"claimRef": reference}}));
            may_be_of(&volume, &claim, "u1")
        };
        assert!(may_be(json!({"namespace": "shop", "name": "data", "uid": "u1"})));
        assert!(may_be(json!({"namespace": "shop", "name": "data"})), "about to be bound");
        assert!(!may_be(json!({"namespace": "shop", "name": "data", "uid": "u0"})));
        assert!(!may_be(json!({"namespace": "shop", "name": "other", "uid": "u1"})));
        assert!(may_be_of(&object(json!({"spec": {}})), &claim, "u1"), "the claim asks for it");
    }
}
