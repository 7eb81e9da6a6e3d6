//! What lies where in a bucket, over any object store.

mod backup_store;
mod document;
mod drills;
mod layout;
mod leases;
mod listing;
mod logs;
mod removal;
mod running_log;
mod runs;
mod schedules;
mod vouched;

pub use backup_store::{BackupStore, Digest, Digests, Error, SideFile};
pub use layout::{
    BackupKeys, DrillKeys, ProbeKeys, RestoreKeys, ScheduleKeys, check_name, is_foreign, of_run,
};
pub use leases::StoredLease;
pub use listing::{BackupEntry, BackupState, RestoreEntry};
pub use logs::Piece;
pub use running_log::RunningLog;
pub use schedules::Versioned;
