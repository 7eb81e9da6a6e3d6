//! Holding backups, so that nothing removes them, and letting them go again.

use jiff::Timestamp;

use crate::engine::clock::Clock;
use crate::engine::model::filter::closest;
use crate::engine::model::schedule::HoldRecord;
use crate::engine::store::{self, BackupState, BackupStore};

/// A backup that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The mark.
    pub record: HoldRecord,
    /// Whether it was held already; then the mark is that of whoever was first.
    pub is_earlier: bool,
    /// When a Velero on the same bucket would delete it all the same.
    pub expiration: Option<Timestamp>,
}

/// Why a backup is not held.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such backup.
    #[error("backup \"{name}\" does not exist in {location}")]
    NotFound {
        /// What was named.
        name: String,
        /// The location's URL.
        location: String,
        /// One of a similar name.
        similar: Option<String>,
    },
    /// It is no backup yet, or none that can be read.
    #[error("\"{name}\" is not a whole backup")]
    NotWhole {
        /// Its name.
        name: String,
    },
    /// It goes already.
    #[error("backup \"{name}\" is being deleted")]
    Deleting {
        /// Its name.
        name: String,
    },
    /// The location cannot be used.
    #[error("the storage location cannot be used")]
    Location(#[from] store::Error),
}

/// Marks that a backup stays, whatever rules and times say.
///
/// A mark that an earlier backup of the name has left behind is replaced.
pub async fn hold(
    store: &BackupStore,
    clock: Clock,
    name: &str,
    reason: Option<String>,
) -> Result<Held, Error> {
    check_exists(store, name).await?;
    let backup = match store.backup(name).await? {
        Some(BackupState::Committed(backup)) => backup,
        Some(BackupState::Deleting) => return Err(Error::Deleting { name: name.to_owned() }),
        _ => return Err(Error::NotWhole { name: name.to_owned() }),
    };
    let uid = backup.metadata.uid;
    let own = HoldRecord { backup: name.to_owned(), uid, since: clock.now(), reason };
    let mut record = store.hold_backup(own.clone()).await?;
    if record.uid != own.uid {
        store.release_backup(name).await?;
        record = store.hold_backup(own.clone()).await?;
    }
    // Who deletes it looks for this mark after leaving one of its own.
    if let Some(BackupState::Deleting) | None = store.backup(name).await? {
        store.release_backup(name).await?;
        return Err(Error::Deleting { name: name.to_owned() });
    }
    let (is_earlier, expiration) = (record != own, backup.status.expiration);
    Ok(Held { record, is_earlier, expiration })
}

/// Lets a backup go again; gives back the mark, if there was one.
pub async fn release(store: &BackupStore, name: &str) -> Result<Option<HoldRecord>, Error> {
    let found = store.held_backups().await?.remove(name);
    match found {
        Some(_) => store.release_backup(name).await?,
        None => check_exists(store, name).await?,
    }
    Ok(found)
}

async fn check_exists(store: &BackupStore, name: &str) -> Result<(), Error> {
    let names = store.backup_names().await?;
    if names.iter().any(|known| known == name) {
        return Ok(());
    }
    let similar = closest(name, &names).map(ToOwned::to_owned);
    Err(Error::NotFound { name: name.to_owned(), location: store.url().to_owned(), similar })
}
