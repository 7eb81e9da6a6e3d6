//! What a restore leaves in the bucket: first what was asked, last what came of it.

use std::collections::BTreeMap;

use serde::Serialize;
use uuid::Uuid;

use super::error::{Cause, Error};
use super::execute::{Execution, Outcome};
use super::plan::api_version;
use super::preflight::{Ready, Request};
use crate::engine::context::Context;
use crate::engine::journal::Journal;
use crate::engine::model::restore::RestoreRecord;
use crate::engine::model::results::BackupResults;
use crate::engine::model::volume::{NATIVE_SNAPSHOT, NativeSnapshotInfo};
use crate::engine::report::{Problem, RestoreReport, chain};
use crate::engine::store::{self, BackupStore, RestoreKeys, RunningLog, SideFile};

/// Where this restore's records go, and whose it is.
#[derive(Debug)]
pub(super) struct Records<'a> {
    store: Option<&'a BackupStore>,
    pub record: RestoreRecord,
}

/// Finds the interrupted restore that is to be resumed, or makes a new identity.
pub(super) async fn identity(
    context: &Context,
    request: &Request,
    ready: &Ready,
) -> Result<RestoreRecord, Error> {
    let fresh = RestoreRecord {
        name: request.name.clone(),
        uid: Uuid::new_v4().to_string(),
        backup_uid: ready.opened.backup.metadata.uid.clone(),
        cluster_uid: ready.cluster_uid.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        start_timestamp: context.clock.now(),
        labels: request.labels.clone(),
        annotations: request.annotations.clone(),
        spec: request.spec.clone(),
    };
    for store in std::iter::once(&context.store).chain(context.local_records.as_ref()) {
        if let Some(found) = store.restore(&request.name).await.map_err(Error::Location)? {
            return resumable(&found, &fresh)
                .map(|()| found.record)
                .map_err(|reason| in_use(store, request, reason));
        }
    }
    Ok(fresh)
}

/// Checks that the record that exists is ours, and not that of a run that began at the same time.
async fn resumes(store: &BackupStore, record: &RestoreRecord) -> Result<(), Cause> {
    let found: RestoreRecord = store.json(&RestoreKeys(&record.name).record()).await?;
    if found.uid == record.uid { Ok(()) } else { Err(Cause::Overtaken) }
}

fn resumable(found: &store::RestoreEntry, fresh: &RestoreRecord) -> Result<(), &'static str> {
    let record = &found.record;
    match &found.result {
        Some(_) => Err("it is done"),
        None if record.backup_uid != fresh.backup_uid => Err("it was of another backup"),
        None if record.cluster_uid != fresh.cluster_uid => Err("it was into another cluster"),
        None if (&record.spec, &record.labels, &record.annotations)
            != (&fresh.spec, &fresh.labels, &fresh.annotations) =>
        {
            Err("it was interrupted and asked for something else")
        }
        None => Ok(()),
    }
}

fn in_use(store: &BackupStore, request: &Request, reason: &str) -> Error {
    Error::NameInUse {
        name: request.name.clone(),
        location: store.url().to_owned(),
        reason: reason.to_owned(),
    }
}

impl<'a> Records<'a> {
    /// Records what was asked, before the cluster is changed.
    ///
    /// A location that refuses writes does not keep anybody from restoring: the record then goes to
    /// this machine.
    pub(super) async fn begin(
        context: &'a Context,
        journal: &Journal,
        record: RestoreRecord,
    ) -> Result<Self, Cause> {
        let file = SideFile::json(RestoreKeys(&record.name).record(), &record)?;
        let mut refused = None;
        for store in std::iter::once(&context.store).chain(context.local_records.as_ref()) {
            match store.create(&file).await {
                Ok(()) => {}
                Err(error) if error.is_already_exists() => resumes(store, &record).await?,
                Err(error) => {
                    refused.get_or_insert(error);
                    continue;
                }
            }
            if let Some(error) = &refused {
                let message = format!(
                    "the location does not take the restore's record ({}); it is kept in {}",
                    chain(error),
                    store.url()
                );
                journal.warn(Problem::of_run("record", message));
            }
            return Ok(Self { store: Some(store), record });
        }
        let message = refused.map(|error| chain(&error)).unwrap_or_default();
        let message = format!("the restore's record is not kept: {message}");
        journal.warn(Problem::of_run("record", message));
        Ok(Self { store: None, record })
    }

