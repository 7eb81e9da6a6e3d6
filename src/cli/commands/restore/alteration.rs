//! What a restore, and a drill of one, change in objects on their way.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::cli::commands::{flag_file, hooks};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::values;
use crate::engine::model::hooks::RestoreHooks;
use crate::engine::model::modifier::Modifiers;
use crate::engine::model::policy::Origin;
use crate::engine::model::restore::{ResourceModifier, RestoreSpec};
use crate::engine::restore::{Error, alterations};

/// Flags that say in what objects differ from the recorded ones.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Objects")]
pub struct AlterationArgs {
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
    /// Commands that are run in restored pods, and containers that run before theirs: a file with
    /// what Velero has below `spec.hooks`. What a pod's annotations say stands above it
    #[arg(long, value_name = "FILE")]
    pub hooks: Option<PathBuf>,
}

impl AlterationArgs {
    /// Adds what these flags say to what a restore is asked for.
    pub(super) fn into_spec(self, spec: RestoreSpec) -> Result<RestoreSpec, CliError> {
        let modifiers = self.resource_modifiers_file.as_deref().map(modifiers_in).transpose()?;
        Ok(RestoreSpec {
            hooks: hooks::read(self.hooks.as_deref(), RestoreHooks::read)?,
            resource_modifier: self.resource_modifier_configmap,
            resource_modifier_rules: modifiers,
            storage_class_mapping: once("--storage-class-mappings", self.storage_class_mappings)?,
            image_mapping: once("--image-mappings", self.image_mappings)?,
            ..spec
        })
    }
}

/// Several may become one, but none several.
pub(super) fn once(
    flag: &str,
    pairs: Vec<(String, String)>,
) -> Result<BTreeMap<String, String>, CliError> {
    let mut mapping = BTreeMap::new();
    for (old, new) in pairs {
        if mapping.insert(old.clone(), new).is_some() {
            let fault = format!("{flag} says \"{old}\" more than once");
            return Err(CliError::new(Exit::Usage, fault).with_hint("say it once"));
        }
    }
    Ok(mapping)
}

/// Reads the resource modifiers in a file; they must be well-formed.
fn modifiers_in(path: &Path) -> Result<String, CliError> {
    let hint = "name a file with Velero's resource modifiers in YAML";
    let text = flag_file::read(path, "--resource-modifiers-file", hint)?;
    let read = Modifiers::read(Origin::File(path.display().to_string()), &text);
    read.map_err(alterations::Error::Modifiers).map_err(Error::Alterations)?;
    Ok(text)
}
