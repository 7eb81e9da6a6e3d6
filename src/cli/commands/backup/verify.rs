//! `bowline backup verify`.

use std::fmt;
use std::sync::Arc;

use clap::ValueEnum;
use serde::Serialize;
use serde_json::json;

use crate::cli::commands::Outcome;
use crate::cli::commands::selection::each_once;
use crate::cli::description::Description;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::{OutputArgs, print};
use crate::cli::plugins::SnapshotterOptions;
use crate::cli::settings::Settings;
use crate::cli::style::printable;
use crate::cli::table::Table;
use crate::cli::values::account;
use crate::engine::event::Observer;
use crate::engine::verify::{self, CheckResult, Finding, Level, VerifyReport};

/// See whether backups can be restored
///
/// Looks at what a restore would use, and names all that is wrong. Needs no cluster, and writes
/// nothing. The data in snapshots is not read: a provider answers for that. Backups of Velero's have
/// no digests; that is told, and what can be compared is.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  bowline backup verify nightly
  bowline backup verify nightly weekly --level hash -o json")]
pub struct Args {
    /// The backups' names
    #[arg(required = true)]
    pub names: Vec<String>,
    /// How thoroughly; each level holds those before it
    #[arg(long, value_enum, value_name = "LEVEL", default_value = "snapshots")]
    pub level: LevelArg,
    /// Accounts whose snapshots may be used besides your own
    #[arg(long, value_name = "ACCOUNT", value_delimiter = ',', value_parser = account)]
    pub trusted_accounts: Vec<String>,
    /// In which form the report is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// The levels, as they are typed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LevelArg {
    /// The backup came to its end, and all its files are there in full
    Exists,
    /// Every byte of every file is the one that was written
    Hash,
    /// The archive can be read, and all files tell the same of it
    Parse,
    /// The snapshots are there, complete, and those that the backup made
    Snapshots,
}

impl From<LevelArg> for Level {
    fn from(level: LevelArg) -> Self {
        match level {
            LevelArg::Exists => Self::Exists,
            LevelArg::Hash => Self::Hash,
            LevelArg::Parse => Self::Parse,
            LevelArg::Snapshots => Self::Snapshots,
        }
    }
}

/// What came of one of them.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Verified {
    Report(VerifyReport),
    Failure { name: String, error: CliError },
}

pub(super) async fn run(settings: &Settings, args: Args) -> Outcome {
    let names = each_once(&args.names);
    let trusted_accounts = args.trusted_accounts.clone();
    let options = SnapshotterOptions { trusted_accounts, ..SnapshotterOptions::default() };
    let (store, snapshotters) = settings.store_and_snapshotters(options)?;
    let progress = settings.progress();
    let observer: Arc<dyn Observer> = Arc::clone(&progress) as Arc<dyn Observer>;
    let mut all = Vec::new();
    for name in &names {
        let looked = verify::backup(&store, &snapshotters, &observer, name, args.level.into());
        match progress.during(looked).await.map_err(CliError::from) {
            Ok(report) => all.push(Verified::Report(report)),
            Err(error) if names.len() == 1 => return Err(error),
            Err(error) => {
                settings.complain(&error);
                all.push(Verified::Failure { name: (*name).to_owned(), error });
            }
        }
    }
    match &all[..] {
        [Verified::Report(report)] => print(args.output.output, report, text)?,
        _ => print(args.output.output, &json!({"items": &all}), |_| Texts(&all))?,
    }
    all.iter().filter_map(unreachable).for_each(|error| settings.complain(&error));
    Ok(worst(&all))
}

/// The error of a provider that gave no answer.
fn unreachable(verified: &Verified) -> Option<CliError> {
    let Verified::Report(report) = verified else { return None };
    let check = report.checks.iter().find(|check| check.result == CheckResult::Unreachable)?;
    let message = format!("the snapshots of backup \"{}\" could not be looked at", report.name);
    let mut error = CliError::new(Exit::Unreachable, message);
    error.causes.push(check.detail.clone());
    Some(error.with_hint("check your credentials and AWS_REGION; --level parse asks no provider"))
}

/// How the whole ends: something wrong goes before something that could not be looked at.
fn worst(all: &[Verified]) -> Exit {
    let exits: Vec<Exit> = all.iter().map(exit).collect();
    let order = [Exit::VerificationFailed, Exit::Unreachable, Exit::NotFound, Exit::Failed];
    order.into_iter().find(|exit| exits.contains(exit)).unwrap_or(Exit::Done)
}

fn exit(verified: &Verified) -> Exit {
    match verified {
        Verified::Failure { error, .. } => error.exit,
        Verified::Report(report) if report.verified => Exit::Done,
        Verified::Report(report) if report.problems.is_empty() => Exit::Unreachable,
        Verified::Report(_) => Exit::VerificationFailed,
    }
}

struct Texts<'a>(&'a [Verified]);

impl fmt::Display for Texts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reports = self.0.iter().filter_map(|verified| match verified {
            Verified::Report(report) => Some(report),
            Verified::Failure { .. } => None,
        });
        for (index, report) in reports.enumerate() {
            let space = if index == 0 { "" } else { "\n" };
            write!(f, "{space}{}", text(report))?;
        }
        Ok(())
    }
}

fn text(report: &VerifyReport) -> Description {
    let mut text = Description::default();
    text.line("Name", &report.name);
    text.line("Location", &report.location);
    text.line("Phase", &report.phase.to_string());
    text.line("Level", report.level.word());
    text.line("Verified", if report.verified { "yes" } else { "no" });
    let mut checks = Table::new(["CHECK", "RESULT", "DETAIL"]);
    for check in &report.checks {
        let words = check.result.words().to_owned();
        checks.push([check.check.to_owned(), words, check.detail.clone()]);
    }
    text.section("Checks", &checks.to_string());
    for (title, findings) in [("Problems", &report.problems), ("Warnings", &report.warnings)] {
        let lines: String = findings.iter().map(finding).collect();
        if !lines.is_empty() {
            text.section(title, &lines);
        }
    }
    text
}

fn finding(Finding { about, name, message, hint, .. }: &Finding) -> String {
    let line = format!("{} {name}: {message}", about.word());
    let hint = hint.as_deref().map(|hint| format!("    hint: {}\n", printable(hint)));
    format!("  {}\n{}", printable(&line), hint.unwrap_or_default())
}
