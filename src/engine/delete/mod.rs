//! Deleting backups and restores. Needs no cluster.
//!
//! A backup goes in this order: tombstone, `velero-backup.json`, snapshots, other files, tombstone.
//! That a snapshot cannot be found means something only where others of them were seen.
//! Whatever is interrupted in between is finished by the next run; until then its name is "being
//! deleted" for every command.

mod backup;
mod error;
mod held;
mod identity;
mod known;
mod records;
mod report;
mod restore;
mod retention;
mod sight;
mod snapshots;

pub use backup::{Request, backup};
pub use error::Error;
pub use report::{DeleteReport, DeletedSnapshot, SnapshotFate};
pub use restore::restore;
