//! Whether a run still owns the name that it works under.

use super::error::Cause;
use crate::engine::model::backup::{Attempt, Backup};
use crate::engine::store::{BackupKeys, BackupStore, Error};

/// The UID of the attempt that has the name; none if there is no attempt.
pub(super) async fn owner(store: &BackupStore, name: &str) -> Result<Option<String>, Error> {
    let attempt = store.json::<Attempt>(&BackupKeys(name).attempt()).await;
    absent(attempt.map(|attempt| attempt.uid))
}

/// The UID of the backup that was committed under the name; none if there is none.
pub(super) async fn committed(store: &BackupStore, name: &str) -> Result<Option<String>, Error> {
    let backup = store.json::<Backup>(&BackupKeys(name).metadata()).await;
    absent(backup.map(|backup| backup.metadata.uid))
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

fn absent<T>(read: Result<T, Error>) -> Result<Option<T>, Error> {
    match read {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}
