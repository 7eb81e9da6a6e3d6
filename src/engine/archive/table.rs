//! The items of an archive, in order, at 24 bytes and its name for each.

use std::collections::HashMap;

use bowline_api::{GroupResource, ItemId};

use super::{Entry, Error, Limits};

/// What many items have in common. The order is that of the items.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Scope {
    pub(super) resource: GroupResource,
    pub(super) namespace: Option<String>,
    /// Whether its items are kept beside others that are preferred.
    pub(super) additional: bool,
    pub(super) version: String,
}

impl Scope {
    /// The scope of an item that is to be restored.
    pub(super) fn preferred(id: &ItemId, version: String) -> Self {
        Self { additional: false, ..Self::additional(id, version) }
    }

    /// The scope of an item in a version that is not preferred.
    pub(super) fn additional(id: &ItemId, version: String) -> Self {
        let ItemId { resource, namespace, .. } = id.clone();
        Self { resource, namespace, additional: true, version }
    }

    /// About what it takes in memory.
    fn bytes(&self) -> usize {
        let GroupResource { group, resource } = &self.resource;
        let namespace = self.namespace.as_ref().map_or(0, String::len);
        size_of::<Self>() + group.len() + resource.len() + namespace + self.version.len()
    }

    fn place(&self) -> (&GroupResource, Option<&str>) {
        (&self.resource, self.namespace.as_deref())
    }
}

/// Where an item lies. What `offset` counts in is up to the table's owner.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) offset: u64,
    name: u32,
    scope: u32,
    pub(super) size: u32,
    name_length: u8,
    /// Whether the copy by version was seen, too.
    pub(super) copied: bool,
    /// Whether it was left out when a part of the archive was read.
    pub(super) left_out: bool,
}

/// A [`Table`] that is being filled, in any order.
#[derive(Debug)]
pub(super) struct TableBuilder {
    scopes: HashMap<Scope, u32>,
    names: String,
    rows: Vec<Row>,
    /// How many bytes of names and scopes may be kept.
    most: usize,
    kept: usize,
}

impl TableBuilder {
    /// An empty table, which may grow as far as the limits allow.
    pub(super) fn new(limits: &Limits) -> Self {
        let (scopes, names, rows) = (HashMap::new(), String::new(), Vec::new());
        Self { scopes, names, rows, most: limits.name_bytes, kept: 0 }
    }

    /// Adds an item; it must have passed the checks of `path` and be smaller than 4 GiB.
    ///
    /// Fails if the table is full.
    pub(super) fn push(
        &mut self,
        scope: Scope,
        name: &str,
        offset: u64,
        size: usize,
    ) -> Result<(), Error> {
        let full = |_| Error::TooMany(self.rows.len());
        let next = u32::try_from(self.scopes.len()).map_err(full)?;
        let new = if self.scopes.contains_key(&scope) { 0 } else { scope.bytes() };
        self.kept = self.kept.saturating_add(name.len() + new);
        if self.kept > self.most {
            return Err(Error::TooManyNames(self.most));
        }
        let row = Row {
            offset,
            name: u32::try_from(self.names.len()).map_err(full)?,
            scope: *self.scopes.entry(scope).or_insert(next),
            size: u32::try_from(size).map_err(full)?,
            name_length: u8::try_from(name.len()).map_err(full)?,
            copied: false,
            left_out: false,
        };
        self.names.push_str(name);
        self.rows.push(row);
        Ok(())
    }

    /// Notes that the copy of the last item was seen; tells whether it is the first one.
    pub(super) fn mark_copied(&mut self) -> bool {
        self.rows.last_mut().is_some_and(|row| !std::mem::replace(&mut row.copied, true))
    }

