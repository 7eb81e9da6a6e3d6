//! `bowline schedule create`.

use std::fmt;

use jiff::Timestamp;
use uuid::Uuid;

use super::view::kept;
use crate::cli::commands::Outcome;
use crate::cli::commands::keep::KeepArgs;
use crate::cli::commands::labels::MetadataArgs;
use crate::cli::commands::template::{Template, TemplateArgs};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::{OutputArgs, print};
use crate::cli::settings::Settings;
use crate::cli::units::age;
use crate::cli::values;
use crate::cli::velero::Accepted;
use crate::engine::backup::ApiVersions;
use crate::engine::model::backup::{BackupSpec, ResourcePolicy};
use crate::engine::model::duration::GoDuration;
use crate::engine::model::keep::KeepRules;
use crate::engine::model::names;
use crate::engine::model::schedule::{
    ConcurrencyPolicy, Schedule, ScheduleMeta, ScheduleSpec, Terms, VolumePolicies,
};
use crate::engine::schedule::{Cron, change, standing};

/// Have backups made by the clock
///
/// The schedule is kept in the storage location, beside the backups. It makes none by itself: a
/// crontab, schedule run or a `CronJob` of the cluster does, as schedule describe says.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  # every night at two, the backups of a week and of four weeks
  bowline schedule create nightly --schedule '0 2 * * *' --timezone Europe/Berlin \\
      --keep-daily 7 --keep-weekly 4
  # one application, every six hours; see first what would be written
  bowline schedule create shop --schedule '@every 6h' --include-namespaces shop \\
      --dry-run -o yaml")]
pub struct Args {
    /// The schedule's name, with which the names of its backups begin
    pub name: String,
    /// When backups are made: minute, hour, day of the month, month and day of the week, or @daily,
    /// `@every 6h` and the like
    #[arg(long, value_name = "CRON")]
    pub schedule: String,
    /// The time zone in which that is meant, such as Europe/Berlin (default: UTC)
    #[arg(long, value_name = "ZONE")]
    pub timezone: Option<String>,
    /// What a run does that is due while another one is going on: it is left out, is made beside it,
    /// or takes its place
    #[arg(long, value_name = "POLICY", value_enum, ignore_case = true, default_value_t)]
    pub concurrency_policy: Policy,
    /// How late a run may begin; a later one is missed (default: until the next one is due)
    #[arg(long, value_name = "DURATION", value_parser = values::positive)]
    pub starting_deadline: Option<GoDuration>,
    /// Spread the runs of many schedules over this span, each at a place of its own
    #[arg(long, value_name = "DURATION", value_parser = values::positive)]
    pub spread: Option<GoDuration>,
    /// Make it, but have no backups made yet
    #[arg(long)]
    pub paused: bool,
    /// Labels and annotations, which its backups get, too.
    #[command(flatten)]
    pub metadata: MetadataArgs,
    /// Show the schedule; write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// In which form it is printed.
    #[command(flatten)]
    pub output: OutputArgs,
    /// What each backup holds.
    #[command(flatten)]
    pub template: TemplateArgs,
    /// Which of its backups are kept.
    #[command(flatten)]
    pub keep: KeepArgs,
    /// What Velero has besides.
    #[command(flatten)]
    pub accepted: Accepted,
}

/// What a run does that is due while another one is going on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Policy {
    /// It is left out.
    #[default]
    #[value(name = "Forbid")]
    Forbid,
    /// It is made beside the other.
    #[value(name = "Allow")]
    Allow,
    /// It takes the place of the other.
    #[value(name = "Replace")]
    Replace,
}

impl From<Policy> for ConcurrencyPolicy {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::Forbid => Self::Forbid,
            Policy::Allow => Self::Allow,
            Policy::Replace => Self::Replace,
        }
    }
}

pub(super) async fn run(settings: &Settings, args: Args) -> Outcome {
    let (format, dry_run) = (args.output.output, args.dry_run);
    let now = settings.clock.now();
    let mut schedule = schedule(args, now)?;
    let store = settings.store()?;
    change::check_free(&store, schedule.name()).await?;
    let uid = settings.cluster().await?.uid().await;
    schedule.bowline.cluster_uid =
        uid.map_err(|error| CliError::of(&error).within("whose schedule it is cannot be told"))?;
    if !dry_run {
        change::create(&store, &schedule).await?;
    }
    print(format, &schedule, |schedule| Summary { schedule, now, dry_run })?;
    if !dry_run {
        settings.note(&format!("it is run by {}", who_runs(schedule.name())));
    }
    Ok(Exit::Done)
}

