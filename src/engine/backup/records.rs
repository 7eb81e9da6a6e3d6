//! What the last files hold. Pure: whoever finishes a backup writes the same.

use bowline_api::VolumeSpec;

use super::outcome::{COMPLETED, Outcome, is_left_out};
use super::pending::Pending;
use crate::engine::model::backup::Backup;
use crate::engine::model::volume::{
    NATIVE_SNAPSHOT, NativeSnapshot, NativeSnapshotInfo, NativeSnapshotSpec, NativeSnapshotStatus,
    PersistentVolumeInfo, SnapshotPhase, VolumeInfo,
};
use crate::engine::report::{BackupReport, SnapshotReport};
use crate::engine::store::Digest;

/// Whether a report is of this backup and its volumes.
pub(super) fn fits(pending: &Pending, report: &BackupReport) -> bool {
    let name = |volume: &SnapshotReport| (volume.namespace.clone(), volume.claim.clone());
    let claims = pending.volumes.iter().map(|outcome| name(&outcome.report));
    report.name == pending.name()
        && report.uid == pending.uid()
        && claims.eq(report.volumes.iter().map(name))
}

/// The document that makes it a backup.
pub(super) fn document(pending: &Pending, report: &BackupReport, digests: &Digest) -> Backup {
    let mut document = pending.document.clone();
    document.conclude(report, &snapshots(pending, report), &digests.sha256);
    document
}

/// One record for each snapshot that was wanted; the failed ones, too.
pub(super) fn snapshots(pending: &Pending, report: &BackupReport) -> Vec<NativeSnapshot> {
    let wanted = volumes(pending, report).filter(|(_, volume)| !is_left_out(volume));
    wanted.filter_map(|(outcome, volume)| snapshot(pending, outcome, volume)).collect()
}

/// One record for each volume of a claim, and for each that is in the archive without one.
pub(super) fn volume_infos(pending: &Pending, report: &BackupReport) -> Vec<VolumeInfo> {
    let mut others = pending.persistent_volumes.clone();
    let known = volumes(pending, report).filter(|(_, it)| it.persistent_volume.is_some());
    let mut infos: Vec<_> = known.map(|(outcome, volume)| volume_info(outcome, volume)).collect();
    for info in &infos {
        others.remove(&info.pv_name);
    }
    infos.extend(others.into_iter().map(|(name, info)| without_claim(name, info)));
    infos
}

/// Every volume as it was when its snapshot was started, and as it ended.
fn volumes<'a>(
    pending: &'a Pending,
    report: &'a BackupReport,
) -> impl Iterator<Item = (&'a Outcome, &'a SnapshotReport)> {
    pending.volumes.iter().zip(&report.volumes)
}

fn snapshot(
    pending: &Pending,
    outcome: &Outcome,
    volume: &SnapshotReport,
) -> Option<NativeSnapshot> {
    let location = pending.document.spec.volume_snapshot_locations.first();
    let spec = NativeSnapshotSpec {
        backup_name: pending.name().to_owned(),
        backup_uid: pending.uid().to_owned(),
        location: location.cloned().unwrap_or_default(),
        persistent_volume_name: volume.persistent_volume.clone()?,
        provider_volume_id: volume.volume_id.clone().unwrap_or_default(),
        bowline_provider: volume.provider.clone(),
        ..NativeSnapshotSpec::default()
    };
    let status = NativeSnapshotStatus {
        provider_snapshot_id: volume.snapshot_id.clone(),
        phase: Some(phase(volume)),
    };
    Some(NativeSnapshot { spec: spec.with_volume(&described(outcome)), status })
}

fn described(outcome: &Outcome) -> VolumeSpec {
    outcome.volume.clone().unwrap_or_default()
}

fn phase(volume: &SnapshotReport) -> SnapshotPhase {
    if volume.state == COMPLETED { SnapshotPhase::Completed } else { SnapshotPhase::Failed }
}

fn volume_info(outcome: &Outcome, volume: &SnapshotReport) -> VolumeInfo {
    let info = VolumeInfo {
        pvc_name: volume.claim.clone(),
        pvc_namespace: volume.namespace.clone(),
        pv_name: volume.persistent_volume.clone().unwrap_or_default(),
        pv_info: outcome.info.clone(),
        ..VolumeInfo::default()
    };
    if is_left_out(volume) {
        return VolumeInfo {
            skipped: true,
            skipped_reason: volume.reason.clone(),
            bowline_state: Some(volume.state.clone()),
            ..info
        };
    }
    let handle = volume.snapshot_id.as_deref();
    let phase = phase(volume);
    let result = if phase == SnapshotPhase::Completed { "succeeded" } else { "failed" };
    VolumeInfo {
        backup_method: Some(NATIVE_SNAPSHOT.to_owned()),
        result: Some(result.to_owned()),
        native_snapshot_info: Some(NativeSnapshotInfo {
            phase: Some(phase),
            ..NativeSnapshotInfo::new(handle, &described(outcome))
        }),
        ..info
    }
}

fn without_claim(pv_name: String, info: PersistentVolumeInfo) -> VolumeInfo {
    VolumeInfo {
        pv_name,
        skipped: true,
        skipped_reason: Some("the backup holds no claim that is bound to it".to_owned()),
        pv_info: Some(info),
        ..VolumeInfo::default()
    }
}
