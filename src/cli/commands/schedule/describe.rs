//! `bowline schedule describe`.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::create::who_runs;
use super::get::{Selected, complain, select};
use super::view::{Shown, kept, phase};
use crate::cli::commands::labels::joined;
use crate::cli::commands::lookup::none_to_show;
use crate::cli::commands::records::apart;
use crate::cli::commands::selection::SelectionArgs;
use crate::cli::commands::{Outcome, spec};
use crate::cli::description::Description;
use crate::cli::error::CliError;
use crate::cli::output::{OutputArgs, print};
use crate::cli::settings::Settings;
use crate::cli::table::{Table, cell};
use crate::engine::event::Silent;
use crate::engine::model::schedule::{Run, VolumePolicies};
use crate::engine::report::Phase;
use crate::engine::schedule::expire::{self, BackupFate, Fate};
use crate::engine::schedule::standing::{Seen, Standing};

/// How many runs that are due next are told.
const UPCOMING: usize = 5;
/// How many runs that were made are told.
const LATEST: usize = 10;

/// Show all that is known of schedules
///
/// Its terms, what its backups hold, when the next ones are due, and what came of the last ones.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  bowline schedule describe nightly
  bowline schedule describe -l team=web -o yaml")]
pub struct Args {
    /// Which of them.
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// In which form it is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// A schedule, how it stands, and its runs.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::cli) struct Described<'a> {
    /// The schedule, and how it stands.
    #[serde(flatten)]
    shown: Shown<'a>,
    /// When the next backups are due.
    upcoming: Vec<Timestamp>,
    /// The newest runs, the newest first.
    runs: Vec<DescribedRun<'a>>,
    /// What the next expiry removes.
    expiring: Vec<&'a BackupFate>,
}

/// A run.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct DescribedRun<'a> {
    /// What its records say.
    #[serde(flatten)]
    run: &'a Run,
    /// How far its backup has come, or how it ended.
    phase: Phase,
    /// Whether its backup is no longer there.
    gone: bool,
}

pub(super) async fn run(settings: &Settings, args: Args) -> Outcome {
    let store = settings.store()?;
    let selected = select(&store, &args.selection, settings.clock.now()).await?;
    let Selected { found, unreadable } = &selected;
    if found.is_empty() && unreadable.is_empty() && args.output.is_table() {
        return Ok(none_to_show(settings, "schedules", args.selection.selector.as_ref(), &store));
    }
    let fates = expiring(settings, found).await?;
    let described: Vec<_> = found.iter().map(|it| Described::of(it, &fates)).collect();
    let texts = found
        .iter()
        .zip(&described)
        .map(|(standing, described)| text(standing, &described.expiring, store.url()));
    let texts: Vec<_> = texts.collect::<Result<_, CliError>>()?;
    print(args.output.output, &selected.document(&args.selection, &described), |_| {
        apart(&texts, Description::clone)
    })?;
    Ok(complain(settings, unreadable))
}

/// What the next expiry removes of the backups of these schedules.
async fn expiring(settings: &Settings, found: &[Standing]) -> Result<Vec<BackupFate>, CliError> {
    let schedules: Vec<_> = found.iter().map(|it| it.schedule.name().to_owned()).collect();
    if schedules.is_empty() {
        return Ok(Vec::new());
    }
    let tools = settings.finishing_tools(&settings.progress())?;
    let tools = expire::Tools { observer: Arc::new(Silent), ..tools };
    let report = expire::expire(&tools, &expire::Request { schedules, dry_run: true }).await?;
    let goes = |fate: &BackupFate| fate.verdict == Fate::Remove;
    Ok(report.backups.into_iter().filter(goes).collect())
}

impl<'a> Described<'a> {
    fn of(standing: &'a Standing, fates: &'a [BackupFate]) -> Self {
        let schedule = &standing.schedule;
        let is_own = |fate: &&BackupFate| {
            fate.schedule.as_deref() == Some(schedule.name())
                && fate.cluster_uid.as_deref() == Some(&schedule.bowline.cluster_uid)
        };
        let runs = standing.runs.iter().take(LATEST);
        Self {
            shown: Shown::of(standing),
            upcoming: standing.upcoming(UPCOMING),
            runs: runs
                .map(|seen| DescribedRun { run: &seen.run, phase: seen.phase, gone: seen.is_gone })
                .collect(),
            expiring: fates.iter().filter(is_own).collect(),
        }
    }
}

