//! `bowline restore create`.

use std::collections::BTreeMap;

use clap::ValueEnum;

use super::plan_page::{self, PlanTable};
use super::summary::Summary;
use super::treatment::TreatmentArgs;
use super::work;
use crate::cli::commands::Outcome;
use crate::cli::commands::filters::FilterArgs;
use crate::cli::commands::labels::MetadataArgs;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::{OutputArgs, print};
use crate::cli::page::Page;
use crate::cli::settings::Settings;
use crate::cli::values;
use crate::cli::velero::Accepted;
use crate::engine::model::duration::GoDuration;
use crate::engine::model::names::check_label;
use crate::engine::model::restore::{RestoreOptions, RestoreSpec, RestoreStatusSpec};
use crate::engine::restore::{DryRun, Error, Request, Start};
use crate::engine::schedule::standing::Good;
use crate::engine::store::check_name;

/// Bring a backup back
///
/// Makes the objects of a backup, new volumes from its snapshots, and waits until all of it is up.
/// What is there already is left as it is. An interrupted restore goes on with restore resume, or
/// when the same command is run again under the same name.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  # see what would be done, object by object
  bowline restore create --from-backup nightly --dry-run
  # and what the API server would say to it
  bowline restore create --from-backup nightly --dry-run=server
  # the newest good backup of a schedule
  bowline restore create --from-schedule nightly
  # everything, into the cluster of another context
  bowline restore create --from-backup nightly --kubecontext west
  # one namespace, beside the original
  bowline restore create clone --from-backup nightly --include-namespaces shop \\
      --namespace-mappings shop:shop-clone")]
pub struct Args {
    /// The restore's name (default: the backup's, and the time)
    pub name: Option<String>,
    /// The backup to restore
    #[arg(long, value_name = "BACKUP", required_unless_present = "from_schedule")]
    pub from_backup: Option<String>,
    /// Restore the newest good backup of this schedule
    #[arg(long, value_name = "SCHEDULE", conflicts_with = "from_backup")]
    pub from_schedule: Option<String>,
    /// Take one for good in which something failed
    #[arg(long, conflicts_with = "from_backup")]
    pub allow_partially_failed: bool,
    /// Labels and annotations.
    #[command(flatten)]
    pub metadata: MetadataArgs,
    /// Namespaces that come back under another name
    #[arg(long, value_name = "FROM:TO", value_delimiter = ',',
          value_parser = values::mapping)]
    pub namespace_mappings: Vec<(String, String)>,
    /// Zones whose volumes are made in another one (default: the zone that they were in, if the
    /// cluster has nodes there)
    #[arg(long, value_name = "OLD:NEW", value_delimiter = ',',
          value_parser = values::zone_mapping)]
    pub zone_mappings: Vec<(String, String)>,
    /// Make volumes from the snapshots; `false` restores the claims empty (default: true)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_missing_value = "true")]
    pub restore_volumes: Option<bool>,
    /// Restore a claim without a usable snapshot as an EMPTY one, instead of refusing it
    #[arg(long)]
    pub allow_empty_volumes: bool,
    /// The name that AWS knows the cluster by, for the tags that let its EBS driver manage the volumes
    #[arg(long, value_name = "NAME", env = "AWS_CLUSTER_NAME", hide_env_values = true)]
    pub cluster_name: Option<String>,
    /// Accounts of AWS whose shared snapshots may be used, besides your own
    #[arg(long, value_name = "ID", value_delimiter = ',', value_parser = values::account)]
    pub trusted_accounts: Vec<String>,
    /// The KMS key that new EBS volumes are encrypted with (default: the key of the old ones)
    #[arg(long, value_name = "KEY")]
    pub ebs_kms_key_id: Option<String>,
    /// How long what was made may take to be ready; 0 does not wait
    #[arg(long, value_name = "DURATION", default_value = "10m",
          value_parser = values::not_negative)]
    pub ready_timeout: GoDuration,
    /// How long namespaces and objects of the cluster that are being deleted may take until they are
    /// gone, all of them together
    #[arg(long, value_name = "DURATION", default_value = "10m",
          value_parser = values::not_negative)]
    pub terminating_resource_timeout: GoDuration,
    /// Show the plan; change nothing. `server` also has the API server check what would be made,
    /// admission included, but objects whose namespace or definition is not there yet; with it, what is
    /// refused ends in exit code 3, as the restore would
    #[arg(long, value_name = "HOW", value_enum, num_args = 0..=1, require_equals = true,
          default_missing_value = "client")]
    pub dry_run: Option<DryRunArg>,
    /// In which form the report is printed.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Which objects are restored.
    #[command(flatten)]
    pub filters: FilterArgs,
    /// What is done to objects on their way.
    #[command(flatten)]
    pub treatment: TreatmentArgs,
    /// What Velero has besides.
    #[command(flatten)]
    pub accepted: Accepted,
    /// Resources whose recorded status comes back, too; built-in ones only where they are named, no
    /// `*` means them (default: none)
    #[arg(long, value_name = "RESOURCES", value_delimiter = ',', help_heading = "Filters")]
    pub status_include_resources: Vec<String>,
    /// Of those, resources whose status does not; without effect alone
    #[arg(long, value_name = "RESOURCES", value_delimiter = ',', help_heading = "Filters")]
    pub status_exclude_resources: Vec<String>,
}

