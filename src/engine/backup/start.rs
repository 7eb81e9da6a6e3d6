//! Starts the snapshot of every claim's volume, while the archive is being written.

use std::pin::pin;

use bowline_api::{SnapshotRequest, SnapshotState, Tags, VolumeSnapshotter};
use futures::{Stream, StreamExt as _};
use serde_json::Value;

use super::asked::{Asked, Trouble};
use super::claim::{Claim, Decision};
use super::error::Cause;
use super::halt::Halt;
use super::hooks::{Task, groups, tasks};
use super::outcome::{Fault, Outcome, PENDING, complete, fail, label};
use super::preflight::{Ready, Request};
use super::volumes::{info, locate, of_claim};
use crate::engine::context::Context;
use crate::engine::context::hooks::Tally;
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
    let started = tasks(claims, groups(&work.ready.hooks))
        .take_until(work.halt.called())
        .map(|task| work.carry_out(task))
        .buffer_unordered(work.context.limits.volumes);
    let mut started = pin!(started);
    let (mut outcomes, mut broken) = (Vec::new(), None);
    while let Some(outcome) = started.next().await {
        match outcome {
            Ok(taken) => outcomes.extend(taken),
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
    pub tally: &'a Tally,
}

/// A claim of which all is known, and the snapshot that is to be taken, if any is.
pub(super) struct Prepared<'a> {
    outcome: Outcome,
    snapshot: Option<(&'a dyn VolumeSnapshotter, SnapshotRequest)>,
}

impl Prepared<'_> {
    /// Whether a snapshot is to be taken.
    pub(super) fn is_wanted(&self) -> bool {
        self.snapshot.is_some()
    }

    /// What is known of the claim, without a snapshot.
    pub(super) fn left(self) -> Outcome {
        self.outcome
    }
}

impl<'a> Work<'a> {
    async fn carry_out(&self, task: Task) -> Result<Vec<Outcome>, Cause> {
        match task {
            Task::Claim(claim) => {
                let prepared = self.prepare(&claim).await?;
                Ok(vec![self.take(prepared).await])
            }
            Task::Group(group, claims) => self.take_held(&group, &claims).await,
        }
    }

    /// Whether nothing more is to be begun.
    pub(super) fn is_ending(&self) -> bool {
        self.halt.is_called() || self.context.holds.is_closed()
    }

    /// Finds out what becomes of a claim's volume, and what that needs.
    pub(super) async fn prepare(&self, claim: &Claim) -> Result<Prepared<'a>, Cause> {
        let mut outcome = Outcome::new(claim);
        let found = of_claim(self.context, self.ready, claim).await;
        let volume = found.as_ref().and_then(|found| found.as_ref().ok());
        outcome.info = volume.map(info);
        let prepared = match claim.decide(&self.ready.rules(), &found) {
            Decision::LeaveOut { state, reason } => {
                leave_out(&mut outcome, state, reason, volume);
                Ok(None)
            }
            Decision::Fail { reason } => Err(Trouble::Claim(reason.into())),
            Decision::Snapshot { name, volume } => {
                self.located(claim, name, volume, &mut outcome).await.map(Some)
            }
        };
        let snapshot = match prepared {
            Ok(snapshot) => snapshot,
            Err(Trouble::Claim(fault)) => {
                fail(self.journal, &mut outcome.report, fault);
                None
            }
            Err(Trouble::Run(cause)) => return Err(cause),
        };
        Ok(Prepared { outcome, snapshot })
    }

    async fn located(
        &self,
        claim: &Claim,
        name: &str,
        volume: &Value,
        outcome: &mut Outcome,
    ) -> Result<(&'a dyn VolumeSnapshotter, SnapshotRequest), Trouble> {
        let located = locate(self.context, self.ready, name, volume);
        let (snapshotter, volume_id) = located.map_err(|fault| Trouble::Claim(fault.into()))?;
        outcome.report.provider = Some(snapshotter.provider().to_owned());
        outcome.report.volume_id = Some(volume_id.clone());
        self.asked.note(&self.context.store, self.attempt, snapshotter).await?;
        Ok((snapshotter, self.request(claim, name, volume_id)))
    }

    /// Takes the snapshot that was prepared, unless nothing is to be begun any more.
    pub(super) async fn take(&self, prepared: Prepared<'_>) -> Outcome {
        let Prepared { mut outcome, snapshot } = prepared;
        let Some((snapshotter, request)) = snapshot.filter(|_| !self.is_ending()) else {
            return outcome;
        };
        self.journal.volume(&label(&outcome.report), "snapshot started");
        if let Err(fault) = self.create(snapshotter, &request, &mut outcome).await {
            fail(self.journal, &mut outcome.report, fault);
        }
        outcome
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
