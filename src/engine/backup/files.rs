//! Files that several runs may write at once: whoever is first, all go on with the same content.

use bytes::Bytes;

use super::error::Cause;
use crate::engine::journal::Journal;
use crate::engine::report::Problem;
use crate::engine::store::{BackupStore, Digest, SideFile};

/// Writes a file; one that is there already must be the same.
pub(super) async fn write(store: &BackupStore, file: &SideFile) -> Result<Digest, Cause> {
    let found = write_or_adopt(store, file).await?;
    if found == file.content {
        Ok(Digest::of(&file.content))
    } else {
        Err(Cause::Differs { key: file.key.clone() })
    }
}

/// Writes a file unless there is one already; gives what is there then.
pub(super) async fn write_or_adopt(store: &BackupStore, file: &SideFile) -> Result<Bytes, Cause> {
    match store.create(file).await {
        Ok(()) => Ok(file.content.clone()),
        Err(error) if error.is_already_exists() => Ok(store.bytes(&file.key).await?.into()),
        Err(error) => Err(error.into()),
    }
}

/// Warns of what the store could not do as it was asked; of each thing once in a backup.
pub(super) fn take_notices(store: &BackupStore, journal: &Journal) {
    for notice in store.take_notices() {
        let problem = Problem::of_run("store", notice);
        if !journal.problems().0.contains(&problem) {
            journal.warn(problem);
        }
    }
}
