//! What lies where in a bucket, over any object store.

mod backup_store;
mod document;
mod layout;
mod listing;
mod logs;
mod removal;
mod running_log;
mod vouched;

pub use backup_store::{BackupStore, Digest, Digests, Error, SideFile};
pub use layout::{BackupKeys, ProbeKeys, RestoreKeys, check_name, is_foreign, of_run};
pub use listing::{BackupEntry, BackupState, RestoreEntry};
pub use logs::Piece;
pub use running_log::RunningLog;
