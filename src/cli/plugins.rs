//! Which plugin a location and a volume mean. The only file that names plugin crates.

use std::sync::Arc;

use bowline_local::{DirectorySnapshotter, DirectoryStore};

use crate::engine::context::Snapshotters;
use crate::engine::model::location::Location;
use crate::engine::store::BackupStore;

/// Opens a location.
pub(super) fn store(location: &Location) -> BackupStore {
    match location {
        Location::Directory(path) => {
            BackupStore::new(Arc::new(DirectoryStore::new(path.clone())), location.to_string())
        }
    }
}

/// The snapshotters that go with a location.
pub(super) fn snapshotters(location: &Location) -> Snapshotters {
    match location {
        Location::Directory(path) => {
            let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
            Snapshotters::new(vec![Arc::new(DirectorySnapshotter::new(path.clone(), host))])
        }
    }
}
