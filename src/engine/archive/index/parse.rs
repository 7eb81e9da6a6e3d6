//! Reads an index, which is no more trusted than an archive.

use std::borrow::Cow;
use std::io::{BufRead as _, BufReader, Read as _, Take};
use std::ops::Range;

use bowline_api::ItemId;
use flate2::bufread::MultiGzDecoder;

use super::super::table::{Scope, Table, TableBuilder};
use super::super::{Entry, Error, Limits, path};
use super::{EndLine, GroupLine, HeaderLine, ItemLine, Line, MemberLine, VERSION};
use crate::engine::model::json::Fields;

/// The longest line in bytes, without its line break.
const LONGEST_LINE: u64 = 4096;

/// The largest index, unpacked, in bytes: as many items as are read at all, with long names.
const LARGEST: u64 = 512 << 20;

/// The largest block before compression, beyond twice the largest item.
const BLOCK_BYTES: u64 = 2 << 20;

/// Where the items of one of our own archives lie.
#[derive(Debug)]
pub struct Index {
    pub(super) members: Vec<Member>,
    /// The offsets are those in the unpacked archive.
    pub(super) table: Table,
    pub(super) end: End,
}

/// A gzip member.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) range: Range<u64>,
    pub(super) unpacked: Range<u64>,
    /// The SHA-256 of its bytes, in lower-case hex; none in indexes of old.
    pub(super) sha256: Option<String>,
}

/// What is told of the archive as a whole.
#[derive(Debug)]
pub(super) struct End {
    pub(super) size: u64,
    pub(super) sha256: String,
    /// How many entries in further versions there are; none in indexes of old.
    pub(super) further: Option<u64>,
}

impl Index {
    /// Reads the content of `bowline-index.json.gz`.
    pub fn parse(compressed: &[u8], limits: &Limits) -> Result<Self, Error> {
        let mut lines = LineReader::new(compressed);
        let header = lines.next()?.and_then(|line| serde_json::from_slice(line).ok());
        match header {
            Some(Fields(HeaderLine { version: VERSION })) => {}
            Some(_) => return Err(lines.refuse("its version is not known")),
            None => return Err(lines.refuse("it is no header")),
        }
        let mut parser = Parser::new(limits);
        while let Some(line) = lines.next()? {
            parser.line(line).map_err(|reason| lines.refuse(reason))?;
        }
        let Some(end) = parser.end else {
            return Err(lines.refuse("the end line is missing"));
        };
        Ok(Self { members: parser.members, table: parser.table.finish()?, end })
    }

    /// The size in bytes of the archive that the index is for.
    pub fn archive_size(&self) -> u64 {
        self.end.size
    }

    /// The SHA-256, in lower-case hex, of the archive that the index is for.
    pub fn archive_sha256(&self) -> &str {
        &self.end.sha256
    }

    /// The number of entries in further versions, which it does not list; none in indexes of old.
    pub fn further_versions(&self) -> Option<u64> {
        self.end.further
    }

    /// The number of items.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there are no items.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All items, sorted by [`ItemId`].
    pub fn entries(&self) -> impl ExactSizeIterator<Item = Entry<'_>> {
        self.table.entries()
    }

    /// Finds an item.
    pub fn find(&self, id: &ItemId) -> Option<Entry<'_>> {
        self.table.find(id)
    }
}

/// Why a line is refused.
type Reason = &'static str;

struct Parser<'a> {
    limits: &'a Limits,
    members: Vec<Member>,
    group: Option<Scope>,
    /// Whether the last line began a group.
    empty: bool,
    table: TableBuilder,
    items: u64,
    end: Option<End>,
}

impl<'a> Parser<'a> {
    fn new(limits: &'a Limits) -> Self {
        let table = TableBuilder::new(limits);
        Self { limits, members: Vec::new(), group: None, empty: false, table, items: 0, end: None }
    }

    fn line(&mut self, line: &[u8]) -> Result<(), Reason> {
        if self.end.is_some() {
            return Err("it follows the end");
        }
        let unknown = |_| "it is of no known form";
        if line.starts_with(b"[") {
            return self.item(&serde_json::from_slice(line).map_err(unknown)?);
        }
        let Fields(line) = serde_json::from_slice(line).map_err(unknown)?;
        match line {
            Line::Member(member) => self.member(&member),
            Line::Group(group) => self.group(group),
            Line::End(end) => self.end(end),
        }
    }

