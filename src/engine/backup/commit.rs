//! The files beside the archive, and last the document that makes it a backup.

use std::collections::BTreeMap;

use bowline_api::SnapshotState;
use serde::Serialize;

use super::collect::Collected;
use super::create::{expiration, still_ours};
use super::error::Cause;
use super::intake::Taken;
use super::preflight::{Ready, Request};
use super::volumes::Outcome;
use crate::engine::archive::Written;
use crate::engine::context::Context;
use crate::engine::journal::Journal;
use crate::engine::model::backup::{
    Attempt, Backup, BackupMeta, BackupStatus, FORMAT_VERSION, Progress, annotations,
};
use crate::engine::model::duration::GoDuration;
use crate::engine::model::results::BackupResults;
use crate::engine::model::volume::{
    NATIVE_SNAPSHOT, NativeSnapshot, NativeSnapshotInfo, NativeSnapshotSpec, NativeSnapshotStatus,
    PersistentVolumeInfo, SnapshotPhase, VolumeInfo,
};
use crate::engine::report::{BackupReport, Phase};
use crate::engine::store::{BackupKeys, Digest, Digests, SideFile};

/// The name of the location that records refer to.
const LOCATION: &str = "default";

/// What the last files are made of.
#[derive(Debug)]
pub(super) struct Commit<'a> {
    pub context: &'a Context,
    pub request: &'a Request,
    pub journal: &'a Journal,
    pub ready: &'a Ready,
    pub attempt: &'a Attempt,
    pub volumes: &'a [Outcome],
}