    /// Sorts the items, and fails if one is there twice.
    pub(super) fn finish(self) -> Result<Table, Error> {
        let Self { scopes, mut names, mut rows, .. } = self;
        let mut sorted: Vec<(Scope, u32)> = scopes.into_iter().collect();
        sorted.sort_unstable();
        let mut renumbered = vec![0; sorted.len()];
        for (number, (_, old)) in (0..).zip(&sorted) {
            renumbered[*old as usize] = number;
        }
        for row in &mut rows {
            row.scope = renumbered[row.scope as usize];
        }
        let scopes: Vec<Scope> = sorted.into_iter().map(|(scope, _)| scope).collect();
        let places = places(&scopes);
        names.shrink_to_fit();
        let mut table = Table { scopes, places, names, rows: Vec::new() };
        rows.sort_unstable_by(|a, b| table.key(a).cmp(&table.key(b)));
        rows.shrink_to_fit();
        table.rows = rows;
        table.check_unique()?;
        Ok(table)
    }
}

/// The items of an archive, sorted by [`ItemId`], the preferred version first.
#[derive(Debug)]
pub(super) struct Table {
    scopes: Vec<Scope>,
    /// For each scope, the first one with the same resource and namespace.
    places: Vec<u32>,
    names: String,
    rows: Vec<Row>,
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn entries(&self) -> impl ExactSizeIterator<Item = Entry<'_>> {
        (0..self.rows.len()).map(|index| self.entry(index))
    }

    /// Takes over from the table of a part where the items lie that are wanted; others are left out.
    ///
    /// Fails if the part lacks one, or has anything that is not here.
    pub(super) fn take_places(&mut self, part: &Self, wanted: &[bool]) -> Result<(), Error> {
        let mut rest = part.entries().peekable();
        for (index, wanted) in wanted.iter().enumerate() {
            let entry = self.entry(index);
            let found = rest.next_if(|it| it.is_same(&entry)).map(|it| it.row().offset);
            let row = &mut self.rows[index];
            row.left_out = !wanted;
            match found {
                Some(offset) => row.offset = offset,
                None if *wanted => return Err(Error::Member("a part of it lacks an object")),
                None => {}
            }
        }
        match rest.next() {
            None => Ok(()),
            Some(_) => Err(Error::Member("it holds an object that the index does not tell of")),
        }
    }

    /// Whether both list the very same.
    pub(super) fn lists_same(&self, other: &Self) -> bool {
        self.len() == other.len() && self.entries().zip(other.entries()).all(|(a, b)| a.is_same(&b))
    }

    /// Finds an item in the version that is restored.
    pub(super) fn find(&self, id: &ItemId) -> Option<Entry<'_>> {
        self.versions(id).next().filter(Entry::preferred)
    }

    /// Finds an item in all versions, the preferred one first.
    pub(super) fn versions(&self, id: &ItemId) -> impl Iterator<Item = Entry<'_>> {
        let place = (&id.resource, id.namespace.as_deref());
        let first = self.scopes.partition_point(|scope| scope.place() < place);
        let known = self.scopes.get(first).is_some_and(|scope| scope.place() == place);
        let key = (u32::try_from(first).unwrap_or(u32::MAX), id.name.as_str());
        let place_and_name = move |row: &Row| (self.places[row.scope as usize], self.name(row));
        let start = self.rows.partition_point(|row| place_and_name(row) < key);
        let end = self.rows.partition_point(|row| place_and_name(row) <= key);
        let found = if known { start..end } else { 0..0 };
        found.map(|index| self.entry(index))
    }

    fn entry(&self, index: usize) -> Entry<'_> {
        // No table has more rows than its names have bytes, which are counted with 32 bits.
        Entry { table: self, index: u32::try_from(index).unwrap_or(u32::MAX) }
    }

    pub(super) fn row(&self, index: u32) -> &Row {
        &self.rows[index as usize]
    }

    pub(super) fn scope(&self, row: &Row) -> &Scope {
        &self.scopes[row.scope as usize]
    }

    pub(super) fn name(&self, row: &Row) -> &str {
        &self.names[row.name as usize..][..usize::from(row.name_length)]
    }

    fn key(&self, row: &Row) -> (u32, &str, u32) {
        (self.places[row.scope as usize], self.name(row), row.scope)
    }

    fn check_unique(&self) -> Result<(), Error> {
        let twice = |index: &usize| {
            let [a, b] = [index - 1, *index].map(|index| self.entry(index));
            let same_item = a.scope().place() == b.scope().place() && a.name() == b.name();
            same_item && (a.scope() == b.scope() || (a.preferred() && b.preferred()))
        };
        match (1..self.rows.len()).find(twice) {
            Some(index) => Err(Error::Duplicate(self.entry(index).id().to_string())),
            None => Ok(()),
        }
    }
}

