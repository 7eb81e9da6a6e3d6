//! The snapshots that an unfinished backup has started.

use bowline_api::VolumeSpec;
use serde::Deserialize;

use super::backup::BackupMeta;
use crate::engine::report::SnapshotReport;

/// What `bowline-pending.json` tells of a backup's identity, of its snapshots, and of its log.
///
/// Reads any version of it: what is not told is absent.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Started {
    /// The backup's document as far as it was known.
    pub document: StartedDocument,
    /// The volumes of all claims.
    pub volumes: Vec<StartedVolume>,
    /// The log, by line.
    pub log: Vec<String>,
}

/// The part of a backup's document that names it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct StartedDocument {
    /// The backup's name and UID.
    pub metadata: BackupMeta,
}

/// A volume whose snapshot was started, failed to start, or was left out.
#[derive(Clone, Debug, Deserialize)]
pub struct StartedVolume {
    /// Its snapshot and who makes it, if anybody does.
    pub report: SnapshotReport,
    /// What the volume is like.
    #[serde(default)]
    pub volume: Option<VolumeSpec>,
}
