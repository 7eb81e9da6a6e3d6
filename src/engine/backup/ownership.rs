//! Whether a run still owns the name that it works under.

use super::error::Cause;
use crate::engine::model::backup::{Attempt, Backup};
use crate::engine::store::{BackupKeys, BackupStore, Error};

/// The UID of the attempt that has the name; none if there is no attempt.
pub(super) async fn owner(store: &BackupStore, name: &str) -> Result<Option<String>, Error> {
    let attempt: Option<Attempt> = store.json_if_there(&BackupKeys(name).attempt()).await?;
    Ok(attempt.map(|attempt| attempt.uid))
}

/// The UID of the backup that was committed under the name; none if there is none.
pub(super) async fn committed(store: &BackupStore, name: &str) -> Result<Option<String>, Error> {
    let backup: Option<Backup> = store.json_if_there(&BackupKeys(name).metadata()).await?;
    Ok(backup.map(|backup| backup.metadata.uid))
}

/// Checks that no other run took the attempt's place, and that nobody deletes it.
pub(super) async fn still_ours(store: &BackupStore, name: &str, uid: &str) -> Result<(), Cause> {
    let is_ours = owner(store, name).await?.as_deref() == Some(uid);
    if is_ours && !store.exists(&BackupKeys(name).tombstone()).await? {
        Ok(())
    } else {
        Err(Cause::Replaced)
    }
}
