//! Volumes: snapshot -> volume, available -> persistent volume -> claim Bound.

use bowline_api::{
    GroupResource, ItemId, Snapshot, SnapshotState, Tags, Volume, VolumeRequest, VolumeSnapshotter,
    VolumeSpec, VolumeState,
};
use futures::{StreamExt as _, stream};
use serde_json::{Map, Value};
use std::time::Duration;

use super::bind;
use super::claims::{ClaimPlan, HOW_TO_MEND, token};
use super::error::Cause;
use super::execute::{Execution, Outcome};
use super::plan::kind_of;
use super::prepare;
use super::select;
use crate::engine::clock::pause;
use crate::engine::cluster::{Created, Creation};
use crate::engine::model::backup::annotations;
use crate::engine::model::volume::{NativeSnapshot, tags};
use crate::engine::report::{Problem, VolumeReport, chain};

/// Why a volume did not come back: a problem of its claim, or the end of the restore.
pub(super) enum Failure {
    Claim(Box<Problem>),
    Run(Cause),
}

/// Brings the volumes of all claims back, several at once.
pub(super) async fn restore_all(execution: &Execution<'_>) -> Result<Vec<VolumeReport>, Cause> {
    let mut results = stream::iter(&execution.plan.claims)
        .map(|claim| restore_one(execution, claim))
        .buffer_unordered(execution.context.limits.volumes);
    let mut reports = Vec::new();
    while let Some(result) = results.next().await {
        reports.push(result?);
    }
    reports.sort_by(|a, b| (&a.namespace, &a.claim).cmp(&(&b.namespace, &b.claim)));
    Ok(reports)
}

async fn restore_one(
    execution: &Execution<'_>,
    claim: &ClaimPlan<'_>,
) -> Result<VolumeReport, Cause> {
    let mut work = Work::new(execution, claim);
    let label = format!("{}/{}", work.report.namespace, work.report.claim);
    match work.run(&label).await {
        Ok(()) => {
            work.journal_state(
                &label,
                if claim.snapshot.is_some() { "bound" } else { "reattached" },
            );
            Ok(work.report)
        }
        Err(Failure::Run(cause)) => Err(cause),
        Err(Failure::Claim(problem)) => {
            work.journal_state(&label, "failed");
            execution.journal.error(problem.with_hint(format!(
                "the claim stays Pending and nothing empty is made in its place; when the cause is \
                 mended, {HOW_TO_MEND}"
            )));
            Ok(work.report)
        }
    }
}

/// The way of one volume.
struct Work<'a> {
    execution: &'a Execution<'a>,
    claim: &'a ClaimPlan<'a>,
    target: ItemId,
    report: VolumeReport,
}

impl<'a> Work<'a> {
    fn new(execution: &'a Execution<'a>, claim: &'a ClaimPlan<'a>) -> Self {
        let target = execution.plan.preparation.target(&claim.source(execution.plan));
        let report = VolumeReport {
            namespace: target.namespace.clone().unwrap_or_default(),
            claim: target.name.clone(),
            persistent_volume: Some(claim.name.clone()),
            snapshot_id: claim.snapshot.and_then(|s| s.status.provider_snapshot_id.clone()),
            volume_id: None,
            state: "pending".to_owned(),
        };
        Self { execution, claim, target, report }
    }

    fn journal_state(&mut self, label: &str, state: &str) {
        state.clone_into(&mut self.report.state);
        self.execution.journal.volume(label, state);
    }

    fn problem(&self, operation: &str, message: impl Into<String>) -> Failure {
        Failure::Claim(Box::new(Problem::of_item(&self.target, operation, message)))
    }

    async fn run(&mut self, label: &str) -> Result<(), Failure> {
        let made = self.persistent_volume(label).await;
        let outcome = match &made {
            Ok(outcome) => *outcome,
            Err(_) => Outcome::Failed,
        };
        self.execution.record(self.claim.volume_row, outcome);
        made?;
        bind::bound(self.execution, &self.target, &self.claim.name).await
    }

    /// Makes the volume and the persistent volume that points at it.
    async fn persistent_volume(&mut self, label: &str) -> Result<Outcome, Failure> {
        let (_, recorded) =
            select::read(self.execution.ready, self.claim.volume).map_err(Failure::Run)?;
        let recorded = Value::Object(recorded);
        let Some(snapshot) = self.claim.snapshot else {
            return self.create(recorded, None).await;
        };
        let snapshotter = self.execution.context.snapshotters.of_volume(&recorded);
        let snapshotter = snapshotter.ok_or_else(|| {
            self.problem("restore", "no snapshotter knows the kind of its volume")
        })?;
        let usable = self.usable(snapshotter, snapshot).await?;
        self.execution.journal.volume(label, "volume requested");
        let volume = self.volume(snapshotter, snapshot, usable).await?;
        self.report.volume_id = Some(volume.id.clone());
        self.execution.journal.volume(label, "volume available");
        self.create(recorded, Some((snapshotter, &volume))).await
    }

    /// Checks that the snapshot is what the backup made, not merely what a file says.
    async fn usable(
        &self,
        snapshotter: &dyn VolumeSnapshotter,
        record: &NativeSnapshot,
    ) -> Result<Snapshot, Failure> {
        let id = record.status.provider_snapshot_id.as_deref().unwrap_or_default();
        let found = snapshotter.snapshot(id).await;
        let found = found.map_err(|error| self.problem("restore", chain(&error)))?;
        if found.state != SnapshotState::Completed {
            return Err(self.problem("restore", format!("snapshot {id} is not complete")));
        }
        for (key, wanted) in self.expected_tags(record) {
            if found.tags.get(key) != Some(&wanted) {
                let message = format!("snapshot {id} is not tagged {key}={wanted}; it is not used");
                return Err(self.problem("restore", message));
            }
        }
        Ok(found)
    }

