//! What each claim gets: a volume from its snapshot, its old disk, or a refusal.

use std::collections::HashMap;

use bowline_api::{GroupResource, ItemId};
use serde_json::{Map, Value};

use super::error::Error;
use super::plan::{Plan, Row, Verdict};
use super::preflight::{Ready, Request};
use super::select::{self, damaged};
use crate::engine::archive::Entry;
use crate::engine::context::Context;
use crate::engine::model::digest;
use crate::engine::model::volume::{NativeSnapshot, SnapshotPhase, VOLUME_ANNOTATION};

/// How to come to a claim that has no volume, or another than the backup's.
///
/// A `StatefulSet` that misses the claim of a pod makes it anew, and empty, at once.
pub(super) const HOW_TO_MEND: &str = "delete what makes the claim (a StatefulSet with --cascade=orphan), then the claim, and \
     restore again";

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
    /// What it is made from; none if it is the disk that it was.
    pub source: Option<Source<'a>>,
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
}

/// What becomes of a claim.
enum Fate<'a> {
    /// It was not bound; the target may bind it as it likes.
    Fresh,
    /// It comes back without its data, as asked.
    Empty,
    Volume {
        volume: String,
        snapshot: Option<&'a NativeSnapshot>,
    },
    Refused {
        reason: String,
    },
}

/// Decides what each claim gets, and with that which persistent volumes are made.
pub(super) fn plan<'a>(
    context: &Context,
    ready: &'a Ready,
    request: &Request,
    plan: &mut Plan<'a>,
) -> Result<(), Error> {
    let volumes = volume_rows(&mut plan.rows);
    for index in 0..plan.rows.len() {
        let row = &plan.rows[index];
        if *row.entry.resource() != claims() || row.verdict != Verdict::Create {
            continue;
        }
        let (_, claim) = select::read(ready, row.entry).map_err(|cause| damaged(ready, cause))?;
        match fate(ready, request, &claim) {
            Fate::Fresh => {}
            Fate::Empty => plan.rows[index].reason = "EMPTY: comes back without its data".into(),
            Fate::Refused { reason } => refuse(&mut plan.rows[index], reason),
            Fate::Volume { volume, snapshot } => {
                let volume_row = volumes.get(&volume).copied();
                match check(context, ready, plan, volume_row, snapshot)? {
                    Ok((volume_row, source)) => give(plan, index, volume_row, source),
                    Err(reason) => refuse(&mut plan.rows[index], reason),
                }
            }
        }
    }
    Ok(())
}

/// Checks that a persistent volume can be made again from here; gives back its row and what it is
/// made from, or why not.
fn check<'a>(
    context: &Context,
    ready: &Ready,
    plan: &Plan<'_>,
    row: Option<usize>,
    snapshot: Option<&'a NativeSnapshot>,
) -> Result<Result<(usize, Option<Source<'a>>), String>, Error> {
    let Some(row) = row else {
        return Ok(Err("the backup does not hold its persistent volume".to_owned()));
    };
    let Some(record) = snapshot else { return Ok(Ok((row, None))) };
    let (_, volume) =
        select::read(ready, plan.rows[row].entry).map_err(|cause| damaged(ready, cause))?;
    let Some(snapshotter) = context.snapshotters.of_volume(&Value::Object(volume)) else {
        let names = context.snapshotters.names();
        return Ok(Err(format!(
            "no snapshotter knows the kind of its volume (there are: {names})"
        )));
    };
    let zone = record.spec.volume_spec().zone;
    Ok(Ok((row, Some(Source { record, provider: snapshotter.provider(), zone }))))
}

/// Finds the persistent volumes; none is made but for a claim.
fn volume_rows(rows: &mut [Row<'_>]) -> HashMap<String, usize> {
    let volumes = GroupResource::core("persistentvolumes");
    let mut found = HashMap::new();
    for (index, row) in rows.iter_mut().enumerate() {
        if *row.entry.resource() == volumes && row.verdict == Verdict::Create {
            row.verdict = Verdict::Skip;
            row.reason = "no claim of it is restored".into();
            found.insert(row.entry.name().to_owned(), index);
        }
    }
    found
}

fn give<'a>(plan: &mut Plan<'a>, row: usize, volume_row: usize, source: Option<Source<'a>>) {
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
        target.reason = source.reason().into();
    } else {
        target.verdict = Verdict::Reattach;
        target.reason = "the very disk that it was, with reclaim policy Retain".into();
        plan.preparation.reattached.insert(recorded.clone());
    }
    let key = (claim.namespace.unwrap_or_default(), claim.name);
    plan.preparation.reserved.insert(key, name.clone());
    if recorded != name {
        plan.preparation.renamed.insert(recorded, name.clone());
    }
    plan.claims.push(ClaimPlan { row, volume_row, volume, name, source });
}

fn refuse(row: &mut Row<'_>, reason: String) {
    row.verdict = Verdict::Refuse;
    row.reason = reason.into();
}

fn fate<'a>(ready: &'a Ready, request: &Request, claim: &Map<String, Value>) -> Fate<'a> {
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
    let wish =
        claim.get("metadata").and_then(|meta| meta.get("annotations")?.get(VOLUME_ANNOTATION));
    if wish == Some(&Value::from("reattach")) {
        return Fate::Volume { volume: volume.to_owned(), snapshot: None };
    }
    match usable(ready, volume) {
        Ok(snapshot) => Fate::Volume { volume: volume.to_owned(), snapshot: Some(snapshot) },
        Err(_) if request.spec.allow_empty_volumes => Fate::Empty,
        Err(reason) => Fate::Refused { reason },
    }
}

/// The snapshot of a volume, if it is one that can be restored.
fn usable<'a>(ready: &'a Ready, volume: &str) -> Result<&'a NativeSnapshot, String> {
    let Some(snapshot) = ready.opened.snapshots.get(volume) else {
        let info = ready.opened.volumes.get(volume);
        let reason = info.and_then(|info| info.skipped_reason.as_deref());
        return Err(match reason {
            Some(reason) => format!("its volume {volume} was not backed up: {reason}"),
            None => format!("the backup holds no snapshot of its volume {volume}"),
        });
    };
    let usable = snapshot.status.phase == Some(SnapshotPhase::Completed)
        && snapshot.status.provider_snapshot_id.as_deref().is_some_and(|id| !id.is_empty());
    if usable { Ok(snapshot) } else { Err(format!("the snapshot of its volume {volume} failed")) }
}

/// The name of the persistent volume that a restore makes for one that was backed up.
pub(super) fn volume_name(restore_uid: &str, volume: &str) -> String {
    format!("bowline-{}", token(restore_uid, volume))
}

/// The identity of the volume that a restore makes for one that was backed up.
pub(super) fn token(restore_uid: &str, volume: &str) -> String {
    format!("{restore_uid}-{}", digest::short(volume, 16))
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
        self.record.status.provider_snapshot_id.as_deref().unwrap_or_default()
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
