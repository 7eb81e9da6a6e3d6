//! What the files of a backup tell of it, whole or not.

use serde_json::Value;

use super::error::Error;
use crate::engine::journal::Journal;
use crate::engine::model::backup::{Attempt, Backup, ProviderRecord};
use crate::engine::model::started::{Started, StartedVolume};
use crate::engine::model::volume::NativeSnapshot;
use crate::engine::report::{Problem, chain};
use crate::engine::store::{self, BackupKeys, BackupStore};

/// The documents that tell whose the files under a name are.
///
/// One under a foreign name is a copy: its identity, and so its snapshots, are those of the
/// original.
#[derive(Debug)]
pub(super) struct Documents {
    pub backup: Option<Backup>,
    pub attempt: Option<Attempt>,
}

/// What the files of a backup tell of its snapshots.
#[derive(Debug)]
pub(super) struct Records {
    pub documents: Documents,
    /// The snapshots that were started.
    pub snapshots: Vec<Recorded>,
    /// The providers that were asked for snapshots.
    pub providers: Vec<ProviderRecord>,
    /// The identity of an unfinished backup.
    pending_uid: Option<String>,
    /// Whether every entry of the list of snapshots has its id.
    has_all_ids: bool,
}

/// A snapshot of which a file tells.
#[derive(Debug)]
pub(super) struct Recorded {
    pub id: String,
    pub provider: Option<String>,
    pub zone: Option<String>,
}

impl Documents {
    pub(super) async fn read(store: &BackupStore, name: &str) -> Result<Self, store::Error> {
        let keys = BackupKeys(name);
        let backup: Option<Backup> = store.readable(&keys.metadata()).await?;
        let attempt: Option<Attempt> = store.readable(&keys.attempt()).await?;
        Ok(Self {
            backup: backup.filter(|backup| backup.validate(name).is_ok()),
            attempt: attempt.filter(|attempt| attempt.name == name),
        })
    }

    /// The identities that they tell.
    pub(super) fn uids(&self) -> impl Iterator<Item = &str> {
        let backup = self.backup.as_ref().map(|backup| backup.metadata.uid.as_str());
        let attempt = self.attempt.as_ref().map(|attempt| attempt.uid.as_str());
        backup.into_iter().chain(attempt).filter(|uid| !uid.is_empty())
    }
}

impl Records {
    /// Reads them, and warns of what a deletion leaves that others made.
    pub(super) async fn read(
        store: &BackupStore,
        journal: &Journal,
        name: &str,
    ) -> Result<Self, Error> {
        let documents = Documents::read(store, name).await?;
        let started = store.readable::<Started>(&BackupKeys(name).pending()).await?;
        let started = started.filter(|started| started.document.metadata.name == name);
        let providers = store.providers(name).await?;
        let is_velero = documents.attempt.is_none() && documents.backup.is_some();
        if is_velero {
            warn_of_leftovers(store, journal, name).await?;
        }
        let listed = match listed(store, name).await {
            Err(error) if error.is_damage() && !is_velero => {
                let message =
                    format!("{}; snapshots are looked for by their tags only", chain(&error));
                journal.warn(Problem::of_run("read", message));
                None
            }
            other => Some(other?),
        };
        let has_id = |snapshot: &NativeSnapshot| snapshot.status.provider_snapshot_id.is_some();
        let has_all_ids = listed.as_ref().is_some_and(|listed| listed.iter().all(has_id));
        let pending_uid = started.as_ref().map(|started| started.document.metadata.uid.clone());
        let of_started = started.into_iter().flat_map(|started| started.volumes);
        let of_started = of_started.filter_map(Recorded::of_started);
        let snapshots = listed.into_iter().flatten().filter_map(Recorded::of_listed);
        let snapshots = snapshots.chain(of_started).collect();
        Ok(Self { documents, snapshots, providers, pending_uid, has_all_ids })
    }

    /// The identity of the backup.
    pub(super) fn uid(&self) -> Option<&str> {
        let pending = self.pending_uid.as_deref().filter(|uid| !uid.is_empty());
        self.documents.uids().next().or(pending)
    }

    /// Whether the files leave open who has snapshots of it, so that all have to be asked.
    ///
    /// We record whom we ask before we do; Velero records every snapshot.
    pub(super) fn leave_open(&self) -> bool {
        if !self.providers.is_empty() {
            return false;
        }
        let backup = self.documents.backup.as_ref();
        match &self.documents.attempt {
            Some(_) => backup.is_some_and(|backup| backup.status.volume_snapshots_attempted > 0),
            None => backup.is_none() || !self.has_all_ids,
        }
    }
}

impl Recorded {
    /// A failed snapshot left none.
    fn of_listed(NativeSnapshot { spec, status }: NativeSnapshot) -> Option<Self> {
        let id = status.provider_snapshot_id.filter(|id| !id.is_empty())?;
        let zone = spec.volume_az.filter(|zone| !zone.is_empty());
        Some(Self { id, provider: spec.bowline_provider, zone })
    }

    fn of_started(StartedVolume { report, volume }: StartedVolume) -> Option<Self> {
        let id = report.snapshot_id.filter(|id| !id.is_empty())?;
        Some(Self { id, provider: report.provider, zone: volume.and_then(|volume| volume.zone) })
    }
}

async fn listed(store: &BackupStore, name: &str) -> Result<Vec<NativeSnapshot>, store::Error> {
    store.json_gz(&BackupKeys(name).volume_snapshots()).await
}

/// What Velero made beside snapshots of its own providers is nothing that we can remove.
async fn warn_of_leftovers(
    store: &BackupStore,
    journal: &Journal,
    name: &str,
) -> Result<(), store::Error> {
    let keys = BackupKeys(name);
    for (key, what) in [
        (keys.pod_volume_backups(), "file-system backups of volumes"),
        (keys.csi_snapshots(), "snapshots of CSI drivers"),
        (keys.item_operations(), "results of asynchronous operations"),
    ] {
        let left = match store.json_gz::<Vec<Value>>(&key).await {
            Err(error) if error.is_damage() => true,
            other => !other?.is_empty(),
        };
        if left {
            let message = format!("{what} that Velero made for this backup are left: \"{key}\"");
            journal.warn(Problem::of_run("delete", message));
        }
    }
    Ok(())
}
