//! `bowline restore delete`.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;
use serde_json::json;

use super::found::{Found, all, look_up, names};
use crate::cli::commands::Outcome;
use crate::cli::commands::deletion::{Deleted, exit, question};
use crate::cli::commands::lookup::{none_to_show, not_found};
use crate::cli::commands::selection::DeletionArgs;
use crate::cli::confirmation::ConfirmArgs;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::{OutputArgs, print};
use crate::cli::settings::Settings;
use crate::engine::delete;
use crate::engine::report::Phase;
use crate::engine::store::BackupStore;

/// Delete the records of restores
///
/// What was restored stays: objects, volumes and all. An interrupted restore cannot go on without
/// its record: one that may have left workloads scaled down is deleted with --force only.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  bowline restore delete nightly-20260301020000
  bowline restore delete one two --confirm
  bowline restore delete --all --confirm")]
pub struct Args {
    /// Which of them.
    #[command(flatten)]
    pub which: DeletionArgs,
    /// Whether to ask.
    #[command(flatten)]
    pub confirm: ConfirmArgs,
    /// Delete also what may have left workloads scaled down, and leave these to you
    #[arg(long)]
    pub force: bool,
    /// In which form the report is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// A restore whose records are gone.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::cli) struct Report {
    /// The restore's name.
    name: String,
    /// How the deletion ended.
    phase: Phase,
}

pub(super) async fn run(settings: &Settings, args: Args) -> Outcome {
    let (store, local) = (settings.store()?, settings.local_records());
    let wanted = wanted(settings, &store, &args.which).await?;
    if wanted.is_empty() && args.output.is_table() {
        return Ok(none_to_show(settings, "restores", args.which.selector.as_ref(), &store));
    }
    let is_alone = wanted.len() == 1;
    let mut checked = Vec::new();
    for name in &wanted {
        match check(name, look_up(settings, &store, name).await, args.force) {
            Err(error) if is_alone => return Err(error),
            result => checked.push(result),
        }
    }
    let consequence = "Only records go; what was restored stays.";
    if !wanted.is_empty() {
        args.confirm.ask(settings, &question("restore", &wanted, consequence)).await?;
    }
    settings.if_interrupted("run the same command again: it finishes the deletion".to_owned());
    let mut all = Vec::new();
    for (name, checked) in wanted.iter().zip(checked) {
        let result = match checked {
            Err(error) => Err(error),
            Ok(scaled_down) => delete::restore(&store, local.as_ref(), settings.clock, name)
                .await
                .map(|()| scaled_down.iter().for_each(|workload| tell(workload)))
                .map_err(CliError::from),
        };
        let report = result.map(|()| Report { name: name.clone(), phase: Phase::Completed });
        all.push(Deleted::of(settings, name, is_alone, report)?);
    }
    print(args.output.output, &json!({"items": &all}), |_| Summary(&all))?;
    Ok(exit(&all, |_| Exit::Done))
}

/// The workloads that stay scaled down as a restore that is deleted does not go on; unless forced it
/// is an error if there are any, or if that is not known.
fn check(
    name: &str,
    found: Result<Option<Found>, CliError>,
    force: bool,
) -> Result<BTreeSet<String>, CliError> {
    let found = match found {
        Err(_) if force => None,
        found => found?,
    };
    let Some(found) = found else { return Ok(BTreeSet::new()) };
    let scaled_down = found.scaled_down();
    match found.record_damage().filter(|_| !force) {
        Some(damage) => Err(unknown(name, damage)),
        None if scaled_down.is_empty() || force => Ok(scaled_down),
        None => Err(refusal(name, scaled_down)),
    }
}

fn unknown(name: &str, damage: &str) -> CliError {
    let message =
        format!("whether restore \"{name}\" left workloads scaled down is not known: {damage}");
    CliError::new(Exit::Failed, message).with_hint("--force deletes its record all the same")
}

fn refusal(name: &str, workloads: BTreeSet<String>) -> CliError {
    let workloads = workloads.into_iter().collect::<Vec<_>>().join(" and ");
    let message = format!("restore \"{name}\" may have left {workloads} scaled down");
    CliError::new(Exit::Failed, message).with_hint(format!(
        "bowline restore resume {name} ends it, and gives back the pods; --force deletes its record \
         all the same"
    ))
}

/// Tells how a workload gets its pods back that nobody knows of any more.
fn tell(workload: &str) {
    let (namespace, name) = workload.split_once('/').unwrap_or(("default", workload));
    tracing::warn!(
        "{workload} may be scaled down still: kubectl --namespace={namespace} get \
         deployments,statefulsets {name} -o yaml tells by its annotation bowline.io/quiesced how \
         many pods it had, and kubectl scale gives them back"
    );
}

/// The restores that are meant; all that are named must be there before any is touched.
async fn wanted(
    settings: &Settings,
    store: &BackupStore,
    which: &DeletionArgs,
) -> Result<Vec<String>, CliError> {
    if which.selector.is_some() {
        let meant = all(settings, store).await?.into_iter();
        let meant = meant.filter(|found: &Found| which.takes(found.labels()));
        return Ok(meant.map(|found| found.name).collect());
    }
    let known = names(settings, store).await?;
    if which.all {
        return Ok(known);
    }
    let wanted = which.each_name_once();
    match wanted.iter().find(|name| !known.contains(name)) {
        Some(name) => {
            Err(not_found("restore", name, known.iter().map(String::as_str), store.url()))
        }
        None => Ok(wanted),
    }
}

struct Summary<'a>(&'a [Deleted<Report>]);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|deleted| match deleted {
            Deleted::Report(report) => writeln!(f, "restore {} is deleted", report.name),
            Deleted::Failure { .. } => Ok(()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_cannot_be_looked_up_is_deleted_by_force_only() {
        let failed = || Err(CliError::new(Exit::Unreachable, "the location cannot be reached"));
        assert_eq!(check("copy", failed(), false).unwrap_err().exit, Exit::Unreachable);
        assert_eq!(check("copy", failed(), true), Ok(BTreeSet::new()));
        assert_eq!(check("copy", Ok(None), false), Ok(BTreeSet::new()));
    }
}
