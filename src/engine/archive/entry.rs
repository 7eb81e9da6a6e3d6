//! An item of an archive.

use bowline_api::{GroupResource, ItemId};

use super::table::{Row, Scope, Table};

/// An item of an archive, as a view into the table that lists them all.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    pub(super) table: &'a Table,
    pub(super) index: u32,
}

impl<'a> Entry<'a> {
    pub(super) fn row(&self) -> &'a Row {
        self.table.row(self.index)
    }

    pub(super) fn scope(&self) -> &'a Scope {
        self.table.scope(self.row())
    }

    /// Whether it is the same item of the same size, as another table lists it.
    pub(super) fn is_same(&self, other: &Entry<'_>) -> bool {
        self.scope() == other.scope() && self.name() == other.name() && self.size() == other.size()
    }

    /// Which of all entries it is, counted from 0.
    pub fn index(&self) -> usize {
        self.index as usize
    }

    /// The item, by itself.
    pub fn id(&self) -> ItemId {
        ItemId {
            resource: self.resource().clone(),
            namespace: self.namespace().map(str::to_owned),
            name: self.name().to_owned(),
        }
    }

    /// What kind of object it is.
    pub fn resource(&self) -> &'a GroupResource {
        &self.scope().resource
    }

    /// The namespace it lives in; none for cluster-scoped objects.
    pub fn namespace(&self) -> Option<&'a str> {
        self.scope().namespace.as_deref()
    }

    /// Its name.
    pub fn name(&self) -> &'a str {
        self.table.name(self.row())
    }

    /// The API version it is stored in, without the group: `v1`.
    pub fn version(&self) -> &'a str {
        &self.scope().version
    }

    /// Whether it is the one to restore.
    ///
    /// Velero can store further versions of an object beside it (`EnableAPIGroupVersions`).
    pub fn preferred(&self) -> bool {
        !self.scope().additional
    }

    /// Whether it was left out when a part of the archive was read.
    pub fn is_left_out(&self) -> bool {
        self.row().left_out
    }

    /// The size of its JSON in bytes.
    pub fn size(&self) -> u64 {
        u64::from(self.row().size)
    }
}
