//! `bowline backup create`.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use super::finish;
use crate::cli::commands::Outcome;
use crate::cli::commands::filters::{FilterArgs, ScopedFilterArgs};
use crate::cli::commands::hooks;
use crate::cli::commands::labels::MetadataArgs;
use crate::cli::commands::rights::Rights;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::{OutputArgs, print};
use crate::cli::problems;
use crate::cli::settings::Settings;
use crate::cli::table::{Table, cell};
use crate::cli::units::counted;
use crate::cli::values;
use crate::cli::velero::Accepted;
use crate::engine::backup::{
    ApiVersions, Error, LeftOut, Plan, PlannedHook, PlannedVolume, PolicySource, Request,
};
use crate::engine::event::Stage;
use crate::engine::model::backup::BackupSpec;
use crate::engine::model::duration::GoDuration;
use crate::engine::model::filter::Order;
use crate::engine::model::hooks::BackupHooks;
use crate::engine::model::policy::{Origin, Policies};
use crate::engine::report::{BackupReport, SnapshotReport};
use crate::engine::store::check_name;

/// Make a backup
///
/// Writes the objects of the chosen namespaces to the storage location and takes a snapshot of the
/// volume behind every bound claim. Completed means that all of it can be restored.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  # everything
  bowline backup create nightly
  # one application, and see first what would be listed
  bowline backup create shop-1 --include-namespaces shop --dry-run
  bowline backup create shop-1 --include-namespaces shop --storage-location file:///var/backups")]
pub struct Args {
    /// The backup's name
    pub name: String,
    /// Take snapshots of volumes (default: true)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_missing_value = "true")]
    pub snapshot_volumes: Option<bool>,
    /// Velero's resource policies, which decide about volumes: the `ConfigMap` that holds them (a bare
    /// NAME: in namespace velero). Actions are skip, snapshot and reattach; the first policy whose
    /// conditions hold decides, before annotations and --snapshot-volumes
    #[arg(long, value_name = "[NAMESPACE/]NAME", value_parser = values::policy_config_map,
          conflicts_with = "resource_policies_file")]
    pub resource_policies_configmap: Option<PolicySource>,
    /// The same policies in a file
    #[arg(long, value_name = "FILE")]
    pub resource_policies_file: Option<PathBuf>,
    /// Commands that are run in pods before and after the snapshots of their volumes: a file with
    /// what Velero has below `spec.hooks`. What a pod's annotations say stands above it
    #[arg(long, value_name = "FILE")]
    pub hooks: Option<PathBuf>,
    /// The name of the volume snapshot location that a Velero which restores this backup knows; the
    /// first of several counts (default: default)
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub volume_snapshot_locations: Vec<String>,
    /// Labels and annotations.
    #[command(flatten)]
    pub metadata: MetadataArgs,
    /// How long it is kept, such as 720h; a Velero on the same bucket deletes it then (default: for
    /// ever)
    #[arg(long, value_name = "DURATION", value_parser = values::positive)]
    pub ttl: Option<GoDuration>,
    /// In which versions objects are stored: as the cluster prefers them, or in all that it serves, so
    /// that a target which no longer serves the preferred one can take another
    #[arg(long, value_name = "VERSIONS", value_enum, default_value_t)]
    pub api_versions: Versions,
    /// Clear an unfinished backup of this name first
    #[arg(long)]
    pub replace_incomplete: bool,
    /// Show what would be taken and which rights are missing; write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// In which form the report is printed.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Which objects are taken.
    #[command(flatten)]
    pub filters: FilterArgs,
    /// What Velero has besides.
    #[command(flatten)]
    pub accepted: Accepted,
    /// Which kinds are taken, by scope.
    #[command(flatten)]
    pub scoped: ScopedFilterArgs,
    /// Objects to take before the others of their kind, in this order, such as
    /// `pods=shop/db-0,shop/db-1;persistentvolumes=pv-1`
    #[arg(long, value_name = "KIND=NAMES;...", value_parser = values::order,
          help_heading = "Filters")]
    pub ordered_resources: Option<Order>,
}

/// In which versions objects are stored.
#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
pub enum Versions {
    /// As the cluster prefers them.
    #[default]
    Preferred,
    /// In all that it serves.
    All,
}

impl From<Versions> for ApiVersions {
    fn from(versions: Versions) -> Self {
        match versions {
            Versions::Preferred => Self::Preferred,
            Versions::All => Self::All,
        }
    }
}

