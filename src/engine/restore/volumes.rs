//! Volumes: snapshot -> volume, available -> persistent volume -> claim Bound.

use std::time::Duration;

use bowline_api::{
    GroupResource, ItemId, Snapshot, SnapshotterError, Volume, VolumeRequest, VolumeSnapshotter,
    VolumeSpec, VolumeState,
};
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::bind;
use super::claims::{ClaimPlan, HOW_TO_MEND, Source, token};
use super::error::Cause;
use super::execute::{Execution, Outcome};
use super::plan::kind_of;
use super::prepare::{self, RESTORE_UID_LABEL};
use super::select;
use crate::engine::clock::pause;
use crate::engine::cluster::{Created, Creation};
use crate::engine::model::backup::annotations;
use crate::engine::model::fields::{Object, map_at_mut, set_text, text_at};
use crate::engine::model::shared;
use crate::engine::model::snapshot;
use crate::engine::model::volume::tags;
use crate::engine::report::{Problem, VolumeReport, chain};

/// How long a volume may take to be available. The cloud fills it with its data later.
const MADE_WITHIN: Duration = Duration::from_mins(30);

/// Why a volume did not come back: a problem of its claim, or the end of the restore.
pub(super) enum Failure {
    Claim(Box<Problem>),
    /// A problem of its claim that was told already.
    Told,
    Run(Cause),
}

/// How many claims are awaited at once. A volume that waits for its claim holds up no other.
const BINDINGS: usize = 64;

/// Brings the volumes of all claims back, several at once.
pub(super) async fn restore_all(execution: &Execution<'_>) -> Result<Vec<VolumeReport>, Cause> {
    let at_once = execution.context.limits.volumes;
    // Not two buffers in a row: while the second one is full nobody goes on with what is in the first,
    // and requests that are on their way there keep their places.
    let making = &Semaphore::new(at_once);
    let mut results = stream::iter(&execution.plan.claims)
        .map(|claim| async move {
            let place = making.acquire().await;
            let (work, made) = made(execution, claim).await;
            drop(place);
            bound(work, made).await
        })
        .buffer_unordered(at_once + BINDINGS);
    let mut reports = Vec::new();
    while let Some(result) = results.next().await {
        reports.push(result?);
    }
    reports.sort_by(|a, b| (&a.namespace, &a.claim).cmp(&(&b.namespace, &b.claim)));
    Ok(reports)
}

/// Makes the volume of a claim and what points at it.
async fn made<'a>(
    execution: &'a Execution<'a>,
    claim: &'a ClaimPlan<'a>,
) -> (Work<'a>, Result<(), Failure>) {
    let mut work = Work::new(execution, claim);
    // Where not, that is told as an error of the namespace.
    let made = if execution.takes_claims(&work.report.namespace).await {
        work.persistent_volume().await
    } else {
        Err(Failure::Told)
    };
    execution.record(claim.volume_row, *made.as_ref().unwrap_or(&Outcome::Failed));
    (work, made.map(drop))
}

/// Waits until the claim has its volume, and says how that ended.
async fn bound(mut work: Work<'_>, made: Result<(), Failure>) -> Result<VolumeReport, Cause> {
    let (execution, claim) = (work.execution, work.claim);
    let ended = match made {
        Ok(()) => bind::bound(execution, claim.row, &work.target, &claim.name).await,
        Err(failure) => Err(failure),
    };
    match ended {
        Ok(()) => work.end(if claim.source.is_some() { "bound" } else { "reattached" }),
        Err(Failure::Run(cause)) => return Err(cause),
        Err(Failure::Told) => work.end("failed"),
        Err(Failure::Claim(problem)) => {
            work.end("failed");
            let first = problem.hint.as_ref().map(|hint| format!("{hint}; "));
            let hint = format!(
                "{}the claim stays Pending and nothing empty is made in its place; when the cause \
                 is mended, {HOW_TO_MEND}",
                first.unwrap_or_default()
            );
            execution.journal.error(problem.with_hint(hint));
        }
    }
    Ok(work.report)
}

/// The way of one volume.
struct Work<'a> {
    execution: &'a Execution<'a>,
    claim: &'a ClaimPlan<'a>,
    target: ItemId,
    report: VolumeReport,
}

impl Failure {
    pub(super) fn of_claim(problem: Problem) -> Self {
        Self::Claim(Box::new(problem))
    }

    /// Says what would help the claim.
    fn with_hint(self, hint: &str) -> Self {
        match self {
            Self::Claim(problem) => Self::Claim(Box::new(problem.with_hint(hint))),
            other @ (Self::Told | Self::Run(_)) => other,
        }
    }
}

impl<'a> Work<'a> {
    fn new(execution: &'a Execution<'a>, claim: &'a ClaimPlan<'a>) -> Self {
        let target = execution.plan.preparation.target(&claim.source(execution.plan));
        let report = VolumeReport {
            namespace: target.namespace.clone().unwrap_or_default(),
            claim: target.name.clone(),
            persistent_volume: Some(claim.name.clone()),
            snapshot_id: claim.source.as_ref().map(|source| source.snapshot_id().to_owned()),
            volume_id: claim.handle.clone(),
            state: "pending".to_owned(),
        };
        Self { execution, claim, target, report }
    }

