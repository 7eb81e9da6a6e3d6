//! `bowline backup create --from-schedule`, and `bowline schedule trigger`.

use std::fmt;

use serde::Serialize;

use super::create::{Args, Summary, show};
use crate::cli::commands::Outcome;
use crate::cli::commands::labels::MetadataArgs;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::outlets::OutletArgs;
use crate::cli::output::{OutputFormat, print};
use crate::cli::plugins::SnapshotterOptions;
use crate::cli::problems;
use crate::cli::settings::Settings;
use crate::cli::units::counted;
use crate::engine::model::schedule::Schedule;
use crate::engine::report::BackupReport;
use crate::engine::schedule::attempt::{Attempted, Occasion, attempt, record_failure};
use crate::engine::schedule::expire::{self, Fate};
use crate::engine::schedule::{change, template};

/// What came of a schedule's run.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(in crate::cli) struct Report {
    /// The schedule.
    schedule: String,
    /// Why no backup was made, if another run is in its place or the schedule is paused; the fields
    /// of the backup are absent then.
    left_out: Option<String>,
    /// The backup.
    #[serde(flatten)]
    backup: Option<BackupReport>,
    /// What became of the schedule's older backups; `null` without `--expire`.
    expired: Option<expire::Report>,
}

pub(super) async fn run(settings: &Settings, name: &str, args: &Args) -> Outcome {
    let mut schedule = change::find(&settings.store()?, name).await?.document;
    add(&args.metadata, &mut schedule);
    if args.dry_run {
        let request = template::request(&schedule, name)?;
        return show(settings, args.output.output, &request).await;
    }
    let (expire, format, outlets) = (args.expire, args.output.output, &args.outlets);
    let work = Work { paused_too: false, expire, format, outlets };
    Box::pin(carry_out(settings, &schedule, work)).await
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli::commands) struct Work<'a> {
    /// Whether a backup is made of a schedule that is paused.
    pub paused_too: bool,
    /// Whether its older backups are expired then.
    pub expire: bool,
    /// In which form it is told.
    pub format: OutputFormat,
    /// Who else is told.
    pub outlets: &'a OutletArgs,
}

/// Adds labels and annotations to those that the schedule's backups get.
fn add(metadata: &MetadataArgs, schedule: &mut Schedule) {
    let template = &mut schedule.spec.template.metadata.labels;
    let labels = if template.is_empty() { &mut schedule.metadata.labels } else { template };
    labels.extend(metadata.labels.iter().cloned());
    schedule.metadata.annotations.extend(metadata.annotations.iter().cloned());
}

/// Makes a run of a schedule because somebody asks for it, and then expires its older backups if that
/// is asked, too.
///
/// A run that is left out is no failure: a crontab asks, whether the schedule is paused or the run
/// before still works.
pub(in crate::cli::commands) async fn carry_out(
    settings: &Settings,
    schedule: &Schedule,
    Work { paused_too, expire, format, outlets }: Work<'_>,
) -> Outcome {
    let (progress, store) = (settings.progress(), settings.store()?);
    let attempted = if schedule.spec.paused && !paused_too {
        let reason =
            format!("it is paused; bowline schedule trigger {} makes one", schedule.name());
        Attempted::LeftOut { reason }
    } else {
        let context = match settings.context(&progress, SnapshotterOptions::default()).await {
            Ok(context) => context,
            Err(error) => {
                let tools = settings.finishing_tools(&progress)?;
                record_failure(&tools, schedule, error.chain()).await;
                outlets.tell_failure(settings, store.url(), schedule, &error).await;
                outlets.tell_standing(settings, &store, schedule).await;
                return Err(error);
            }
        };
        settings.if_interrupted(
            "the next run of the schedule finishes or clears what this one has begun".to_owned(),
        );
        let attempt = Box::pin(attempt(&context, schedule, Occasion::Asked));
        let attempted = progress.during(attempt).await;
        outlets.tell_attempt(settings, store.url(), schedule, attempted.as_ref()).await;
        if attempted.is_err() {
            outlets.tell_standing(settings, &store, schedule).await;
        }
        attempted?
    };
    let (left_out, backup) = match attempted {
        Attempted::Made(report) => (None, Some(*report)),
        Attempted::LeftOut { reason } => (Some(reason), None),
    };
    let mut report =
        Report { schedule: schedule.name().to_owned(), left_out, backup, expired: None };
    if expire {
        let tools = settings.finishing_tools(&progress)?;
        let request = expire::Request { schedules: vec![report.schedule.clone()], dry_run: false };
        match progress.during(expire::expire(&tools, &request)).await {
            Ok(expired) => report.expired = Some(expired),
            Err(error) => {
                outlets.tell_standing(settings, &store, schedule).await;
                print(format, &report, |report| report)?;
                let error = CliError::of(&error).within("its older backups were not expired");
                settings.complain(&error);
                return Ok(Exit::PartlyFailed);
            }
        }
    }
    outlets.tell_standing(settings, &store, schedule).await;
    print(format, &report, |report| report)?;
    Ok(report.exit())
}

impl Report {
    /// The exit of the worse part.
    fn exit(&self) -> Exit {
        let backup = self.backup.as_ref().map_or(Exit::Done, |it| Exit::of_phase(it.phase));
        let expired = self.expired.as_ref().map_or(Exit::Done, |it| Exit::of_phase(it.phase));
        if backup == Exit::Done { expired } else { backup }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(backup) = &self.backup {
            write!(f, "{}", Summary(backup))?;
        }
        if let Some(reason) = &self.left_out {
            writeln!(f, "schedule {} made no backup: {reason}", self.schedule)?;
        }
        let Some(expired) = &self.expired else { return Ok(()) };
        write!(f, "{}", problems::sections(&expired.errors, &expired.warnings))?;
        let count = |fate| expired.backups.iter().filter(|it| it.verdict == fate).count();
        let (gone, failed) = (count(Fate::Removed), count(Fate::Failed));
        write!(f, "expired: {} removed", counted(gone, "backup"))?;
        if failed > 0 {
            write!(f, ", {failed} could not be")?;
        }
        writeln!(f)
    }
}
