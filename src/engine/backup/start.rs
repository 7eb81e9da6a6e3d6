//! Starts the snapshot of every claim's volume, while the archive is being written.

use std::pin::pin;

use bowline_api::{SnapshotRequest, SnapshotState, Tags, VolumeSnapshotter};
use futures::{Stream, StreamExt as _};
use serde_json::Value;

use super::asked::{Asked, Trouble};
use super::claim::{Claim, Decision};
use super::error::Cause;
use super::halt::Halt;
use super::outcome::{Fault, Outcome, PENDING, complete, fail};
use super::preflight::{Ready, Request};
use super::volumes::{info, locate, of_claim};
use crate::engine::context::Context;
use crate::engine::journal::Journal;
use crate::engine::model::backup::Attempt;
use crate::engine::model::digest;
use crate::engine::model::shared;
use crate::engine::model::volume::{REATTACH, tags};

/// Takes care of the volumes of all claims, several at once; gives them in order.
///
/// Once it is halted, ends as soon as the creations that have begun are over: a snapshot whose
/// creation is dropped may come to be after all that can be found was cleared.
pub(super) async fn start_all(
    work: &Work<'_>,
    claims: impl Stream<Item = Claim>,
) -> Result<Vec<Outcome>, Cause> {
    let started = claims
        .take_until(work.halt.called())
        .map(|claim| async move { work.take_care_of(&claim).await })
        .buffer_unordered(work.context.limits.volumes);
    let mut started = pin!(started);
    let (mut outcomes, mut broken) = (Vec::new(), None);
    while let Some(outcome) = started.next().await {
        match outcome {
            Ok(outcome) => outcomes.push(outcome),
            Err(cause) => {
                work.halt.call();
                broken.get_or_insert(cause);
            }
        }
    }
    let name = |outcome: &Outcome| (outcome.report.namespace.clone(), outcome.report.claim.clone());
    outcomes.sort_by_cached_key(name);
    broken.map_or(Ok(outcomes), Err)
}

/// What taking care of a volume needs.
#[derive(Debug)]
pub(super) struct Work<'a> {
    pub context: &'a Context,
    pub journal: &'a Journal,
    pub request: &'a Request,
    pub ready: &'a Ready,
    pub attempt: &'a Attempt,
    pub asked: &'a Asked,
    pub halt: &'a Halt,
}

impl Work<'_> {
    async fn take_care_of(&self, claim: &Claim) -> Result<Outcome, Cause> {
        let mut outcome = Outcome::new(claim);
        let found = of_claim(self.context, self.ready, claim).await;
        let volume = found.as_ref().and_then(|found| found.as_ref().ok());
        outcome.info = volume.map(info);
        let started = match claim.decide(&self.ready.rules(), &found) {
            Decision::LeaveOut { state, reason } => {
                leave_out(&mut outcome, state, reason, volume);
                Ok(())
            }
            Decision::Fail { reason } => Err(Trouble::Claim(reason.into())),
            Decision::Snapshot { name, volume } => {
                self.start(claim, name, volume, &mut outcome).await
            }
        };
        match started {
            Ok(()) => {}
            Err(Trouble::Claim(fault)) => fail(self.journal, &mut outcome.report, fault),
            Err(Trouble::Run(cause)) => return Err(cause),
        }
        Ok(outcome)
    }

    async fn start(
        &self,
        claim: &Claim,
        name: &str,
        volume: &Value,
        outcome: &mut Outcome,
    ) -> Result<(), Trouble> {
        let located = locate(self.context, self.ready, name, volume);
        let (snapshotter, volume_id) = located.map_err(|fault| Trouble::Claim(fault.into()))?;
        outcome.report.provider = Some(snapshotter.provider().to_owned());
        outcome.report.volume_id = Some(volume_id.clone());
        self.asked.note(&self.context.store, self.attempt, snapshotter).await?;
        if self.halt.is_called() {
            return Ok(());
        }
        self.journal.volume(&claim.label(), "snapshot started");
        let request = self.request(claim, name, volume_id);
        self.create(snapshotter, &request, outcome).await.map_err(Trouble::Claim)
    }

    async fn create(
        &self,
        snapshotter: &dyn VolumeSnapshotter,
        request: &SnapshotRequest,
        outcome: &mut Outcome,
    ) -> Result<(), Fault> {
        let snapshot = match snapshotter.create_snapshot(request).await {
            Ok(snapshot) => snapshot,
            Err(error) => {
                let place = snapshotter.place().await.ok().flatten();
                return Err(Fault::of(&error, place.as_deref()));
            }
        };
        outcome.volume = Some(snapshot.volume);
        outcome.report.snapshot_id = Some(snapshot.id.clone());
        match snapshot.state {
            SnapshotState::Completed => complete(self.journal, &mut outcome.report),
            SnapshotState::Pending(_) => PENDING.clone_into(&mut outcome.report.state),
            SnapshotState::Failed(reason) => {
                return Err(format!("snapshot {} failed: {reason}", snapshot.id).into());
            }
        }
        Ok(())
    }

    fn request(&self, claim: &Claim, volume: &str, volume_id: String) -> SnapshotRequest {
        // What ours are called is not the user's to say.
        let mut tags: Tags = self.request.labels.clone();
        tags.extend([
            (tags::BACKUP.to_owned(), self.request.name.clone()),
            (tags::PERSISTENT_VOLUME.to_owned(), volume.to_owned()),
            (tags::BACKUP_UID.to_owned(), self.attempt.uid.clone()),
            (tags::CLUSTER_UID.to_owned(), self.ready.cluster_uid.clone()),
            (tags::CLAIM.to_owned(), claim.label()),
            (tags::LOCATION.to_owned(), tags::location(self.context.store.url())),
        ]);
        SnapshotRequest { volume_id, token: token(&self.attempt.uid, volume), tags }
    }
}

/// Notes why nothing is kept of a volume, and how one is reached that comes back as the very same.
fn leave_out(outcome: &mut Outcome, state: &str, reason: String, volume: Option<&Value>) {
    state.clone_into(&mut outcome.report.state);
    outcome.report.reason = Some(reason);
    if state == REATTACH {
        outcome.report.volume_id = volume.and_then(shared::handle);
    }
}

/// The identity of one snapshot: the attempt and the volume.
fn token(uid: &str, volume: &str) -> String {
    format!("{uid}-{}", digest::short(volume, 16))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_of_one_attempt_and_one_volume() {
        let uid = uuid::Uuid::nil().to_string();
        assert!(token(&uid, "pv-1").len() <= 64);
        assert_ne!(token(&uid, "pv-1"), token(&uid, "pv-2"));
    }
}
