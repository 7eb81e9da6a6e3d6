//! What each claim gets: a volume from its snapshot, its old disk, or a refusal.

use std::collections::HashMap;

use bowline_api::{GroupResource, ItemId, Snapshot, VolumeOrigin, VolumeSnapshotter};
use serde_json::{Map, Value};

use super::error::Error;
use super::isolation;
use super::kept::{self, Bound, Refusal};
use super::plan::{EMPTY, Plan, Verdict};
use super::preflight::{Ready, Request};
use super::row::Row;
use super::select;
use crate::engine::archive::Entry;
use crate::engine::context::Context;
use crate::engine::model::backup::annotations;
use crate::engine::model::records;
use crate::engine::model::volume::{NativeSnapshot, REATTACH, VOLUME_ANNOTATION};
use crate::engine::model::{digest, shared};

/// How to come to a claim that has no volume, or another than the backup's.
///
/// A `StatefulSet` that misses the claim of a pod makes it anew, and empty, at once.
pub(super) const HOW_TO_MEND: &str = "delete what makes the claim (a StatefulSet with --cascade=orphan), then the claim, and \
     restore again";

/// What the plan says of a claim that nothing was kept for, or of which nothing is asked for.
const WITHOUT_DATA: &str = "comes back without its data";

/// A claim that gets a volume.
#[derive(Clone, Debug)]
pub(super) struct ClaimPlan<'a> {
    /// The claim's row.
    pub row: usize,
    /// The persistent volume's row.
    pub volume_row: usize,
    /// The persistent volume as it was backed up.
    pub volume: Entry<'a>,
    /// The name of the persistent volume that this restore makes.
    pub name: String,
    /// What it is made from; none if it is the very volume that it was.
    pub source: Option<Source<'a>>,
    /// How that one is reached, where it says so.
    pub handle: Option<String>,
}

/// What a volume is made from.
#[derive(Clone, Debug)]
pub(super) struct Source<'a> {
    /// The snapshot, as it was recorded.
    pub record: &'a NativeSnapshot,
    /// Who makes volumes from it.
    pub provider: &'static str,
    /// The zone that the volume is made in; none if it is in no zone.
    pub zone: Option<String>,
    /// The snapshot as its provider describes it, or why it cannot be used.
    pub snapshot: Result<Snapshot, String>,
}

/// What becomes of a claim.
enum Fate<'a> {
    /// It was not bound; the target may bind it as it likes.
    Fresh,
    /// It comes back without its data, as nobody's volume is asked for.
    Empty,
    Volume {
        volume: String,
        snapshot: Option<&'a NativeSnapshot>,
    },
    Refused(Refusal),
}

/// Decides what each claim gets, and with that which persistent volumes are made.
pub(super) fn plan<'a>(
    context: &Context,
    ready: &'a Ready,
    request: &Request,
    plan: &mut Plan<'a>,
) -> Result<(), Error> {
    let volumes = volume_rows(&mut plan.rows);
    let mut given = HashMap::new();
    for index in 0..plan.rows.len() {
        let row = &plan.rows[index];
        if *row.entry.resource() != claims() || row.verdict != Verdict::Create {
            continue;
        }
        let claim = select::object(ready, row.entry)?;
        match fate(ready, request, &row.entry.id(), &claim) {
            Fate::Fresh => {}
            Fate::Empty => plan.rows[index].explain(format!("{EMPTY}: {WITHOUT_DATA}")),
            Fate::Refused(refusal) => without_volume(request, &mut plan.rows[index], refusal),
            Fate::Volume { volume, snapshot } => {
                let volume_row = volumes.get(&volume).copied();
                let other = volume_row.and_then(|row| given.get(&row)).copied();
                match check(
                    context,
                    ready,
                    plan,
                    Wanted { name: &volume, row: volume_row, other },
                    snapshot,
                )? {
                    Ok(found) => {
                        given.insert(found.row, index);
                        give(ready, plan, index, found);
                    }
                    Err(reason) => {
                        let refusal = Refusal { reason, hint: kept::WITHOUT };
                        without_volume(request, &mut plan.rows[index], refusal);
                    }
                }
            }
        }
    }
    Ok(())
}

/// The persistent volume of a claim.
struct Wanted<'a> {
    name: &'a str,
    row: Option<usize>,
    /// The row of the claim that has it already.
    other: Option<usize>,
}

/// A persistent volume that can be made again.
struct Restorable<'a> {
    row: usize,
    source: Option<Source<'a>>,
    handle: Option<String>,
}

