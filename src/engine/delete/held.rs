//! Whether somebody wants it to stay.

use super::error::Error;
use super::identity::Identity;
use crate::engine::store::BackupStore;

/// Checks that nobody holds the backup.
///
/// A hold is respected as long as it is a backup: if its deletion was begun and came no further, it is
/// none any more. An earlier backup's hold means nothing.
pub(super) async fn check(store: &BackupStore, identity: &Identity) -> Result<(), Error> {
    let keys = identity.keys();
    let Some(hold) = store.hold(&identity.name).await? else { return Ok(()) };
    if identity.uid.as_ref().is_some_and(|uid| *uid != hold.uid) {
        return Ok(());
    }
    if !store.exists(&keys.metadata()).await? {
        return Ok(());
    }
    let marked = store.tombstone(&identity.name).await?;
    if marked.is_some_and(|tombstone| identity.is_marked_by(&tombstone)) {
        store.remove(&keys.tombstone()).await?;
    }
    Err(Error::Held { name: identity.name.clone(), since: hold.since, reason: hold.reason })
}
