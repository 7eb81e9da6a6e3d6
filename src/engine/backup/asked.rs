//! The providers that a run asks for snapshots, each written down before it is asked.

use std::collections::BTreeMap;

use bowline_api::VolumeSnapshotter;
use tokio::sync::Mutex;

use super::error::Cause;
use super::files;
use super::outcome::Fault;
use super::ownership::still_ours;
use crate::engine::model::backup::{Attempt, ProviderRecord};
use crate::engine::report::chain;
use crate::engine::store::{BackupKeys, BackupStore, Digest, SideFile};

/// The providers that a run asked, with the digests of their records.
#[derive(Debug, Default)]
pub(super) struct Asked(Mutex<BTreeMap<String, Digest>>);

/// Why a snapshot was not started.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Why this one was not: an error of the backup.
    Claim(Fault),
    /// What ends the run.
    Run(Cause),
}

impl Asked {
    /// Writes down that a provider is asked, and where, unless that is done already.
    pub(super) async fn note(
        &self,
        store: &BackupStore,
        attempt: &Attempt,
        snapshotter: &dyn VolumeSnapshotter,
    ) -> Result<(), Trouble> {
        let mut asked = self.0.lock().await;
        let provider = snapshotter.provider();
        if asked.contains_key(provider) {
            return Ok(());
        }
        let place =
            snapshotter.place().await.map_err(|error| Trouble::Claim(chain(&error).into()))?;
        let record = ProviderRecord { provider: provider.to_owned(), place };
        let digest = write(store, attempt, &record).await.map_err(Trouble::Run)?;
        asked.insert(record.provider, digest);
        drop(asked);
        Ok(())
    }

    /// Their names.
    pub(super) async fn providers(&self) -> Vec<String> {
        self.0.lock().await.keys().cloned().collect()
    }

    /// The digests of their records, by file name.
    pub(super) async fn files(&self, keys: BackupKeys<'_>) -> BTreeMap<String, Digest> {
        let asked = self.0.lock().await;
        asked.iter().map(|(it, digest)| (keys.provider_file(it), digest.clone())).collect()
    }
}

async fn write(
    store: &BackupStore,
    attempt: &Attempt,
    record: &ProviderRecord,
) -> Result<Digest, Cause> {
    still_ours(store, &attempt.name, &attempt.uid).await?;
    let key = BackupKeys(&attempt.name).provider(&record.provider);
    files::write(store, &SideFile::json(key, record)?).await
}
