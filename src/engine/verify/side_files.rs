//! Whether the documents beside the archive can be read, and are of this backup.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::Error;
use super::files::{CHOOSE_ANOTHER, files, message};
use super::inspect::Work;
use super::report::{Finding, SIDE_FILES};
use crate::engine::archive::{Limits, check_gzip};
use crate::engine::model::Object;
use crate::engine::model::backup::Attempt;
use crate::engine::model::results::BackupResults;
use crate::engine::model::started::Started;
use crate::engine::report::{BackupReport, chain};
use crate::engine::store;

/// Reads every document that is there and was not read yet.
pub(super) async fn check(work: &mut Work<'_>) -> Result<(), Error> {
    let keys = work.keys();
    let lists = [keys.pod_volume_backups(), keys.csi_snapshots(), keys.csi_contents()];
    let operations = keys.item_operations();
    // Those of the volumes were read before.
    let mut read = [keys.volume_snapshots(), keys.volume_info()]
        .iter()
        .filter(|key| work.listed.contains_key(*key))
        .count();
    let (results, logs) = (keys.results(), keys.logs());
    for key in lists {
        read += usize::from(packed::<Vec<Object>>(work, &key).await?);
    }
    read += usize::from(packed::<Vec<Value>>(work, &operations).await?);
    read += usize::from(packed::<BackupResults>(work, &results).await?);
    read += usize::from(log(work, &logs).await?);
    if work.backup.is_ours() {
        read += ours(work).await?;
    }
    work.report.conclude(SIDE_FILES, format!("{} can be read", files(read)));
    Ok(())
}

/// Reads the documents that Velero does not have.
async fn ours(work: &mut Work<'_>) -> Result<usize, Error> {
    let keys = work.keys();
    let (attempt, pending, report) = (keys.attempt(), keys.pending(), keys.report());
    let mut read = 0;
    if let Some(found) = plain::<Attempt>(work, &attempt).await? {
        same(work, &attempt, &found.name, &found.uid);
        read += 1;
    }
    if let Some(found) = plain::<Started>(work, &pending).await? {
        let meta = found.document.metadata;
        same(work, &pending, &meta.name, &meta.uid);
        read += 1;
    }
    if let Some(found) = plain::<BackupReport>(work, &report).await? {
        same(work, &report, &found.name, &found.uid);
        read += 1;
    }
    match work.store.providers(work.name()).await {
        Ok(providers) => read += providers.len(),
        Err(error) => damaged(work, error)?,
    }
    Ok(read)
}

/// Checks that a document is of this backup.
fn same(work: &mut Work<'_>, key: &str, name: &str, uid: &str) {
    let meta = &work.backup.metadata;
    if (name, uid) != (&meta.name, &meta.uid) {
        let message = format!("it is of backup {name} with UID {uid}, not of UID {}", meta.uid);
        let finding = Finding::of_file(SIDE_FILES.0, key, message);
        work.report.problem(finding.with_hint(CHOOSE_ANOTHER));
    }
}

fn is_to_be_read(work: &Work<'_>, key: &str) -> bool {
    work.listed.contains_key(key) && !work.report.is_known(key)
}

async fn plain<T: DeserializeOwned>(work: &mut Work<'_>, key: &str) -> Result<Option<T>, Error> {
    if !is_to_be_read(work, key) {
        return Ok(None);
    }
    match work.store.json(key).await {
        Ok(document) => Ok(Some(document)),
        Err(error) => damaged(work, error).map(|()| None),
    }
}

async fn packed<T: DeserializeOwned + Default>(
    work: &mut Work<'_>,
    key: &str,
) -> Result<bool, Error> {
    if !is_to_be_read(work, key) {
        return Ok(false);
    }
    match work.store.json_gz::<T>(key).await {
        Ok(_) => Ok(true),
        Err(error) => damaged(work, error).map(|()| false),
    }
}

/// A log is text of any length.
async fn log(work: &mut Work<'_>, key: &str) -> Result<bool, Error> {
    if !is_to_be_read(work, key) {
        return Ok(false);
    }
    let stream = work.stream(key).await?;
    match check_gzip(stream, Limits::default()).await {
        Ok(_) => Ok(true),
        Err(error) if error.is_damage() => {
            let finding = Finding::of_file(SIDE_FILES.0, key, chain(&error));
            work.report.problem(finding.with_hint(CHOOSE_ANOTHER));
            Ok(false)
        }
        Err(source) => Err(Error::Archive { name: work.name().to_owned(), source }),
    }
}

fn damaged(work: &mut Work<'_>, error: store::Error) -> Result<(), Error> {
    match &error {
        store::Error::Malformed { key, .. } | store::Error::TooLarge { key, .. } => {
            if !work.report.is_known(key) {
                let finding = Finding::of_file(SIDE_FILES.0, key, message(&error));
                work.report.problem(finding.with_hint(CHOOSE_ANOTHER));
            }
            Ok(())
        }
        _ => Err(error.into()),
    }
}