/// Checks that a persistent volume can be made again from here; says why not.
fn check<'a>(
    context: &Context,
    ready: &Ready,
    plan: &Plan<'_>,
    Wanted { name, row, other }: Wanted<'_>,
    snapshot: Option<&'a NativeSnapshot>,
) -> Result<Result<Restorable<'a>, String>, Error> {
    let Some(row) = row else { return Ok(Err(no_volume(ready, name))) };
    if let Some(other) = other {
        let other = plan.rows[other].entry.id();
        return Ok(Err(format!(
            "its persistent volume {name} is that of claim {}, too",
            other.name
        )));
    }
    let volume = Value::Object(select::object(ready, plan.rows[row].entry)?);
    let Some(record) = snapshot else {
        if plan.preparation.isolated {
            return Ok(Err(isolation::NOT_COPIED.to_owned()));
        }
        return Ok(Ok(Restorable { row, source: None, handle: shared::handle(&volume) }));
    };
    let Some(snapshotter) = context.snapshotters.of_volume(&volume) else {
        let names = context.snapshotters.names();
        return Ok(Err(format!(
            "no snapshotter knows the kind of its volume (there are: {names})"
        )));
    };
    if let Some(fault) = id_fault(snapshotter, record) {
        return Ok(Err(fault));
    }
    let source = Source {
        record,
        provider: snapshotter.provider(),
        zone: record.spec.volume_spec().zone,
        snapshot: Err("its snapshot was not looked at".to_owned()),
    };
    Ok(Ok(Restorable { row, source: Some(source), handle: None }))
}

/// Why there is no persistent volume for a claim: it is not in the archive, or not restored.
fn no_volume(ready: &Ready, name: &str) -> String {
    let id = records::persistent_volume(name);
    match ready.opened.lacking.get(&id) {
        Some(promise) => format!("the archive lacks {id}, although {promise}"),
        None if ready.opened.contents.find(&id).is_none() => {
            format!("the backup does not hold its persistent volume {name}")
        }
        None => format!("its persistent volume {name} is left out of this restore"),
    }
}

/// What is wrong with the id of a snapshot that was recorded; a provider is asked for none but its
/// own.
fn id_fault(snapshotter: &dyn VolumeSnapshotter, record: &NativeSnapshot) -> Option<String> {
    let provider = snapshotter.provider();
    let id = record.snapshot_id().unwrap_or_default();
    match record.spec.bowline_provider.as_deref() {
        Some(made_by) if made_by != provider => Some(format!(
            "snapshot {id} is of provider \"{made_by}\", but the volume is one of {provider}"
        )),
        _ if !snapshotter.is_snapshot_id(id) => {
            Some(format!("\"{id}\" is not the id of a snapshot of provider {provider}"))
        }
        _ => None,
    }
}

/// Finds the persistent volumes; none is made but for a claim.
fn volume_rows(rows: &mut [Row<'_>]) -> HashMap<String, usize> {
    let volumes = GroupResource::core("persistentvolumes");
    let mut found = HashMap::new();
    for (index, row) in rows.iter_mut().enumerate() {
        if *row.entry.resource() == volumes && row.verdict == Verdict::Create {
            row.verdict = Verdict::Skip;
            row.explain("no claim of it is restored");
            found.insert(row.entry.name().to_owned(), index);
        }
    }
    found
}

fn give<'a>(ready: &Ready, plan: &mut Plan<'a>, row: usize, found: Restorable<'a>) {
    let Restorable { row: volume_row, source, handle } = found;
    let volume = plan.rows[volume_row].entry;
    let recorded = volume.name().to_owned();
    let claim = plan.rows[row].entry.id();
    let name = match source {
        Some(_) => volume_name(&plan.preparation.restore_uid, &recorded),
        None => recorded.clone(),
    };
    let target = &mut plan.rows[volume_row];
    if let Some(source) = &source {
        target.verdict = Verdict::Create;
        target.explain(source.reason());
    } else {
        target.verdict = Verdict::Reattach;
        target.explain(reattached(ready, handle.as_deref()));
        plan.preparation.reattached.insert(recorded.clone());
    }
    let key = (claim.namespace.unwrap_or_default(), claim.name);
    plan.preparation.reserved.insert(key, name.clone());
    if recorded != name {
        plan.preparation.renamed.insert(recorded, name.clone());
    }
    plan.claims.push(ClaimPlan { row, volume_row, volume, name, source, handle });
}

/// What the plan says of a volume that comes back as the very same.
fn reattached(ready: &Ready, handle: Option<&str>) -> String {
    let handle = handle.map(|handle| format!(" ({handle})")).unwrap_or_default();
    let same =
        format!("not copied: the very volume that it was{handle}, with reclaim policy Retain");
    let from = ready.opened.backup.annotation(annotations::CLUSTER_UID);
    if from == Some(&ready.cluster_uid) {
        same
    } else {
        format!("{same}; this is another cluster, which must be able to reach it")
    }
}

