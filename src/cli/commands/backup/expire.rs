//! `bowline backup expire`.

use std::fmt;

use crate::cli::commands::Outcome;
use crate::cli::exit::Exit;
use crate::cli::output::{OutputArgs, print};
use crate::cli::problems;
use crate::cli::settings::Settings;
use crate::cli::table::{Table, cell};
use crate::cli::units::counted;
use crate::engine::schedule::expire::{self, Fate, Report};

/// Remove the backups that no rule keeps, or whose time has come
///
/// The rules are those of the schedules, and mean only backups of the cluster whose schedule it is;
/// the time is that of --ttl. What is held stays, and so does the last good backup of each schedule
/// and cluster; what Velero made is left to it. Snapshots go with their backups, as with backup
/// delete. Deletions that were interrupted are finished. Needs no cluster.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  bowline backup expire --dry-run
  bowline backup expire --schedule nightly
  bowline backup expire -o json")]
pub struct Args {
    /// Only the backups of this schedule; may be repeated
    #[arg(long = "schedule", value_name = "NAME")]
    pub schedules: Vec<String>,
    /// Only show what would go, and why the rest stays
    #[arg(long)]
    pub dry_run: bool,
    /// In which form the report is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

pub(super) async fn run(settings: &Settings, args: Args) -> Outcome {
    let progress = settings.progress();
    let tools = settings.finishing_tools(&progress)?;
    if !args.dry_run {
        settings.if_interrupted("run the same command again: it finishes what was begun".into());
    }
    let request = expire::Request { schedules: args.schedules, dry_run: args.dry_run };
    let report = progress.during(expire::expire(&tools, &request)).await?;
    print(args.output.output, &report, Summary)?;
    Ok(Exit::of_phase(report.phase))
}

struct Summary<'a>(&'a Report);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = self.0;
        let mut table = Table::new(["NAME", "SCHEDULE", "STATUS", "STARTED", "VERDICT", "REASON"]);
        for fate in &report.backups {
            table.push([
                fate.name.clone(),
                cell(fate.schedule.as_deref()),
                fate.phase.to_string(),
                cell(fate.start_timestamp),
                fate.verdict.to_string(),
                fate.reasons.join(", "),
            ]);
        }
        if !table.is_empty() {
            writeln!(f, "{table}")?;
        }
        write!(f, "{}", problems::sections(&report.errors, &report.warnings))?;
        writeln!(f, "{}", sentence(report))
    }
}

/// What it comes to.
fn sentence(report: &Report) -> String {
    let count =
        |fates: &[Fate]| report.backups.iter().filter(|it| fates.contains(&it.verdict)).count();
    let gone = counted(count(&[Fate::Remove, Fate::Removed]), "backup");
    let stay = count(&[Fate::Keep, Fate::Held, Fate::Retained]);
    let failed = count(&[Fate::Failed]);
    let runs = match report.runs {
        0 => String::new(),
        runs => format!(" and the records of {}", counted(runs, "run")),
    };
    let verb = if report.dry_run { "would go" } else { "went" };
    let failed = match failed {
        0 => String::new(),
        _ => format!(", {failed} could not be removed: run this again to finish"),
    };
    format!("{gone}{runs} {verb}, {stay} stay{failed}")
}
