//! Whether the snapshots are there, complete, and those that the backup made.

use std::collections::{BTreeMap, BTreeSet};

use bowline_api::{Snapshot, SnapshotterError, VolumeSnapshotter};
use futures::{StreamExt as _, stream};

use super::error::Error;
use super::inspect::Work;
use super::report::{About, CheckResult, Finding, SNAPSHOTS};
use super::volumes::Volumes;
use crate::engine::context::OutOfReach;
use crate::engine::model::snapshot;
use crate::engine::model::volume::{NATIVE_SNAPSHOT, NativeSnapshot, SnapshotPhase, VolumeInfo};
use crate::engine::report::chain;
use crate::engine::store;

/// How many snapshots are looked at at once.
const AT_ONCE: usize = 16;
/// What would help where a snapshot is not found.
const LOOK_ELSEWHERE: &str = "check that these are the credentials and the region that the backup \
     was made with; if so, its volume is lost: choose another backup";

/// Asks the providers for every snapshot that was completed.
pub(super) async fn check(work: &mut Work<'_>, volumes: &Volumes) -> Result<(), Error> {
    let (Some(snapshots), Some(infos)) = (&volumes.snapshots, &volumes.volumes) else {
        let detail = "the records of volumes are damaged";
        work.report.conclude_as(SNAPSHOTS, CheckResult::NotChecked, detail);
        return Ok(());
    };
    let completed: Vec<&NativeSnapshot> = snapshots
        .iter()
        .filter(|record| record.status.phase == Some(SnapshotPhase::Completed))
        .collect();
    let Sides { reached, unreachable } = reach(work, &completed).await?;
    let mut unreachable: BTreeSet<String> = unreachable;
    let mut looked = stream::iter(&reached)
        .map(|(snapshotter, record)| async move { (*record, look(*snapshotter, record).await) })
        .buffered(AT_ONCE);
    let mut seen = 0;
    while let Some((record, sight)) = looked.next().await {
        match sight {
            Sight::Found(found) => {
                seen += 1;
                judge(&mut work.report, &work.backup, record, &found);
            }
            Sight::Wrong(message) => {
                seen += 1;
                let id = record.snapshot_id().unwrap_or_default();
                let finding = Finding::of(SNAPSHOTS.0, About::Snapshot, id, message);
                work.report.problem(finding.with_hint(LOOK_ELSEWHERE));
            }
            Sight::NoAnswer(reason) => drop(unreachable.insert(reason)),
        }
    }
    drop(looked);
    let others = others(work, infos);
    let told = detail(seen, snapshots, infos);
    if !unreachable.is_empty() {
        let reasons = unreachable.into_iter().collect::<Vec<_>>().join("; ");
        work.report.conclude_as(SNAPSHOTS, CheckResult::Unreachable, reasons);
    } else if others > 0 {
        let detail = format!("{told}; {others} more kept by other means were not looked at");
        work.report.conclude_as(SNAPSHOTS, CheckResult::NotVerifiable, detail);
    } else {
        work.report.conclude(SNAPSHOTS, told);
    }
    Ok(())
}

/// Which snapshots can be asked for here, of whom, and why others can't.
#[derive(Default)]
struct Sides<'w, 'r> {
    reached: Vec<(&'w dyn VolumeSnapshotter, &'r NativeSnapshot)>,
    unreachable: BTreeSet<String>,
}

