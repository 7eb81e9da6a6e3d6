//! `bowline restore create`.

use std::collections::BTreeMap;
use std::fmt;

use crate::cli::commands::Outcome;
use crate::cli::commands::filters::FilterArgs;
use crate::cli::commands::labels::MetadataArgs;
use crate::cli::commands::rights::Rights;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::{OutputArgs, print};
use crate::cli::plugins::SnapshotterOptions;
use crate::cli::settings::Settings;
use crate::cli::table::{Table, cell};
use crate::cli::units::counted;
use crate::cli::values;
use crate::cli::velero::Accepted;
use crate::engine::backup;
use crate::engine::model::duration::GoDuration;
use crate::engine::model::names::check_label;
use crate::engine::model::restore::{RestoreSpec, RestoreStatusSpec};
use crate::engine::report::{RestoreReport, VolumeReport};
use crate::engine::restore::{Error, PlanDocument, Request};
use crate::engine::store::check_name;

/// Bring a backup back
///
/// Makes the objects of a backup, new volumes from its snapshots, and waits until all of it is up.
/// What is there already is left as it is. An interrupted restore goes on when the same command is
/// run again under the same name.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  # see what would be done, object by object
  bowline restore create --from-backup nightly --dry-run
  # everything, into the cluster of another context
  bowline restore create --from-backup nightly --kubecontext west
  # one namespace, beside the original
  bowline restore create clone --from-backup nightly --include-namespaces shop \\
      --namespace-mappings shop:shop-clone")]
pub struct Args {
    /// The restore's name (default: the backup's, and the time)
    pub name: Option<String>,
    /// The backup to restore
    #[arg(long, value_name = "BACKUP")]
    pub from_backup: String,
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
    /// Keep the node ports of services, those that the old cluster chose, too (default: only those
    /// that somebody chose)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_missing_value = "true")]
    pub preserve_nodeports: Option<bool>,
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
    /// Show the plan; change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// In which form the report is printed.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Which objects are restored.
    #[command(flatten)]
    pub filters: FilterArgs,
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

pub(super) async fn run(settings: &Settings, args: Args) -> Outcome {
    let format = args.output.output;
    let (dry_run, is_named) = (args.dry_run, args.name.is_some());
    let snapshotters = SnapshotterOptions {
        cluster_name: args.cluster_name.clone().filter(|name| !name.is_empty()),
        trusted_accounts: args.trusted_accounts.clone(),
        kms_key_id: args.ebs_kms_key_id.clone(),
        ..SnapshotterOptions::default()
    };
    let request = request(settings, args)?;
    let progress = settings.progress();
    let engine = settings.engine_with(&progress, snapshotters).await?;
    if dry_run {
        let plan = progress.during(engine.plan_restore(&request)).await?;
        print(format, &plan, PlanTable)?;
        return Ok(Exit::Done);
    }
    let name = &request.name;
    if !is_named {
        settings.note(&format!(
            "this restore is named {name}; should it be interrupted, it goes on under that name"
        ));
    }
    settings.if_interrupted(format!("to go on, {}", again(name, &request.spec.backup_name)));
    let report = progress.during(engine.create_restore(&request)).await?;
    print(format, &report, Summary)?;
    Ok(Exit::of_phase(report.phase))
}

/// What makes an interrupted restore go on.
pub(super) fn again(name: &str, backup: &str) -> String {
    format!(
        "run bowline restore create {name} --from-backup {backup}, with the same flags as before"
    )
}

fn request(settings: &Settings, args: Args) -> Result<Request, CliError> {
    check_name(&args.from_backup).map_err(backup::Error::InvalidName)?;
    let name = args.name.unwrap_or_else(|| default_name(settings, &args.from_backup));
    check_name(&name).map_err(Error::InvalidName)?;
    let namespace_mapping = namespace_mapping(args.namespace_mappings)?;
    let zone_mapping = zone_mapping(args.zone_mappings)?;
    let label_selector = args.filters.label_selector()?;
    let or_label_selectors = args.filters.or_label_selectors()?;
    let restore_status =
        restore_status(args.status_include_resources, args.status_exclude_resources);
    Ok(Request {
        name,
        labels: args.metadata.labels.into_iter().collect(),
        annotations: args.metadata.annotations.into_iter().collect(),
        ready_timeout: args.ready_timeout.to_std().unwrap_or_default(),
        selectors: args.filters.selectors(),
        spec: RestoreSpec {
            backup_name: args.from_backup,
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
            preserve_node_ports: args.preserve_nodeports,
        },
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

/// As Velero names them: the backup and the time, here in UTC.
fn default_name(settings: &Settings, backup: &str) -> String {
    format!("{backup}-{}", settings.clock.now().strftime("%Y%m%d%H%M%S"))
}

struct PlanTable<'a>(&'a PlanDocument);

impl fmt::Display for PlanTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(["STEP", "VERDICT", "RESOURCE", "NAMESPACE", "NAME", "NOTES"]);
        for item in &self.0.items {
            let notes = item.reason.iter().chain(&item.transformations).cloned();
            table.push([
                item.step.clone(),
                item.verdict.word().to_owned(),
                item.resource.clone(),
                cell(item.namespace.as_ref()),
                item.name.clone(),
                notes.collect::<Vec<_>>().join("; "),
            ]);
        }
        write!(f, "{table}")?;
        let counts = self.0.counts.iter().map(|(verdict, count)| format!("{count} {verdict}"));
        write!(f, "\n{}", Rights(&self.0.rights))?;
        writeln!(f, "\n{}", counts.collect::<Vec<_>>().join(", "))
    }
}

pub(super) struct Summary<'a>(pub &'a RestoreReport);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (report, items) = (self.0, &self.0.items);
        write!(f, "restore {} of backup {} is {}", report.name, report.backup, report.phase)?;
        writeln!(
            f,
            ": {} created, {} unchanged, {} skipped, {} failed, {}, {}",
            items.created,
            items.unchanged,
            items.skipped,
            items.failed,
            counted(report.errors.len(), "error"),
            counted(report.warnings.len(), "warning"),
        )?;
        if !report.volumes.is_empty() {
            write!(f, "{}", volumes(&report.volumes))?;
        }
        let same = |volume: &&VolumeReport| volume.state == "reattached";
        report.volumes.iter().filter(same).try_for_each(|volume| {
            let claim = format!("{}/{}", volume.namespace, volume.claim);
            writeln!(f, "not copied: {claim} has the very volume that it had, with policy Retain")
        })
    }
}

