//! How much of an archive is believed.

/// The largest object that is written or read, in bytes.
///
/// etcd takes requests of up to 1.5 MiB by default; some clusters raise that.
pub(super) const ITEM_BYTES: u64 = 4 << 20;

/// How many times its own size an archive may unpack to.
///
/// Objects pack to a tenth, those of one shape to a fiftieth; deflate itself goes down to a
/// thousandth. Members that the writer makes stay within it, whatever they hold.
pub(super) const RATIO: u16 = 200;

/// Caps for what an archive may demand of its reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The number of entries; an item of a backup has two.
    pub entries: usize,
    /// The size of one entry in bytes.
    pub item_bytes: u64,
    /// The size in bytes of all names that are kept, and of the lists of places they are in.
    pub name_bytes: usize,
    /// The size of the unpacked archive in bytes, which also bounds the temporary file.
    pub total_bytes: u64,
    /// How many times its own size the archive may unpack to, beyond the first bytes.
    pub ratio: u64,
    /// How many bytes may be unpacked whatever the ratio: a small cluster may hold odd objects.
    pub unsuspicious_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries: 2_000_000,
            item_bytes: ITEM_BYTES,
            name_bytes: 256 << 20,
            total_bytes: 64 << 30,
            ratio: RATIO.into(),
            unsuspicious_bytes: 64 << 20,
        }
    }
}
