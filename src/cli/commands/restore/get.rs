//! `bowline restore get`.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use crate::cli::commands::Outcome;
use crate::cli::commands::lookup::{failed, not_found};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::{OutputArgs, print};
use crate::cli::settings::Settings;
use crate::cli::table::{Table, cell};
use crate::cli::units::age;
use crate::engine::report::{Phase, chain};
use crate::engine::store::{BackupStore, RestoreEntry, check_name};

/// List restores
///
/// Incomplete are those that run still, or were interrupted; these go on when they are created
/// again. The records of restores whose location took none are kept by this machine ("local").
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  bowline restore get
  bowline restore get -o json")]
pub struct Args {
    /// Only these restores
    pub names: Vec<String>,
    /// In which form they are printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// A restore, and who keeps its records.
#[derive(Debug, Serialize)]
pub(super) struct Found {
    #[serde(flatten)]
    pub entry: RestoreEntry,
    /// Whether this machine does, because the location took none.
    pub local: bool,
}

pub(super) async fn run(settings: &Settings, args: Args) -> Outcome {
    let store = settings.store()?;
    let mut found = all(settings, &store).await?;
    if let Some(name) = args.names.iter().find(|name| !found.iter().any(|f| f.name() == **name)) {
        return Err(unknown(name, &found, &store));
    }
    found.retain(|found| args.names.is_empty() || args.names.iter().any(|n| n == found.name()));
    if found.is_empty() && args.output.is_table() {
        settings.note(&format!("there are no restores in {}", store.url()));
        return Ok(Exit::Done);
    }
    let now = settings.clock.now();
    print(args.output.output, &json!({"items": found}), |_| table(&found, now))?;
    Ok(Exit::Done)
}

/// Looks up one restore: in the location, else on this machine.
pub(super) async fn find(
    settings: &Settings,
    store: &BackupStore,
    name: &str,
) -> Result<Found, CliError> {
    if check_name(name).is_ok() {
        if let Some(entry) = store.restore(name).await.map_err(failed)? {
            return Ok(Found { entry, local: false });
        }
        if let Some(local) = settings.local_records()
            && let Some(entry) = local.restore(name).await.map_err(failed)?
        {
            return Ok(Found { entry, local: true });
        }
    }
    Err(unknown(name, &all(settings, store).await?, store))
}

/// Looks up all restores, by name.
async fn all(settings: &Settings, store: &BackupStore) -> Result<Vec<Found>, CliError> {
    let entries = store.restores().await.map_err(failed)?;
    let mut found: Vec<_> =
        entries.into_iter().map(|entry| Found { entry, local: false }).collect();
    found.extend(local(settings).await);
    found.sort_by(|a, b| a.name().cmp(b.name()));
    Ok(found)
}

/// Names all restores that have records, here or there.
pub(super) async fn names(
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

fn unknown(name: &str, found: &[Found], store: &BackupStore) -> CliError {
    not_found("restore", name, found.iter().map(Found::name), store.url())
}

/// Without them the location's own are still worth seeing.
async fn local(settings: &Settings) -> Vec<Found> {
    let Some(store) = settings.local_records() else { return Vec::new() };
    match store.restores().await {
        Ok(entries) => entries.into_iter().map(|entry| Found { entry, local: true }).collect(),
        Err(error) => {
            tracing::warn!("the records in {} cannot be read: {}", store.url(), chain(&error));
            Vec::new()
        }
    }
}

impl Found {
    fn name(&self) -> &str {
        &self.entry.record.name
    }

    /// How the restore is doing.
    pub(super) fn phase(&self) -> Phase {
        self.entry.result.as_ref().map_or(Phase::Incomplete, |result| result.phase)
    }
}

fn table(found: &[Found], now: Timestamp) -> Table<7> {
    let mut table =
        Table::new(["NAME", "BACKUP", "STATUS", "ERRORS", "WARNINGS", "STARTED", "RECORDS"]);
    for restore in found {
        let RestoreEntry { record, result } = &restore.entry;
        table.push([
            record.name.clone(),
            record.spec.backup_name.clone(),
            restore.phase().to_string(),
            cell(result.as_ref().map(|result| result.errors.len())),
            cell(result.as_ref().map(|result| result.warnings.len())),
            age(record.start_timestamp, now),
            if restore.local { "local" } else { "location" }.to_owned(),
        ]);
    }
    table
}
