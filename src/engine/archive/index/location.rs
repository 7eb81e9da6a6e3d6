//! Where an item lies in an archive.

use std::io::Read as _;
use std::ops::Range;

use bowline_api::ItemId;
use flate2::bufread::GzDecoder;

use super::super::{Error, item};

/// Where an item lies in an archive, and how to get it out of there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The bytes of the archive to read: one gzip member, which other items share.
    pub range: Range<u64>,
    pub(super) unpacked: u64,
    pub(super) offset: u64,
    pub(super) size: u64,
}

impl Location {
    /// Unpacks the member, the bytes of [`range`](Self::range), and checks its size and checksum.
    ///
    /// What it returns serves for all locations with the same range.
    pub fn unpack(&self, member: &[u8]) -> Result<Vec<u8>, Error> {
        let mut gzip = GzDecoder::new(member);
        let mut tar = Vec::new();
        let mut capped = gzip.by_ref().take(self.unpacked.saturating_add(1));
        capped.read_to_end(&mut tar).map_err(Error::Gzip)?;
        if tar.len() as u64 != self.unpacked {
            return Err(Error::Member("a part of it unpacks to another size"));
        }
        if !gzip.into_inner().is_empty() {
            return Err(Error::Member("its parts have other boundaries"));
        }
        Ok(tar)
    }

    /// Finds the JSON of this item in an unpacked member, and checks that it is the item's.
    pub fn find<'a>(&self, id: &ItemId, unpacked: &'a [u8]) -> Result<&'a [u8], Error> {
        let outside = Error::Member("an item lies outside of its part");
        let bounds = usize::try_from(self.offset).ok().zip(usize::try_from(self.size).ok());
        let json = bounds.and_then(|(offset, size)| unpacked.get(offset..)?.get(..size));
        let json = json.ok_or(outside)?;
        item::check(id, json)?;
        Ok(json)
    }
}
