//! How thoroughly a backup is looked at.

use serde::Serialize;

/// How thoroughly a backup is looked at. Each level holds those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Its document is good, and all files are there in full.
    Exists,
    /// Every byte of every file is the one that was written.
    Hash,
    /// The archive can be read, and all files tell the same of it.
    Parse,
    /// Its snapshots are there and complete.
    Snapshots,
}

impl Level {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Exists => "exists",
            Self::Hash => "hash",
            Self::Parse => "parse",
            Self::Snapshots => "snapshots",
        }
    }
}
