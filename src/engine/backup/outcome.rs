//! What becomes of the volume of one claim.

use bowline_api::{GroupResource, ItemId, SnapshotterError, VolumeSpec};
use serde::{Deserialize, Serialize};

use super::claim::Claim;
use crate::engine::journal::Journal;
use crate::engine::model::volume::{PersistentVolumeInfo, REATTACH, SKIPPED, UNBOUND};
use crate::engine::report::{Problem, SnapshotReport, chain};

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
            reason: None,
        };
        Self { report, info: None, volume: None }
    }
}

/// Whether nothing is kept of a volume, and that is as it should be.
pub(super) fn is_left_out(report: &SnapshotReport) -> bool {
    [SKIPPED, REATTACH, UNBOUND].contains(&report.state.as_str())
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

/// Why a snapshot cannot be had.
#[derive(Debug)]
pub(super) struct Fault {
    message: String,
    /// What would help, if something is likely to.
    hint: Option<String>,
    /// Whether the volume itself is at fault, and might be left out.
    is_of_volume: bool,
}

impl From<String> for Fault {
    fn from(message: String) -> Self {
        Self { message, hint: None, is_of_volume: true }
    }
}

impl Fault {
    /// What a provider said, asked in this place. A volume of another region seems not to exist.
    pub(super) fn of(error: &SnapshotterError, place: Option<&str>) -> Self {
        let hint = match (error, place) {
            (SnapshotterError::NotFound { .. }, Some(place)) => Some(format!(
                "if the volume is in another region than {place}, or of another account, set \
                 AWS_REGION or AWS_PROFILE"
            )),
            _ => None,
        };
        Self { message: chain(error), hint, is_of_volume: true }
    }

    /// A hook failed that was to come before.
    pub(super) fn of_hook(reason: &str) -> Self {
        Self { message: reason.to_owned(), hint: None, is_of_volume: false }
    }
}

/// A snapshot cannot be had: an error of the backup, which has no such snapshot.
pub(super) fn fail(journal: &Journal, report: &mut SnapshotReport, fault: Fault) {
    FAILED.clone_into(&mut report.state);
    report.snapshot_id = None;
    journal.volume(&label(report), "failed");
    let problem = Problem::of_item(&claim_of(report), "snapshot", fault.message);
    let first = fault.hint.map(|hint| format!("{hint}; ")).unwrap_or_default();
    let last = if fault.is_of_volume {
        "exclude the volume on purpose with --snapshot-volumes=false or the claim's annotation \
         bowline.io/volume=skip"
    } else {
        "correct the hook, and back up again"
    };
    journal.error(problem.with_hint(format!("{first}its data is NOT in this backup; {last}")));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_that_does_not_exist_is_first_looked_for_in_other_regions() {
        let missing = SnapshotterError::NotFound { what: "volume vol-1 in e1".to_owned() };
        let fault = Fault::of(&missing, Some("e1"));
        assert_eq!(fault.message, "volume vol-1 in e1 does not exist");
        assert!(fault.hint.unwrap().starts_with("if the volume is in another region than e1"));
        assert!(Fault::of(&missing, None).hint.is_none(), "there is but one place");
        let (what, reason) = ("volume vol-1".to_owned(), "no".to_owned());
        let refused = SnapshotterError::Refused { what, reason };
        assert!(Fault::of(&refused, Some("e1")).hint.is_none());
    }
}