    fn member(&mut self, line: &MemberLine<'_>) -> Result<(), Reason> {
        if line.member != self.members.len() as u64 {
            return Err("its member is out of order");
        }
        if self.members.len() >= self.limits.entries {
            return Err("there are too many members");
        }
        let largest = self.limits.item_bytes.saturating_mul(2).saturating_add(BLOCK_BYTES);
        if line.length == 0 || line.unpacked == 0 || line.length.max(line.unpacked) > largest {
            return Err("its member has an impossible size");
        }
        let (end, start) =
            self.members.last().map_or((0, 0), |last| (last.range.end, last.unpacked.end));
        if line.offset != end {
            return Err("its member does not follow the one before");
        }
        let after = |start: u64, length| start.checked_add(length).ok_or("its member is too large");
        let sha256 = line.sha256.as_deref();
        if !sha256.is_none_or(is_digest) {
            return Err(NO_DIGEST);
        }
        self.members.push(Member {
            range: end..after(end, line.length)?,
            unpacked: start..after(start, line.unpacked)?,
            sha256: sha256.map(str::to_owned),
        });
        Ok(())
    }

    fn group(&mut self, line: GroupLine<'_>) -> Result<(), Reason> {
        if std::mem::replace(&mut self.empty, true) {
            return Err("the group before it is empty");
        }
        path::check_resource(&line.resource)?;
        line.namespace.as_deref().map_or(Ok(()), path::check_namespace)?;
        path::check_version(&line.version)?;
        self.group = Some(Scope {
            resource: line.resource.into_owned(),
            namespace: line.namespace.map(Cow::into_owned),
            additional: false,
            version: line.version.into_owned(),
        });
        Ok(())
    }

    fn item(&mut self, (name, offset, size): &ItemLine<'_>) -> Result<(), Reason> {
        self.empty = false;
        path::check_name(name)?;
        let member = self.members.last().ok_or("it precedes the first member")?;
        let group = self.group.as_ref().ok_or("it precedes the first group")?;
        let length = member.unpacked.end - member.unpacked.start;
        let inside = offset.checked_add(*size).is_some_and(|end| end <= length);
        if !inside || *size > self.limits.item_bytes {
            return Err("its item lies outside of its member or is too large");
        }
        self.items += 1;
        let size = usize::try_from(*size).map_err(|_| "its item is too large")?;
        let pushed = self.table.push(group.clone(), name, member.unpacked.start + offset, size);
        if pushed.is_err() || self.items > self.limits.entries as u64 {
            return Err("there are too many items");
        }
        Ok(())
    }

    fn end(&mut self, line: EndLine<'_>) -> Result<(), Reason> {
        let size = self.members.last().map_or(0, |last| last.range.end);
        if line.items != self.items || line.size != size {
            return Err("its sums are not those of the lines before it");
        }
        if !is_digest(&line.sha256) {
            return Err(NO_DIGEST);
        }
        let EndLine { sha256, further, .. } = line;
        self.end = Some(End { size, sha256: sha256.into_owned(), further });
        Ok(())
    }
}

const NO_DIGEST: Reason = "its digest is none";

/// Whether it is a SHA-256 in lower-case hex.
fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

struct LineReader<'a> {
    source: BufReader<Take<MultiGzDecoder<&'a [u8]>>>,
    line: Vec<u8>,
    number: u64,
}

impl<'a> LineReader<'a> {
    fn new(compressed: &'a [u8]) -> Self {
        let source = BufReader::new(MultiGzDecoder::new(compressed).take(LARGEST));
        Self { source, line: Vec::new(), number: 0 }
    }

    fn next(&mut self) -> Result<Option<&[u8]>, Error> {
        self.line.clear();
        self.number += 1;
        let mut capped = self.source.by_ref().take(LONGEST_LINE + 1);
        if let Err(error) = capped.read_until(b'\n', &mut self.line) {
            return Err(self.refuse(&error.to_string()));
        }
        match self.line.split_last() {
            None => Ok(None),
            Some((b'\n', line)) => Ok(Some(line)),
            Some(_) => Err(self.refuse("it is cut off or too long")),
        }
    }

    fn refuse(&self, reason: &str) -> Error {
        Error::Index { line: self.number, reason: reason.to_owned() }
    }
}