/// The schedule that is asked for; whose it is, is not known yet.
fn schedule(args: Args, now: Timestamp) -> Result<Schedule, CliError> {
    check_name(&args.name)?;
    let cron = cron(&args.schedule, args.timezone.as_deref(), now)?;
    check_spread(&cron, args.spread, now)?;
    let keep = args.keep.rules();
    let Template { spec, volume_policies, ttl, api_versions, .. } = args.template.read()?;
    check_lifetime(ttl, &keep)?;
    let resource_policy = volume_policies.as_ref().and_then(reference);
    Ok(Schedule {
        api_version: "velero.io/v1".to_owned(),
        kind: "Schedule".to_owned(),
        metadata: ScheduleMeta {
            name: args.name,
            namespace: "velero".to_owned(),
            uid: Uuid::new_v4().to_string(),
            creation_timestamp: Some(now),
            labels: args.metadata.labels.into_iter().collect(),
            annotations: args.metadata.annotations.into_iter().collect(),
            ..ScheduleMeta::default()
        },
        spec: ScheduleSpec {
            template: BackupSpec { ttl: ttl.map(|ttl| ttl.to_string()), resource_policy, ..spec },
            schedule: args.schedule.trim().to_owned(),
            paused: args.paused,
            ..ScheduleSpec::default()
        },
        bowline: Terms {
            cluster_uid: String::new(),
            since: now,
            timezone: args.timezone,
            concurrency_policy: args.concurrency_policy.into(),
            starting_deadline: args.starting_deadline,
            spread: args.spread,
            keep,
            all_api_versions: api_versions == ApiVersions::All,
            volume_policies,
            rest: serde_json::Map::new(),
        },
    })
}

/// Its name is the value of a label of its backups, and the beginning of their names.
fn check_name(name: &str) -> Result<(), CliError> {
    names::check_backup(name)?;
    if names::label_value(name) != name {
        let fault = format!("\"{name}\" is too long for the name of a schedule");
        return Err(CliError::new(Exit::Usage, fault)
            .with_hint("use at most 63 characters: its backups are labelled with it"));
    }
    Ok(())
}

fn cron(expression: &str, zone: Option<&str>, now: Timestamp) -> Result<Cron, CliError> {
    let usage = |error: CliError, flag: &str| {
        error.within(format!("{flag} is not valid")).with_exit(Exit::Usage)
    };
    let cron = Cron::parse(expression, None)
        .map_err(|error| usage(CliError::of(&error).with_hint(error.hint()), "--schedule"))?;
    let names_zone = ["TZ=", "CRON_TZ="].iter().any(|it| expression.trim().starts_with(it));
    if zone.is_some() && names_zone {
        let fault = "--timezone and the time zone in --schedule cannot be used together";
        return Err(CliError::new(Exit::Usage, fault).with_hint("leave one of them out"));
    }
    let cron = match zone {
        None => cron,
        Some(_) => Cron::parse(expression, zone).map_err(|error| {
            let hint = "name a zone as IANA does, such as Europe/Berlin";
            usage(CliError::of(&error).with_hint(hint), "--timezone")
        })?,
    };
    if cron.next(now).is_none() {
        let fault = format!("--schedule \"{expression}\" is never due");
        return Err(
            CliError::new(Exit::Usage, fault).with_hint("is there a month that has that day?")
        );
    }
    Ok(cron)
}

/// A run must have begun before the next one is due.
fn check_spread(cron: &Cron, spread: Option<GoDuration>, now: Timestamp) -> Result<(), CliError> {
    let Some(spread) = spread else { return Ok(()) };
    let shortest = standing::gaps(cron, now).min().map_or(i128::MAX, |gap| gap.as_nanos());
    if i128::from(spread.as_nanos()) < shortest {
        return Ok(());
    }
    let fault = format!("--spread {spread} is not shorter than the time between two runs");
    Err(CliError::new(Exit::Usage, fault).with_hint("spread them over less"))
}

fn check_lifetime(ttl: Option<GoDuration>, keep: &KeepRules) -> Result<(), CliError> {
    if ttl.is_none() || keep.is_empty() {
        return Ok(());
    }
    let fault = "--ttl and --keep rules cannot be used together";
    Err(CliError::new(Exit::Usage, fault).with_hint(
        "leave out --ttl: a Velero on the same bucket would delete by it what the rules keep; \
         --keep-within keeps by age",
    ))
}

/// How Velero's documents refer to policies.
fn reference(policies: &VolumePolicies) -> Option<ResourcePolicy> {
    match policies {
        VolumePolicies::ConfigMap { namespace, name } if namespace == "velero" => {
            let (kind, name) = ("configmap".to_owned(), name.clone());
            Some(ResourcePolicy { api_group: None, kind, name })
        }
        _ => None,
    }
}

/// Who is to make the backups.
pub(super) fn who_runs(name: &str) -> String {
    format!(
        "a crontab (bowline backup create --from-schedule {name} --expire), bowline schedule run, or \
         a CronJob (bowline schedule deploy {name})"
    )
}

struct Summary<'a> {
    schedule: &'a Schedule,
    now: Timestamp,
    dry_run: bool,
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.schedule.name();
        let standing = standing::Standing::new(self.schedule.clone(), Vec::new(), self.now);
        write!(f, "schedule {name} {} made: ", if self.dry_run { "would be" } else { "is" })?;
        match standing.next {
            Some(next) => {
                write!(f, "its first backup is due {next}, in {}", age(self.now, next))?;
            }
            None => write!(f, "it is paused until bowline schedule unpause {name}")?,
        }
        let kept = kept(self.schedule);
        writeln!(f, "; its backups are kept {}", kept.as_deref().unwrap_or("for ever"))
    }
}
