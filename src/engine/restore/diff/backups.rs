//! Two backups, side by side.

use std::cmp::Ordering;

use super::super::error::Error;
use super::super::known;
use super::super::open::{self, Opened};
use super::super::parts::Wanted;
use super::document::{ChangeKind, DiffFooter, DiffHeader, DiffReader, Finding};
use super::scope::{Filter, Read, Scope, compared, damaged, read};
use crate::engine::archive::Entry;
use crate::engine::model::Catalog;
use crate::engine::store::BackupStore;

/// Tells what another backup has more, less or otherwise than this one; needs no cluster.
pub async fn backups(
    store: &BackupStore,
    from: &str,
    to: &str,
    filter: &Filter,
    reader: &mut dyn DiffReader,
) -> Result<DiffFooter, Error> {
    let (one, other) =
        futures::join!(open::open(store, from, &Wanted::All), open::open(store, to, &Wanted::All));
    let (one, other) = (one?, other?);
    let catalog = known::kinds(&known::kinds(&Catalog::default(), &one), &other);
    let scope = Scope::new(filter, &catalog)?;
    scope.check_namespaces(&[&one, &other])?;
    let header = DiffHeader { from: from.to_owned(), to: Some(to.to_owned()) };
    reader.begin(header).map_err(Error::Shown)?;
    let sides = Sides { one: &one, other: &other, catalog, scope };
    sides.walk(reader)
}

struct Sides<'a> {
    one: &'a Opened,
    other: &'a Opened,
    catalog: Catalog,
    scope: Scope,
}

impl Sides<'_> {
    /// Walks along both archives, which are in the same order; one object of each is in memory.
    fn walk(&self, reader: &mut dyn DiffReader) -> Result<DiffFooter, Error> {
        let mut footer = DiffFooter::default();
        let mut ones = self.one.contents.entries().filter(Entry::preferred).peekable();
        let mut others = self.other.contents.entries().filter(Entry::preferred).peekable();
        loop {
            let order = match (ones.peek(), others.peek()) {
                (None, None) => return Ok(footer),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(one), Some(other)) => one.id().cmp(&other.id()),
            };
            let one = if order.is_le() { ones.next() } else { None };
            let other = if order.is_ge() { others.next() } else { None };
            footer.take(self.compare(one, other)?, reader)?;
        }
    }

    /// Compares an object that at least one of them holds.
    fn compare(&self, one: Option<Entry<'_>>, other: Option<Entry<'_>>) -> Result<Finding, Error> {
        let from = self.read(self.one, one)?;
        if let (Some(one), Some(other)) = (one, other)
            && self.is_identical(one, other)?
        {
            return Ok(from.map_or(Finding::Ignored, |_| Finding::Same));
        }
        let to = self.read(self.other, other)?;
        let Some(id) = one.or(other).map(|entry| entry.id()) else { return Ok(Finding::Ignored) };
        Ok(match (from, to) {
            (None, None) => Finding::Ignored,
            (Some(_), None) => Finding::of_one_side(ChangeKind::Removed, id),
            (None, Some(_)) => Finding::of_one_side(ChangeKind::Added, id),
            (Some(from), Some(to)) => {
                let fields = compared(&id, from.object, &to.object);
                Finding::of_fields(id, fields)
            }
        })
    }

    fn read(&self, opened: &Opened, entry: Option<Entry<'_>>) -> Result<Option<Read>, Error> {
        match entry {
            Some(entry) => read(opened, &self.catalog, &self.scope, entry),
            None => Ok(None),
        }
    }

    fn is_identical(&self, one: Entry<'_>, other: Entry<'_>) -> Result<bool, Error> {
        if one.size() != other.size() {
            return Ok(false);
        }
        let read = |opened: &Opened, entry| {
            opened.contents.read(entry).map_err(|source| damaged(opened, source))
        };
        Ok(read(self.one, one)? == read(self.other, other)?)
    }
}
