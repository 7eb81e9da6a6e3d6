//! Whether all files are there, in full.

use std::collections::BTreeMap;

use futures::TryStreamExt as _;

use super::error::Error;
use super::inspect::Work;
use super::report::{CheckResult, FILES, Finding};
use crate::engine::report::chain;
use crate::engine::store::{self, BackupKeys, BackupStore, Digests};

/// What would help with any file that is not what it should be.
pub(super) const CHOOSE_ANOTHER: &str =
    "put the file back from a copy of the location, or choose another backup";

/// The sizes of all files below a backup's name, by key.
pub(super) type Listed = BTreeMap<String, u64>;

/// Lists the files of a backup.
pub(super) async fn list(store: &BackupStore, name: &str) -> Result<Listed, Error> {
    let prefix = BackupKeys(name).prefix();
    let found = store.objects().list(&prefix).map_ok(|object| (object.key, object.size));
    Ok(found.try_collect().await.map_err(store::Error::from)?)
}

/// Compares what is there with what the digests promise; of Velero's backups, with what it always
/// writes.
pub(super) async fn check(work: &mut Work<'_>) -> Result<(), Error> {
    match work.store.digests(&work.backup).await {
        Ok(Some(digests)) => {
            sizes(work, &digests);
            let detail = format!("{} are there, of the sizes recorded", files(digests.files.len()));
            work.digests = Some(digests);
            work.report.conclude(FILES, detail);
        }
        Ok(None) => {
            of_velero(work);
            let detail = format!("{} are there; no sizes are recorded", files(work.listed.len()));
            work.report.conclude_as(FILES, CheckResult::NotVerifiable, detail);
        }
        Err(error) if error.is_damage() || error.is_not_found() => {
            let key = match &error {
                store::Error::Malformed { key, .. } => key.clone(),
                _ => work.keys().digests(),
            };
            let finding = Finding::of_file(FILES.0, &key, message(&error));
            work.report.problem(finding.with_hint(CHOOSE_ANOTHER));
            work.report.conclude(FILES, "what was written is not known any more");
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// What is wrong with a file, without its name.
pub(super) fn message(error: &store::Error) -> String {
    match error {
        _ if error.is_not_found() => "it does not exist".to_owned(),
        store::Error::Differs { .. } => "it is not the file that was written".to_owned(),
        store::Error::Malformed { source, .. } => {
            format!("it cannot be read: {}", chain(source.as_ref()))
        }
        _ => chain(error),
    }
}

fn sizes(work: &mut Work<'_>, digests: &Digests) {
    let prefix = work.keys().prefix();
    for (file, digest) in &digests.files {
        let key = format!("{prefix}{file}");
        let message = match work.listed.get(&key) {
            Some(size) if *size == digest.size => continue,
            Some(size) => format!("it has {size} bytes, {} were written", digest.size),
            None => "it does not exist".to_owned(),
        };
        work.report.problem(Finding::of_file(FILES.0, &key, message).with_hint(CHOOSE_ANOTHER));
    }
    let known = |key: &&String| {
        let file = key.strip_prefix(&prefix).unwrap_or_default();
        digests.files.contains_key(file)
            || **key == work.keys().digests()
            || **key == work.keys().metadata()
    };
    let strangers: Vec<String> = work.listed.keys().filter(|key| !known(key)).cloned().collect();
    for key in strangers {
        let message = "nothing vouches for it, and no restore looks at it";
        work.report.warn(Finding::of_file(FILES.0, &key, message));
    }
}

/// Velero can do without any other file. It records its snapshots only if it took some.
fn of_velero(work: &mut Work<'_>) {
    let mut promised = vec![work.keys().archive()];
    let attempted = work.backup.status.volume_snapshots_attempted;
    if attempted > 0 {
        promised.push(work.keys().volume_snapshots());
    }
    for key in promised {
        if !work.listed.contains_key(&key) {
            let finding = Finding::of_file(FILES.0, &key, "it does not exist");
            work.report.problem(finding.with_hint(CHOOSE_ANOTHER));
        }
    }
}

pub(super) fn files(count: usize) -> String {
    format!("{count} file{}", if count == 1 { "" } else { "s" })
}
