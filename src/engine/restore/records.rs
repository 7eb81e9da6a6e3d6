//! What a restore leaves in the bucket: first what was asked, last what came of it.

use std::collections::HashSet;

use serde::Serialize;
use uuid::Uuid;

use super::error::Cause;
use super::execute::Execution;
use super::identity::{Identity, places};
use super::resource_list::Earlier;
use crate::engine::context::Context;
use crate::engine::journal::Journal;
use crate::engine::model::restore::{RestoreRecord, RestoreRun};
use crate::engine::model::results::BackupResults;
use crate::engine::model::volume::{NATIVE_SNAPSHOT, NativeSnapshotInfo};
use crate::engine::report::{Problem, RestoreReport, chain};
use crate::engine::store::{self, BackupStore, RestoreKeys, RunningLog, SideFile, of_run};

/// Where this restore's records go, and whose it is.
#[derive(Debug)]
pub(super) struct Records<'a> {
    store: Option<&'a BackupStore>,
    pub record: RestoreRecord,
    /// Which run of it this is.
    pub run: u32,
    /// Whether everybody who has the location can read of it.
    pub is_shared: bool,
    /// What runs logged that were interrupted, packed.
    earlier: Vec<u8>,
}

/// Whether the location takes records.
#[derive(Debug)]
pub(super) enum Place {
    /// The record is there.
    Location,
    /// It has to be kept elsewhere.
    Elsewhere(store::Error),
}

/// Records in the location what was asked, before the cluster is changed.
///
/// A location that refuses writes does not keep anybody from restoring.
pub(super) async fn place(context: &Context, record: &RestoreRecord) -> Result<Place, Cause> {
    match keep(&context.store, record).await {
        Err(Cause::Records(error)) => Ok(Place::Elsewhere(error)),
        other => other.map(|()| Place::Location),
    }
}

/// Writes the record; it may be there from an earlier run, but not from a run that began at the same
/// time.
async fn keep(store: &BackupStore, record: &RestoreRecord) -> Result<(), Cause> {
    let key = RestoreKeys(&record.name).record();
    match store.create(&SideFile::json(key.clone(), record)?).await {
        Err(error) if error.is_already_exists() => {
            let found: RestoreRecord = store.json(&key).await?;
            if found.uid == record.uid { Ok(()) } else { Err(Cause::Overtaken) }
        }
        Err(error) => match store.json_if_there::<RestoreRecord>(&key).await {
            Ok(Some(found)) if found.uid == record.uid => Ok(()),
            _ => Err(error.into()),
        },
        Ok(()) => Ok(()),
    }
}

impl<'a> Records<'a> {
    /// Records that a run begins; where the location takes no record, on this machine.
    pub(super) async fn begin(
        context: &'a Context,
        journal: &Journal,
        identity: Identity,
        place: &Place,
    ) -> Result<Self, Cause> {
        let Identity { record, runs } = identity;
        let mut records =
            Self { store: None, record, run: 1, is_shared: false, earlier: Vec::new() };
        match place {
            Place::Location => {
                records.is_shared = true;
                records.store = Some(&context.store);
            }
            Place::Elsewhere(refusal) => records.keep_here(context, journal, refusal).await?,
        }
        if runs > 0 {
            records.take_up(context, journal, runs + 1).await?;
        }
        Ok(records)
    }

    async fn keep_here(
        &mut self,
        context: &'a Context,
        journal: &Journal,
        refusal: &store::Error,
    ) -> Result<(), Cause> {
        let refusal = chain(refusal);
        for store in places(context).skip(1) {
            match keep(store, &self.record).await {
                Ok(()) => self.store = Some(store),
                Err(Cause::Records(_)) => continue,
                Err(other) => return Err(other),
            }
            let kept = store.url();
            let message = format!(
                "the location does not take the restore's record ({refusal}); it is kept in {kept}"
            );
            journal.warn(Problem::of_run("record", message));
            return Ok(());
        }
        let message = format!("the restore's record is not kept: {refusal}");
        journal.warn(Problem::of_run("record", message));
        Ok(())
    }

