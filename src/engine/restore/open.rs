//! Reads a backup, and checks that it is what was written.

use std::collections::{BTreeMap, HashMap};

use bowline_api::{ItemId, StoreError};
use serde::de::DeserializeOwned;

use super::error::Error;
use super::missing::Listed;
use super::parts::{self, Wanted};
use crate::engine::archive::{self, Contents, Limits};
use crate::engine::model::Object;
use crate::engine::model::backup::{Backup, annotations};
use crate::engine::model::filter::closest;
use crate::engine::model::records;
use crate::engine::model::results::BackupResults;
use crate::engine::model::volume::{NativeSnapshot, VolumeInfo};
use crate::engine::report::{Phase, Problem, chain};
use crate::engine::store::{self, BackupKeys, BackupState, BackupStore, Digest, Digests};

/// A backup that was read.
#[derive(Debug)]
pub(super) struct Opened {
    pub backup: Backup,
    pub contents: Contents,
    /// The snapshots, by persistent volume.
    pub snapshots: HashMap<String, NativeSnapshot>,
    /// What became of each volume, by persistent volume.
    pub volumes: HashMap<String, VolumeInfo>,
    /// What its records promise and its archive does not hold, with the words of the promise.
    pub lacking: BTreeMap<ItemId, String>,
    pub others: Others,
}

/// Records that only Velero's backups have, or that only tell reasons.
#[derive(Debug, Default)]
pub(super) struct Others {
    /// What went wrong.
    pub results: BackupResults,
    /// The copies of files that were made through pods.
    pub pod_volume_backups: Vec<Object>,
    /// The snapshots of CSI drivers, up to Velero 1.16.
    pub csi_snapshots: Vec<Object>,
    /// What those are bound to.
    pub csi_contents: Vec<Object>,
    /// The names of all objects, also of those that failed.
    pub listed: Listed,
    /// Which of these files can't be read.
    pub warnings: Vec<Problem>,
}

/// Reads a backup that may be restored; of its objects those that are wanted, and others as it comes.
pub(super) async fn open(
    store: &BackupStore,
    name: &str,
    wanted: &Wanted,
) -> Result<Opened, Error> {
    let backup = find(store, name).await?;
    check_phase(&backup, name)?;
    let keys = BackupKeys(name);
    let unreadable = |error| unreadable(error, name);
    let digests = store.digests(&backup).await.map_err(unreadable)?;
    let parts = match &digests {
        Some(digests) => parts::read(store, &backup, digests, wanted).await?,
        None => None,
    };
    let contents = match parts {
        Some(contents) => contents,
        None => whole(store, &backup, digests.as_ref()).await?,
    };
    let snapshots: Vec<NativeSnapshot> =
        store.side_file(digests.as_ref(), &keys.volume_snapshots()).await.map_err(unreadable)?;
    let volumes: Vec<VolumeInfo> =
        store.side_file(digests.as_ref(), &keys.volume_info()).await.map_err(unreadable)?;
    check_records(&backup, &snapshots, &volumes)?;
    let lacking = records::lacking(&backup, &snapshots, &volumes, |id| contents.find(id).is_some());
    let others = others(store, digests.as_ref(), keys).await.map_err(unreadable)?;
    let snapshots = snapshots.into_iter().map(|s| (s.spec.persistent_volume_name.clone(), s));
    let volumes = volumes.into_iter().map(|volume| (volume.pv_name.clone(), volume));
    Ok(Opened {
        backup,
        contents,
        snapshots: snapshots.collect(),
        volumes: volumes.collect(),
        lacking,
        others,
    })
}

/// Reads what else there is; our own archives hold what their lists name.
async fn others(
    store: &BackupStore,
    digests: Option<&Digests>,
    keys: BackupKeys<'_>,
) -> Result<Others, store::Error> {
    if digests.is_some() {
        let results = store.side_file(digests, &keys.results()).await?;
        return Ok(Others { results, ..Others::default() });
    }
    let mut warnings = Vec::new();
    let told = &mut warnings;
    Ok(Others {
        results: explanation(store, &keys.results(), told).await?,
        pod_volume_backups: explanation(store, &keys.pod_volume_backups(), told).await?,
        csi_snapshots: explanation(store, &keys.csi_snapshots(), told).await?,
        csi_contents: explanation(store, &keys.csi_contents(), told).await?,
        listed: explanation(store, &keys.resource_list(), told).await?,
        warnings,
    })
}

