//! Reads a backup, and checks that it is what was written.

use std::collections::HashMap;

use bowline_api::StoreError;
use serde::de::DeserializeOwned;

use super::error::Error;
use crate::engine::archive::{self, Contents, Limits};
use crate::engine::context::Context;
use crate::engine::model::backup::{Backup, annotations};
use crate::engine::model::filter::closest;
use crate::engine::model::volume::{NativeSnapshot, VolumeInfo};
use crate::engine::report::{Phase, chain};
use crate::engine::store::{self, BackupKeys, BackupState, Digest, Digests};

/// A backup that was read.
#[derive(Debug)]
pub(super) struct Opened {
    pub backup: Backup,
    pub contents: Contents,
    /// The snapshots, by persistent volume.
    pub snapshots: HashMap<String, NativeSnapshot>,
    /// What became of each volume, by persistent volume.
    pub volumes: HashMap<String, VolumeInfo>,
}

/// Reads a backup that may be restored.
pub(super) async fn open(context: &Context, name: &str) -> Result<Opened, Error> {
    let backup = find(context, name).await?;
    check_phase(&backup, name)?;
    let keys = BackupKeys(name);
    let digests = digests(context, &backup, keys).await?;
    let contents = contents(context, &backup, name).await?;
    let snapshots: Vec<NativeSnapshot> =
        side_file(context, digests.as_ref(), keys.volume_snapshots(), name).await?;
    let volumes: Vec<VolumeInfo> =
        side_file(context, digests.as_ref(), keys.volume_info(), name).await?;
    let snapshots = snapshots.into_iter().map(|s| (s.spec.persistent_volume_name.clone(), s));
    let volumes = volumes.into_iter().map(|volume| (volume.pv_name.clone(), volume));
    Ok(Opened { backup, contents, snapshots: snapshots.collect(), volumes: volumes.collect() })
}

async fn find(context: &Context, name: &str) -> Result<Backup, Error> {
    let damaged = |reason| Error::BackupDamaged { name: name.to_owned(), reason };
    match context.store.backup(name).await.map_err(Error::Location)? {
        Some(BackupState::Committed(backup)) => Ok(*backup),
        Some(BackupState::Incomplete(_)) => Err(Error::BackupIncomplete { name: name.to_owned() }),
        Some(BackupState::Invalid(reason)) => Err(damaged(reason)),
        Some(BackupState::Deleting) => {
            Err(Error::BackupNotGood { name: name.to_owned(), phase: Phase::Deleting })
        }
        None => {
            let names = context.store.backup_names().await.map_err(Error::Location)?;
            let similar = closest(name, names.iter().map(String::as_str)).map(ToOwned::to_owned);
            let location = context.store.url().to_owned();
            Err(Error::BackupNotFound { name: name.to_owned(), location, similar })
        }
    }
}

/// Only what came to its end may be restored; what is missing in a partly failed one is known.
fn check_phase(backup: &Backup, name: &str) -> Result<(), Error> {
    match backup.phase() {
        Phase::Completed | Phase::PartiallyFailed => Ok(()),
        phase => Err(Error::BackupNotGood { name: name.to_owned(), phase }),
    }
}

/// Reads the digests that the backup's document vouches for; Velero's backups have none.
async fn digests(
    context: &Context,
    backup: &Backup,
    keys: BackupKeys<'_>,
) -> Result<Option<Digests>, Error> {
    let Some(expected) = backup.annotation(annotations::DIGESTS_SHA256) else { return Ok(None) };
    let name = &backup.metadata.name;
    let file = context.store.bytes(&keys.digests()).await.map_err(|e| missing(e, name))?;
    if Digest::of(&file).sha256 != expected {
        return Err(differs(name, &keys.digests()));
    }
    let digests = serde_json::from_slice(&file).map_err(|error| Error::BackupDamaged {
        name: name.clone(),
        reason: format!("\"{}\" cannot be read: {error}", keys.digests()),
    })?;
    Ok(Some(digests))
}

async fn contents(context: &Context, backup: &Backup, name: &str) -> Result<Contents, Error> {
    let stream = context.store.archive(name).await.map_err(|e| missing(e, name))?;
    let contents = archive::read(stream, Limits::default())
        .await
        .map_err(|source| Error::ArchiveDamaged { name: name.to_owned(), source })?;
    let expected = backup.annotation(annotations::ARCHIVE_SHA256);
    if expected.is_some_and(|expected| expected != contents.sha256) {
        return Err(differs(name, &BackupKeys(name).archive()));
    }
    Ok(contents)
}

async fn side_file<T: DeserializeOwned + Default>(
    context: &Context,
    digests: Option<&Digests>,
    key: String,
    name: &str,
) -> Result<T, Error> {
    let file = key.rsplit('/').next().unwrap_or(&key);
    if let Some(digests) = digests {
        let bytes = context.store.bytes(&key).await.map_err(|e| missing(e, name))?;
        if digests.files.get(file) != Some(&Digest::of(&bytes)) {
            return Err(differs(name, &key));
        }
    }
    context.store.json_gz(&key).await.map_err(|error| missing(error, name))
}

fn missing(error: store::Error, name: &str) -> Error {
    match error {
        store::Error::Store(StoreError::NotFound { key }) => Error::BackupDamaged {
            name: name.to_owned(),
            reason: format!("\"{key}\" does not exist"),
        },
        error @ store::Error::Malformed { .. } => {
            Error::BackupDamaged { name: name.to_owned(), reason: chain(&error) }
        }
        error => Error::Location(error),
    }
}

fn differs(name: &str, key: &str) -> Error {
    let reason = format!("\"{key}\" is not the file that was written: its digest differs");
    Error::BackupDamaged { name: name.to_owned(), reason }
}