pub(super) async fn run(settings: &Settings, args: Args) -> Outcome {
    let format = args.output.output;
    let dry_run = args.dry_run;
    let request = request(args)?;
    let progress = settings.progress();
    let engine = settings.engine(&progress).await?;
    if dry_run {
        let plan = progress.during(engine.plan_backup(&request)).await?;
        print(format, &plan, PlanTable)?;
        return Ok(Exit::Done);
    }
    settings.if_interrupted_from(Stage::Snapshots, progress.reached(), finish::hint(&request.name));
    settings.if_interrupted(
        "what it has written is Incomplete; run the same command again with --replace-incomplete"
            .to_owned(),
    );
    let report = progress.during(engine.create_backup(&request)).await?;
    print(format, &report, Summary)?;
    Ok(Exit::of_phase(report.phase))
}

fn request(args: Args) -> Result<Request, CliError> {
    check_name(&args.name).map_err(Error::InvalidName)?;
    let selectors = args.filters.selectors();
    let labels = args.metadata.labels.iter().cloned().collect();
    let annotations = args.metadata.annotations.iter().cloned().collect();
    let ttl = args.ttl.and_then(GoDuration::to_std);
    let (name, replace_incomplete) = (args.name.clone(), args.replace_incomplete);
    let api_versions = args.api_versions.into();
    let policies = args.resource_policies_file.as_deref().map(policies_in).transpose()?;
    let policies =
        policies.map(PolicySource::Given).or_else(|| args.resource_policies_configmap.clone());
    let spec = spec(args)?;
    spec.kind_lists().check().map_err(Error::Filter)?;
    Ok(Request {
        name,
        labels,
        annotations,
        spec,
        selectors,
        policies,
        ttl,
        replace_incomplete,
        api_versions,
    })
}

fn spec(args: Args) -> Result<BackupSpec, CliError> {
    let label_selector = args.filters.label_selector()?;
    let or_label_selectors = args.filters.or_label_selectors()?;
    let (filters, scoped) = (args.filters, args.scoped);
    Ok(BackupSpec {
        included_namespaces: filters.include_namespaces,
        excluded_namespaces: filters.exclude_namespaces,
        included_resources: filters.include_resources,
        excluded_resources: filters.exclude_resources,
        include_cluster_resources: filters.include_cluster_resources,
        included_cluster_scoped_resources: scoped.include_cluster_scoped_resources,
        excluded_cluster_scoped_resources: scoped.exclude_cluster_scoped_resources,
        included_namespace_scoped_resources: scoped.include_namespace_scoped_resources,
        excluded_namespace_scoped_resources: scoped.exclude_namespace_scoped_resources,
        label_selector,
        or_label_selectors,
        ordered_resources: args.ordered_resources.as_ref().map(Order::record).unwrap_or_default(),
        snapshot_volumes: args.snapshot_volumes,
        volume_snapshot_locations: args.volume_snapshot_locations,
        hooks: hooks::read(args.hooks.as_deref(), BackupHooks::read)?,
        ..BackupSpec::default()
    })
}

/// Reads the policies in a file.
fn policies_in(path: &Path) -> Result<Policies, CliError> {
    let name = path.display().to_string();
    let text = fs::read_to_string(path).map_err(|error| {
        CliError::of(&error)
            .within(format!("failed to read \"{name}\" (--resource-policies-file)"))
            .with_exit(Exit::Usage)
            .with_hint("name a file with Velero's resource policies in YAML")
    })?;
    Ok(Policies::read(Origin::File(name), &text).map_err(Error::Policies)?)
}

struct PlanTable<'a>(&'a Plan);

impl fmt::Display for PlanTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.first.is_empty() {
            let mut table = Table::new(["FIRST"]);
            table.extend(self.0.first.iter().map(|id| [id.to_string()]));
            writeln!(f, "{table}")?;
        }
        let mut table = Table::new(["RESOURCE", "NAMESPACE"]);
        for listing in &self.0.listings {
            let scope = if listing.kind.namespaced { "*" } else { "" };
            let namespace = listing.namespace.clone().unwrap_or_else(|| scope.to_owned());
            table.push([listing.kind.resource.to_string(), namespace]);
        }
        write!(f, "{table}")?;
        if !self.0.further_versions.is_empty() {
            let mut table = Table::new(["FURTHER VERSIONS"]);
            table.extend(self.0.further_versions.iter().map(|it| [it.clone()]));
            write!(f, "\n{table}")?;
        }
        if !self.0.volumes.is_empty() {
            write!(f, "\n{}", planned(&self.0.volumes))?;
        }
        if !self.0.hooks.is_empty() {
            write!(f, "\n{}", hooked(&self.0.hooks))?;
        }
        if !self.0.unavailable.is_empty() {
            write!(f, "\n{}", unavailable(&self.0.unavailable))?;
        }
        write!(f, "\n{}{}", problems::sections(&self.0.errors, &[]), Rights(&self.0.rights))
    }
}

