//! What was found complete, and stays so.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bowline_api::{Snapshot, SnapshotState};

/// The account that shares a snapshot; none for one of the caller's own.
pub(super) type SharedBy = Option<String>;

/// The snapshots that this process may use and found complete.
///
/// Neither changes until they are deleted: there is no need to describe them again for a volume.
#[derive(Debug, Default)]
pub(super) struct Complete(Mutex<BTreeMap<String, SharedBy>>);

impl Complete {
    /// Remembers a snapshot that may be used, if it is complete.
    pub(super) fn note(&self, snapshot: &Snapshot) {
        if snapshot.state == SnapshotState::Completed {
            self.lock().insert(snapshot.id.clone(), snapshot.shared_by.clone());
        }
    }

    pub(super) fn get(&self, id: &str) -> Option<SharedBy> {
        self.lock().get(id).cloned()
    }

    pub(super) fn forget(&self, id: &str) {
        self.lock().remove(id);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, SharedBy>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
