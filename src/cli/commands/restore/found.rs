//! What the commands find of restores, and where.

use std::collections::BTreeSet;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;

use crate::cli::commands::lookup::{failed, not_found};
use crate::cli::commands::selection::{Labels, SelectionArgs, place};
use crate::cli::error::CliError;
use crate::cli::settings::Settings;
use crate::engine::model::restore::RestoreRecord;
use crate::engine::model::results::BackupResults;
use crate::engine::report::{Phase, RestoreReport, chain};
use crate::engine::store::{BackupStore, Error, RestoreEntry, RestoreKeys, check_name};

/// How many restores are looked up at once.
const AT_ONCE: usize = 16;

/// A restore, and who keeps its records.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::cli) struct Found {
    /// The restore's name.
    pub name: String,
    /// What was asked; none of a restore that Velero made.
    pub record: Option<RestoreRecord>,
    /// What came of it; none if it runs or was interrupted.
    pub result: Option<RestoreReport>,
    /// What a Velero recorded, which keeps what it was asked in its cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub velero: Option<BackupResults>,
    /// How many runs of ours it took so far, as far as can be read.
    pub runs: u32,
    /// Why what was recorded cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
    /// Whether the newest run has not come to its end.
    #[serde(skip)]
    unfinished: bool,
    /// Whether this machine keeps the records, because the location took none.
    pub local: bool,
}

impl Found {
    fn ours(entry: RestoreEntry, local: bool) -> Self {
        let unfinished = entry.is_unfinished();
        let RestoreEntry { record, result, runs, .. } = entry;
        let name = record.name.clone();
        let record = Some(record);
        Self { name, record, result, velero: None, runs, damage: None, unfinished, local }
    }

    /// One of which nothing of ours can be read.
    fn without_record(name: &str, velero: Option<BackupResults>, damage: Option<String>) -> Self {
        let (name, unfinished, local) = (name.to_owned(), false, false);
        Self { name, record: None, result: None, velero, runs: 0, damage, unfinished, local }
    }

    /// What a place holds of our record; what is damaged does not keep the rest from being told.
    fn read(
        name: &str,
        entry: Result<Option<RestoreEntry>, Error>,
        local: bool,
    ) -> Result<Option<Self>, Error> {
        match entry {
            Err(error) if error.is_damage() => {
                let damaged = Self::without_record(name, None, Some(chain(&error)));
                Ok(Some(Self { runs: 1, local, ..damaged }))
            }
            other => Ok(other?.map(|entry| Self::ours(entry, local))),
        }
    }

    /// How the restore is doing; of one that Velero made nobody knows here.
    pub(super) fn phase(&self) -> Option<Phase> {
        self.record.as_ref()?;
        let result = self.result.as_ref().filter(|_| !self.unfinished);
        Some(result.map_or(Phase::Incomplete, |result| result.phase))
    }

    /// Why our record of it cannot be read, if that is so.
    pub(super) fn record_damage(&self) -> Option<&str> {
        self.damage.as_deref().filter(|_| self.runs > 0)
    }

    /// The workloads that are scaled down until it goes on, as `namespace/name`: where it has ended,
    /// those that did not get their pods back.
    pub(super) fn scaled_down(&self) -> BTreeSet<String> {
        if self.phase() == Some(Phase::Incomplete) {
            let record = self.record.iter();
            return record.flat_map(|record| &record.spec.quiesce).cloned().collect();
        }
        let errors = self.result.iter().flat_map(|result| &result.errors);
        errors
            .filter(|error| error.operation.as_deref() == Some("quiesce"))
            .filter_map(|it| Some(format!("{}/{}", it.namespace.as_deref()?, it.name.as_deref()?)))
            .collect()
    }

    /// The phase, or that its record is damaged.
    pub(super) fn status(&self) -> Option<String> {
        let damaged = self.record_damage().map(|_| "Damaged".to_owned());
        self.phase().map(|phase| phase.to_string()).or(damaged)
    }

    /// Its labels, where they are known.
    pub(super) fn labels(&self) -> Option<&Labels> {
        self.record.as_ref().map(|record| &record.labels)
    }

    /// How many errors and warnings it had, where that is known.
    pub(super) fn problems(&self) -> [Option<usize>; 2] {
        let of_velero = |results: &BackupResults| {
            [&results.errors, &results.warnings].map(|messages| Some(messages.count()))
        };
        let ours = self.result.as_ref().map(|it| [Some(it.errors.len()), Some(it.warnings.len())]);
        ours.or_else(|| self.velero.as_ref().map(of_velero)).unwrap_or_default()
    }