/// What would become of the volumes.
fn planned(volumes: &[PlannedVolume]) -> Table<5> {
    let mut table = Table::new(["NAMESPACE", "CLAIM", "VOLUME", "VERDICT", "NOTES"]);
    for volume in volumes {
        table.push([
            volume.namespace.clone(),
            volume.claim.clone(),
            cell(volume.persistent_volume.as_ref()),
            volume.verdict.clone(),
            cell(volume.reason.as_ref()),
        ]);
    }
    table
}

/// What would be run in pods.
fn hooked(hooks: &[PlannedHook]) -> Table<6> {
    let mut table = Table::new(["NAMESPACE", "POD", "HOOK", "CONTAINER", "COMMAND", "NOTES"]);
    for hook in hooks {
        let notes = match &hook.reason {
            Some(reason) => format!("not run: {reason}"),
            None => format!("{}, onError {}, {}", hook.timeout, hook.on_error, hook.source),
        };
        table.push([
            hook.namespace.clone(),
            hook.pod.clone(),
            hook.when.clone(),
            cell(hook.container.as_ref()),
            serde_json::to_string(&hook.command).unwrap_or_default(),
            notes,
        ]);
    }
    table
}

/// What cannot be listed, so that a backup would lack it.
fn unavailable(groups: &[LeftOut]) -> Table<2> {
    let mut table = Table::new(["UNAVAILABLE", "REASON"]);
    table.extend(groups.iter().map(|group| [group.name.clone(), group.reason.clone()]));
    table
}

/// What became of a backup.
pub(super) struct Summary<'a>(pub &'a BackupReport);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = self.0;
        write!(f, "{}", problems::sections(&report.errors, &report.warnings))?;
        writeln!(
            f,
            "backup {} is {}: {} objects, {}, {}, {}",
            report.name,
            report.phase,
            report.items,
            counted(report.volumes.len(), "volume"),
            counted(report.errors.len(), "error"),
            counted(report.warnings.len(), "warning"),
        )?;
        if !report.hooks.is_empty() {
            writeln!(f, "hooks: {}", report.hooks)?;
        }
        if !report.volumes.is_empty() {
            write!(f, "{}", volumes(&report.volumes))?;
        }
        let left_out: Vec<_> = report.volumes.iter().filter(|it| it.reason.is_some()).collect();
        if left_out.is_empty() { Ok(()) } else { write!(f, "\n{}", reasons(&left_out)) }
    }
}

/// Why volumes were left out.
fn reasons(volumes: &[&SnapshotReport]) -> Table<4> {
    let mut table = Table::new(["LEFT OUT", "CLAIM", "HANDLE", "REASON"]);
    for volume in volumes {
        table.push([
            cell(volume.namespace.as_ref()),
            cell(volume.claim.as_ref()),
            cell(volume.volume_id.as_ref()),
            cell(volume.reason.as_ref()),
        ]);
    }
    table
}