fn volumes(volumes: &[VolumeReport]) -> Table<5> {
    let mut table = Table::new(["NAMESPACE", "CLAIM", "VOLUME", "SNAPSHOT", "STATE"]);
    for volume in volumes {
        table.push([
            volume.namespace.clone(),
            volume.claim.clone(),
            cell(volume.volume_id.as_ref()),
            cell(volume.snapshot_id.as_ref()),
            volume.state.clone(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::context::{Granted, Right};
    use crate::engine::report::{ItemCounts, Phase};
    use crate::engine::restore::{PlannedItem, Verdict};

    #[test]
    fn a_plan_shows_every_object_with_its_notes_and_counts_the_verdicts() {
        let item = |verdict, name: &str, reason: Option<&str>, changes: &[&str]| PlannedItem {
            step: "workloads".to_owned(),
            verdict,
            resource: "deployments.apps".to_owned(),
            namespace: Some("shop".to_owned()),
            name: name.to_owned(),
            reason: reason.map(ToOwned::to_owned),
            transformations: changes.iter().map(ToString::to_string).collect(),
        };
        let plan = PlanDocument {
            name: "r".to_owned(),
            backup: "b".to_owned(),
            namespace_mapping: BTreeMap::new(),
            counts: BTreeMap::from([("create", 1), ("skip", 1)]),
            items: vec![
                item(Verdict::Create, "web", Some("new"), &["a", "b"]),
                item(Verdict::Skip, "old", None, &[]),
            ],
            rights: vec![Right {
                action: "create deployments.apps in shop".to_owned(),
                granted: Granted::No,
                reason: None,
            }],
            warnings: Vec::new(),
        };
        let expected = "\
STEP        VERDICT   RESOURCE           NAMESPACE   NAME   NOTES
workloads   create    deployments.apps   shop        web    new; a; b
workloads   skip      deployments.apps   shop        old    <none>

RIGHT                             GRANTED   REASON
create deployments.apps in shop   no        <none>

1 create, 1 skip
";
        assert_eq!(PlanTable(&plan).to_string(), expected);
    }

    #[test]
    fn a_report_names_what_was_not_copied() {
        let volume = |claim: &str, id: &str, state: &str| VolumeReport {
            namespace: "shop".to_owned(),
            claim: claim.to_owned(),
            persistent_volume: None,
            snapshot_id: None,
            volume_id: Some(id.to_owned()),
            state: state.to_owned(),
        };
        let report = RestoreReport {
            name: "r".to_owned(),
            uid: String::new(),
            backup: "b".to_owned(),
            phase: Phase::Completed,
            items: ItemCounts::default(),
            volumes: vec![volume("data", "vol-1", "bound"), volume("media", "fs-1", "reattached")],
            warnings: Vec::new(),
            errors: Vec::new(),
            start_timestamp: "2026-03-01T02:00:00Z".parse().unwrap(),
            completion_timestamp: None,
        };
        let expected = "\
restore r of backup b is Completed: 0 created, 0 unchanged, 0 skipped, 0 failed, 0 errors, 0 warnings
NAMESPACE   CLAIM   VOLUME   SNAPSHOT   STATE
shop        data    vol-1    <none>     bound
shop        media   fs-1     <none>     reattached
not copied: shop/media has the very volume that it had, with policy Retain
";
        assert_eq!(Summary(&report).to_string(), expected);
    }
}
