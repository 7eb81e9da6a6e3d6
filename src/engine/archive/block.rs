//! The tar of an archive, cut into blocks at item boundaries.

use std::io::{self, Write as _};
use std::mem;

use bowline_api::ItemId;
use flate2::{Compression, GzBuilder};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::digest::hex;
use super::index::{BlockLines, Lines};
use super::limits::RATIO;
use super::path::{self, Copy, ItemPath};

/// The size in bytes from which a block is closed, so that it becomes one gzip member.
///
/// The smaller members are, the less one namespace of many costs to read, and the larger the archive
/// is. Of 80,000 objects of 1.1 KiB, of 8 kinds in 100 namespaces, one namespace is 3.8 % of the
/// archive with members of 1 MiB, 2.4 % with 512 KiB, 1.7 % with 256 KiB (the archive is 2.3 % larger
/// then than with 1 MiB) and 1.3 % with 128 KiB (5.2 % larger); the index is another 2 %.
const FULL: usize = 256 << 10;

/// The gzip level: the size of level 6 on Kubernetes objects, in two thirds of the time.
const LEVEL: u32 = 2;

/// The most that an extra field holds beside its own header, in bytes.
const MOST_PADDING: usize = u16::MAX as usize - 4;

/// What Velero writes and demands for archives with a copy by version of each item.
const FORMAT: &[u8] = b"1.1.0\n";

/// A piece of the tar with whole items, and the index lines of these.
#[derive(Debug)]
pub(super) struct Block {
    tar: Vec<u8>,
    lines: BlockLines,
}

/// A [`Block`], compressed.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) gzip: Vec<u8>,
    /// The size in bytes before compression.
    pub(super) unpacked: u64,
    /// The SHA-256 of the compressed bytes, in lower-case hex.
    pub(super) sha256: String,
    pub(super) lines: BlockLines,
}

impl Block {
    /// Compresses the block into a gzip member. Takes milliseconds of CPU time.
    pub(super) fn compress(self) -> io::Result<Member> {
        let Self { tar, lines } = self;
        let mut gzip = pack(&tar, GzBuilder::new())?;
        let least = tar.len() / usize::from(RATIO);
        if gzip.len() < least {
            gzip = pack(&tar, GzBuilder::new().extra(padding(least - gzip.len())))?;
        }
        let sha256 = hex(Sha256::new_with_prefix(&gzip));
        Ok(Member { gzip, unpacked: tar.len() as u64, sha256, lines })
    }
}

fn pack(tar: &[u8], header: GzBuilder) -> io::Result<Vec<u8>> {
    let buffer = Vec::with_capacity(tar.len() / 4);
    let mut encoder = header.write(buffer, Compression::new(LEVEL));
    encoder.write_all(tar)?;
    encoder.finish()
}

/// An extra field (RFC 1952, 2.3.1.1) of about this size, which every reader skips.
///
/// With it a member of a megabyte of the same letter is no bomb to a reader with our limits. The
/// largest member has 10 MiB, so that what is missing fits.
fn padding(size: usize) -> Vec<u8> {
    let size = size.min(MOST_PADDING);
    let length = u16::try_from(size).unwrap_or_default().to_le_bytes();
    [&b"bl"[..], &length, &vec![0; size]].concat()
}

/// Fills blocks.
pub(super) struct Blocks {
    tar: tar::Builder<Vec<u8>>,
    lines: Lines,
    modified: u64,
    empty: bool,
}

impl Blocks {
    /// Starts a tar whose entries were modified at this time.
    pub(super) fn new(modified: Timestamp) -> Self {
        Self {
            tar: tar::Builder::new(Vec::with_capacity(FULL + FULL / 4)),
            lines: Lines::default(),
            modified: u64::try_from(modified.as_second()).unwrap_or_default(),
            empty: true,
        }
    }

    /// Appends an item that was checked, twice, as Velero's format demands.
    ///
    /// Returns a block once one is full.
    pub(super) fn append(
        &mut self,
        id: &ItemId,
        version: &str,
        json: &[u8],
    ) -> io::Result<Option<Block>> {
        self.start()?;
        let path = |copy| ItemPath { id: id.clone(), copy }.to_string();
        self.append_entry(&path(Copy::Item), json)?;
        let offset = self.tar.get_ref().len() - json.len().next_multiple_of(512);
        self.lines.item(id, version, offset, json.len())?;
        self.append_entry(&path(Copy::Preferred(version.to_owned())), json)?;
        Ok(self.full())
    }

    /// Appends an item in a further version, which the index only counts.
    pub(super) fn append_version(
        &mut self,
        id: &ItemId,
        version: &str,
        json: &[u8],
    ) -> io::Result<Option<Block>> {
        self.start()?;
        let path = ItemPath { id: id.clone(), copy: Copy::Other(version.to_owned()) };
        self.append_entry(&path.to_string(), json)?;
        self.lines.further_version();
        Ok(self.full())
    }

    /// The block, once it is full.
    fn full(&mut self) -> Option<Block> {
        if self.tar.get_ref().len() < FULL {
            return None;
        }
        let tar = mem::replace(self.tar.get_mut(), Vec::with_capacity(FULL + FULL / 4));
        Some(Block { tar, lines: self.lines.take() })
    }

    /// Closes the tar and returns the last block, which is never empty.
    pub(super) fn finish(&mut self) -> io::Result<Block> {
        self.start()?;
        self.tar.finish()?;
        Ok(Block { tar: mem::take(self.tar.get_mut()), lines: self.lines.take() })
    }

    fn start(&mut self) -> io::Result<()> {
        if mem::replace(&mut self.empty, false) {
            self.append_entry(path::VERSION, FORMAT)?;
        }
        Ok(())
    }

    /// Velero makes directories with the mode of the entries in them, so these must be executable.
    fn append_entry(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(0o755);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(self.modified);
        header.set_size(content.len() as u64);
        if header.set_path(name).is_err() {
            self.append_long_name(name)?;
            header.set_path(shortened(name))?;
        }
        header.set_cksum();
        self.tar.append(&header, content)
    }

    /// Appends GNU's header for a name that does not fit into the entry's own.
    ///
    /// `append_data` would do that, but for names that look like the parent directory once they are
    /// cut short: `…/shop/..` of `…/shop/..a.json`.
    fn append_long_name(&mut self, name: &str) -> io::Result<()> {
        let content = [name.as_bytes(), b"\0"].concat();
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::GNULongName);
        header.set_path("././@LongLink")?;
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(content.len() as u64);
        header.set_cksum();
        self.tar.append(&header, &content[..])
    }
}

/// The beginning of a long name, as far as the entry's own header holds it; nobody reads it.
fn shortened(name: &str) -> &str {
    name[..name.floor_char_boundary(100)].trim_end_matches(['.', '/'])
}
