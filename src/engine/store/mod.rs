//! What lies where in a bucket, over any object store.

mod backup_store;
mod layout;
mod listing;
mod removal;

pub use backup_store::{BackupStore, Digest, Digests, Error, SideFile};
pub use layout::{BackupKeys, ProbeKeys, RestoreKeys, check_name, is_foreign};
pub use listing::{BackupEntry, BackupState, RestoreEntry};