/// Finds who has the snapshots. That one is not there means something only in the place where it was
/// taken.
async fn reach<'w, 'r>(
    work: &mut Work<'w>,
    records: &[&'r NativeSnapshot],
) -> Result<Sides<'w, 'r>, Error> {
    let mut sides = Sides::default();
    let mut elsewhere = BTreeMap::new();
    if !records.is_empty() {
        elsewhere = places(work, &mut sides).await?;
    }
    let mut zones: BTreeMap<&'static str, Result<Vec<String>, String>> = BTreeMap::new();
    for &record in records {
        let id = record.snapshot_id().unwrap_or_default();
        let made_by = record.spec.bowline_provider.as_deref();
        let Some(snapshotter) = work.snapshotters.of_recorded(made_by, id) else {
            sides.unreachable.insert(match made_by {
                Some(provider) => format!("provider {provider} is not at hand here"),
                None => "nobody at hand here knows snapshots of that kind".to_owned(),
            });
            continue;
        };
        let provider = snapshotter.provider();
        if !zones.contains_key(provider) {
            zones.insert(provider, usable(snapshotter).await);
        }
        let foreign = match &zones[provider] {
            Err(reason) => {
                sides.unreachable.insert(reason.clone());
                continue;
            }
            Ok(here) => foreign_zone(record, here),
        };
        let fault = if snapshotter.is_snapshot_id(id) {
            elsewhere.get(provider).cloned().or(foreign)
        } else {
            Some(format!("it is not the id of a snapshot of provider {provider}"))
        };
        match fault {
            None => sides.reached.push((snapshotter, record)),
            Some(fault) => {
                let finding = Finding::of(SNAPSHOTS.0, About::Snapshot, id, fault);
                let hint = "set AWS_REGION to the region of the snapshot, or choose another backup";
                work.report.problem(finding.with_hint(hint));
            }
        }
    }
    Ok(sides)
}

/// The providers whose snapshots were taken in another place than is reached from here.
async fn places(
    work: &Work<'_>,
    sides: &mut Sides<'_, '_>,
) -> Result<BTreeMap<String, String>, Error> {
    let mut elsewhere = BTreeMap::new();
    let providers = match work.store.providers(work.name()).await {
        Ok(providers) => providers,
        // Told as a problem of that file.
        Err(store::Error::Malformed { .. }) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    for record in &providers {
        match work.snapshotters.reach(record).await {
            Ok(_) => {}
            Err(OutOfReach::Elsewhere { taken, here, .. }) => {
                let fault = format!("it was taken in {taken}, but this runs in {here}");
                elsewhere.insert(record.provider.clone(), fault);
            }
            Err(error) => drop(sides.unreachable.insert(chain(&error))),
        }
    }
    Ok(elsewhere)
}

/// The zones that are reached; why none can be, else.
async fn usable(snapshotter: &dyn VolumeSnapshotter) -> Result<Vec<String>, String> {
    snapshotter.place().await.map_err(|error| chain(&error))?;
    snapshotter.zones().await.map_err(|error| chain(&error))
}

fn foreign_zone(record: &NativeSnapshot, here: &[String]) -> Option<String> {
    let zone = record.spec.volume_spec().zone?;
    let is_foreign = !here.is_empty() && !here.contains(&zone);
    is_foreign.then(|| {
        let here = here.join(", ");
        format!("it was taken in zone {zone}, which is in another region than {here}")
    })
}

/// What was seen of a snapshot.
enum Sight {
    Found(Box<Snapshot>),
    Wrong(String),
    NoAnswer(String),
}

async fn look(snapshotter: &dyn VolumeSnapshotter, record: &NativeSnapshot) -> Sight {
    let id = record.snapshot_id().unwrap_or_default();
    match snapshotter.snapshot(id).await {
        Ok(found) => Sight::Found(Box::new(found)),
        Err(
            error @ (SnapshotterError::NotFound { .. }
            | SnapshotterError::Refused { .. }
            | SnapshotterError::Damaged { .. }),
        ) => Sight::Wrong(error.to_string()),
        Err(error) => Sight::NoAnswer(chain(&error)),
    }
}

fn judge(
    report: &mut super::VerifyReport,
    backup: &crate::engine::model::backup::Backup,
    record: &NativeSnapshot,
    found: &Snapshot,
) {
    if let Err(fault) = snapshot::check(found, record, backup) {
        let finding = Finding::of(SNAPSHOTS.0, About::Snapshot, &found.id, fault);
        let hint = "no restore uses it: choose another backup";
        report.problem(finding.with_hint(hint));
    } else if let Some(account) = &found.shared_by {
        let message = format!("account {account} shares it, so that its tags cannot be seen");
        report.warn(Finding::of(SNAPSHOTS.0, About::Snapshot, &found.id, message));
    }
}

/// Names the volumes that Velero kept by means that bowline does not know; tells how many.
fn others(work: &mut Work<'_>, infos: &[VolumeInfo]) -> usize {
    let is_other = |info: &&VolumeInfo| {
        info.is_kept() && info.backup_method.as_deref() != Some(NATIVE_SNAPSHOT)
    };
    let mut count = 0;
    for info in infos.iter().filter(is_other) {
        let method = info.backup_method.as_deref().unwrap_or_default();
        let name = info.claim().map_or_else(|| info.pv_name.clone(), |claim| claim.to_string());
        let message = format!("its data was kept by {method}, which was not looked at");
        work.report.warn(Finding::of(SNAPSHOTS.0, About::Object, name, message));
        count += 1;
    }
    count
}

/// What was looked at, and what the backup itself says that it has not.
fn detail(seen: usize, snapshots: &[NativeSnapshot], infos: &[VolumeInfo]) -> String {
    let failed = snapshots
        .iter()
        .filter(|record| record.status.phase != Some(SnapshotPhase::Completed))
        .count();
    let skipped = infos.iter().filter(|info| info.skipped).count();
    let mut parts = vec![match seen {
        0 => "there are none to look at".to_owned(),
        1 => "1 is there, completed and tagged as this backup's".to_owned(),
        _ => format!("{seen} are there, completed and tagged as this backup's"),
    }];
    if failed > 0 {
        parts.push(format!("{failed} failed when the backup was made"));
    }
    if skipped > 0 {
        parts.push(format!("volumes left out on purpose: {skipped}"));
    }
    parts.join("; ")
}