    /// Who keeps its records.
    pub(super) fn keeper(&self) -> &'static str {
        match (self.runs, self.local) {
            (0, _) => "velero",
            (_, true) => "local",
            (_, false) => "location",
        }
    }
}

/// Looks up the restores that are meant, in order.
pub(super) async fn select(
    settings: &Settings,
    store: &BackupStore,
    selection: &SelectionArgs,
) -> Result<Vec<Found>, CliError> {
    if let [name] = &selection.names[..] {
        return Ok(vec![find(settings, store, name).await?]);
    }
    let mut found = all(settings, store).await?;
    if let Some(name) = selection.names.iter().find(|name| !found.iter().any(|f| f.name == **name))
    {
        let known = found.iter().map(|found| found.name.as_str());
        return Err(not_found("restore", name, known, store.url()));
    }
    found.retain(|found| selection.names.is_empty() || selection.names.contains(&found.name));
    found.retain(|found| selection.takes(found.labels()));
    Ok(found)
}

/// Looks up one restore: in the location, else on this machine; one that has no records is an error.
pub(super) async fn find(
    settings: &Settings,
    store: &BackupStore,
    name: &str,
) -> Result<Found, CliError> {
    if let Some(found) = look_up(settings, store, name).await? {
        return Ok(found);
    }
    let known = names(settings, store).await?;
    Err(not_found("restore", name, known.iter().map(String::as_str), store.url()))
}

/// Looks up one restore, if anything is recorded of it: in the location, else on this machine.
pub(super) async fn look_up(
    settings: &Settings,
    store: &BackupStore,
    name: &str,
) -> Result<Option<Found>, CliError> {
    if check_name(name).is_err() {
        return Ok(None);
    }
    if let Some(found) = in_location(store, name).await.map_err(failed)? {
        return Ok(Some(found));
    }
    let Some(local) = settings.local_records() else { return Ok(None) };
    Found::read(name, local.restore(name).await, true).map_err(failed)
}

/// Looks up all restores; of a name that both have, the location's.
pub(super) async fn all(settings: &Settings, store: &BackupStore) -> Result<Vec<Found>, CliError> {
    let names = store.restore_names().await.map_err(failed)?;
    let found = stream::iter(&names).map(|name| in_location(store, name)).buffered(AT_ONCE);
    let mut found: Vec<_> =
        found.try_filter_map(async |found| Ok(found)).try_collect().await.map_err(failed)?;
    let mut local = local(settings).await;
    local.retain(|local| !names.contains(&local.name));
    found.extend(local);
    found.sort_by_cached_key(|found| place(&found.name));
    Ok(found)
}

/// Names all restores that have records, here or there.
pub(in crate::cli::commands) async fn names(
    settings: &Settings,
    store: &BackupStore,
) -> Result<Vec<String>, CliError> {
    let mut names = store.restore_names().await.map_err(failed)?;
    if let Some(local) = settings.local_records() {
        names.extend(local.restore_names().await.map_err(failed)?);
    }
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

/// What the location holds of a restore: our record, else the results that Velero wrote.
async fn in_location(store: &BackupStore, name: &str) -> Result<Option<Found>, Error> {
    if let Some(found) = Found::read(name, store.restore(name).await, false)? {
        return Ok(Some(found));
    }
    let key = RestoreKeys(name).results();
    if !store.exists(&key).await? {
        return Ok(None);
    }
    let (velero, damage) = match store.json_gz(&key).await {
        Err(error) if error.is_damage() => (None, Some(chain(&error))),
        other => (Some(other?), None),
    };
    Ok(Some(Found::without_record(name, velero, damage)))
}

/// Without them the location's own are still worth seeing.
async fn local(settings: &Settings) -> Vec<Found> {
    let Some(store) = settings.local_records() else { return Vec::new() };
    match local_entries(&store).await {
        Ok(found) => found,
        Err(error) => {
            tracing::warn!("the records in {} cannot be read: {}", store.url(), chain(&error));
            Vec::new()
        }
    }
}

async fn local_entries(store: &BackupStore) -> Result<Vec<Found>, Error> {
    let mut found = Vec::new();
    for name in store.restore_names().await? {
        found.extend(Found::read(&name, store.restore(&name).await, true)?);
    }
    Ok(found)
}
