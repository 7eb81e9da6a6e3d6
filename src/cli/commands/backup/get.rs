//! `bowline backup get`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cli::commands::Outcome;
use crate::cli::commands::labels::LabelColumnArgs;
use crate::cli::commands::lookup::{failed, none_to_show, not_found, selectors};
use crate::cli::commands::selection::{Labels, SelectionArgs, place};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::{OutputArgs, print};
use crate::cli::settings::Settings;
use crate::cli::table::{Table, cell};
use crate::cli::units::age;
use crate::engine::model::schedule::HoldRecord;
use crate::engine::report::Phase;
use crate::engine::store::{BackupEntry, BackupState, BackupStore};

/// List backups
///
/// Incomplete are those that run still, or were interrupted; they cannot be restored. For programs,
/// the backup that is asked for by its name is one object; all else is a list.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  bowline backup get
  bowline backup get -l team=web -L team
  bowline backup get nightly -o json")]
pub struct Args {
    /// Which of them.
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// Which labels are shown.
    #[command(flatten)]
    pub columns: LabelColumnArgs,
    /// In which form they are printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// The marks of those that are held, by name.
type Holds = BTreeMap<String, HoldRecord>;

pub(super) async fn run(settings: &Settings, args: Args) -> Outcome {
    let store = settings.store()?;
    let entries = entries(&store, &args.selection).await?;
    if entries.is_empty() && args.output.is_table() {
        return Ok(none_to_show(settings, "backups", args.selection.selector.as_ref(), &store));
    }
    let now = settings.clock.now();
    let documents: Vec<_> = entries.iter().map(document).collect();
    let held = store.held_backups().await.map_err(failed)?;
    print(args.output.output, &args.selection.document(&documents), |_| {
        let mut table = table(&entries, &held, now);
        args.columns.add_to(&mut table, &entries.iter().map(labels).collect::<Vec<_>>());
        table
    })?;
    Ok(Exit::Done)
}

/// Looks up the backups that are meant, in order.
pub(super) async fn entries(
    store: &BackupStore,
    selection: &SelectionArgs,
) -> Result<Vec<BackupEntry>, CliError> {
    let mut entries = Vec::new();
    for name in selection.names.iter().collect::<BTreeSet<_>>() {
        entries.push(find(store, name).await?);
    }
    if selection.names.is_empty() {
        entries = store.backups().await.map_err(failed)?;
        entries.retain(|entry| selection.takes(labels(entry)));
    }
    entries.sort_by_cached_key(|entry| place(&entry.name));
    Ok(entries)
}

/// Looks up one backup.
pub(super) async fn find(store: &BackupStore, name: &str) -> Result<BackupEntry, CliError> {
    let known = store.backup_names().await.map_err(failed)?;
    let is_known = known.iter().any(|other| other == name);
    match store.backup(name).await.map_err(failed)? {
        Some(state) if is_known => Ok(BackupEntry { name: name.to_owned(), state }),
        _ => Err(not_found("backup", name, known.iter().map(String::as_str), store.url())),
    }
}

/// Its labels; only those of a backup are known.
pub(super) fn labels(entry: &BackupEntry) -> Option<&Labels> {
    match &entry.state {
        BackupState::Committed(backup) => Some(&backup.metadata.labels),
        BackupState::Incomplete(_) | BackupState::Deleting | BackupState::Invalid(_) => None,
    }
}

/// How a backup is doing.
pub(super) fn phase(state: &BackupState) -> Phase {
    match state {
        BackupState::Committed(backup) => backup.phase(),
        BackupState::Incomplete(_) => Phase::Incomplete,
        BackupState::Deleting => Phase::Deleting,
        BackupState::Invalid(_) => Phase::Failed,
    }
}

/// A backup as one JSON object: its Velero document where it has one.
pub(super) fn document(entry: &BackupEntry) -> Value {
    let phase = phase(&entry.state);
    match &entry.state {
        BackupState::Committed(backup) => json!(backup),
        BackupState::Incomplete(Some(attempt)) => json!({
            "metadata": {"name": entry.name, "uid": attempt.uid},
            "status": {"phase": phase, "startTimestamp": attempt.start_timestamp},
        }),
        BackupState::Invalid(reason) => json!({
            "metadata": {"name": entry.name},
            "status": {"phase": phase, "failureReason": reason},
        }),
        BackupState::Incomplete(None) | BackupState::Deleting => {
            json!({"metadata": {"name": entry.name}, "status": {"phase": phase}})
        }
    }
}

fn table(entries: &[BackupEntry], held: &Holds, now: Timestamp) -> Table<8> {
    let header =
        ["NAME", "STATUS", "ERRORS", "WARNINGS", "ITEMS", "CREATED", "EXPIRES", "SELECTOR"];
    let mut table = Table::new(header);
    table.extend(entries.iter().map(|entry| row(entry, held, now)));
    table
}

fn row(entry: &BackupEntry, held: &Holds, now: Timestamp) -> [String; 8] {
    let phase = phase(&entry.state).to_string();
    let since = |time: Timestamp| age(time, now);
    match &entry.state {
        BackupState::Committed(backup) => {
            let (spec, status) = (&backup.spec, &backup.status);
            let is_held = held.get(&entry.name).is_some_and(|it| it.uid == backup.metadata.uid);
            let expires = status.expiration.map(|time| expiry(time, now));
            [
                entry.name.clone(),
                phase,
                status.errors.to_string(),
                status.warnings.to_string(),
                cell(status.progress.map(|progress| progress.items_backed_up)),
                cell(status.start_timestamp.map(since)),
                if is_held { "held".to_owned() } else { cell(expires) },
                cell(selectors(spec.label_selector.as_ref(), &spec.or_label_selectors)),
            ]
        }
        BackupState::Incomplete(attempt) => {
            let created = cell(attempt.as_ref().map(|attempt| since(attempt.start_timestamp)));
            let none = String::new;
            [entry.name.clone(), phase, none(), none(), none(), created, none(), none()]
        }
        BackupState::Deleting | BackupState::Invalid(_) => {
            let none = String::new;
            [entry.name.clone(), phase, none(), none(), none(), none(), none(), none()]
        }
    }
}

/// How long it is still kept.
fn expiry(time: Timestamp, now: Timestamp) -> String {
    if time <= now { "expired".to_owned() } else { age(now, time) }
}
