//! Volumes: bound claim -> persistent volume -> the snapshotter that knows it -> snapshot.

use std::collections::BTreeMap;
use std::time::Duration;

use bowline_api::{
    GroupResource, Snapshot, SnapshotRequest, SnapshotState, Tags, VolumeSnapshotter,
};
use futures::{Stream, StreamExt as _};
use serde_json::Value;

use super::claim::{Claim, Decision};
use super::preflight::{Ready, Request};
use crate::engine::clock::pause;
use crate::engine::context::Context;
use crate::engine::journal::Journal;
use crate::engine::model::digest;
use crate::engine::model::volume::{PersistentVolumeInfo, tags};
use crate::engine::report::{Problem, SnapshotReport, chain};

/// What became of the volume of one claim.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub report: SnapshotReport,
    pub snapshot: Option<Snapshot>,
    /// Why nothing was kept of it on purpose.
    pub skipped: Option<String>,
    /// What of the persistent volume its successor gets.
    pub info: Option<PersistentVolumeInfo>,
    pub failed: bool,
}

/// Takes care of the volumes of all claims, several at once.
pub(super) async fn snapshot_all(
    work: &Work<'_>,
    claims: impl Stream<Item = Claim>,
) -> Vec<Outcome> {
    claims
        .map(|claim| async move { work.take_care_of(&claim).await })
        .buffer_unordered(work.context.limits.volumes)
        .collect()
        .await
}

/// What taking care of a volume needs.
#[derive(Debug)]
pub(super) struct Work<'a> {
    pub context: &'a Context,
    pub journal: &'a Journal,
    pub request: &'a Request,
    pub ready: &'a Ready,
    pub uid: &'a str,
}

impl Work<'_> {
    async fn take_care_of(&self, claim: &Claim) -> Outcome {
        let mut outcome = Outcome::new(claim);
        match claim.decide(self.ready.spec.snapshot_volumes != Some(false)) {
            Decision::Skip { state, reason } => {
                state.clone_into(&mut outcome.report.state);
                outcome.skipped = Some(reason.to_owned());
                outcome.info = match &claim.volume {
                    Some(volume) => {
                        let volume = persistent_volume(self.context, self.ready, volume).await;
                        volume.ok().map(|volume| info(&volume))
                    }
                    None => None,
                };
            }
            Decision::Fail { reason } => {
                self.fail(claim, &mut outcome, Problem::of_item(&claim.id(), "snapshot", reason));
            }
            Decision::Snapshot { volume } => {
                if let Err(problem) = self.snapshot(claim, &volume, &mut outcome).await {
                    self.fail(claim, &mut outcome, *problem);
                }
            }
        }
        outcome
    }

    fn fail(&self, claim: &Claim, outcome: &mut Outcome, problem: Problem) {
        self.journal.volume(&claim.label(), "failed");
        "failed".clone_into(&mut outcome.report.state);
        outcome.failed = true;
        self.journal.error(problem.with_hint(
            "its data is NOT in this backup; exclude the volume on purpose with \
             --snapshot-volumes=false or the claim's annotation bowline.io/volume=skip",
        ));
    }

    async fn snapshot(
        &self,
        claim: &Claim,
        name: &str,
        outcome: &mut Outcome,
    ) -> Result<(), Box<Problem>> {
        let problem =
            |message: String| Box::new(Problem::of_item(&claim.id(), "snapshot", message));
        let volume = persistent_volume(self.context, self.ready, name).await.map_err(problem)?;
        outcome.info = Some(info(&volume));
        let located = locate(self.context, self.ready, name, &volume);
        let (snapshotter, volume_id) = located.map_err(problem)?;
        outcome.report.provider = Some(snapshotter.provider().to_owned());
        outcome.report.volume_id = Some(volume_id.clone());
        let request = self.request(claim, name, volume_id);
        let snapshot = self.complete(claim, snapshotter, &request).await.map_err(problem)?;
        outcome.report.snapshot_id = Some(snapshot.id.clone());
        "completed".clone_into(&mut outcome.report.state);
        outcome.snapshot = Some(snapshot);
        Ok(())
    }

    fn request(&self, claim: &Claim, volume: &str, volume_id: String) -> SnapshotRequest {
        let mut tags: Tags = self.request.labels.clone();
        tags.extend([
            (tags::BACKUP.to_owned(), self.request.name.clone()),
            (tags::PERSISTENT_VOLUME.to_owned(), volume.to_owned()),
            (tags::BACKUP_UID.to_owned(), self.uid.to_owned()),
            (tags::CLUSTER_UID.to_owned(), self.ready.cluster_uid.clone()),
            (tags::CLAIM.to_owned(), claim.label()),
        ]);
        SnapshotRequest { volume_id, token: token(self.uid, volume), tags }
    }

    async fn complete(
        &self,
        claim: &Claim,
        snapshotter: &dyn VolumeSnapshotter,
        request: &SnapshotRequest,
    ) -> Result<Snapshot, String> {
        self.journal.volume(&claim.label(), "snapshot started");
        let mut snapshot =
            snapshotter.create_snapshot(request).await.map_err(|error| chain(&error))?;
        let mut wait = Duration::from_millis(200);
        loop {
            match &snapshot.state {
                SnapshotState::Completed => break,
                SnapshotState::Failed(reason) => {
                    return Err(format!("snapshot {} failed: {reason}", snapshot.id));
                }
                SnapshotState::Pending(_) => pause(wait).await,
            }
            wait = (wait * 2).min(Duration::from_secs(15));
            snapshot = snapshotter.snapshot(&snapshot.id).await.map_err(|error| chain(&error))?;
        }
        self.journal.volume(&claim.label(), "snapshot completed");
        Ok(snapshot)
    }
}