/// Reads a file that only tells reasons: nothing comes back otherwise where it is damaged.
async fn explanation<T: DeserializeOwned + Default>(
    store: &BackupStore,
    key: &str,
    warnings: &mut Vec<Problem>,
) -> Result<T, store::Error> {
    match store.side_file(None, key).await {
        Err(error) if error.is_damage() => {
            let message = format!("the reasons in \"{key}\" are not known: {}", chain(&error));
            warnings.push(Problem::of_run("open", message));
            Ok(T::default())
        }
        other => other,
    }
}

async fn find(store: &BackupStore, name: &str) -> Result<Backup, Error> {
    let damaged = |reason| Error::BackupDamaged { name: name.to_owned(), reason };
    match store.backup(name).await.map_err(Error::Location)? {
        Some(BackupState::Committed(backup)) => Ok(*backup),
        Some(BackupState::Incomplete(_)) => Err(Error::BackupIncomplete { name: name.to_owned() }),
        Some(BackupState::Invalid(reason)) => Err(damaged(reason)),
        Some(BackupState::Deleting) => {
            let reason = "its files and snapshots are being deleted".to_owned();
            Err(Error::BackupNotGood { name: name.to_owned(), phase: Phase::Deleting, reason })
        }
        None => {
            let names = store.backup_names().await.map_err(Error::Location)?;
            let similar = closest(name, &names).map(ToOwned::to_owned);
            let location = store.url().to_owned();
            Err(Error::BackupNotFound { name: name.to_owned(), location, similar })
        }
    }
}

fn check_phase(backup: &Backup, name: &str) -> Result<(), Error> {
    match backup.flaw() {
        None => Ok(()),
        Some(reason) => {
            let phase = backup.phase();
            Err(Error::BackupNotGood { name: name.to_owned(), phase, reason })
        }
    }
}

/// Reads all of the archive, which must be the one that was written, if anything tells which that was.
pub(super) async fn whole(
    store: &BackupStore,
    backup: &Backup,
    digests: Option<&Digests>,
) -> Result<Contents, Error> {
    let name = &backup.metadata.name;
    let stream = store.archive(name).await.map_err(|error| unreadable(error, name))?;
    let contents = archive::read(stream, Limits::default())
        .await
        .map_err(|source| Error::of_archive(name, source))?;
    let found = Digest { size: contents.size, sha256: contents.sha256.clone() };
    check_archive(backup, digests, &found).map_err(|error| unreadable(error, name))?;
    Ok(contents)
}

/// Checks that an archive of this digest is the one that was written.
pub(super) fn check_archive(
    backup: &Backup,
    digests: Option<&Digests>,
    found: &Digest,
) -> Result<(), store::Error> {
    let key = BackupKeys(&backup.metadata.name).archive();
    digests.map_or(Ok(()), |digests| digests.check(&key, found))?;
    match backup.annotation(annotations::ARCHIVE_SHA256) {
        Some(expected) if expected != found.sha256 => Err(store::Error::Differs { key }),
        _ => Ok(()),
    }
}

/// Names and ids of the records go into requests: what cannot be one is refused, with the backup.
fn check_records(
    backup: &Backup,
    snapshots: &[NativeSnapshot],
    volumes: &[VolumeInfo],
) -> Result<(), Error> {
    let name = &backup.metadata.name;
    let keys = BackupKeys(name);
    for (key, fault) in [
        (keys.volume_snapshots(), records::snapshots_fault(backup, snapshots)),
        (keys.volume_info(), records::volumes_fault(backup, volumes)),
    ] {
        if let Some(fault) = fault {
            let reason = format!("\"{key}\" is refused: {fault}");
            return Err(Error::BackupDamaged { name: name.clone(), reason });
        }
    }
    Ok(())
}

pub(super) fn unreadable(error: store::Error, name: &str) -> Error {
    let damaged = |reason| Error::BackupDamaged { name: name.to_owned(), reason };
    match error {
        store::Error::Store(StoreError::NotFound { key }) => {
            damaged(format!("\"{key}\" does not exist"))
        }
        error if error.is_damage() => damaged(chain(&error)),
        error => Error::Location(error),
    }
}
