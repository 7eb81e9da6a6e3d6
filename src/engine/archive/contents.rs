//! What an archive held, after one pass.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use bowline_api::ItemId;
use serde::Serialize;

use super::table::Table;
use super::{Entry, Error};

/// How many ignored entries are named.
const ENTRIES: usize = 100;

/// The items of an archive that was [read](super::read), in an unlinked temporary file.
///
/// Of one that was [read in part](super::read_parts) all items are listed, and some were left out.
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
    /// Whether an item was asked for that was left out.
    lacking: AtomicBool,
    /// All of the archive, if it was read after all.
    whole: OnceLock<Box<Self>>,
}

impl Contents {
    pub(super) fn new(
        size: u64,
        sha256: String,
        ignored: Ignored,
        table: Table,
        spool: File,
    ) -> Self {
        let (lacking, whole) = (AtomicBool::new(false), OnceLock::new());
        Self { size, sha256, ignored, table, spool, lacking, whole }
    }

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
    /// Blocks on a local file; several threads may read at once. Of one that was left out it fails
    /// with [`Error::LeftOut`], and remembers that it did.
    pub fn read(&self, entry: Entry<'_>) -> Result<Vec<u8>, Error> {
        if entry.is_left_out() {
            return self.read_left_out(entry);
        }
        let mut json = vec![0; entry.row().size as usize];
        self.spool.read_exact_at(&mut json, entry.row().offset).map_err(Error::Spool)?;
        Ok(json)
    }

    /// Whether an item was asked for that was left out: what was decided since may be wrong.
    pub fn is_lacking(&self) -> bool {
        self.lacking.load(Ordering::Relaxed) && self.whole.get().is_none()
    }

    /// Has what was left out read from the whole archive, which must list the same.
    pub fn complete(&self, whole: Self) -> Result<(), Error> {
        if !self.table.lists_same(&whole.table) {
            return Err(Error::Member("it holds other objects"));
        }
        // Whoever came first has the same.
        self.whole.get_or_init(|| Box::new(whole));
        Ok(())
    }

    fn read_left_out(&self, entry: Entry<'_>) -> Result<Vec<u8>, Error> {
        let id = entry.id();
        let found = self.whole.get().and_then(|whole| Some((whole, whole.find(&id)?)));
        let Some((whole, entry)) = found else {
            self.lacking.store(true, Ordering::Relaxed);
            return Err(Error::LeftOut(id.to_string()));
        };
        whole.read(entry)
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