fn text(
    standing: &Standing,
    expiring: &[&BackupFate],
    location: &str,
) -> Result<Description, CliError> {
    let schedule = &standing.schedule;
    let mut text = Description::default();
    text.line("Name", schedule.name());
    text.line("Location", location);
    text.line("Status", phase(standing));
    if let Some(fault) = standing.fault() {
        text.line("Reason", &fault);
    }
    text.line("Labels", &joined(&schedule.metadata.labels));
    text.line("Annotations", &joined(&schedule.metadata.annotations));
    text.line("Created", &cell(schedule.metadata.creation_timestamp));
    text.line("Cluster", &schedule.bowline.cluster_uid);
    text.line("Paused", if schedule.spec.paused { "true" } else { "" });
    text.line("Run by", &who_runs(schedule.name()));
    terms(&mut text, standing);
    spec::describe(&mut text, &serde_json::to_value(&schedule.spec.template)?);
    upcoming(&mut text, standing);
    runs(&mut text, standing);
    let goes = |fate: &&BackupFate| format!("{}: {}", fate.name, fate.reasons.join("; "));
    text.list("Goes with the next expiry", expiring.iter().map(goes));
    Ok(text)
}

fn terms(text: &mut Description, standing: &Standing) {
    let (schedule, terms) = (&standing.schedule, &standing.schedule.bowline);
    let policies = terms.volume_policies.as_ref().map(|policies| match policies {
        VolumePolicies::ConfigMap { namespace, name } => format!("ConfigMap {namespace}/{name}"),
        VolumePolicies::File { name, .. } => format!("file {name}, as it was then"),
    });
    let missed = standing.missed.to_string();
    text.group(
        "Terms",
        &[
            ("Schedule", schedule.spec.schedule.clone()),
            ("Time zone", cell(terms.timezone.as_ref())),
            ("In force since", terms.since.to_string()),
            ("Concurrency", format!("{:?}", terms.concurrency_policy)),
            ("Starting deadline", cell(terms.starting_deadline)),
            ("Spread", cell(terms.spread)),
            ("Kept", kept(schedule).unwrap_or_else(|| "for ever".to_owned())),
            ("API versions", if terms.all_api_versions { "all" } else { "" }.to_owned()),
            ("Volume policies", policies.unwrap_or_default()),
            ("Last success", cell(standing.last_success)),
            ("Missed since", if standing.missed > 0 { missed } else { String::new() }),
        ],
    );
}

/// When the next ones are due, on the clocks of its own zone and of everybody's.
fn upcoming(text: &mut Description, standing: &Standing) {
    let Ok(cron) = &standing.cron else { return };
    let mut table = Table::new(["LOCAL TIME", "UTC"]);
    for due in standing.upcoming(UPCOMING) {
        let local = due.to_zoned(cron.zone().clone());
        table.push([local.strftime("%Y-%m-%d %H:%M:%S %Z").to_string(), due.to_string()]);
    }
    if !table.is_empty() {
        text.section("Next runs", &table.to_string());
    }
}

fn runs(text: &mut Description, standing: &Standing) {
    let mut table = Table::new(["BACKUP", "PHASE", "DUE", "BEGUN", "ENDED", "MISSED", "NOTES"]);
    for seen in standing.runs.iter().take(LATEST) {
        let Run { record, result } = &seen.run;
        let ended = result.as_ref().map(|result| result.completion_timestamp);
        table.push([
            record.backup.clone(),
            seen.phase.to_string(),
            cell(record.due),
            record.start_timestamp.to_string(),
            cell(ended.or(seen.completed)),
            record.missed.to_string(),
            notes(seen, &standing.schedule.bowline.cluster_uid),
        ]);
    }
    if !table.is_empty() {
        text.section("Last runs", &table.to_string());
    }
}

fn notes(seen: &Seen, owner: &str) -> String {
    let Run { record, result } = &seen.run;
    let error = result.as_ref().and_then(|result| result.error.clone());
    let other = (record.cluster_uid != owner).then(|| format!("of cluster {}", record.cluster_uid));
    let gone = seen.is_gone.then(|| "its backup is gone".to_owned());
    let open = result.is_none().then(|| format!("begun by {}", record.holder));
    [error, other, gone, open].into_iter().flatten().collect::<Vec<_>>().join("; ")
}