/// A table of volumes.
fn volumes(volumes: &[SnapshotReport]) -> Table<5> {
    let mut table = Table::new(["NAMESPACE", "CLAIM", "VOLUME", "SNAPSHOT", "STATE"]);
    for volume in volumes {
        table.push([
            cell(volume.namespace.as_ref()),
            cell(volume.claim.as_ref()),
            cell(volume.persistent_volume.as_ref()),
            cell(volume.snapshot_id.as_ref()),
            volume.state.clone(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use bowline_api::GroupResource;

    use super::*;
    use crate::engine::backup::Listing;
    use crate::engine::context::{Granted, Right};
    use crate::engine::model::Kind;
    use crate::engine::report::{Phase, Problem};

    fn listing(resource: &str, namespaced: bool, namespace: Option<&str>) -> Listing {
        let kind = Kind {
            resource: GroupResource::core(resource),
            version: "v1".to_owned(),
            kind: String::new(),
            singular: String::new(),
            short_names: Vec::new(),
            namespaced,
            verbs: Vec::new(),
        };
        Listing { kind, namespace: namespace.map(ToOwned::to_owned) }
    }

    #[test]
    fn a_plan_shows_the_lists_what_becomes_of_the_volumes_and_what_cannot_be_listed() {
        let mut plan = Plan {
            namespaces: vec!["shop".to_owned()],
            first: Vec::new(),
            listings: vec![
                listing("nodes", false, None),
                listing("pods", true, None),
                listing("secrets", true, Some("shop")),
            ],
            further_versions: Vec::new(),
            volumes: Vec::new(),
            hooks: Vec::new(),
            left_out: Vec::new(),
            unavailable: Vec::new(),
            errors: Vec::new(),
            rights: vec![Right {
                action: "list nodes".to_owned(),
                granted: Granted::Yes,
                reason: None,
            }],
        };
        let rights = "\nthe one right that it needs is granted\n";
        let lists = "\
RESOURCE   NAMESPACE
nodes      <none>
pods       *
secrets    shop
";
        assert_eq!(PlanTable(&plan).to_string(), lists.to_owned() + rights);
        plan.volumes.push(PlannedVolume {
            namespace: "shop".to_owned(),
            claim: "data".to_owned(),
            persistent_volume: None,
            provider: None,
            volume_id: None,
            verdict: "unbound".to_owned(),
            reason: Some("it is Pending".to_owned()),
        });
        let volumes = "
NAMESPACE   CLAIM   VOLUME   VERDICT   NOTES
shop        data    <none>   unbound   it is Pending
";
        assert_eq!(PlanTable(&plan).to_string(), lists.to_owned() + volumes + rights);
        let group =
            LeftOut { name: "metrics.k8s.io".to_owned(), reason: "no endpoints".to_owned() };
        plan.unavailable.push(group);
        let groups = "
UNAVAILABLE      REASON
metrics.k8s.io   no endpoints
";
        assert_eq!(PlanTable(&plan).to_string(), lists.to_owned() + volumes + groups + rights);
        plan.first.push("pods/shop/db-0".parse().unwrap());
        let first = "\
FIRST
pods/shop/db-0

";
        let all = first.to_owned() + lists + volumes + groups + rights;
        assert_eq!(PlanTable(&plan).to_string(), all);
    }

    #[test]
    fn a_plan_names_further_versions_and_what_it_could_not_find_out() {
        let plan = Plan {
            namespaces: Vec::new(),
            first: Vec::new(),
            listings: Vec::new(),
            further_versions: vec!["autoscaling/v1 horizontalpodautoscalers".to_owned()],
            volumes: Vec::new(),
            hooks: Vec::new(),
            left_out: Vec::new(),
            unavailable: Vec::new(),
            errors: vec![Problem::of_run("find hooks", "not known")],
            rights: Vec::new(),
        };
        let versions = "\nFURTHER VERSIONS\nautoscaling/v1 horizontalpodautoscalers\n";
        let errors = "\nErrors:\n  Run:\n    find hooks: not known\n\n";
        let text = PlanTable(&plan).to_string();
        assert!(text.contains(&(versions.to_owned() + errors)), "{text}");
    }

    #[test]
    fn a_report_is_a_sentence_and_a_table_of_its_volumes() {
        let mut report = BackupReport {
            name: "nightly".to_owned(),
            uid: String::new(),
            phase: Phase::PartiallyFailed,
            location: String::new(),
            cluster_uid: String::new(),
            items: 73,
            volumes: Vec::new(),
            hooks: crate::engine::model::hooks::HookCounts::default(),
            warnings: Vec::new(),
            errors: vec![Problem::of_run("snapshot", "gone")],
            start_timestamp: "2026-03-01T02:00:00Z".parse().unwrap(),
            completion_timestamp: None,
        };
        let sentence = |volumes| {
            format!(
                "Errors:\n  Run:\n    snapshot: gone\n\n\
                 backup nightly is PartiallyFailed: 73 objects, {volumes}, 1 error, 0 warnings\n"
            )
        };
        assert_eq!(Summary(&report).to_string(), sentence("0 volumes"));
        report.volumes.push(SnapshotReport {
            namespace: Some("shop".to_owned()),
            claim: Some("data".to_owned()),
            persistent_volume: Some("pv-1".to_owned()),
            provider: None,
            volume_id: None,
            snapshot_id: None,
            state: "failed".to_owned(),
            reason: None,
        });
        let volumes = "\
NAMESPACE   CLAIM   VOLUME   SNAPSHOT   STATE
shop        data    pv-1     <none>     failed
";
        assert_eq!(Summary(&report).to_string(), sentence("1 volume") + volumes);
        report.volumes.push(SnapshotReport {
            claim: Some("media".to_owned()),
            volume_id: Some("fs-1".to_owned()),
            state: "reattach".to_owned(),
            reason: Some("not copied: it is shared".to_owned()),
            ..report.volumes[0].clone()
        });
        let volumes = "\
NAMESPACE   CLAIM   VOLUME   SNAPSHOT   STATE
shop        data    pv-1     <none>     failed
shop        media   pv-1     <none>     reattach

LEFT OUT   CLAIM   HANDLE   REASON
shop       media   fs-1     not copied: it is shared
";
        assert_eq!(Summary(&report).to_string(), sentence("2 volumes") + volumes);
    }
}
