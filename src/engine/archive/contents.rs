//! What an archive held, after one pass.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use bowline_api::ItemId;
use serde::Serialize;

use super::table::Table;
use super::{Entry, Error};

/// How many ignored entries are named.
const ENTRIES: usize = 100;

/// The items of an archive that was [read](super::read), in an unlinked temporary file.
#[derive(Debug)]
pub struct Contents {
    /// The size of the archive, compressed, in bytes.
    pub size: u64,
    /// The SHA-256 of the archive, compressed, in lower-case hex.
    pub sha256: String,
    /// What is no item.
    pub ignored: Ignored,
    pub(super) table: Table,
    pub(super) spool: File,
}

impl Contents {
    /// The number of entries, including those in further versions.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// The number of items, each counted once.
    pub fn items(&self) -> usize {
        self.entries().filter(Entry::preferred).count()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All entries, sorted by [`ItemId`], the preferred version first.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = Entry<'_>> {
        self.table.entries()
    }

    /// Finds an item in the version that is to be restored.
    pub fn find(&self, id: &ItemId) -> Option<Entry<'_>> {
        self.table.find(id)
    }

    /// Finds an item in all versions that the archive holds, the preferred one first.
    pub fn versions(&self, id: &ItemId) -> impl Iterator<Item = Entry<'_>> {
        self.table.versions(id)
    }

    /// Reads the JSON of an entry of these contents, which was checked when it was spooled.
    ///
    /// Blocks on a local file; several threads may read at once.
    pub fn read(&self, entry: Entry<'_>) -> Result<Vec<u8>, Error> {
        let mut json = vec![0; entry.row.size as usize];
        self.spool.read_exact_at(&mut json, entry.row.offset).map_err(Error::Spool)?;
        Ok(json)
    }
}

/// Entries that follow no known form and mean nothing to a restore.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ignored {
    /// How many there are.
    pub count: u64,
    /// The first hundred.
    pub entries: Vec<IgnoredEntry>,
}

/// An entry that follows no known form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct IgnoredEntry {
    /// Its name in the archive.
    pub name: String,
    /// Why it means nothing.
    pub reason: &'static str,
}

impl Ignored {
    pub(super) fn add(&mut self, name: String, reason: &'static str) {
        self.count += 1;
        if self.entries.len() < ENTRIES {
            self.entries.push(IgnoredEntry { name, reason });
        }
    }
}
