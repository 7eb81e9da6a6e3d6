//! `bowline backup delete`.

use std::fmt;
use std::sync::Arc;

use serde_json::json;

use crate::cli::commands::Outcome;
use crate::cli::commands::deletion::{Deleted, each_once, exit, question};
use crate::cli::commands::lookup::{failed, not_found};
use crate::cli::confirmation::ConfirmArgs;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::{OutputArgs, print};
use crate::cli::plugins::SnapshotterOptions;
use crate::cli::settings::Settings;
use crate::cli::table::Table;
use crate::cli::units::counted;
use crate::engine::delete::{self, DeleteReport, Request, SnapshotFate};
use crate::engine::event::Observer;
use crate::engine::report::Phase;
use crate::engine::store::BackupStore;

/// Delete backups, and the snapshots of their volumes
///
/// Snapshots go only if their tags say that they are of that very backup. An object lock is
/// respected: as long as a file is retained nothing is touched. A deletion that is interrupted is
/// finished when the same command is run again. Do not delete a backup that is still being made.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  bowline backup delete nightly
  bowline backup delete nightly-1 nightly-2 --confirm -o json")]
pub struct Args {
    /// The backups' names
    #[arg(required = true)]
    pub names: Vec<String>,
    /// Delete them even if none of their snapshots can be seen from here
    ///
    /// Only for snapshots that are gone for good: those of another account or region would be left
    /// behind, with nothing that tells of them.
    #[arg(long)]
    pub ignore_missing_snapshots: bool,
    /// Whether to ask.
    #[command(flatten)]
    pub confirm: ConfirmArgs,
    /// In which form the report is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

pub(super) async fn run(settings: &Settings, args: Args) -> Outcome {
    let names = each_once(&args.names);
    let (store, snapshotters) = settings.store_and_snapshotters(SnapshotterOptions::default())?;
    check_known(&store, &names).await?;
    let consequence = "The snapshots of their volumes go, too; nothing brings them back.";
    args.confirm.ask(settings, &question("backup", &names, consequence)).await?;
    settings.if_interrupted("run the same command again: it finishes the deletion".to_owned());
    let progress = settings.progress();
    let observer: Arc<dyn Observer> = Arc::clone(&progress) as Arc<dyn Observer>;
    let is_alone = names.len() == 1;
    let mut all = Vec::new();
    for name in names {
        let ignore_missing_snapshots = args.ignore_missing_snapshots;
        let request = Request { name, ignore_missing_snapshots };
        let deletion = delete::backup(&store, &snapshotters, &observer, settings.clock, request);
        let result = progress.during(deletion).await;
        all.push(Deleted::of(settings, name, is_alone, result.map_err(CliError::from))?);
    }
    print(args.output.output, &json!({"items": &all}), |_| Summary(&all))?;
    Ok(exit(&all, |report: &DeleteReport| Exit::of_phase(report.phase)))
}

/// All of them must be there before any is touched.
async fn check_known(store: &BackupStore, names: &[&str]) -> Result<(), CliError> {
    let known = store.backup_names().await.map_err(failed)?;
    match names.iter().find(|name| !known.iter().any(|other| other == *name)) {
        Some(name) => Err(not_found("backup", name, known.iter().map(String::as_str), store.url())),
        None => Ok(()),
    }
}

struct Summary<'a>(&'a [Deleted<DeleteReport>]);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reports = self.0.iter().filter_map(|deleted| match deleted {
            Deleted::Report(report) => Some(report),
            Deleted::Failure { .. } => None,
        });
        for report in reports.clone() {
            writeln!(f, "{}", sentence(report))?;
        }
        let mut table = Table::new(["BACKUP", "PROVIDER", "SNAPSHOT", "STATE"]);
        for report in reports {
            for snapshot in &report.snapshots {
                table.push([
                    report.name.clone(),
                    snapshot.provider.clone(),
                    snapshot.id.clone(),
                    snapshot.state.to_string(),
                ]);
            }
        }
        if table.is_empty() { Ok(()) } else { write!(f, "{table}") }
    }
}

fn sentence(report: &DeleteReport) -> String {
    let gone = report.snapshots.iter().filter(|it| it.state == SnapshotFate::Deleted).count();
    let (name, gone) = (&report.name, counted(gone, "snapshot"));
    match report.phase {
        Phase::Completed => format!("backup {name} is deleted, and {gone}"),
        _ => format!("backup {name} is being deleted, and {gone}; run this again to finish"),
    }
}
