//! How much of an archive is believed.

/// The largest object that is written or read, in bytes.
///
/// etcd takes requests of up to 1.5 MiB by default; some clusters raise that.
pub(super) const ITEM_BYTES: u64 = 4 << 20;

/// Caps for what an archive may demand of its reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The number of entries; an item of a backup has two.
    pub entries: usize,
    /// The size of one entry in bytes.
    pub item_bytes: u64,
    /// The size of the unpacked archive in bytes, which also bounds the temporary file.
    pub total_bytes: u64,
    /// How many times its own size the archive may unpack to, beyond its first MiB.
    pub ratio: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 2_000_000, item_bytes: ITEM_BYTES, total_bytes: 64 << 30, ratio: 1000 }
    }
}
