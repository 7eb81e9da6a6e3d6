//! `bowline backup create`.

use std::fmt;

use super::{finish, scheduled};
use crate::cli::commands::Outcome;
use crate::cli::commands::labels::MetadataArgs;
use crate::cli::commands::rights::Rights;
use crate::cli::commands::template::{TEMPLATE, Template, TemplateArgs};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::outlets::OutletArgs;
use crate::cli::output::{OutputArgs, OutputFormat, print};
use crate::cli::problems;
use crate::cli::settings::Settings;
use crate::cli::table::{Table, cell};
use crate::cli::units::counted;
use crate::cli::velero::Accepted;
use crate::engine::backup::{Error, LeftOut, Plan, PlannedHook, PlannedVolume, Request};
use crate::engine::event::Stage;
use crate::engine::model::duration::GoDuration;
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
  bowline backup create shop-1 --include-namespaces shop --storage-location file:///var/backups
  # what a schedule says, from a crontab, and then what its rules say of its older backups
  bowline backup create --from-schedule nightly --expire")]
pub struct Args {
    /// The backup's name (of a schedule's: made by its run, from the schedule's name and the time)
    #[arg(required_unless_present = "from_schedule")]
    pub name: Option<String>,
    /// Make the backup that this schedule asks for, now, unless it is paused or another one of it is
    /// going on
    #[arg(long, value_name = "SCHEDULE",
          conflicts_with_all = ["name", "replace_incomplete"], conflicts_with_all = TEMPLATE)]
    pub from_schedule: Option<String>,
    /// Then delete those of the schedule's backups that its rules do not keep
    #[arg(long, conflicts_with_all = ["name", "dry_run"])]
    pub expire: bool,
    /// Labels and annotations.
    #[command(flatten)]
    pub metadata: MetadataArgs,
    /// Clear an unfinished backup of this name first
    #[arg(long)]
    pub replace_incomplete: bool,
    /// Show what would be taken and which rights are missing; write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// In which form the report is printed.
    #[command(flatten)]
    pub output: OutputArgs,
    /// What it holds.
    #[command(flatten)]
    pub template: TemplateArgs,
    /// What Velero has besides.
    #[command(flatten)]
    pub accepted: Accepted,
    /// Who else is told of a schedule's run.
    #[command(flatten)]
    pub outlets: OutletArgs,
}

pub(super) async fn run(settings: &Settings, args: Args) -> Outcome {
    if let Some(schedule) = &args.from_schedule {
        return Box::pin(scheduled::run(settings, schedule, &args)).await;
    }
    if args.outlets.is_any() {
        let error = "--metrics-file, --push-gateway and --notify tell of a schedule's runs";
        return Err(CliError::new(Exit::Usage, error).with_hint("add --from-schedule SCHEDULE"));
    }
    let format = args.output.output;
    let dry_run = args.dry_run;
    let request = request(args)?;
    if dry_run {
        return show(settings, format, &request).await;
    }
    let progress = settings.progress();
    let engine = settings.engine(&progress).await?;
    settings.if_interrupted_from(Stage::Snapshots, progress.reached(), finish::hint(&request.name));
    settings.if_interrupted(
        "what it has written is Incomplete; run the same command again with --replace-incomplete"
            .to_owned(),
    );
    let report = progress.during(engine.create_backup(&request)).await?;
    print(format, &report, Summary)?;
    Ok(Exit::of_phase(report.phase))
}

/// Shows what a backup would take.
pub(super) async fn show(settings: &Settings, format: OutputFormat, request: &Request) -> Outcome {
    let progress = settings.progress();
    let engine = settings.engine(&progress).await?;
    let plan = progress.during(engine.plan_backup(request)).await?;
    print(format, &plan, PlanTable)?;
    Ok(Exit::Done)
}

fn request(args: Args) -> Result<Request, CliError> {
    let name = args.name.unwrap_or_default();
    check_name(&name).map_err(Error::InvalidName)?;
    let Template { spec, selectors, policies, ttl, api_versions, .. } = args.template.read()?;
    Ok(Request {
        name,
        labels: args.metadata.labels.into_iter().collect(),
        annotations: args.metadata.annotations.into_iter().collect(),
        spec,
        selectors,
        policies,
        ttl: ttl.and_then(GoDuration::to_std),
        replace_incomplete: args.replace_incomplete,
        api_versions,
    })
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