fn places(scopes: &[Scope]) -> Vec<u32> {
    let mut place = 0;
    let number = |(number, scope): (u32, &Scope)| {
        if scopes[place as usize].place() != scope.place() {
            place = number;
        }
        place
    };
    (0..).zip(scopes).map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_of(text: &str) -> ItemId {
        text.parse().unwrap()
    }

    fn table(items: &[(&str, &str, bool)]) -> Result<Table, Error> {
        let mut builder = TableBuilder::new(&Limits::default());
        for (number, (id, version, additional)) in (0..).zip(items) {
            let id = id_of(id);
            let scope =
                Scope { additional: *additional, ..Scope::preferred(&id, (*version).to_owned()) };
            builder.push(scope, &id.name, number, 1)?;
        }
        builder.finish()
    }

    #[test]
    fn a_row_is_small() {
        assert_eq!(size_of::<Row>(), 24);
    }

    #[test]
    fn items_come_in_the_order_of_their_ids_with_the_preferred_version_first() {
        let table = table(&[
            ("pods/shop/b", "v1", false),
            ("widgets.example.com/shop/a", "v1", true),
            ("pods/shop/a", "v1", false),
            ("widgets.example.com/shop/b", "v2", false),
            ("widgets.example.com/shop/a", "v2", false),
            ("nodes/z", "v1", false),
            ("pods/prod/z", "v1", false),
        ])
        .unwrap();
        let listed: Vec<String> =
            table.entries().map(|entry| format!("{} {}", entry.id(), entry.version())).collect();
        assert_eq!(
            listed,
            [
                "nodes/z v1",
                "pods/prod/z v1",
                "pods/shop/a v1",
                "pods/shop/b v1",
                "widgets.example.com/shop/a v2",
                "widgets.example.com/shop/a v1",
                "widgets.example.com/shop/b v2",
            ]
        );
        let ids: Vec<ItemId> = table.entries().map(|entry| entry.id()).collect();
        assert!(ids.is_sorted());
    }

    #[test]
    fn an_item_is_found_by_its_id_and_no_other() {
        let table = table(&[
            ("pods/shop/a", "v1", false),
            ("pods/shop/c", "v1", false),
            ("widgets.example.com/shop/a", "v1", true),
        ])
        .unwrap();
        let found = |id: &str| table.find(&id_of(id)).map(|entry| entry.row().offset);
        assert_eq!(found("pods/shop/a"), Some(0));
        assert_eq!(found("pods/shop/c"), Some(1));
        for id in ["pods/shop/b", "pods/shop/d", "pods/a", "pods/prod/a", "nodes/a", "zebras/a"] {
            assert_eq!(found(id), None, "{id}");
        }
        let additional = "widgets.example.com/shop/a";
        assert_eq!(found(additional), None);
        assert_eq!(table.versions(&id_of(additional)).count(), 1);
    }

    #[test]
    fn an_item_that_is_there_twice_is_refused() {
        let refused = |items: &[_]| matches!(table(items), Err(Error::Duplicate(_)));
        let (preferred, other) = (("pods/shop/a", "v1", false), ("pods/shop/b", "v1", false));
        assert!(refused(&[preferred, other, preferred]));
        assert!(refused(&[preferred, other, ("pods/shop/a", "v2", false)]));
        assert!(refused(&[("pods/shop/a", "v2", true), other, ("pods/shop/a", "v2", true)]));
        assert!(!refused(&[preferred, other, ("pods/shop/a", "v2", true)]));
    }
}
