//! The flags that say what a backup holds, which `backup create` and `schedule create` share.

use std::path::{Path, PathBuf};

use super::filters::{FilterArgs, ScopedFilterArgs};
use super::flag_file;
use super::hooks;
use crate::cli::error::CliError;
use crate::cli::values;
use crate::engine::backup::{ApiVersions, Error, PolicySource};
use crate::engine::model::backup::BackupSpec;
use crate::engine::model::duration::GoDuration;
use crate::engine::model::filter::Order;
use crate::engine::model::hooks::BackupHooks;
use crate::engine::model::schedule::VolumePolicies;
use crate::engine::model::selector::Selectors;
use crate::engine::schedule::template::policy_source;

/// The flags of a template, by the names of their fields: all that a schedule says itself.
pub(super) const TEMPLATE: [&str; 19] = [
    "snapshot_volumes",
    "resource_policies_configmap",
    "resource_policies_file",
    "hooks",
    "volume_snapshot_locations",
    "ttl",
    "api_versions",
    "include_namespaces",
    "exclude_namespaces",
    "include_resources",
    "exclude_resources",
    "include_cluster_resources",
    "selector",
    "or_selector",
    "include_cluster_scoped_resources",
    "exclude_cluster_scoped_resources",
    "include_namespace_scoped_resources",
    "exclude_namespace_scoped_resources",
    "ordered_resources",
];

/// What a backup holds.
#[derive(clap::Args, Debug)]
pub struct TemplateArgs {
    /// Take snapshots of volumes (default: true)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_missing_value = "true")]
    pub snapshot_volumes: Option<bool>,
    /// Velero's resource policies, which decide about volumes: the `ConfigMap` that holds them (a bare
    /// NAME: in namespace velero). Actions are skip, snapshot and reattach; the first policy whose
    /// conditions hold decides, before annotations and --snapshot-volumes
    #[arg(long, value_name = "[NAMESPACE/]NAME", value_parser = values::policy_config_map,
          conflicts_with = "resource_policies_file")]
    pub resource_policies_configmap: Option<VolumePolicies>,
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
    /// How long it is kept, such as 720h; a Velero on the same bucket deletes it then (default: for
    /// ever)
    #[arg(long, value_name = "DURATION", value_parser = values::positive)]
    pub ttl: Option<GoDuration>,
    /// In which versions objects are stored: as the cluster prefers them, or in all that it serves, so
    /// that a target which no longer serves the preferred one can take another
    #[arg(long, value_name = "VERSIONS", value_enum, default_value_t)]
    pub api_versions: Versions,
    /// Which objects are taken.
    #[command(flatten)]
    pub filters: FilterArgs,
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
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

/// What the flags say, checked as far as that can be done without a cluster.
#[derive(Debug)]
pub(super) struct Template {
    /// All that is recorded in a backup's document, but for its lifetime.
    pub spec: BackupSpec,
    /// The selectors, of which one must match.
    pub selectors: Selectors,
    /// The policies as they are recorded.
    pub volume_policies: Option<VolumePolicies>,
    /// The same, read.
    pub policies: Option<PolicySource>,
    pub ttl: Option<GoDuration>,
    pub api_versions: ApiVersions,
}

impl TemplateArgs {
    /// Reads the files that are named, and checks it all.
    pub(super) fn read(self) -> Result<Template, CliError> {
        let selectors = self.filters.selectors();
        let (ttl, api_versions) = (self.ttl, self.api_versions.into());
        let in_file = self.resource_policies_file.as_deref().map(policies_in).transpose()?;
        let volume_policies = in_file.or_else(|| self.resource_policies_configmap.clone());
        let policies = volume_policies.as_ref().map(policy_source).transpose();
        let policies = policies.map_err(Error::Policies)?;
        let spec = self.spec()?;
        spec.kind_lists().check().map_err(Error::Filter)?;
        Ok(Template { spec, selectors, volume_policies, policies, ttl, api_versions })
    }

    fn spec(self) -> Result<BackupSpec, CliError> {
        let label_selector = self.filters.label_selector()?;
        let or_label_selectors = self.filters.or_label_selectors()?;
        let (filters, scoped) = (self.filters, self.scoped);
        let ordered_resources = self.ordered_resources.as_ref().map(Order::record);
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
            ordered_resources: ordered_resources.unwrap_or_default(),
            snapshot_volumes: self.snapshot_volumes,
            volume_snapshot_locations: self.volume_snapshot_locations,
            hooks: hooks::read(self.hooks.as_deref(), BackupHooks::read)?,
            ..BackupSpec::default()
        })
    }
}

/// Reads the policies in a file, as they are recorded.
fn policies_in(path: &Path) -> Result<VolumePolicies, CliError> {
    let hint = "name a file with Velero's resource policies in YAML";
    let text = flag_file::read(path, "--resource-policies-file", hint)?;
    Ok(VolumePolicies::File { name: path.display().to_string(), text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_of_a_template_is_listed() {
        let command = <TemplateArgs as clap::Args>::augment_args(clap::Command::new("x"));
        let flags: Vec<_> = command.get_arguments().map(|arg| arg.get_id().as_str()).collect();
        assert_eq!(flags, TEMPLATE);
    }
}
