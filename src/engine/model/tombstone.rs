//! The mark of a backup that is being deleted.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// `metadata/bowline/deleting/<name>.json`: what a deletion has to remove, so that any later run can
/// finish it.
///
/// It is the first thing that a deletion writes and the last that it removes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tombstone {
    /// The backup's name.
    pub name: String,
    /// The backup's identity, which its snapshots are tagged with; none if nothing tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// The snapshots that were known when the deletion began.
    #[serde(default)]
    pub snapshots: Vec<MarkedSnapshot>,
    /// When the deletion began.
    pub start_timestamp: Timestamp,
}

/// `metadata/bowline/leaving/<name>/<provider>.json`: all snapshots of a provider but the last one
/// have gone, so that from here on it may be that none is found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaving {
    /// The backup's identity, as in its tombstone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// The provider.
    pub provider: String,
}

/// A snapshot that goes with its backup.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MarkedSnapshot {
    /// Who made it: `aws`, `local`.
    pub provider: String,
    /// The provider's name of it.
    pub id: String,
    /// The availability zone of the volume that it was taken of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}
