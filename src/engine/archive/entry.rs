//! An item of an archive.

use bowline_api::{GroupResource, ItemId};

use super::table::{Row, Scope};

/// An item of an archive, as a view into the table that lists them all.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    pub(super) scope: &'a Scope,
    pub(super) name: &'a str,
    pub(super) row: &'a Row,
}

impl<'a> Entry<'a> {
    /// The item, by itself.
    pub fn id(&self) -> ItemId {
        ItemId {
            resource: self.scope.resource.clone(),
            namespace: self.scope.namespace.clone(),
            name: self.name.to_owned(),
        }
    }

    /// What kind of object it is.
    pub fn resource(&self) -> &'a GroupResource {
        &self.scope.resource
    }

    /// The namespace it lives in; none for cluster-scoped objects.
    pub fn namespace(&self) -> Option<&'a str> {
        self.scope.namespace.as_deref()
    }

    /// Its name.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// The API version it is stored in, without the group: `v1`.
    pub fn version(&self) -> &'a str {
        &self.scope.version
    }

    /// Whether it is the one to restore.
    ///
    /// Velero can store further versions of an object beside it (`EnableAPIGroupVersions`).
    pub fn preferred(&self) -> bool {
        !self.scope.additional
    }

    /// Whether it was left out when a part of the archive was read.
    pub fn is_left_out(&self) -> bool {
        self.row.left_out
    }

    /// The size of its JSON in bytes.
    pub fn size(&self) -> u64 {
        u64::from(self.row.size)
    }
}
