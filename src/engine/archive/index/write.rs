//! Writes the index while the archive is written.

use std::borrow::Cow;
use std::io::{self, Write};
use std::mem;

use bowline_api::{GroupResource, ItemId};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;

use super::super::block::Member;
use super::{EndLine, GroupLine, HeaderLine, ItemLine, Line, MemberLine, VERSION};

/// The group and item lines of a block that is being filled.
#[derive(Debug, Default)]
pub(in super::super) struct Lines {
    text: Vec<u8>,
    group: Option<(GroupResource, Option<String>, String)>,
    items: u64,
    further: u64,
}

impl Lines {
    /// Notes an item whose JSON starts at `offset` of the block.
    pub(in super::super) fn item(
        &mut self,
        id: &ItemId,
        version: &str,
        offset: usize,
        size: usize,
    ) -> io::Result<()> {
        self.group(id, version)?;
        let line: ItemLine<'_> = (Cow::Borrowed(&id.name), offset as u64, size as u64);
        write_line(&mut self.text, &line)?;
        self.items += 1;
        Ok(())
    }

    /// Counts an item in a further version.
    pub(in super::super) fn further_version(&mut self) {
        self.further += 1;
    }

    /// The lines so far; the group that they end with remains.
    pub(in super::super) fn take(&mut self) -> BlockLines {
        BlockLines {
            text: mem::take(&mut self.text),
            items: mem::take(&mut self.items),
            further: mem::take(&mut self.further),
        }
    }

    fn group(&mut self, id: &ItemId, version: &str) -> io::Result<()> {
        let same = |(resource, namespace, in_version): &(GroupResource, Option<String>, String)| {
            *resource == id.resource && *namespace == id.namespace && in_version == version
        };
        if self.group.as_ref().is_some_and(same) {
            return Ok(());
        }
        let line = GroupLine {
            resource: Cow::Borrowed(&id.resource),
            namespace: id.namespace.as_deref().map(Cow::Borrowed),
            version: Cow::Borrowed(version),
        };
        write_line(&mut self.text, &Line::Group(line))?;
        self.group = Some((id.resource.clone(), id.namespace.clone(), version.to_owned()));
        Ok(())
    }
}

/// The group and item lines of a block.
#[derive(Debug)]
pub(in super::super) struct BlockLines {
    text: Vec<u8>,
    items: u64,
    further: u64,
}

/// Writes the index, compressed, into memory: about a dozen bytes for each item.
#[derive(Debug)]
pub(in super::super) struct IndexWriter {
    gzip: GzEncoder<Vec<u8>>,
    members: u64,
    items: u64,
    further: u64,
    size: u64,
}

impl IndexWriter {
    pub(in super::super) fn new() -> Self {
        let gzip = GzEncoder::new(Vec::new(), Compression::default());
        Self { gzip, members: 0, items: 0, further: 0, size: 0 }
    }

    /// Adds the next member of the archive.
    pub(in super::super) fn member(&mut self, member: &Member) -> io::Result<()> {
        if self.members == 0 {
            write_line(&mut self.gzip, &HeaderLine { version: VERSION })?;
        }
        let line = MemberLine {
            member: self.members,
            offset: self.size,
            length: member.gzip.len() as u64,
            unpacked: member.unpacked,
            sha256: Some(Cow::Borrowed(&member.sha256)),
        };
        self.members += 1;
        self.items += member.lines.items;
        self.further += member.lines.further;
        self.size += line.length;
        write_line(&mut self.gzip, &Line::Member(line))?;
        self.gzip.write_all(&member.lines.text)
    }

    /// The size in bytes of the archive so far.
    pub(in super::super) fn size(&self) -> u64 {
        self.size
    }

    /// The number of items so far.
    pub(in super::super) fn items(&self) -> u64 {
        self.items
    }

    /// Closes the index of an archive with this digest.
    pub(in super::super) fn finish(mut self, sha256: &str) -> io::Result<Vec<u8>> {
        let line = EndLine {
            items: self.items,
            further: Some(self.further),
            size: self.size,
            sha256: Cow::Borrowed(sha256),
        };
        write_line(&mut self.gzip, &Line::End(line))?;
        self.gzip.finish()
    }
}

fn write_line(mut to: impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut to, line)?;
    to.write_all(b"\n")
}