impl Commit<'_> {
    /// Writes what is missing; with the last write it is a backup.
    pub(super) async fn write(&self, collected: Collected) -> Result<BackupReport, Cause> {
        let Collected { written, taken } = collected;
        let items = taken.count();
        let digests = self.side_files(&written, taken).await?;
        let digests = SideFile::json(self.keys().digests(), &digests)?;
        self.context.store.create(&digests).await?;
        let report = self.report(items);
        let document = self.document(&report, &written, &Digest::of(&digests.content));
        still_ours(self.context, self.attempt).await?;
        let document = SideFile::json(self.keys().metadata(), &document)?;
        match self.context.store.create(&document).await {
            Ok(()) => Ok(report),
            Err(error) if self.is_committed().await => {
                self.journal.note(&format!("committed, although the answer was: {error}"));
                Ok(report)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Whether our document is there: a write may take effect and its reply be lost.
    async fn is_committed(&self) -> bool {
        let document = self.context.store.json::<Backup>(&self.keys().metadata()).await;
        document.is_ok_and(|document| document.metadata.uid == self.attempt.uid)
    }

    fn keys(&self) -> BackupKeys<'_> {
        BackupKeys(&self.request.name)
    }

    async fn side_files(&self, written: &Written, taken: Taken) -> Result<Digests, Cause> {
        let keys = self.keys();
        let Taken { mut names, volumes, .. } = taken;
        for names in names.values_mut() {
            names.sort_unstable();
        }
        let (warnings, errors) = self.journal.problems();
        let files = [
            SideFile { key: keys.index(), content: written.index.clone().into() },
            SideFile::json_gz(keys.resource_list(), &names)?,
            SideFile::json_gz(keys.results(), &BackupResults::new(&warnings, &errors))?,
            SideFile::json_gz(keys.volume_snapshots(), &null_if_empty(self.snapshots()))?,
            SideFile::json_gz(keys.volume_info(), &self.volume_infos(volumes))?,
            SideFile::json_gz(keys.pod_volume_backups(), &null_if_empty(Vec::<()>::new()))?,
            SideFile::json_gz(keys.item_operations(), &Vec::<()>::new())?,
            SideFile { key: keys.logs(), content: self.journal.log()?.into() },
        ];
        let mut digests = Digests::default();
        let attempt = SideFile::json(keys.attempt(), self.attempt)?;
        digests.files.insert(attempt.file_name().to_owned(), Digest::of(&attempt.content));
        let archive = Digest { size: written.size, sha256: written.sha256.clone() };
        digests.files.insert(format!("{}.tar.gz", self.request.name), archive);
        for file in &files {
            self.context.store.create(file).await?;
            digests.files.insert(file.file_name().to_owned(), Digest::of(&file.content));
        }
        Ok(digests)
    }

    fn report(&self, items: u64) -> BackupReport {
        let (warnings, errors) = self.journal.problems();
        BackupReport {
            name: self.request.name.clone(),
            uid: self.attempt.uid.clone(),
            phase: Phase::of_errors(errors.len()),
            location: self.context.store.url().to_owned(),
            cluster_uid: self.ready.cluster_uid.clone(),
            items,
            volumes: self.volumes.iter().map(|outcome| outcome.report.clone()).collect(),
            warnings,
            errors,
            start_timestamp: self.attempt.start_timestamp,
            completion_timestamp: Some(self.context.clock.now()),
        }
    }

    fn document(&self, report: &BackupReport, written: &Written, digests: &Digest) -> Backup {
        let mut labels = self.request.labels.clone();
        labels.insert("velero.io/storage-location".to_owned(), LOCATION.to_owned());
        let mut spec = self.ready.spec.clone();
        spec.ttl = self.request.ttl.map(|ttl| GoDuration::from_std(ttl).to_string());
        LOCATION.clone_into(&mut spec.storage_location);
        spec.volume_snapshot_locations = vec![LOCATION.to_owned()];
        Backup {
            api_version: "velero.io/v1".to_owned(),
            kind: "Backup".to_owned(),
            metadata: BackupMeta {
                name: self.request.name.clone(),
                namespace: "velero".to_owned(),
                uid: self.attempt.uid.clone(),
                creation_timestamp: Some(self.attempt.start_timestamp),
                labels,
                annotations: self.annotations(written, digests),
            },
            spec,
            status: self.status(report),
        }
    }

    fn annotations(&self, written: &Written, digests: &Digest) -> BTreeMap<String, String> {
        let version = &self.ready.version;
        [
            (annotations::ARCHIVE_SHA256, written.sha256.clone()),
            (annotations::ARCHIVE_SIZE, written.size.to_string()),
            (annotations::DIGESTS_SHA256, digests.sha256.clone()),
            (annotations::CLUSTER_UID, self.ready.cluster_uid.clone()),
            (annotations::VERSION, self.attempt.version.clone()),
            ("velero.io/source-cluster-k8s-gitversion", version.git_version.clone()),
            ("velero.io/source-cluster-k8s-major-version", version.major.to_string()),
            ("velero.io/source-cluster-k8s-minor-version", version.minor.to_string()),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
    }

    fn status(&self, report: &BackupReport) -> BackupStatus {
        let snapshots = self.snapshots();
        let completed =
            |snapshot: &&NativeSnapshot| snapshot.status.phase == Some(SnapshotPhase::Completed);
        BackupStatus {
            version: 1,
            format_version: FORMAT_VERSION.to_owned(),
            expiration: expiration(self.attempt.start_timestamp, self.request.ttl),
            phase: Some(report.phase),
            start_timestamp: Some(report.start_timestamp),
            completion_timestamp: report.completion_timestamp,
            progress: Some(Progress { total_items: report.items, items_backed_up: report.items }),
            volume_snapshots_attempted: snapshots.len() as u64,
            volume_snapshots_completed: snapshots.iter().filter(completed).count() as u64,
            warnings: report.warnings.len() as u64,
            errors: report.errors.len() as u64,
            ..BackupStatus::default()
        }
    }

    /// One record for each snapshot that was wanted; the failed ones, too.
    fn snapshots(&self) -> Vec<NativeSnapshot> {
        self.volumes.iter().filter_map(|outcome| self.snapshot(outcome)).collect()
    }

    fn snapshot(&self, outcome: &Outcome) -> Option<NativeSnapshot> {
        if outcome.skipped.is_some() {
            return None;
        }
        let spec = outcome.snapshot.as_ref().map(|snapshot| snapshot.volume.clone());
        let spec = spec.unwrap_or_default();
        Some(NativeSnapshot {
            spec: NativeSnapshotSpec {
                backup_name: self.request.name.clone(),
                backup_uid: self.attempt.uid.clone(),
                location: LOCATION.to_owned(),
                persistent_volume_name: outcome.report.persistent_volume.clone()?,
                provider_volume_id: outcome.report.volume_id.clone().unwrap_or_default(),
                volume_type: spec.volume_type,
                volume_az: spec.zone,
                volume_iops: spec.iops,
            },
            status: NativeSnapshotStatus {
                provider_snapshot_id: outcome.report.snapshot_id.clone(),
                phase: Some(phase(outcome)),
            },
        })
    }

    /// One record for each volume of a claim, and for each that is in the archive without one.
    fn volume_infos(&self, mut others: BTreeMap<String, PersistentVolumeInfo>) -> Vec<VolumeInfo> {
        let known = |outcome: &&Outcome| outcome.report.persistent_volume.is_some();
        let mut infos: Vec<_> = self.volumes.iter().filter(known).map(volume_info).collect();
        for info in &infos {
            others.remove(&info.pv_name);
        }
        infos.extend(others.into_iter().map(|(name, info)| without_claim(name, info)));
        infos
    }
}

fn phase(outcome: &Outcome) -> SnapshotPhase {
    match outcome.snapshot.as_ref().map(|snapshot| &snapshot.state) {
        Some(SnapshotState::Completed) if !outcome.failed => SnapshotPhase::Completed,
        _ => SnapshotPhase::Failed,
    }
}

fn volume_info(outcome: &Outcome) -> VolumeInfo {
    let report = &outcome.report;
    let info = VolumeInfo {
        pvc_name: report.claim.clone(),
        pvc_namespace: report.namespace.clone(),
        pv_name: report.persistent_volume.clone().unwrap_or_default(),
        pv_info: outcome.info.clone(),
        ..VolumeInfo::default()
    };
    if let Some(reason) = &outcome.skipped {
        return VolumeInfo { skipped: true, skipped_reason: Some(reason.clone()), ..info };
    }
    let volume = outcome.snapshot.as_ref().map(|snapshot| snapshot.volume.clone());
    let volume = volume.unwrap_or_default();
    VolumeInfo {
        backup_method: Some(NATIVE_SNAPSHOT.to_owned()),
        result: Some(if outcome.failed { "failed" } else { "succeeded" }.to_owned()),
        native_snapshot_info: Some(NativeSnapshotInfo {
            snapshot_handle: report.snapshot_id.clone().unwrap_or_default(),
            volume_type: volume.volume_type,
            volume_az: volume.zone.unwrap_or_default(),
            iops: volume.iops.unwrap_or_default().to_string(),
            phase: Some(phase(outcome)),
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

/// Go writes an empty slice as `null`; so do we, where Velero does.
fn null_if_empty<T: Serialize>(list: Vec<T>) -> Option<Vec<T>> {
    Some(list).filter(|list| !list.is_empty())
}
