//! The JSON files that say what a snapshot or a made volume is.

use std::fs::Metadata;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;

use bowline_api::Tags;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::dir::Dir;

/// No record is longer; a longer one is not ours and is not read into memory.
const LONGEST: u64 = 1 << 20;

/// `snapshot.json`: what a snapshot is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SnapshotRecord {
    pub(super) id: String,
    pub(super) volume_id: String,
    pub(super) tags: Tags,
    pub(super) created_at: Timestamp,
    /// Absent while the copy is under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) contents: Option<Contents>,
}

/// What was copied, so that a loss is noticed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Contents {
    /// How many files `data` holds.
    pub(super) files: u64,
    /// How long they are together.
    pub(super) bytes: u64,
    /// The SHA-256 of `files.jsonl`.
    pub(super) manifest_sha256: String,
}

/// `.<name>.bowline.json`: says that bowline made the volume of that name, and for what.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VolumeRecord {
    pub(super) token: String,
    pub(super) snapshot_id: String,
    pub(super) tags: Tags,
    /// The directory itself: one that was made by hand in its place is not ours.
    pub(super) directory: Identity,
}

/// Tells a directory from another one that had or got its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    inode: u64,
    /// When it was made, where the file system knows: inodes are used again.
    #[serde(skip_serializing_if = "Option::is_none")]
    born: Option<Timestamp>,
}

impl Identity {
    pub(super) fn of(metadata: &Metadata) -> Self {
        let born = metadata.created().ok().and_then(|time| Timestamp::try_from(time).ok());
        Self { inode: metadata.ino(), born }
    }
}

/// Writes a record, all of it or nothing, over one that is there.
pub(super) fn write<T: Serialize>(dir: &Dir, name: &str, record: &T) -> io::Result<()> {
    let json = serde_json::to_vec_pretty(record)?;
    let temporary = format!("{name}.new");
    if dir.find(&temporary)?.is_some() {
        dir.remove_file(&temporary)?;
    }
    let mut file = dir.create_file(&temporary)?;
    file.write_all(&json)?;
    file.sync_all()?;
    dir.rename(&temporary, name)?;
    dir.sync()
}

/// Reads a record; none where there is no such file.
pub(super) fn read<T: DeserializeOwned>(dir: &Dir, name: &str) -> io::Result<Option<T>> {
    let file = match dir.open_file(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let mut json = Vec::new();
    file.take(LONGEST).read_to_end(&mut json)?;
    Ok(Some(serde_json::from_slice(&json)?))
}