    /// What the claim is called where its progress is told.
    fn label(&self) -> String {
        format!("{}/{}", self.report.namespace, self.report.claim)
    }

    fn end(&mut self, state: &str) {
        state.clone_into(&mut self.report.state);
        self.execution.journal.volume(&self.label(), state);
    }

    fn problem(&self, operation: &str, message: impl Into<String>) -> Failure {
        Failure::of_claim(Problem::of_item(&self.target, operation, message))
    }

    /// Makes the volume and the persistent volume that points at it.
    async fn persistent_volume(&mut self) -> Result<Outcome, Failure> {
        let (_, recorded) =
            select::read(self.execution.ready, self.claim.volume).map_err(Failure::Run)?;
        let recorded = Value::Object(recorded);
        let Some(source) = &self.claim.source else {
            return self.create(recorded, None).await;
        };
        let snapshotter = self.execution.context.snapshotters.of_provider(source.provider);
        let snapshotter = snapshotter.ok_or_else(|| {
            self.problem("restore", "no snapshotter knows the kind of its volume")
        })?;
        let snapshot = self.usable(source)?;
        if !self.execution.is_recorded {
            // The claim is what another machine finds the volume by.
            bind::claims_are_made(self.execution).await;
        }
        self.execution.journal.volume(&self.label(), "volume requested");
        let volume = self.volume(snapshotter, &self.request(source, snapshot)).await?;
        self.execution.journal.volume(&self.label(), "volume available");
        self.create(recorded, Some((snapshotter, &volume))).await
    }

    /// The snapshot, if it is what the backup made.
    fn usable(&self, source: &Source<'_>) -> Result<Snapshot, Failure> {
        let found = source.snapshot.clone().map_err(|fault| self.problem("restore", fault))?;
        if let Some(account) = &found.shared_by {
            self.execution.journal.note(&format!(
                "snapshot {} is shared by account {account}, which is trusted: its tags cannot be \
                 checked",
                found.id
            ));
        }
        Ok(found)
    }

    /// Makes the volume, or finds the one that an interrupted run made, and waits for it.
    async fn volume(
        &mut self,
        snapshotter: &dyn VolumeSnapshotter,
        request: &VolumeRequest,
    ) -> Result<Volume, Failure> {
        let underway = self.execution.context.stop.begin().await;
        let made = snapshotter.create_volume(request).await;
        drop(underway);
        let volume = made.map_err(|error| self.problem("restore", chain(&error)))?;
        self.report.volume_id = Some(volume.id.clone());
        let Ok(settled) = timeout(MADE_WITHIN, settled(snapshotter, volume.clone())).await else {
            let minutes = MADE_WITHIN.as_secs() / 60;
            let message = format!("volume {} is still creating after {minutes} min", volume.id);
            let hint = format!("volume {} is kept, and costs until it is deleted", volume.id);
            return Err(self.problem("restore", message).with_hint(&hint));
        };
        let volume = settled.map_err(|error| {
            let message = format!("volume {} cannot be watched: {}", volume.id, chain(&error));
            self.problem("restore", message)
        })?;
        let VolumeState::Failed(reason) = &volume.state else { return Ok(volume) };
        // By its token it would be found, and fail, again.
        self.remove(snapshotter, &volume).await;
        let message = format!("volume {} failed: {reason}", volume.id);
        Err(self.problem("restore", message))
    }

    fn request(&self, source: &Source<'_>, snapshot: Snapshot) -> VolumeRequest {
        let backup = &self.execution.ready.opened.backup;
        let uid = &self.execution.plan.preparation.restore_uid;
        let claim = format!("{}/{}", self.report.namespace, self.report.claim);
        let tags = [
            (tags::BACKUP, &backup.metadata.name),
            (tags::BACKUP_UID, &backup.metadata.uid),
            (tags::RESTORE_UID, uid),
            (tags::CLUSTER_UID, &self.execution.ready.cluster_uid),
            (tags::PERSISTENT_VOLUME, &self.claim.name),
            (tags::CLAIM, &claim),
        ];
        let spec = &source.record.spec;
        let cluster_uid = backup.annotation(annotations::CLUSTER_UID);
        VolumeRequest {
            same_cluster: cluster_uid == Some(&self.execution.ready.cluster_uid),
            source_volume_id: spec.provider_volume_id.clone(),
            persistent_volume: self.claim.name.clone(),
            token: token(uid, &spec.persistent_volume_name),
            tags: tags.map(|(key, value)| (key.to_owned(), value.clone())).into(),
            spec: VolumeSpec {
                zone: source.zone.clone(),
                tags: snapshot::volume_tags(&snapshot, source.record, backup),
                ..snapshot::volume_spec(&snapshot, source.record)
            },
            snapshot_id: snapshot.id,
            nodes: self.execution.ready.nodes.hostnames.clone(),
            claim,
        }
    }

