//! What becomes of the volume of one claim.

use bowline_api::{GroupResource, ItemId, VolumeSpec};
use serde::{Deserialize, Serialize};

use super::claim::Claim;
use crate::engine::journal::Journal;
use crate::engine::model::volume::PersistentVolumeInfo;
use crate::engine::report::{Problem, SnapshotReport};

/// The state of a volume whose snapshot was started.
pub(super) const PENDING: &str = "pending";
/// The state of a volume all of whose data is safe.
pub(super) const COMPLETED: &str = "completed";
/// The state of a volume whose data is not in the backup, though it was to be.
pub(super) const FAILED: &str = "failed";

/// The volume of one claim, when nothing is left but to await its snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Outcome {
    /// How far it is.
    pub report: SnapshotReport,
    /// Why nothing is kept of it on purpose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// What of the persistent volume its successor gets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub info: Option<PersistentVolumeInfo>,
    /// What the volume is like, as its provider said when the snapshot was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume: Option<VolumeSpec>,
}

impl Outcome {
    pub(super) fn new(claim: &Claim) -> Self {
        let report = SnapshotReport {
            namespace: Some(claim.namespace.clone()),
            claim: Some(claim.name.clone()),
            persistent_volume: claim.volume.clone(),
            provider: None,
            volume_id: None,
            snapshot_id: None,
            state: String::new(),
        };
        Self { report, skipped: None, info: None, volume: None }
    }
}

/// Names the claim of a volume.
pub(super) fn claim_of(report: &SnapshotReport) -> ItemId {
    ItemId {
        resource: GroupResource::core("persistentvolumeclaims"),
        namespace: report.namespace.clone(),
        name: report.claim.clone().unwrap_or_default(),
    }
}

/// Names the claim of a volume as events do: `namespace/name`.
pub(super) fn label(report: &SnapshotReport) -> String {
    [report.namespace.as_deref(), report.claim.as_deref()].map(Option::unwrap_or_default).join("/")
}

/// A snapshot is complete.
pub(super) fn complete(journal: &Journal, report: &mut SnapshotReport) {
    COMPLETED.clone_into(&mut report.state);
    journal.volume(&label(report), "snapshot completed");
}

/// A snapshot cannot be had: an error of the backup, which has no such snapshot.
pub(super) fn fail(journal: &Journal, report: &mut SnapshotReport, message: String) {
    FAILED.clone_into(&mut report.state);
    report.snapshot_id = None;
    journal.volume(&label(report), "failed");
    let problem = Problem::of_item(&claim_of(report), "snapshot", message);
    journal.error(problem.with_hint(
        "its data is NOT in this backup; exclude the volume on purpose with \
         --snapshot-volumes=false or the claim's annotation bowline.io/volume=skip",
    ));
}
