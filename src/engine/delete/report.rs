//! What was deleted.

use jiff::Timestamp;
use serde::Serialize;

use crate::engine::report::{Phase, Problem};

/// What became of a backup that was to be deleted.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct DeleteReport {
    /// The backup's name.
    pub name: String,
    /// Its identity, if it was known.
    pub uid: Option<String>,
    /// `Completed`: nothing of it is left. `PartiallyFailed`: a later run has to finish it.
    pub phase: Phase,
    /// The URL of the location.
    pub location: String,
    /// What became of its snapshots.
    pub snapshots: Vec<DeletedSnapshot>,
    /// What was left alone, and why.
    pub warnings: Vec<Problem>,
    /// What could not be removed.
    pub errors: Vec<Problem>,
    /// When the deletion began, be it in an earlier run.
    pub start_timestamp: Timestamp,
    /// When it ended; none if it is not finished.
    pub completion_timestamp: Option<Timestamp>,
}

/// What became of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DeletedSnapshot {
    /// Who made it.
    pub provider: String,
    /// The provider's name of it.
    pub id: String,
    /// What became of it.
    pub state: SnapshotFate,
}

/// What became of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum SnapshotFate {
    /// It was removed.
    Deleted,
    /// There was none any more.
    Absent,
    /// It is not of this backup, and was left alone.
    Foreign,
    /// It is still there.
    Failed,
}

impl std::fmt::Display for SnapshotFate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Deleted => "deleted",
            Self::Absent => "absent",
            Self::Foreign => "foreign",
            Self::Failed => "failed",
        })
    }
}
