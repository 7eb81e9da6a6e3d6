//! What lies where in a bucket, over any object store.

mod backup_store;
mod layout;
mod listing;

pub use backup_store::{BackupStore, Digest, Digests, Error, SideFile};
pub use layout::{BackupKeys, RestoreKeys, check_name};
pub use listing::{BackupEntry, BackupState, RestoreEntry};
