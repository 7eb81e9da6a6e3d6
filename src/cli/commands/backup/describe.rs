//! `bowline backup describe`.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::get::{document, find, phase};
use crate::cli::commands::Outcome;
use crate::cli::commands::lookup::failed;
use crate::cli::description::Description;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::{OutputArgs, print};
use crate::cli::settings::Settings;
use crate::cli::table::{Table, cell};
use crate::engine::model::backup::Backup;
use crate::engine::model::results::{BackupResults, Messages};
use crate::engine::model::volume::VolumeInfo;
use crate::engine::report::chain;
use crate::engine::store::{BackupEntry, BackupKeys, BackupState, BackupStore, Error};

/// Show all that is known of a backup
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  bowline backup describe nightly
  bowline backup describe nightly -o yaml")]
pub struct Args {
    /// The backup's name
    pub name: String,
    /// In which form it is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// A backup with the files beside it.
#[derive(Debug, Serialize)]
struct Described {
    location: String,
    backup: Value,
    volumes: Vec<VolumeInfo>,
    results: BackupResults,
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
    let described = describe(&store, find(&store, &args.name).await?).await?;
    print(args.output.output, &described, text)?;
    let is_valid = !matches!(described.entry.state, BackupState::Invalid(_));
    let is_whole = is_valid && described.damaged.is_empty();
    Ok(if is_whole { Exit::Done } else { Exit::VerificationFailed })
}

async fn describe(store: &BackupStore, entry: BackupEntry) -> Result<Described, CliError> {
    let keys = BackupKeys(&entry.name);
    let mut damaged = Vec::new();
    let is_incomplete = matches!(entry.state, BackupState::Incomplete(_));
    let finishable = is_incomplete && store.is_finishable(&entry.name).await.map_err(failed)?;
    Ok(Described {
        location: store.url().to_owned(),
        backup: document(&entry),
        volumes: beside(store, &keys.volume_info(), &mut damaged).await?,
        results: beside(store, &keys.results(), &mut damaged).await?,
        damaged,
        finishable,
        entry,
    })
}

/// Reads a file; one that is damaged does not keep the rest from being told.
async fn beside<T: DeserializeOwned + Default>(
    store: &BackupStore,
    key: &str,
    damaged: &mut Vec<String>,
) -> Result<T, CliError> {
    match store.json_gz(key).await {
        Err(error @ (Error::Malformed { .. } | Error::TooLarge { .. })) => {
            damaged.push(chain(&error));
            Ok(T::default())
        }
        other => other.map_err(failed),
    }
}

fn text(described: &Described) -> Description {
    let mut text = Description::default();
    let entry = &described.entry;
    text.line("Name", &entry.name);
    text.line("Location", &described.location);
    text.line("Phase", &phase(&entry.state).to_string());
    match &entry.state {
        BackupState::Committed(backup) => committed(&mut text, backup),
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
    text.list("Damaged", &described.damaged);
    text.list("Errors", messages(&described.results.errors));
    text.list("Warnings", messages(&described.results.warnings));
    if !described.volumes.is_empty() {
        text.section("Volumes", &volumes(&described.volumes).to_string());
    }
    text
}

fn committed(text: &mut Description, backup: &Backup) {
    let (spec, status) = (&backup.spec, &backup.status);
    let labels = backup.metadata.labels.iter().map(|(key, value)| format!("{key}={value}"));
    text.line("Labels", &labels.collect::<Vec<_>>().join(", "));
    text.line("Started", &cell(status.start_timestamp));
    text.line("Completed", &cell(status.completion_timestamp));
    text.line("Expires", &cell(status.expiration));
    text.line("Objects", &cell(status.progress.map(|progress| progress.items_backed_up)));
    let (done, asked) = (status.volume_snapshots_completed, status.volume_snapshots_attempted);
    text.line("Snapshots", &format!("{done} of {asked} completed"));
    text.line("Namespaces", &list(&spec.included_namespaces, "*"));
    text.line("  left out", &list(&spec.excluded_namespaces, ""));
    text.line("Resources", &list(&spec.included_resources, "*"));
    text.line("  left out", &list(&spec.excluded_resources, ""));
    text.line("Selector", &cell(spec.label_selector.as_ref()));
    let version = backup.annotation("velero.io/source-cluster-k8s-gitversion");
    text.line("Kubernetes", version.unwrap_or_default());
    text.line("Format", &status.format_version);
    text.line("Reason", status.failure_reason.as_deref().unwrap_or_default());
}

fn list(items: &[String], none: &str) -> String {
    if items.is_empty() { none.to_owned() } else { items.join(", ") }
}

fn messages(messages: &Messages) -> impl Iterator<Item = &String> {
    let namespaced = messages.namespaces.values().flatten();
    messages.velero.iter().chain(&messages.cluster).chain(namespaced)
}

fn volumes(volumes: &[VolumeInfo]) -> Table<5> {
    let mut table = Table::new(["NAMESPACE", "CLAIM", "VOLUME", "SNAPSHOT", "RESULT"]);
    for volume in volumes {
        let snapshot = volume.native_snapshot_info.as_ref().map(|info| &info.snapshot_handle);
        let result = volume.result.clone().or_else(|| volume.skipped_reason.clone());
        table.push([
            cell(volume.pvc_namespace.as_ref()),
            cell(volume.pvc_name.as_ref()),
            volume.pv_name.clone(),
            cell(snapshot),
            cell(result),
        ]);
    }
    table
}
