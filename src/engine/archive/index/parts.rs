//! Reads no more of an archive than the members that hold what somebody needs.
//!
//! Members are cut between items, so those that are needed, in order, and the last one, which ends the
//! tar, are an archive of their own: the reader of whole archives reads it, and checks it as strictly.

use std::ops::Range;

use bowline_api::StoreError;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use sha2::{Digest as _, Sha256};

use super::super::digest::hex;
use super::super::reader::read_from;
use super::super::table::TableBuilder;
use super::super::{Contents, Entry, Error, Ignored, Limits};
use super::Index;
use super::parse::Member;

/// The most that is read at once where neighbouring members are needed, in bytes; a single member may
/// be larger.
const LARGEST_PART: u64 = 2 << 20;

/// How many parts are in flight: with [`LARGEST_PART`] what bounds the memory.
const IN_FLIGHT: usize = 4;

/// What is to be read of an archive.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    parts: Vec<Part>,
    /// Of each item of the index, whether it is wanted.
    wanted: Vec<bool>,
}

/// Members that follow one another, to be read at once.
#[derive(Clone, Debug)]
struct Part {
    range: Range<u64>,
    /// Where each of them ends, and its digest.
    members: Vec<(u64, String)>,
    /// How many items lie in them.
    items: usize,
}

impl Index {
    /// The parts of the archive that hold the wanted items; `wanted` is asked about all items in the
    /// order of [`entries`](Index::entries).
    ///
    /// Where nothing is wanted there are none. Fails where the index is too old to tell, or counts
    /// further versions, of which it does not tell where they are: then all of it has to be read.
    pub fn parts<'a>(&'a self, wanted: impl FnMut(Entry<'a>) -> bool) -> Result<Parts, Unfit> {
        let wanted: Vec<bool> = self.entries().map(wanted).collect();
        if !wanted.contains(&true) {
            return Ok(Parts { parts: Vec::new(), wanted });
        }
        if self.end.further != Some(0) {
            return Err(Unfit);
        }
        let mut needed = vec![false; self.members.len()];
        let mut items = vec![0; self.members.len()];
        for (entry, wanted) in self.entries().zip(&wanted) {
            let member = self.member_of(entry);
            items[member] += 1;
            needed[member] |= wanted;
        }
        if let Some(last) = needed.last_mut() {
            *last = true;
        }
        let mut parts: Vec<Part> = Vec::new();
        for (number, member) in self.members.iter().enumerate().filter(|(it, _)| needed[*it]) {
            let sha256 = member.sha256.clone().ok_or(Unfit)?;
            let Member { range, .. } = member;
            match parts.last_mut().filter(|part| part.has_room_for(range)) {
                Some(part) => part.push(range, sha256, items[number]),
                None => parts.push(Part::new(range.clone(), sha256, items[number])),
            }
        }
        Ok(Parts { parts, wanted })
    }

    fn member_of(&self, entry: Entry<'_>) -> usize {
        let offset = entry.row().offset;
        self.members.partition_point(|member| member.unpacked.start <= offset) - 1
    }
}

/// An index that does not tell where all is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfit;

impl Parts {
    /// How many bytes of the archive they are.
    pub fn size(&self) -> u64 {
        self.parts.iter().map(|part| part.range.end - part.range.start).sum()
    }
}

impl Part {
    fn new(range: Range<u64>, sha256: String, items: usize) -> Self {
        Self { members: vec![(range.end, sha256)], range, items }
    }

    fn has_room_for(&self, next: &Range<u64>) -> bool {
        self.range.end == next.start && next.end - self.range.start <= LARGEST_PART
    }

    fn push(&mut self, range: &Range<u64>, sha256: String, items: usize) {
        self.range.end = range.end;
        self.members.push((range.end, sha256));
        self.items += items;
    }

    /// Checks that these are the bytes that were written.
    fn check(&self, bytes: &[u8]) -> Result<(), Error> {
        let mut rest = bytes;
        let mut start = self.range.start;
        for (end, sha256) in &self.members {
            let length = usize::try_from(end - start).unwrap_or(usize::MAX);
            let member = rest.split_off(..length);
            let member = member.ok_or(Error::Member("a part of it is cut off"))?;
            if hex(Sha256::new_with_prefix(member)) != *sha256 {
                return Err(Error::Member("the digest of a part of it differs"));
            }
            start = *end;
        }
        if rest.is_empty() { Ok(()) } else { Err(Error::Member("a part of it is too long")) }
    }
}

/// Reads parts of an archive, in whole pieces that `get` gives, into an unlinked temporary file.
///
/// What is checked of an archive as [read](super::super::read) is checked of them, and that they have
/// the digests and hold the very objects that the index tells of. What is not wanted is left out, even
/// where it comes along: what can be read must not depend on how the archive is cut. The size and the
/// digest of the contents are those of the whole archive, which nobody has compared.
pub async fn read_parts<F>(
    index: Index,
    Parts { parts, wanted }: Parts,
    get: impl Fn(Range<u64>) -> F + Send + Sync,
    limits: Limits,
) -> Result<Contents, Error>
where
    F: Future<Output = Result<Bytes, StoreError>> + Send,
{
    let Index { mut table, end, .. } = index;
    let items: usize = parts.iter().map(|part| part.items).sum();
    let (part, spool) = if parts.is_empty() {
        (TableBuilder::new(&limits).finish()?, tempfile::tempfile().map_err(Error::Spool)?)
    } else {
        let pieces = stream::iter(parts)
            .map(|part| checked(get(part.range.clone()), part))
            .buffered(IN_FLIGHT);
        let Contents { table, spool, ignored, .. } = read_from(pieces, limits).await?;
        if table.len() != items || ignored.count > 0 {
            return Err(Error::Member("a part of it holds more, or less"));
        }
        (table, spool)
    };
    table.take_places(&part, &wanted)?;
    Ok(Contents::new(end.size, end.sha256, Ignored::default(), table, spool))
}

async fn checked(
    bytes: impl Future<Output = Result<Bytes, StoreError>> + Send,
    part: Part,
) -> Result<Bytes, Error> {
    let bytes = bytes.await?;
    let checked = tokio::task::spawn_blocking(move || part.check(&bytes).map(|()| bytes));
    checked.await?
}