    /// Creates the persistent volume. Where that is not possible, the volume made for it is removed.
    async fn create(
        &mut self,
        recorded: Value,
        volume: Option<(&dyn VolumeSnapshotter, &Volume)>,
    ) -> Result<Outcome, Failure> {
        let id = self.claim.volume.id();
        let object = recorded.as_object().cloned().unwrap_or_default();
        let prepared = prepare::prepare(&id, object, &self.execution.plan.preparation);
        let mut object = Value::Object(self.promised(prepared.object)?);
        let pointed = match volume {
            Some((snapshotter, volume)) => snapshotter.set_volume(&mut object, volume),
            None => Ok(()),
        };
        let object = object.as_object().cloned().unwrap_or_default();
        let result = match pointed {
            Ok(()) => self.post(&object).await,
            Err(error) => Err(self.problem("restore", chain(&error))),
        };
        if let (Err(Failure::Claim(_)), Some((snapshotter, volume))) = (&result, volume) {
            self.remove(snapshotter, volume).await;
        }
        result
    }

    /// Promises the persistent volume to its claim and no other, whatever the archive says of it.
    ///
    /// They bind only if their classes agree.
    fn promised(&self, mut object: Object) -> Result<Object, Failure> {
        let execution = self.execution;
        let row = &execution.plan.rows[self.claim.row];
        let claim = execution.plan.prepared(execution.ready, row).map_err(Failure::Run)?.object;
        set_text(&mut object, &["metadata", "name"], &self.claim.name);
        let Some(spec) = map_at_mut(&mut object, &["spec"]) else { return Ok(object) };
        let reference = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "namespace": self.target.namespace, "name": self.target.name});
        spec.insert("claimRef".to_owned(), reference);
        if let Some(class) = text_at(&claim, &["spec", "storageClassName"]) {
            set_text(spec, &["storageClassName"], class);
        }
        match text_at(&claim, &["spec", "volumeAttributesClassName"]) {
            Some(class) => set_text(spec, &["volumeAttributesClassName"], class),
            None => drop(spec.remove("volumeAttributesClassName")),
        }
        Ok(object)
    }

    /// Removes a volume that is of no use to anybody; one that stays is an error, too.
    async fn remove(&mut self, snapshotter: &dyn VolumeSnapshotter, volume: &Volume) {
        let underway = self.execution.context.stop.begin().await;
        let removed = snapshotter.delete_volume(&volume.id).await;
        drop(underway);
        if removed.is_ok() {
            self.report.volume_id = None;
        }
        if let Err(error) = removed {
            let message = format!("volume {} is left over: {}", volume.id, chain(&error));
            let problem = Problem::of_item(&self.target, "clean up", message);
            self.execution.journal.error(problem.with_hint("it costs until you delete it"));
        }
    }

    async fn post(&self, object: &Object) -> Result<Outcome, Failure> {
        let cluster = &self.execution.context.cluster;
        let kind = kind_of(&self.execution.ready.catalog, &self.claim.volume)
            .ok_or_else(|| self.problem("create", "the target serves no persistent volumes"))?;
        let creation = Creation { mark: Some(RESTORE_UID_LABEL), ..Creation::default() };
        let name = &self.claim.name;
        match cluster.create(&kind, None, object, &creation).await {
            Ok(Created::Created(_)) => Ok(Outcome::Created),
            Ok(Created::Exists) => match cluster.get(&kind, None, name).await {
                Ok(Some(live)) if is_same(&live, object) => Ok(Outcome::Unchanged),
                Ok(_) => Err(self.problem("create", format!("volume {name} exists already"))),
                Err(error) => Err(Failure::Run(error.into())),
            },
            Err(error) if error.is_unreachable() => Err(Failure::Run(error.into())),
            Err(error) => {
                let problem = Problem::of_item(
                    &ItemId::cluster(GroupResource::core("persistentvolumes"), name),
                    "create",
                    chain(&error),
                );
                Err(Failure::of_claim(problem.with_status(error.status())))
            }
        }
    }
}

/// Waits until a volume is available, or will never be.
async fn settled(
    snapshotter: &dyn VolumeSnapshotter,
    mut volume: Volume,
) -> Result<Volume, SnapshotterError> {
    let mut wait = Duration::from_millis(200);
    while volume.state == VolumeState::Creating {
        pause(wait).await;
        wait = (wait * 2).min(Duration::from_secs(10));
        volume = snapshotter.volume(&volume.id).await?;
    }
    Ok(volume)
}

/// Whether a persistent volume that is there is the one that an interrupted run made.
fn is_same(live: &Object, ours: &Object) -> bool {
    let label = |it: &Object| it.get("metadata")?.get("labels")?.get(RESTORE_UID_LABEL).cloned();
    let handle = |it: &Object| shared::handle(&Value::Object(it.clone()));
    label(live) == label(ours) && handle(live) == handle(ours)
}
