//! A copy of a backup's archive, as it was written.

use std::sync::Arc;

use futures::TryStreamExt as _;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use super::event::{Event, Observer, Stage};
use super::model::digest::hex;
use super::model::filter::closest;
use super::report::Phase;
use super::store::{self, BackupKeys, BackupState, BackupStore, Digest, Digests};

/// What was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Downloaded {
    /// How many bytes, and which.
    pub digest: Digest,
    /// Whether it is known to be what was written; of Velero's archives that is not.
    pub verified: bool,
}

/// A backup whose archive may be copied.
#[derive(Clone, Debug)]
pub struct Source {
    key: String,
    digests: Option<Digests>,
    /// How the backup ended.
    pub phase: Phase,
}

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such backup.
    #[error("backup \"{name}\" does not exist in {location}")]
    NotFound {
        /// What was named.
        name: String,
        /// The location's URL.
        location: String,
        /// A backup of a similar name.
        similar: Option<String>,
    },
    /// It has no archive that is whole.
    #[error("backup \"{name}\" cannot be downloaded: {reason}")]
    NotWhole {
        /// The backup's name.
        name: String,
        /// Why.
        reason: String,
    },
    /// The location cannot be used, or what it gives is not what was written.
    #[error("the archive of backup \"{name}\" cannot be downloaded")]
    Store {
        /// The backup's name.
        name: String,
        /// What went wrong.
        source: store::Error,
    },
    /// The copy cannot be written.
    #[error("the copy cannot be written")]
    Write(#[from] std::io::Error),
}

/// Finds the archive of a backup, and what tells whether it is the one that was written.
pub async fn find(store: &BackupStore, name: &str) -> Result<Source, Error> {
    let failed = |source| Error::Store { name: name.to_owned(), source };
    let names = store.backup_names().await.map_err(failed)?;
    if !names.iter().any(|known| known == name) {
        let similar = closest(name, &names).map(ToOwned::to_owned);
        let location = store.url().to_owned();
        return Err(Error::NotFound { name: name.to_owned(), location, similar });
    }
    let not_whole = |reason: &str| Error::NotWhole { name: name.to_owned(), reason: reason.into() };
    let backup = match store.backup(name).await.map_err(failed)? {
        Some(BackupState::Committed(backup)) => backup,
        Some(BackupState::Incomplete(_)) => {
            return Err(not_whole("it runs still, or was interrupted"));
        }
        Some(BackupState::Invalid(reason)) => return Err(not_whole(&reason)),
        Some(BackupState::Deleting) | None => return Err(not_whole("it is being deleted")),
    };
    let digests = store.digests(&backup).await.map_err(failed)?;
    Ok(Source { key: BackupKeys(name).archive(), digests, phase: backup.phase() })
}

/// Copies the archive; what was written must not be used where this fails.
pub async fn copy(
    store: &BackupStore,
    observer: &Arc<dyn Observer>,
    name: &str,
    source: &Source,
    to: &mut (dyn AsyncWrite + Send + Unpin),
) -> Result<Downloaded, Error> {
    observer.observe(&Event::Stage(Stage::Downloading));
    let failed = |source: store::Error| Error::Store { name: name.to_owned(), source };
    let mut stream = store.archive(name).await.map_err(failed)?;
    let (mut size, mut sha256) = (0, Sha256::new());
    while let Some(piece) = stream.try_next().await.map_err(|error| failed(error.into()))? {
        to.write_all(&piece).await?;
        size += piece.len() as u64;
        sha256.update(&piece);
        observer.observe(&Event::Bytes(piece.len() as u64));
    }
    to.flush().await?;
    let digest = Digest { size, sha256: hex(&sha256.finalize()) };
    if let Some(digests) = &source.digests {
        digests.check(&source.key, &digest).map_err(failed)?;
    }
    Ok(Downloaded { digest, verified: source.digests.is_some() })
}