    fn expected_tags(&self, record: &NativeSnapshot) -> Vec<(&'static str, String)> {
        let backup = &self.execution.ready.opened.backup;
        let mut expected = vec![
            (tags::BACKUP, backup.metadata.name.clone()),
            (tags::PERSISTENT_VOLUME, record.spec.persistent_volume_name.clone()),
        ];
        if backup.annotation(annotations::VERSION).is_some() {
            expected.push((tags::BACKUP_UID, backup.metadata.uid.clone()));
        }
        expected
    }

    async fn volume(
        &self,
        snapshotter: &dyn VolumeSnapshotter,
        record: &NativeSnapshot,
        snapshot: Snapshot,
    ) -> Result<Volume, Failure> {
        let request = self.request(record, snapshot);
        let mut volume = snapshotter
            .create_volume(&request)
            .await
            .map_err(|error| self.problem("restore", chain(&error)))?;
        let mut wait = Duration::from_millis(200);
        loop {
            match &volume.state {
                VolumeState::Available => return Ok(volume),
                VolumeState::Failed(reason) => {
                    let message = format!("volume {} failed: {reason}", volume.id);
                    // By its token it would be found, and fail, again.
                    self.remove(snapshotter, &volume).await;
                    return Err(self.problem("restore", message));
                }
                VolumeState::Creating => pause(wait).await,
            }
            wait = (wait * 2).min(Duration::from_secs(10));
            let id = volume.id.clone();
            volume = snapshotter
                .volume(&id)
                .await
                .map_err(|error| self.problem("restore", chain(&error)))?;
        }
    }

    fn request(&self, record: &NativeSnapshot, snapshot: Snapshot) -> VolumeRequest {
        let uid = &self.execution.plan.preparation.restore_uid;
        let mut marks: Tags = snapshot.tags;
        marks.insert(tags::RESTORE_UID.to_owned(), uid.clone());
        marks.insert(tags::PERSISTENT_VOLUME.to_owned(), self.claim.name.clone());
        VolumeRequest {
            snapshot_id: snapshot.id,
            source_volume_id: record.spec.provider_volume_id.clone(),
            persistent_volume: self.claim.name.clone(),
            claim: format!("{}/{}", self.report.namespace, self.report.claim),
            token: token(uid, &record.spec.persistent_volume_name),
            tags: marks,
            spec: VolumeSpec {
                volume_type: record.spec.volume_type.clone(),
                zone: record.spec.volume_az.clone(),
                iops: record.spec.volume_iops.filter(|iops| *iops > 0),
                ..VolumeSpec::default()
            },
            nodes: self.execution.ready.nodes.clone(),
        }
    }

    /// Creates the persistent volume. Where that is refused, the volume made for it is removed.
    async fn create(
        &self,
        recorded: Value,
        volume: Option<(&dyn VolumeSnapshotter, &Volume)>,
    ) -> Result<Outcome, Failure> {
        let id = self.claim.volume.id();
        let object = recorded.as_object().cloned().unwrap_or_default();
        let prepared = prepare::prepare(&id, object, &self.execution.plan.preparation);
        let mut object = Value::Object(prepared.object);
        if let Some((snapshotter, volume)) = volume {
            snapshotter
                .set_volume(&mut object, volume)
                .map_err(|error| self.problem("restore", chain(&error)))?;
        }
        let object = object.as_object().cloned().unwrap_or_default();
        let result = self.post(&prepared.id, &object).await;
        if let (Err(Failure::Claim(_)), Some((snapshotter, volume))) = (&result, volume) {
            self.remove(snapshotter, volume).await;
        }
        result
    }

    /// Removes a volume that is of no use to anybody; one that stays is an error, too.
    async fn remove(&self, snapshotter: &dyn VolumeSnapshotter, volume: &Volume) {
        if let Err(error) = snapshotter.delete_volume(&volume.id).await {
            let message = format!("volume {} is left over: {}", volume.id, chain(&error));
            self.execution.journal.error(Problem::of_item(&self.target, "clean up", message));
        }
    }

    async fn post(&self, id: &ItemId, object: &Map<String, Value>) -> Result<Outcome, Failure> {
        let cluster = &self.execution.context.cluster;
        let kind = kind_of(&self.execution.ready.catalog, &self.claim.volume)
            .ok_or_else(|| self.problem("create", "the target serves no persistent volumes"))?;
        let creation = Creation { mark: Some(prepare::RESTORE_UID_LABEL), ..Creation::default() };
        match cluster.create(&kind, None, object, &creation).await {
            Ok(Created::Created(_)) => Ok(Outcome::Created),
            Ok(Created::Exists) => match cluster.get(&kind, None, &id.name).await {
                Ok(Some(live)) if label(&live) == label(object) => Ok(Outcome::Unchanged),
                Ok(_) => Err(self.problem("create", format!("volume {} exists already", id.name))),
                Err(error) => Err(Failure::Run(error.into())),
            },
            Err(error) if error.is_unreachable() => Err(Failure::Run(error.into())),
            Err(error) => {
                let problem = Problem::of_item(
                    &ItemId::cluster(GroupResource::core("persistentvolumes"), &id.name),
                    "create",
                    chain(&error),
                );
                Err(Failure::Claim(Box::new(problem.with_status(error.status()))))
            }
        }
    }
}

fn label(object: &Map<String, Value>) -> Option<&Value> {
    object.get("metadata")?.get("labels")?.get(prepare::RESTORE_UID_LABEL)
}