/// Decides about a claim that cannot have its volume: it is refused, or comes back without its data
/// where that is asked for.
fn without_volume(request: &Request, row: &mut Row<'_>, refusal: Refusal) {
    if request.spec.allow_empty_volumes {
        row.decide(Verdict::Create, format!("{EMPTY}: {WITHOUT_DATA}; {}", refusal.reason));
    } else {
        row.more_mut().hint = Some(refusal.hint);
        row.decide(Verdict::Refuse, refusal.reason);
    }
}

/// Takes the volume from a claim that was to get it, and decides about the claim.
///
/// One that is in the target has what it has: it can't be made without its data.
pub(super) fn take_volume(request: &Request, plan: &mut Plan<'_>, row: usize, reason: &str) {
    let Plan { rows, claims, preparation, .. } = plan;
    let key = |id: ItemId| (id.namespace.unwrap_or_default(), id.name);
    for claim in claims.extract_if(.., |claim| claim.row == row) {
        let recorded = claim.volume.name();
        preparation.reserved.remove(&key(rows[row].entry.id()));
        preparation.renamed.remove(recorded);
        preparation.reattached.remove(recorded);
    }
    let row = &mut rows[row];
    if row.live_uid().is_some() {
        row.decide(Verdict::Refuse, reason.to_owned());
    } else {
        without_volume(request, row, Refusal { reason: reason.to_owned(), hint: kept::WITHOUT });
    }
}

fn fate<'a>(
    ready: &'a Ready,
    request: &Request,
    id: &ItemId,
    claim: &Map<String, Value>,
) -> Fate<'a> {
    let text = |part: &str, key: &str| claim.get(part)?.get(key)?.as_str();
    let Some(volume) = text("spec", "volumeName").filter(|name| !name.is_empty()) else {
        return Fate::Fresh;
    };
    if text("status", "phase") != Some("Bound") {
        return Fate::Fresh;
    }
    if request.spec.restore_volumes == Some(false) {
        return Fate::Empty;
    }
    if is_reattached(ready, volume, claim) {
        return Fate::Volume { volume: volume.to_owned(), snapshot: None };
    }
    match kept::snapshot(&ready.opened, Bound { claim: id, object: claim, volume }) {
        Ok(snapshot) => Fate::Volume { volume: volume.to_owned(), snapshot: Some(snapshot) },
        Err(refusal) => Fate::Refused(refusal),
    }
}

/// Whether a volume comes back as the very same: as the backup says, or, where it says nothing of it,
/// the claim. A backup of ours that asked for a snapshot has said so.
fn is_reattached(ready: &Ready, volume: &str, claim: &Map<String, Value>) -> bool {
    let opened = &ready.opened;
    if let Some(state) = opened.volumes.get(volume).and_then(|it| it.bowline_state.as_deref()) {
        return state == REATTACH;
    }
    let wish =
        claim.get("metadata").and_then(|meta| meta.get("annotations")?.get(VOLUME_ANNOTATION));
    wish == Some(&Value::from(REATTACH))
        && !(opened.backup.is_ours() && opened.snapshots.contains_key(volume))
}

/// The name of the persistent volume that a restore makes for one that was backed up.
pub(super) fn volume_name(restore_uid: &str, volume: &str) -> String {
    format!("bowline-{}", token(restore_uid, volume))
}

/// The identity of the volume that a restore makes for one that was backed up.
pub(super) fn token(restore_uid: &str, volume: &str) -> String {
    format!("{restore_uid}-{}", digest::short(volume, 16))
}

/// By what the volume is found that a restore made, or began to make, of a snapshot.
///
/// `source` is the volume that was backed up, `recorded` its persistent volume.
pub fn origin(restore_uid: &str, source: &str, recorded: &str) -> VolumeOrigin {
    VolumeOrigin {
        token: token(restore_uid, recorded),
        source_volume_id: source.to_owned(),
        persistent_volume: volume_name(restore_uid, recorded),
    }
}

pub(super) fn claims() -> GroupResource {
    GroupResource::core("persistentvolumeclaims")
}

impl ClaimPlan<'_> {
    /// The claim as it was backed up.
    pub(super) fn source(&self, plan: &Plan<'_>) -> ItemId {
        plan.rows[self.row].entry.id()
    }
}

impl Source<'_> {
    /// The provider's name of the snapshot.
    pub(super) fn snapshot_id(&self) -> &str {
        self.record.snapshot_id().unwrap_or_default()
    }

    /// What the plan says of the volume.
    pub(super) fn reason(&self) -> String {
        let made = format!("a new volume is made from snapshot {}", self.snapshot_id());
        let recorded = self.record.spec.volume_spec().zone;
        match (&self.zone, recorded) {
            (Some(zone), Some(recorded)) if *zone != recorded => {
                format!("{made} in zone {zone} (was {recorded})")
            }
            (Some(zone), _) => format!("{made} in zone {zone}"),
            (None, _) => made,
        }
    }
}
