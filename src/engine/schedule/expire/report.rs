//! What was expired, and what was not.

use jiff::Timestamp;
use serde::Serialize;

use crate::engine::delete::DeletedSnapshot;
use crate::engine::report::{Phase, Problem};

/// What became of all backups.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The URL of the location.
    pub location: String,
    /// Whether nothing was removed, and only told what would be.
    pub dry_run: bool,
    /// `Completed`, or `PartiallyFailed` if something should have gone and did not.
    pub phase: Phase,
    /// What became of each backup: by schedule and cluster, the newest first.
    pub backups: Vec<BackupFate>,
    /// The records of so many runs went whose backups are gone.
    pub runs: usize,
    /// What was left alone, and why.
    pub warnings: Vec<Problem>,
    /// What could not be removed.
    pub errors: Vec<Problem>,
}

/// What became of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct BackupFate {
    /// Its name.
    pub name: String,
    /// Its identity, if it is known.
    pub uid: Option<String>,
    /// The schedule that made it.
    pub schedule: Option<String>,
    /// The identity of the cluster that was backed up.
    #[serde(rename = "clusterUID")]
    pub cluster_uid: Option<String>,
    /// How it had ended.
    pub phase: Phase,
    /// When it began.
    pub start_timestamp: Option<Timestamp>,
    /// What became of it.
    pub verdict: Fate,
    /// Why: each rule that keeps it, or what lets it go.
    pub reasons: Vec<String>,
    /// What became of its snapshots.
    pub snapshots: Vec<DeletedSnapshot>,
}

/// What became of a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Fate {
    /// It stays.
    Keep,
    /// It stays as long as it is held.
    Held,
    /// It would go, but the store keeps it; nothing of it was touched.
    Retained,
    /// It would go, or its deletion would be finished.
    Remove,
    /// It is gone.
    Removed,
    /// It should have gone; what is left of it, the next expiry removes.
    Failed,
}

impl std::fmt::Display for Fate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Keep => "keep",
            Self::Held => "held",
            Self::Retained => "retained",
            Self::Remove => "remove",
            Self::Removed => "removed",
            Self::Failed => "failed",
        })
    }
}

impl BackupFate {
    /// One of which nothing is known but its name.
    pub(super) fn of_name(name: &str, phase: Phase, verdict: Fate, reason: &str) -> Self {
        Self {
            name: name.to_owned(),
            uid: None,
            schedule: None,
            cluster_uid: None,
            phase,
            start_timestamp: None,
            verdict,
            reasons: vec![reason.to_owned()],
            snapshots: Vec::new(),
        }
    }

    /// Something else became of it, for this reason, which goes before the others.
    pub(super) fn become_so(&mut self, verdict: Fate, reason: String) {
        self.verdict = verdict;
        self.reasons.insert(0, reason);
    }
}
