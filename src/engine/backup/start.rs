//! Starts the snapshot of every claim's volume, while the archive is being written.

use std::pin::pin;

use bowline_api::{SnapshotRequest, SnapshotState, Tags, VolumeSnapshotter};
use futures::{Stream, StreamExt as _};

use super::asked::{Asked, Trouble};
use super::claim::{Claim, Decision};
use super::error::Cause;
use super::halt::Halt;
use super::outcome::{Outcome, PENDING, complete, fail};
use super::preflight::{Ready, Request};
use super::volumes::{info, locate, persistent_volume};
use crate::engine::context::Context;
use crate::engine::journal::Journal;
use crate::engine::model::backup::Attempt;
use crate::engine::model::digest;
use crate::engine::model::volume::tags;
use crate::engine::report::chain;

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
        let started = match claim.decide(self.ready.spec.snapshot_volumes != Some(false)) {
            Decision::Skip { state, reason } => {
                self.skip(claim, state, reason, &mut outcome).await;
                Ok(())
            }
            Decision::Fail { reason } => Err(Trouble::Claim(reason)),
            Decision::Snapshot { volume } => self.start(claim, &volume, &mut outcome).await,
        };
        match started {
            Ok(()) => {}
            Err(Trouble::Claim(message)) => fail(self.journal, &mut outcome.report, message),
            Err(Trouble::Run(cause)) => return Err(cause),
        }
        Ok(outcome)
    }

    async fn skip(&self, claim: &Claim, state: &str, reason: &str, outcome: &mut Outcome) {
        state.clone_into(&mut outcome.report.state);
        outcome.skipped = Some(reason.to_owned());
        if let Some(volume) = &claim.volume {
            let volume = persistent_volume(self.context, self.ready, volume).await;
            outcome.info = volume.ok().map(|volume| info(&volume));
        }
    }

    async fn start(&self, claim: &Claim, name: &str, outcome: &mut Outcome) -> Result<(), Trouble> {
        let volume = persistent_volume(self.context, self.ready, name).await;
        let volume = volume.map_err(Trouble::Claim)?;
        outcome.info = Some(info(&volume));
        let located = locate(self.context, self.ready, name, &volume);
        let (snapshotter, volume_id) = located.map_err(Trouble::Claim)?;
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
    ) -> Result<(), String> {
        let created = snapshotter.create_snapshot(request).await;
        let snapshot = created.map_err(|error| chain(&error))?;
        outcome.volume = Some(snapshot.volume);
        outcome.report.snapshot_id = Some(snapshot.id.clone());
        match snapshot.state {
            SnapshotState::Completed => complete(self.journal, &mut outcome.report),
            SnapshotState::Pending(_) => PENDING.clone_into(&mut outcome.report.state),
            SnapshotState::Failed(reason) => {
                return Err(format!("snapshot {} failed: {reason}", snapshot.id));
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
