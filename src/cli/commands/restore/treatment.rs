//! What a restore does to objects on their way, and to what is in their way.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::cli::commands::hooks;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::values;
use crate::engine::model::hooks::RestoreHooks;
use crate::engine::model::modifier::Modifiers;
use crate::engine::model::policy::Origin;
use crate::engine::model::restore::{ExistingResourcePolicy, ResourceModifier, RestoreSpec};
use crate::engine::restore::{Error, alterations};

/// Flags that say how objects come back.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Objects")]
pub struct TreatmentArgs {
    /// What becomes of an object that exists and differs: left as it is, changed to what the backup
    /// holds, or deleted and made anew where that is safe for its kind
    #[arg(long, value_name = "POLICY", value_enum, default_value_t)]
    pub existing_resource_policy: Policy,
    /// Keep the node ports of services, those that the old cluster chose, too (default: only those
    /// that somebody chose)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_missing_value = "true")]
    pub preserve_nodeports: Option<bool>,
    /// Velero's resource modifiers, which change objects on their way: the `ConfigMap` that holds them (a
    /// bare NAME: in namespace velero)
    #[arg(long, value_name = "[NAMESPACE/]NAME", value_parser = values::modifier_config_map,
          conflicts_with = "resource_modifiers_file")]
    pub resource_modifier_configmap: Option<ResourceModifier>,
    /// The same modifiers in a file
    #[arg(long, value_name = "FILE")]
    pub resource_modifiers_file: Option<PathBuf>,
    /// Storage classes of claims, volumes and claim templates that are replaced
    #[arg(long, value_name = "OLD:NEW", value_delimiter = ',',
          value_parser = values::class_mapping)]
    pub storage_class_mappings: Vec<(String, String)>,
    /// Beginnings of images' names that are replaced
    #[arg(long, value_name = "OLD=NEW", value_delimiter = ',',
          value_parser = values::image_mapping)]
    pub image_mappings: Vec<(String, String)>,
    /// Bring what acts outward, too, where the original lives beside its clone: Ingress and routes,
    /// jobs and cron jobs, custom resources, names for DNS, load balancers
    #[arg(long)]
    pub include_outward: bool,
    /// Replace claims that something made first, with a volume that nothing mounts
    #[arg(long)]
    pub take_over_claims: bool,
    /// Bring jobs back that had finished, as finished
    #[arg(long)]
    pub restore_finished_jobs: bool,
    /// Workloads of the target that are scaled down while the restore works, and up again
    #[arg(long, value_name = "NAMESPACE/NAME", value_delimiter = ',',
          value_parser = values::workload)]
    pub quiesce: Vec<String>,
    /// Commands that are run in restored pods, and containers that run before theirs: a file with
    /// what Velero has below `spec.hooks`. What a pod's annotations say stands above it
    #[arg(long, value_name = "FILE")]
    pub hooks: Option<PathBuf>,
}

/// What becomes of an object that exists and differs.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum Policy {
    /// It is left as it is.
    #[default]
    None,
    /// It is changed to what the backup holds.
    Update,
    /// It is deleted and made anew, where that is safe for its kind.
    Recreate,
}

impl TreatmentArgs {
    /// Adds what these flags say to what a restore is asked for.
    pub(super) fn into_spec(self, spec: RestoreSpec) -> Result<RestoreSpec, CliError> {
        let modifiers = self.resource_modifiers_file.as_deref().map(modifiers_in).transpose()?;
        Ok(RestoreSpec {
            hooks: hooks::read(self.hooks.as_deref(), RestoreHooks::read)?,
            existing_resource_policy: match self.existing_resource_policy {
                Policy::None => None,
                Policy::Update => Some(ExistingResourcePolicy::Update),
                Policy::Recreate => Some(ExistingResourcePolicy::Recreate),
            },
            preserve_node_ports: self.preserve_nodeports,
            resource_modifier: self.resource_modifier_configmap,
            resource_modifier_rules: modifiers,
            storage_class_mapping: once("--storage-class-mappings", self.storage_class_mappings)?,
            image_mapping: once("--image-mappings", self.image_mappings)?,
            include_outward: self.include_outward,
            take_over_claims: self.take_over_claims,
            restore_finished_jobs: self.restore_finished_jobs,
            quiesce: self.quiesce,
            ..spec
        })
    }
}

/// Several may become one, but none several.
fn once(flag: &str, pairs: Vec<(String, String)>) -> Result<BTreeMap<String, String>, CliError> {
    let mut mapping = BTreeMap::new();
    for (old, new) in pairs {
        if mapping.insert(old.clone(), new).is_some() {
            let fault = format!("{flag} maps \"{old}\" more than once");
            return Err(
                CliError::new(Exit::Usage, fault).with_hint("say once what takes its place")
            );
        }
    }
    Ok(mapping)
}

/// Reads the resource modifiers in a file; they must be well-formed.
fn modifiers_in(path: &Path) -> Result<String, CliError> {
    let name = path.display().to_string();
    let text = fs::read_to_string(path).map_err(|error| {
        CliError::of(&error)
            .within(format!("failed to read \"{name}\" (--resource-modifiers-file)"))
            .with_exit(Exit::Usage)
            .with_hint("name a file with Velero's resource modifiers in YAML")
    })?;
    let read = Modifiers::read(Origin::File(name), &text);
    read.map_err(alterations::Error::Modifiers).map_err(Error::Alterations)?;
    Ok(text)
}