    /// Records that it is taken up once more, so that two runs have two numbers.
    async fn take_up(
        &mut self,
        context: &Context,
        journal: &Journal,
        run: u32,
    ) -> Result<(), Cause> {
        self.run = run;
        journal.note(&format!("run {run} of this restore: it goes on with what is there"));
        let Some(store) = self.store else { return Ok(()) };
        let earlier = interrupted_log(store, &self.record).await?;
        if !earlier.is_empty() {
            self.earlier = SideFile::gz(String::new(), earlier.as_bytes())?.content.to_vec();
        }
        let document = RestoreRun {
            run,
            uid: Uuid::new_v4().to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            start_timestamp: context.clock.now(),
        };
        let file = SideFile::json(RestoreKeys(&self.record.name).run(run), &document)?;
        match store.create(&file).await {
            Err(error) if error.is_already_exists() => return Err(Cause::Overtaken),
            Err(error) => {
                let message = format!("that it goes on could not be recorded: {}", chain(&error));
                journal.warn(Problem::of_run("record", message));
            }
            Ok(()) => {}
        }
        Ok(())
    }

    /// What became of each object in the runs before this one, as far as that can be read.
    pub(super) async fn earlier_outcomes(&self, context: &Context, journal: &Journal) -> Earlier {
        if self.run == 1 {
            return Earlier::default();
        }
        match Earlier::read(context, &self.record).await {
            Ok(earlier) => earlier,
            Err(error) => {
                let message = format!(
                    "what earlier runs changed cannot be read, and is counted as unchanged: {}",
                    chain(&error)
                );
                journal.warn(Problem::of_run("record", message));
                Earlier::default()
            }
        }
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
        let files = [
            SideFile::json_gz(keys.resource_list(), &execution.resource_list())?,
            SideFile::json_gz(keys.item_operations(), &Vec::<()>::new())?,
            SideFile::json_gz(keys.volume_info(), &volume_infos(execution, report))?,
            SideFile::json_gz(keys.results(), &results)?,
            SideFile { key: keys.logs(), content: self.log(execution).into() },
        ];
        for file in files {
            self.add(store, file).await?;
        }
        running_log.close().await;
        self.add(store, SideFile::json(keys.result(), report)?).await
    }

    /// Packs all that was logged and is in no whole log yet.
    fn log(&self, execution: &Execution<'_>) -> Vec<u8> {
        let mut log = self.earlier.clone();
        // Packed texts one after the other are one packed text.
        log.extend(execution.journal.log().unwrap_or_default());
        log
    }

    /// Writes a file; where an earlier run did, under a key with the number of this one.
    async fn add(&self, store: &BackupStore, mut file: SideFile) -> Result<(), store::Error> {
        match store.create(&file).await {
            Err(error) if error.is_already_exists() => {
                if self.run == 1 || store.bytes(&file.key).await? == file.content {
                    tracing::debug!("{} is there already", file.key);
                    return Ok(());
                }
                file.key = of_run(&file.key, self.run);
                store.create(&file).await
            }
            other => other,
        }
    }
}

/// What was logged by runs that were interrupted, in the pieces that they left.
async fn interrupted_log(
    store: &BackupStore,
    record: &RestoreRecord,
) -> Result<String, store::Error> {
    let pieces = store.pieces(&RestoreKeys(&record.name).running_log(&record.uid), 0).await?;
    let text: String = pieces.into_iter().map(|piece| piece.text).collect();
    if text.is_empty() {
        return Ok(text);
    }
    // A run that was killed at its very end left its log whole, and the pieces of it.
    let newest = store.newest(&record.name, &RestoreKeys(&record.name).logs()).await?;
    let whole = store.text(&newest).await?.unwrap_or_default();
    let known: HashSet<&str> = whole.lines().collect();
    let new = text.lines().filter(|line| !known.contains(line));
    Ok(new.flat_map(|line| [line, "\n"]).collect())
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
