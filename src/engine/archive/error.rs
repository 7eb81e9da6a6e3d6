//! Why an archive was not written or not believed.

use std::io;

use bowline_api::StoreError;

/// Why an archive, or an item for one, was refused.
///
/// Names that come out of an archive are shown quoted and escaped: they may be hostile.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store failed, or has the object already.
    #[error("failed to transfer the archive")]
    Store(#[from] StoreError),
    /// The temporary file that holds the items failed.
    #[error("failed to spool the items of the archive")]
    Spool(#[source] io::Error),
    /// A block could not be packed.
    #[error("failed to pack the archive")]
    Pack(#[source] io::Error),
    /// An earlier call failed or was dropped midway, so a part of the archive may be missing.
    #[error("the archive lacks what failed to be written earlier")]
    Incomplete,
    /// The runtime is shutting down.
    #[error("the work on the archive was cut short")]
    Interrupted(#[from] tokio::task::JoinError),

    /// It is no gzip, or its checksum does not match, or something follows it.
    #[error("the archive is not intact gzip")]
    Gzip(#[source] io::Error),
    /// It ends before its end: a partial upload or download.
    #[error("the archive is truncated: it ends {0}")]
    Truncated(&'static str),
    /// What should be an entry's header is none.
    #[error("the archive is not intact tar: the header at byte {offset} {reason}")]
    Tar {
        /// Where the header lies in the unpacked archive.
        offset: u64,
        /// What is wrong with it, as the rest of a sentence.
        reason: &'static str,
    },
    /// There is data after the end of the tar.
    #[error("the archive has data behind its end, at byte {0}")]
    Trailing(u64),
    /// The archive's format is newer than this program.
    #[error("the archive has format version {0:?}, of which only 1.x is known")]
    Format(String),

    /// The entry is a link, a device, or something else that no backup holds.
    #[error("entry {name:?} is of type {kind:?}; only regular files are accepted")]
    Type {
        /// The name of the entry.
        name: String,
        /// The type flag of its header.
        kind: char,
    },
    /// The entry's name does not follow the format, or an item's name cannot be stored.
    #[error("the name {name:?} is refused: {reason}")]
    Name {
        /// The name of the entry or the item.
        name: String,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// An extension header contradicts another one, or changes what an entry means.
    #[error("the extension header at byte {offset} is refused: {reason}")]
    Extension {
        /// Where the header lies in the unpacked archive.
        offset: u64,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The same item, in the same version, is there twice.
    #[error("item {0} is there more than once")]
    Duplicate(String),
    /// An item and its copy by version differ, so two readers would restore different things.
    #[error("the two copies of item {0} differ")]
    CopyDiffers(String),

    /// There are more entries than [`Limits`](super::Limits) allow.
    #[error("the archive has more than {0} entries")]
    TooMany(usize),
    /// An entry or item is larger than [`Limits`](super::Limits) allow.
    #[error("{name:?} has {size} bytes, at most {limit} are accepted")]
    TooLarge {
        /// The name of the entry or the item.
        name: String,
        /// Its size in bytes, as its header tells it.
        size: u64,
        /// The largest size that is accepted.
        limit: u64,
    },
    /// The names of the entries are longer than [`Limits`](super::Limits) allow.
    #[error("the names in the archive have more than {0} bytes")]
    TooManyNames(usize),
    /// All entries together are larger than [`Limits`](super::Limits) allow.
    #[error("the archive unpacks to more than {0} bytes")]
    TooMuch(u64),
    /// The archive unpacks to far more than it is: a bomb.
    #[error("the archive unpacks to more than {0} times its size")]
    Ratio(u64),

    /// The item is not JSON, nested too deeply, or lacks what every object has.
    #[error("item {item} is not a valid object")]
    Json {
        /// The item.
        item: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The object is another one than its entry's name says.
    #[error("item {item} holds an object with {field} {found:?} instead of {expected:?}")]
    Mismatch {
        /// The item, by the name of its entry.
        item: String,
        /// The field of the object that differs.
        field: &'static str,
        /// What the entry's name demands.
        expected: String,
        /// What the object says.
        found: String,
    },

    /// The index is damaged or of a newer version.
    #[error("line {line} of the archive's index is refused: {reason}")]
    Index {
        /// The line, counted from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// The archive is not the one that the index was written for.
    #[error("the archive does not match its index: {0}")]
    Member(&'static str),
    /// Only a part of the archive was read, and the item is not in it.
    #[error("item {0} was left out when a part of the archive was read")]
    LeftOut(String),
}

/// How many characters of a refused name are shown: an extension header can hold 64 KiB of them.
const SHOWN: usize = 300;

impl Error {
    /// Refuses the name of an entry.
    pub(super) fn name(name: &str, reason: &'static str) -> Self {
        Self::Name { name: shown(name), reason }
    }

    /// Whether [`Writer::append`](super::Writer::append) refused the item and nothing else happened.
    pub fn is_of_item(&self) -> bool {
        matches!(
            self,
            Self::Name { .. } | Self::TooLarge { .. } | Self::Json { .. } | Self::Mismatch { .. }
        )
    }

    /// Whether the archive is at fault, and not who reads or writes it.
    pub fn is_damage(&self) -> bool {
        !matches!(
            self,
            Self::Store(_)
                | Self::Spool(_)
                | Self::Pack(_)
                | Self::Incomplete
                | Self::Interrupted(_)
                | Self::LeftOut(_)
        )
    }
}

/// As much of a name out of an archive as a message needs.
pub(super) fn shown(name: &str) -> String {
    name.chars().take(SHOWN).collect()
}
