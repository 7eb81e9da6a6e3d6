//! `bowline backup delete`.

use std::fmt;
use std::sync::Arc;

use serde_json::json;

use super::get::labels;
use crate::cli::commands::Outcome;
use crate::cli::commands::deletion::{Deleted, exit, question};
use crate::cli::commands::lookup::{failed, none_to_show, not_found};
use crate::cli::commands::selection::DeletionArgs;
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
/// respected: as long as a file is retained nothing is touched. One that is held stays. A deletion that is interrupted is
/// finished when the same command is run again. Do not delete a backup that is still being made.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  bowline backup delete nightly
  bowline backup delete nightly-1 nightly-2 --confirm -o json
  bowline backup delete -l team=web")]
pub struct Args {
    /// Which of them.
    #[command(flatten)]
    pub which: DeletionArgs,
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
    let (store, snapshotters) = settings.store_and_snapshotters(SnapshotterOptions::default())?;
    let names = names(&store, &args.which).await?;
    if names.is_empty() && args.output.is_table() {
        return Ok(none_to_show(settings, "backups", args.which.selector.as_ref(), &store));
    }
    let consequence = "The snapshots of their volumes go, too; nothing brings them back.";
    if !names.is_empty() {
        args.confirm.ask(settings, &question("backup", &names, consequence)).await?;
    }
    settings.if_interrupted(how_to_go_on(&args.which).to_owned());
    let progress = settings.progress();
    let observer: Arc<dyn Observer> = Arc::clone(&progress) as Arc<dyn Observer>;
    let is_alone = names.len() == 1;
    let mut all = Vec::new();
    for name in &names {
        let ignore_missing_snapshots = args.ignore_missing_snapshots;
        let request = Request { name, uid: None, ignore_missing_snapshots };
        let deletion = delete::backup(&store, &snapshotters, &observer, settings.clock, request);
        let result = progress.during(deletion).await;
        all.push(Deleted::of(settings, name, is_alone, result.map_err(CliError::from))?);
    }
    print(args.output.output, &json!({"items": &all}), |_| Summary(&all))?;
    Ok(exit(&all, |report: &DeleteReport| Exit::of_phase(report.phase)))
}

/// The backups that are meant; all that are named must be there before any is touched.
async fn names(store: &BackupStore, which: &DeletionArgs) -> Result<Vec<String>, CliError> {
    if which.selector.is_some() {
        let backups = store.backups().await.map_err(failed)?.into_iter();
        let meant = backups.filter(|entry| which.takes(labels(entry)));
        return Ok(meant.map(|entry| entry.name).collect());
    }
    let known = store.backup_names().await.map_err(failed)?;
    if which.all {
        return Ok(known);
    }
    let names = which.each_name_once();
    match names.iter().find(|name| !known.contains(name)) {
        Some(name) => Err(not_found("backup", name, known.iter().map(String::as_str), store.url())),
        None => Ok(names),
    }
}

/// How a deletion that was interrupted goes on.
fn how_to_go_on(which: &DeletionArgs) -> &'static str {
    if which.selector.is_some() {
        // The labels of what is half gone are gone.
        "delete those that bowline backup get lists as Deleting by their names"
    } else {
        "run the same command again: it finishes the deletion"
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
    let count = |fates: &[SnapshotFate]| {
        report.snapshots.iter().filter(|it| fates.contains(&it.state)).count()
    };
    let (name, gone) = (&report.name, count(&[SnapshotFate::Deleted]));
    let left = count(&[SnapshotFate::Failed]);
    match (report.phase, gone, left) {
        (Phase::Completed, 0, _) => format!("backup {name} is deleted"),
        (Phase::Completed, ..) => {
            format!("backup {name} is deleted, and {}", counted(gone, "snapshot"))
        }
        (_, _, 0) => format!("backup {name} is not deleted yet: run this again to finish"),
        _ => format!(
            "backup {name} is not deleted yet, for {} could not be: run this again to finish",
            counted(left, "snapshot")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::delete::DeletedSnapshot;

    #[test]
    fn a_deletion_is_told_with_what_is_gone_or_with_what_is_left() {
        use SnapshotFate::{Absent, Deleted, Failed};
        let told = |phase, fates: &[SnapshotFate]| {
            let snapshot = |(number, state): (usize, &SnapshotFate)| DeletedSnapshot {
                provider: "aws".to_owned(),
                id: format!("snap-{number}"),
                state: *state,
            };
            sentence(&DeleteReport {
                name: "b".to_owned(),
                uid: None,
                phase,
                location: String::new(),
                snapshots: fates.iter().enumerate().map(snapshot).collect(),
                warnings: Vec::new(),
                errors: Vec::new(),
                start_timestamp: "2026-03-01T02:00:00Z".parse().unwrap(),
                completion_timestamp: None,
            })
        };
        assert_eq!(told(Phase::Completed, &[Absent]), "backup b is deleted");
        assert_eq!(
            told(Phase::Completed, &[Deleted, Deleted]),
            "backup b is deleted, and 2 snapshots"
        );
        assert_eq!(
            told(Phase::PartiallyFailed, &[Deleted, Failed]),
            "backup b is not deleted yet, for 1 snapshot could not be: run this again to finish"
        );
        assert_eq!(
            told(Phase::PartiallyFailed, &[Deleted]),
            "backup b is not deleted yet: run this again to finish"
        );
    }
}
