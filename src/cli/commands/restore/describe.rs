//! `bowline restore describe`.

use serde::Serialize;
use serde_json::{Value, json};

use super::found::{Found, select};
use super::summary::{self, Outcome as OutcomeLines};
use crate::cli::commands::labels::joined;
use crate::cli::commands::lookup::{failed, none_to_show};
use crate::cli::commands::records::{
    Reader, ResourceList, apart, describe_resources, describe_results,
};
use crate::cli::commands::selection::SelectionArgs;
use crate::cli::commands::{Outcome, spec, volumes};
use crate::cli::description::Description;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::{OutputArgs, print};
use crate::cli::problems;
use crate::cli::settings::Settings;
use crate::cli::table::cell;
use crate::engine::logs;
use crate::engine::model::restore::RestoreRecord;
use crate::engine::report::{Phase, RestoreReport};
use crate::engine::store::{BackupStore, RestoreKeys};

/// How many lines of the log are shown of a restore that has not come to its end.
const LAST: usize = 5;

/// Show all that is known of restores
///
/// Without a name, of all of them. For programs, the restore that is asked for by its name is one
/// object; all else is a list. Of a restore that Velero made its results and outcomes are told: what
/// it was asked, and how it ended, is known only in that Velero's cluster.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  bowline restore describe nightly-20260301020000
  bowline restore describe nightly-20260301020000 --details -o json")]
pub struct Args {
    /// Which of them.
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// Show the outcome of every object, too
    #[arg(long)]
    pub details: bool,
    /// In which form it is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// A restore with the files beside its record.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    #[serde(flatten)]
    found: Found,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
    /// The last lines of the log of one that has not come to its end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    last_logged: Vec<String>,
    /// Files that could not be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    damaged: Vec<String>,
}

/// The other records of a restore; absent ones are empty.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Details {
    /// The outcome of every object, by kind.
    resource_list: ResourceList,
    volumes: Vec<Value>,
}

pub(super) async fn run(settings: &Settings, args: Args) -> Outcome {
    let store = settings.store()?;
    let mut described = Vec::new();
    for found in select(settings, &store, &args.selection).await? {
        described.push(describe(settings, &store, found, args.details).await?);
    }
    if described.is_empty() && args.output.is_table() {
        return Ok(none_to_show(settings, "restores", args.selection.selector.as_ref(), &store));
    }
    print(args.output.output, &args.selection.document(&described), |_| apart(&described, text))?;
    let is_whole = described.iter().all(|described| described.damaged.is_empty());
    Ok(if is_whole { Exit::Done } else { Exit::VerificationFailed })
}

async fn describe(
    settings: &Settings,
    store: &BackupStore,
    found: Found,
    with_details: bool,
) -> Result<Described, CliError> {
    let local = settings.local_records().filter(|_| found.local);
    let mut reader = Reader::new(local.as_ref().unwrap_or(store));
    reader.damaged.extend(found.damage.clone());
    let keys = RestoreKeys(&found.name);
    let details = if with_details {
        let place = local.as_ref().unwrap_or(store);
        let [resource_list, volumes] = [keys.resource_list(), keys.volume_info()];
        let resource_list = place.newest(&found.name, &resource_list).await.map_err(failed)?;
        let volumes = place.newest(&found.name, &volumes).await.map_err(failed)?;
        let resource_list = reader.packed(&resource_list).await?;
        Some(Details { resource_list, volumes: reader.packed(&volumes).await? })
    } else {
        None
    };
    let last_logged = if found.phase() == Some(Phase::Incomplete) {
        last_logged(store, local.as_ref(), &found.name).await?
    } else {
        Vec::new()
    };
    let damaged = reader.damaged;
    Ok(Described { found, details, last_logged, damaged })
}

/// How far one came that has not come to its end.
async fn last_logged(
    store: &BackupStore,
    local: Option<&BackupStore>,
    name: &str,
) -> Result<Vec<String>, CliError> {
    let text = logs::Reader::of_restore(store, local, name).read_on().await.map_err(failed)?.text;
    let lines: Vec<_> = text.lines().map(str::to_owned).collect();
    Ok(lines[lines.len().saturating_sub(LAST)..].to_vec())
}

fn text(described: &Described) -> Description {
    let mut text = Description::default();
    let found = &described.found;
    text.line("Name", &found.name);
    match &found.record {
        Some(record) => ours(&mut text, found, record),
        None if found.runs > 0 => text.line("Records", found.keeper()),
        None => text.line("Records", "of Velero, which keeps in its cluster what was asked"),
    }
    text.list("Damaged", &described.damaged);
    if let Some(results) = &found.velero {
        describe_results(&mut text, results);
    }
    if let Some(report) = &found.result {
        outcome(&mut text, report);
    }
    text.list("Last logged", &described.last_logged);
    if let Some(details) = &described.details {
        if found.result.is_none() && !details.volumes.is_empty() {
            text.section("Volumes", &volumes::table(&details.volumes).to_string());
        }
        describe_resources(&mut text, &details.resource_list);
    }
    text
}

fn ours(text: &mut Description, found: &Found, record: &RestoreRecord) {
    let backup = &record.spec.backup_name;
    text.line("Backup", backup);
    text.line("Phase", &cell(found.phase()));
    text.line("Labels", &joined(&record.labels));
    text.line("Annotations", &joined(&record.annotations));
    text.line("Started", &record.start_timestamp.to_string());
    let result = found.result.as_ref().filter(|_| found.phase() != Some(Phase::Incomplete));
    text.line("Completed", &cell(result.and_then(|it| it.completion_timestamp)));
    text.line("UID", &record.uid);
    text.line("Cluster UID", &record.cluster_uid);
    text.line("Written by", &format!("bowline {}", record.version));
    if found.local {
        text.line("Records", "on this machine, since the location took none");
    }
    if found.runs > 1 {
        text.line("Runs", &found.runs.to_string());
    }
    if matches!(found.phase(), Some(Phase::Incomplete | Phase::PartiallyFailed | Phase::Failed)) {
        text.line("To go on", &format!("bowline restore resume {}", found.name));
    }
    let scaled_down = found.scaled_down();
    if !scaled_down.is_empty() {
        let scaled_down = scaled_down.into_iter().collect::<Vec<_>>().join(", ");
        text.line("Scaled down", &format!("{scaled_down}, until it goes on"));
    }
    spec::describe(text, &json!(record.spec));
}

fn outcome(text: &mut Description, report: &RestoreReport) {
    for (title, problems) in [("Errors", &report.errors), ("Warnings", &report.warnings)] {
        let lines = problems::lines(problems);
        if !lines.is_empty() {
            text.section(title, &lines);
        }
    }
    if !report.awaited.is_empty() {
        text.section("Still awaited", &summary::awaited(&report.awaited).to_string());
    }
    text.section("Outcome", &OutcomeLines(report).to_string());
    if !report.kinds.is_empty() {
        text.section("Outcome by kind", &summary::kinds(&report.kinds).to_string());
    }
}