/// How thoroughly a plan is tried out, in `kubectl`'s words.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum DryRunArg {
    /// What exists is looked at, and nothing is sent
    Client,
    /// What would be made is sent, to be checked and not kept
    Server,
}

impl From<DryRunArg> for DryRun {
    fn from(how: DryRunArg) -> Self {
        match how {
            DryRunArg::Client => Self::Client,
            DryRunArg::Server => Self::Server,
        }
    }
}

pub(super) async fn run(settings: &Settings, args: Args) -> Outcome {
    let format = args.output.output;
    let (dry_run, is_named) = (args.dry_run, args.name.is_some());
    let (from_backup, from_schedule) = (args.from_backup.as_deref(), args.from_schedule.as_deref());
    let good = Good { partially_failed: args.allow_partially_failed };
    let backup = work::backup(settings, from_backup, from_schedule, good).await?;
    let request = request(settings, args, backup)?;
    if let Some(how) = dry_run.map(DryRun::from) {
        let progress = settings.progress();
        let engine = work::engine(settings, &progress, &request.options).await?;
        let mut page = Page::<PlanTable>::new(format, &progress);
        let planned = progress.during(engine.show_restore(&request, how, &mut page)).await;
        return match planned {
            Ok(footer) => {
                page.end(&footer)?;
                Ok(plan_page::exit(how, &footer))
            }
            Err(error) => page.fail(error.into()),
        };
    }
    let report = if is_named {
        Box::pin(work::carry_out(settings, &request)).await?
    } else {
        Box::pin(work::carry_out_unnamed(settings, request)).await?
    };
    print(format, &report, Summary)?;
    Ok(Exit::of_phase(report.phase))
}

fn request(settings: &Settings, args: Args, backup_name: String) -> Result<Request, CliError> {
    let name = args.name.unwrap_or_else(|| work::default_name(settings, &backup_name, 0));
    check_name(&name).map_err(Error::InvalidName)?;
    let namespace_mapping = namespace_mapping(args.namespace_mappings)?;
    let zone_mapping = zone_mapping(args.zone_mappings)?;
    let label_selector = args.filters.label_selector()?;
    let or_label_selectors = args.filters.or_label_selectors()?;
    let restore_status =
        restore_status(args.status_include_resources, args.status_exclude_resources);
    let ready_timeout = args.ready_timeout.to_std().unwrap_or_default();
    let terminating_timeout = args.terminating_resource_timeout.to_std().unwrap_or_default();
    let options = RestoreOptions {
        ready_timeout_seconds: Some(ready_timeout.as_secs()),
        terminating_timeout_seconds: Some(terminating_timeout.as_secs()),
        cluster_name: args.cluster_name.filter(|name| !name.is_empty()),
        trusted_accounts: args.trusted_accounts,
        kms_key_id: args.ebs_kms_key_id,
    };
    Ok(Request {
        name,
        labels: args.metadata.labels.into_iter().collect(),
        annotations: args.metadata.annotations.into_iter().collect(),
        ready_timeout,
        terminating_timeout,
        options,
        start: Start::Either,
        selectors: args.filters.selectors(),
        spec: args.treatment.into_spec(RestoreSpec {
            backup_name,
            included_namespaces: args.filters.include_namespaces,
            excluded_namespaces: args.filters.exclude_namespaces,
            included_resources: args.filters.include_resources,
            excluded_resources: args.filters.exclude_resources,
            include_cluster_resources: args.filters.include_cluster_resources,
            label_selector,
            or_label_selectors,
            namespace_mapping,
            restore_volumes: args.restore_volumes,
            allow_empty_volumes: args.allow_empty_volumes,
            zone_mapping,
            restore_status,
            ..RestoreSpec::default()
        })?,
    })
}

fn restore_status(included: Vec<String>, excluded: Vec<String>) -> Option<RestoreStatusSpec> {
    let is_asked = !included.is_empty() || !excluded.is_empty();
    is_asked
        .then_some(RestoreStatusSpec { included_resources: included, excluded_resources: excluded })
}

/// No namespace may come back twice, and no two in one.
fn namespace_mapping(pairs: Vec<(String, String)>) -> Result<BTreeMap<String, String>, CliError> {
    let mut mapping: BTreeMap<String, String> = BTreeMap::new();
    for (from, to) in pairs {
        check_label(&to).map_err(Error::InvalidMapping)?;
        if mapping.contains_key(&from) {
            return Err(ambiguous(&format!("maps \"{from}\" more than once")));
        }
        if let Some((other, _)) = mapping.iter().find(|(_, known)| **known == to) {
            return Err(ambiguous(&format!("maps both \"{other}\" and \"{from}\" to \"{to}\"")));
        }
        mapping.insert(from, to);
    }
    Ok(mapping)
}

/// Several zones may become one, but none several.
fn zone_mapping(pairs: Vec<(String, String)>) -> Result<BTreeMap<String, String>, CliError> {
    let mut mapping = BTreeMap::new();
    for (old, new) in pairs {
        if mapping.insert(old.clone(), new).is_some() {
            let fault = format!("--zone-mappings maps \"{old}\" more than once");
            return Err(CliError::new(Exit::Usage, fault)
                .with_hint("say once where the volumes of a zone shall go"));
        }
    }
    Ok(mapping)
}

fn ambiguous(fault: &str) -> CliError {
    CliError::new(Exit::Usage, format!("--namespace-mappings {fault}")).with_hint(
        "give each namespace a name of its own; several restores can make several copies",
    )
}