    /// The log while it runs; none where no record is taken.
    pub(super) fn running_log(&self, journal: &'a Journal) -> Option<RunningLog<'a>> {
        let RestoreRecord { name, uid, .. } = &self.record;
        self.store.map(|store| RunningLog::of_restore(store, journal, name, uid))
    }

    /// Records what came of it. A failure here is a warning: the restore itself is done.
    pub(super) async fn finish(
        &self,
        execution: &Execution<'_>,
        report: &RestoreReport,
        log: Option<&RunningLog<'_>>,
    ) {
        let (Some(store), Some(log)) = (self.store, log) else { return };
        if let Err(error) = self.write(store, execution, report, log).await {
            let message = format!("the restore's result could not be recorded: {}", chain(&error));
            execution.journal.warn(Problem::of_run("record", message));
        }
    }

    async fn write(
        &self,
        store: &BackupStore,
        execution: &Execution<'_>,
        report: &RestoreReport,
        running_log: &RunningLog<'_>,
    ) -> Result<(), store::Error> {
        let keys = RestoreKeys(&self.record.name);
        let results = BackupResults::of_restore(&report.warnings, &report.errors);
        let log = execution.journal.log().unwrap_or_default();
        let files = [
            SideFile::json_gz(keys.resource_list(), &resource_list(execution))?,
            SideFile::json_gz(keys.item_operations(), &Vec::<()>::new())?,
            SideFile::json_gz(keys.volume_info(), &volume_infos(execution, report))?,
            // Last, as no later run of this restore can replace them.
            SideFile::json_gz(keys.results(), &results)?,
            SideFile { key: keys.logs(), content: log.into() },
        ];
        for file in files {
            write(store, &file).await?;
        }
        running_log.close().await;
        write(store, &SideFile::json(keys.result(), report)?).await
    }
}

/// Writes a file unless an earlier run of this restore did; what that one said stays.
async fn write(store: &BackupStore, file: &SideFile) -> Result<(), store::Error> {
    match store.create(file).await {
        Err(error) if error.is_already_exists() => {
            if store.bytes(&file.key).await? != file.content {
                tracing::debug!("{} is there already, as an earlier run left it", file.key);
            }
            Ok(())
        }
        other => other,
    }
}

/// The outcome of each object by kind, in Velero's words.
fn resource_list(execution: &Execution<'_>) -> BTreeMap<String, Vec<String>> {
    let mut list: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (index, outcome) in execution.outcomes() {
        let row = &execution.plan.rows[index];
        let Some(kind) = execution.ready.known.get(row.entry.resource()) else { continue };
        let word = match outcome {
            Outcome::Created => "created",
            Outcome::Updated => "updated",
            Outcome::Unchanged | Outcome::Skipped => "skipped",
            Outcome::Differs | Outcome::Failed => "failed",
        };
        let id = execution.target(row);
        let name = match &id.namespace {
            Some(namespace) => format!("{namespace}/{}({word})", id.name),
            None => format!("{}({word})", id.name),
        };
        let version = api_version(&id.resource, row.entry.version());
        list.entry(format!("{version}/{}", kind.kind)).or_default().push(name);
    }
    for names in list.values_mut() {
        names.sort_unstable();
    }
    list
}

/// A volume as Velero records it of a restore.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RestoredVolume<'a> {
    pvc_name: &'a str,
    pvc_namespace: &'a str,
    pv_name: &'a str,
    restore_method: &'static str,
    snapshot_data_moved: bool,
    native_snapshot_info: NativeSnapshotInfo,
}

/// The volumes that were made from snapshots; a disk that was re-attached is none of them.
fn volume_infos<'a>(
    execution: &Execution<'_>,
    report: &'a RestoreReport,
) -> Vec<RestoredVolume<'a>> {
    let sources = || execution.plan.claims.iter().filter_map(|claim| claim.source.as_ref());
    let of_snapshots = report.volumes.iter().filter_map(|volume| {
        let id = volume.snapshot_id.as_deref()?;
        let source = sources().find(|source| source.snapshot_id() == id)?;
        Some(RestoredVolume {
            pvc_name: &volume.claim,
            pvc_namespace: &volume.namespace,
            pv_name: volume.persistent_volume.as_deref()?,
            restore_method: NATIVE_SNAPSHOT,
            snapshot_data_moved: false,
            native_snapshot_info: NativeSnapshotInfo::new(
                Some(id),
                &source.record.spec.volume_spec(),
            ),
        })
    });
    of_snapshots.collect()
}
