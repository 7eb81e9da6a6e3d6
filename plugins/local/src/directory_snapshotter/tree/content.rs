//! The contents of a file: copied with their holes, and their digest.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;

use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use super::path::to_hex;
use crate::blocking::Cancel;

/// How many bytes are copied at a time.
const PIECE: usize = 1 << 20;

/// What was copied of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Copied {
    pub(super) size: u64,
    pub(super) sha256: String,
}

/// Copies a file into an empty one. Holes stay holes and count as zeros in the digest.
///
/// A file that grows meanwhile is copied as far as it went at first, one that shrinks as far as it
/// still goes.
pub(super) fn copy(source: &File, target: &File, cancel: &Cancel) -> io::Result<Copied> {
    let size = source.metadata()?.len();
    let piece = usize::try_from(size).map_or(PIECE, |size| size.min(PIECE));
    let mut copy = Copy { source, target, cancel, hasher: Sha256::new(), piece: vec![0; piece] };
    let mut offset = 0;
    while let Some(extent) = next_extent(source, offset, size)? {
        copy.skip(extent.start - offset)?;
        offset = copy.range(&extent)?;
        if offset < extent.end {
            break;
        }
    }
    let size = size.min(source.metadata()?.len()).max(offset);
    copy.skip(size - offset)?;
    target.set_len(size)?;
    Ok(Copied { size, sha256: to_hex(&copy.hasher.finalize()) })
}

/// Finds the next range that holds data.
fn next_extent(source: &File, offset: u64, size: u64) -> io::Result<Option<Range<u64>>> {
    let start = match seek(source, SeekFrom::Data(offset)) {
        Ok(start) => start,
        Err(Errno::NXIO) => return Ok(None),
        // The file system knows of no holes: it is all data.
        Err(Errno::INVAL) => return Ok((offset < size).then_some(offset..size)),
        Err(error) => return Err(error.into()),
    };
    if start >= size {
        return Ok(None);
    }
    let end = match seek(source, SeekFrom::Hole(start)) {
        Ok(end) => end.min(size),
        Err(Errno::NXIO) => size,
        Err(error) => return Err(error.into()),
    };
    Ok(Some(start..end))
}

struct Copy<'a> {
    source: &'a File,
    target: &'a File,
    cancel: &'a Cancel,
    hasher: Sha256,
    piece: Vec<u8>,
}

impl Copy<'_> {
    /// Copies a range and tells how far it went: less than its end where the file has shrunk.
    fn range(&mut self, range: &Range<u64>) -> io::Result<u64> {
        let mut offset = range.start;
        while offset < range.end {
            self.cancel.check()?;
            let piece = self.up_to(range.end - offset);
            let read = match self.source.read_at(&mut self.piece[..piece], offset) {
                Ok(0) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read?,
            };
            self.hasher.update(&self.piece[..read]);
            self.target.write_all_at(&self.piece[..read], offset)?;
            offset += read as u64;
        }
        Ok(offset)
    }

    /// Counts a hole into the digest.
    fn skip(&mut self, length: u64) -> io::Result<()> {
        self.piece.fill(0);
        let mut left = length;
        while left > 0 {
            self.cancel.check()?;
            let piece = self.up_to(left);
            self.hasher.update(&self.piece[..piece]);
            left -= piece as u64;
        }
        Ok(())
    }

    fn up_to(&self, length: u64) -> usize {
        usize::try_from(length).map_or(self.piece.len(), |length| length.min(self.piece.len()))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    fn sha256(bytes: &[u8]) -> String {
        to_hex(&Sha256::digest(bytes))
    }

    fn copy_of(source: &File) -> (Copied, Vec<u8>, u64) {
        let mut target = tempfile::tempfile().unwrap();
        let copied = copy(source, &target, &Cancel::default()).unwrap();
        let mut bytes = Vec::new();
        (&mut target).take(1 << 30).read_to_end(&mut bytes).unwrap();
        (copied, bytes, target.metadata().unwrap().blocks())
    }

    #[test]
    fn the_digest_is_the_one_of_the_bytes() {
        for size in [0, 1, PIECE - 1, PIECE, PIECE + 1] {
            let bytes: Vec<u8> = (0..size).map(|i| u8::try_from(i % 251).unwrap()).collect();
            let source = tempfile::tempfile().unwrap();
            source.write_all_at(&bytes, 0).unwrap();
            let (copied, copy, _) = copy_of(&source);
            assert_eq!(copied, Copied { size: size as u64, sha256: sha256(&bytes) });
            assert!(copy == bytes, "{size}");
        }
    }

    #[test]
    fn holes_stay_holes_and_count_as_zeros() {
        let source = tempfile::tempfile().unwrap();
        source.write_all_at(b"middle", 3 << 20).unwrap();
        source.set_len(8 << 20).unwrap();
        let mut expected = vec![0; 8 << 20];
        expected[3 << 20..][..6].copy_from_slice(b"middle");
        let (copied, copy, blocks) = copy_of(&source);
        assert_eq!(copied, Copied { size: 8 << 20, sha256: sha256(&expected) });
        assert!(copy == expected);
        assert!(blocks * 512 < 1 << 20, "{blocks} blocks");
    }

    #[test]
    fn cancelled_work_stops() {
        let source = tempfile::tempfile().unwrap();
        source.set_len(1).unwrap();
        let cancel = Cancel::default();
        cancel.cancel();
        assert!(copy(&source, &tempfile::tempfile().unwrap(), &cancel).is_err());
    }
}