impl Outcome {
    fn new(claim: &Claim) -> Self {
        let report = SnapshotReport {
            namespace: Some(claim.namespace.clone()),
            claim: Some(claim.name.clone()),
            persistent_volume: claim.volume.clone(),
            provider: None,
            volume_id: None,
            snapshot_id: None,
            state: String::new(),
        };
        Self { report, snapshot: None, skipped: None, info: None, failed: false }
    }
}

/// Reads a persistent volume; an error is said in words.
pub(super) async fn persistent_volume(
    context: &Context,
    ready: &Ready,
    name: &str,
) -> Result<Value, String> {
    let resource = GroupResource::core("persistentvolumes");
    let kind = ready.catalog.get(&resource).ok_or("the cluster serves no volumes")?;
    match context.cluster.get(kind, None, name).await {
        Ok(Some(object)) => Ok(Value::Object(object)),
        Ok(None) => Err(format!("its persistent volume {name} does not exist")),
        Err(error) => Err(chain(&error)),
    }
}

/// Finds who snapshots a persistent volume, and the provider's name for the volume behind it.
pub(super) fn locate<'a>(
    context: &'a Context,
    ready: &Ready,
    name: &str,
    volume: &Value,
) -> Result<(&'a dyn VolumeSnapshotter, String), String> {
    let snapshotter = context.snapshotters.of_volume(volume).ok_or_else(|| {
        let known = context.snapshotters.names();
        format!("no snapshotter knows the kind of volume of {name} (there are: {known})")
    })?;
    let id = snapshotter.volume_id(volume, &ready.nodes).map_err(|error| chain(&error))?;
    Ok((snapshotter, id))
}

/// The identity of one snapshot: the attempt and the volume.
fn token(uid: &str, volume: &str) -> String {
    format!("{uid}-{}", digest::short(volume, 16))
}

/// What of a persistent volume its successor gets.
pub(super) fn info(volume: &Value) -> PersistentVolumeInfo {
    let policy = volume.pointer("/spec/persistentVolumeReclaimPolicy").and_then(Value::as_str);
    let labels = volume.pointer("/metadata/labels").and_then(Value::as_object).map(|labels| {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        labels.iter().map(|(key, value)| (key.clone(), text(value))).collect::<BTreeMap<_, _>>()
    });
    PersistentVolumeInfo { reclaim_policy: policy.unwrap_or("Retain").to_owned(), labels }
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
