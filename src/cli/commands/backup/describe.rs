//! `bowline backup describe`.

use serde::Serialize;
use serde_json::Value;

use super::details::Details;
use super::get::{document, entries, phase};
use crate::cli::commands::labels::joined;
use crate::cli::commands::lookup::{failed, none_to_show};
use crate::cli::commands::records::{Reader, apart, describe_results};
use crate::cli::commands::selection::SelectionArgs;
use crate::cli::commands::{Outcome, spec, volumes};
use crate::cli::description::Description;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::{OutputArgs, print};
use crate::cli::settings::Settings;
use crate::cli::table::cell;
use crate::engine::model::backup::{Backup, annotations};
use crate::engine::model::drill::DrillEvidence;
use crate::engine::model::results::BackupResults;
use crate::engine::model::schedule::HoldRecord;
use crate::engine::store::{BackupEntry, BackupKeys, BackupState, BackupStore};

/// Show all that is known of backups
///
/// Without a name, of all of them. For programs, the backup that is asked for by its name is one
/// object; all else is a list.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  bowline backup describe nightly
  bowline backup describe nightly --details
  bowline backup describe -l team=web -o yaml")]
pub struct Args {
    /// Which of them.
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// Show the objects by name, how each volume is kept, and the digests of the files, too
    #[arg(long)]
    pub details: bool,
    /// In which form it is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// A backup with the files beside it.
#[derive(Debug, Serialize)]
struct Described {
    location: String,
    backup: Value,
    volumes: Vec<Value>,
    results: BackupResults,
    /// The mark that it stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<HoldRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
    /// What drills of it showed, the newest last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    drills: Vec<DrillEvidence>,
    /// Files that could not be read.
    damaged: Vec<String>,
    /// Whether it is incomplete and `backup finish` completes it.
    #[serde(skip)]
    finishable: bool,
    #[serde(skip)]
    entry: BackupEntry,
}

pub(super) async fn run(settings: &Settings, args: Args) -> Outcome {
    let store = settings.store()?;
    let mut described = Vec::new();
    for entry in entries(&store, &args.selection).await? {
        described.push(describe(&store, entry, args.details).await?);
    }
    if described.is_empty() && args.output.is_table() {
        return Ok(none_to_show(settings, "backups", args.selection.selector.as_ref(), &store));
    }
    print(args.output.output, &args.selection.document(&described), |_| apart(&described, text))?;
    let is_whole = described.iter().all(Described::is_whole);
    Ok(if is_whole { Exit::Done } else { Exit::VerificationFailed })
}

impl Described {
    fn is_whole(&self) -> bool {
        !matches!(self.entry.state, BackupState::Invalid(_)) && self.damaged.is_empty()
    }
}

async fn describe(
    store: &BackupStore,
    entry: BackupEntry,
    with_details: bool,
) -> Result<Described, CliError> {
    let keys = BackupKeys(&entry.name);
    let mut reader = Reader::new(store);
    let is_incomplete = matches!(entry.state, BackupState::Incomplete(_));
    let finishable = is_incomplete && store.is_finishable(&entry.name).await.map_err(failed)?;
    let drills = reader.unless_damaged(store.drills_of(&entry.name).await)?;
    Ok(Described {
        location: store.url().to_owned(),
        backup: whole_document(&mut reader, &entry).await?,
        volumes: reader.packed(&keys.volume_info()).await?,
        results: reader.packed(&keys.results()).await?,
        held: held(store, &entry).await?,
        details: if with_details {
            Some(Details::read(store, &mut reader, keys).await?)
        } else {
            None
        },
        drills: drills.into_iter().filter_map(|drill| drill.evidence).collect(),
        damaged: reader.damaged,
        finishable,
        entry,
    })
}

/// The mark that this very backup stays; one that an earlier one of the name left means nothing.
async fn held(store: &BackupStore, entry: &BackupEntry) -> Result<Option<HoldRecord>, CliError> {
    let BackupState::Committed(backup) = &entry.state else { return Ok(None) };
    let hold = store.hold(&entry.name).await.map_err(failed)?;
    Ok(hold.filter(|hold| hold.uid == backup.metadata.uid))
}

/// How many drills are told of.
const DRILLS: usize = 5;

fn describe_drills(text: &mut Description, drills: &[DrillEvidence]) {
    let newest = drills.iter().rev().take(DRILLS).map(|drill| {
        let reason = drill.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        format!("{} {}{reason}", drill.completion_timestamp, drill.verdict.word())
    });
    let mut lines: Vec<String> = newest.collect();
    if let Some(more) = drills.len().checked_sub(DRILLS + 1) {
        lines.push(format!("and {} more before", more + 1));
    }
    text.list("Drills", &lines);
}

/// The document as it is in the location, with what only a Velero knows; as `kubectl` shows objects,
/// without who manages which field.
async fn whole_document(reader: &mut Reader<'_>, entry: &BackupEntry) -> Result<Value, CliError> {
    if !matches!(entry.state, BackupState::Committed(_)) {
        return Ok(document(entry));
    }
    let mut whole: Value = reader.plain(&BackupKeys(&entry.name).metadata()).await?;
    if let Some(metadata) = whole.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    Ok(whole)
}

fn text(described: &Described) -> Description {
    let mut text = Description::default();
    let entry = &described.entry;
    text.line("Name", &entry.name);
    text.line("Location", &described.location);
    text.line("Phase", &phase(&entry.state).to_string());
    match &entry.state {
        BackupState::Committed(backup) => {
            committed(&mut text, backup);
            if let Some(hold) = &described.held {
                let reason = hold.reason.iter().map(|reason| format!(" ({reason})"));
                text.line("Held since", &format!("{}{}", hold.since, reason.collect::<String>()));
            }
            spec::describe(&mut text, &described.backup["spec"]);
        }
        BackupState::Incomplete(attempt) => {
            if let Some(attempt) = attempt {
                text.line("Started", &attempt.start_timestamp.to_string());
                text.line("Written by", &format!("bowline {}", attempt.version));
            }
            text.line("Reason", "it runs still, or was interrupted");
            if described.finishable {
                let command = format!("bowline backup finish {}", entry.name);
                text.line("To finish", &command);
            }
        }
        BackupState::Invalid(reason) => text.line("Reason", reason),
        BackupState::Deleting => {
            text.line("To go on", &format!("bowline backup delete {} finishes it", entry.name));
        }
    }
    describe_drills(&mut text, &described.drills);
    text.list("Damaged", &described.damaged);
    describe_results(&mut text, &described.results);
    if let Some(details) = &described.details {
        details.describe(&mut text, &described.backup, &described.volumes);
    } else if !described.volumes.is_empty() {
        text.section("Volumes", &volumes::table(&described.volumes).to_string());
    }
    text
}

fn committed(text: &mut Description, backup: &Backup) {
    let status = &backup.status;
    text.line("Labels", &joined(&backup.metadata.labels));
    text.line("Started", &cell(status.start_timestamp));
    text.line("Completed", &cell(status.completion_timestamp));
    text.line("Expires", &cell(status.expiration));
    text.line("Objects", &cell(status.progress.map(|progress| progress.items_backed_up)));
    let (done, asked) = (status.volume_snapshots_completed, status.volume_snapshots_attempted);
    text.line("Snapshots", &format!("{done} of {asked} completed"));
    let policies = backup.annotation(annotations::VOLUME_POLICIES);
    text.line("Policies", policies.unwrap_or_default());
    let version = backup.annotation("velero.io/source-cluster-k8s-gitversion");
    text.line("Kubernetes", version.unwrap_or_default());
    text.line("Format", &status.format_version);
    text.line("Reason", status.failure_reason.as_deref().unwrap_or_default());
}
