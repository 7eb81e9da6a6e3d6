//! The manifest: one entry per file, in the order in which they are made again.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read as _, Write};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Error;
use super::path::to_hex;

/// No line is longer; a longer one is damage and is not read into memory.
const LONGEST_LINE: u64 = 16 << 20;

/// A file of any kind. A directory comes after all that lies in it, the tree itself comes last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    /// Relative to the tree, [as text](super::path::to_text); empty for the tree itself.
    pub(super) path: String,
    #[serde(flatten)]
    pub(super) kind: Kind,
    #[serde(flatten)]
    pub(super) attributes: Attributes,
}

/// What kind of file it is, and what only that kind has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub(super) enum Kind {
    File {
        size: u64,
        sha256: String,
    },
    Directory,
    Symlink {
        target: String,
    },
    /// A further name of the file that was first met at `to`.
    HardLink {
        to: String,
    },
    Fifo,
    /// Recorded, but not made again: its server makes it.
    Socket,
}

/// What every file has. Of a symbolic link only the owner and the time count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Attributes {
    /// Permissions with set-user-id and the like.
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// When it was modified: seconds and nanoseconds since 1970.
    pub(super) modified: (i64, i64),
    /// Extended attributes, the values in hexadecimal digits.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) extended: BTreeMap<String, String>,
}

/// Writes the lines of a manifest.
pub(super) struct ManifestWriter<W> {
    inner: W,
    hasher: Sha256,
}

impl<W: Write> ManifestWriter<W> {
    pub(super) fn new(inner: W) -> Self {
        Self { inner, hasher: Sha256::new() }
    }

    pub(super) fn write(&mut self, entry: &Entry) -> io::Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        self.hasher.update(&line);
        self.inner.write_all(&line)
    }

    /// Flushes, and tells the SHA-256 of all lines.
    pub(super) fn finish(mut self) -> io::Result<String> {
        self.inner.flush()?;
        Ok(to_hex(&self.hasher.finalize()))
    }
}

/// Reads the lines of a manifest.
pub(super) struct ManifestReader<R> {
    inner: BufReader<R>,
    hasher: Sha256,
}

impl<R: io::Read> ManifestReader<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner: BufReader::new(inner), hasher: Sha256::new() }
    }

    /// Reads the next entry; none after the last.
    pub(super) fn next(&mut self) -> Result<Option<Entry>, Error> {
        let mut line = Vec::new();
        let mut limited = (&mut self.inner).take(LONGEST_LINE);
        limited.read_until(b'\n', &mut line).map_err(Error::at(super::MANIFEST.as_bytes()))?;
        if line.is_empty() {
            return Ok(None);
        }
        self.hasher.update(&line);
        serde_json::from_slice(&line)
            .map(Some)
            .map_err(|error| Error::damaged(format!("{} cannot be read: {error}", super::MANIFEST)))
    }

    /// Tells the SHA-256 of all lines that were read.
    pub(super) fn finish(self) -> String {
        to_hex(&self.hasher.finalize())
    }
}
