//! What every operation works with.

mod definitions;
mod holds;
pub mod hooks;
pub mod rights;
mod snapshotters;

use std::sync::Arc;

use super::clock::Clock;
use super::cluster::Cluster;
use super::event::Observer;
use super::stop::Stop;
use super::store::BackupStore;

pub use definitions::definition;
pub use holds::{Hold, Holds};
pub use rights::{Access, Granted, Right};
pub use snapshotters::{OutOfReach, Snapshotters};

/// What every operation works with.
#[derive(Clone)]
pub struct Context {
    /// The cluster that is backed up or restored into.
    pub cluster: Cluster,
    /// Where backups are kept.
    pub store: BackupStore,
    /// Where a restore's records go if the location refuses them.
    pub local_records: Option<BackupStore>,
    /// Who snapshots volumes; the first that handles a volume does.
    pub snapshotters: Snapshotters,
    /// Is told what happens.
    pub observer: Arc<dyn Observer>,
    /// Tells the time.
    pub clock: Clock,
    /// What is not broken off in the middle.
    pub holds: Holds,
    /// How much is done at once.
    pub limits: Limits,
    /// Asks an operation to stop.
    pub stop: Stop,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("store", &self.store).finish_non_exhaustive()
    }
}

/// How much is done at once.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Lists that are read at once.
    pub lists: usize,
    /// Blocks of the archive that are packed at once.
    pub compressing: usize,
    /// Volumes that are worked on at once.
    pub volumes: usize,
    /// Objects that are made at once.
    pub creates: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { lists: 8, compressing: 4, volumes: 16, creates: 24 }
    }
}
