//! `bowline restore get`.

use jiff::Timestamp;

use super::found::{Found, select};
use crate::cli::commands::Outcome;
use crate::cli::commands::labels::LabelColumnArgs;
use crate::cli::commands::lookup::{none_to_show, selectors};
use crate::cli::commands::selection::SelectionArgs;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::{OutputArgs, print};
use crate::cli::settings::Settings;
use crate::cli::table::{Table, cell};
use crate::cli::units::age;
use crate::engine::model::restore::RestoreRecord;

/// List restores
///
/// Incomplete are those that run still, or were interrupted: which of these, nobody can tell from
/// their records. Those that were, and those with errors, go on with restore resume. The records of restores whose location took none are kept by this machine ("local"). Of
/// the restores that Velero made only results are in the location, and not how they ended.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  bowline restore get
  bowline restore get -l team=web -L team
  bowline restore get nightly-20260301020000 -o json")]
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

pub(super) async fn run(settings: &Settings, args: Args) -> Outcome {
    let store = settings.store()?;
    let found = select(settings, &store, &args.selection).await?;
    if found.is_empty() && args.output.is_table() {
        return Ok(none_to_show(settings, "restores", args.selection.selector.as_ref(), &store));
    }
    let now = settings.clock.now();
    print(args.output.output, &args.selection.document(&found), |_| {
        let mut table = table(&found, now);
        args.columns.add_to(&mut table, &found.iter().map(Found::labels).collect::<Vec<_>>());
        table
    })?;
    let damaged = found.iter().filter_map(Found::record_damage);
    damaged.clone().for_each(|damage| {
        let error = CliError::new(Exit::VerificationFailed, damage);
        settings.complain(&error.with_hint("the file was damaged, or another program wrote it"));
    });
    Ok(if damaged.count() == 0 { Exit::Done } else { Exit::VerificationFailed })
}

const HEADER: [&str; 9] = [
    "NAME",
    "BACKUP",
    "STATUS",
    "ERRORS",
    "WARNINGS",
    "STARTED",
    "COMPLETED",
    "SELECTOR",
    "RECORDS",
];

fn table(found: &[Found], now: Timestamp) -> Table<9> {
    let mut table = Table::new(HEADER);
    for restore in found {
        let Found { record, result, .. } = restore;
        let [errors, warnings] = restore.problems().map(cell);
        let completed = result.as_ref().and_then(|result| result.completion_timestamp);
        let selected = record.as_ref().and_then(|RestoreRecord { spec, .. }| {
            selectors(spec.label_selector.as_ref(), &spec.or_label_selectors)
        });
        table.push([
            restore.name.clone(),
            cell(record.as_ref().map(|record| &record.spec.backup_name)),
            cell(restore.status()),
            errors,
            warnings,
            cell(record.as_ref().map(|record| age(record.start_timestamp, now))),
            cell(completed.map(|time| age(time, now))),
            cell(selected),
            restore.keeper().to_owned(),
        ]);
    }
    table
}
