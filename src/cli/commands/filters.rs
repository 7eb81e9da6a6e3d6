//! The filter flags, which backup and restore share.

use clap::Args;
use serde_json::Value;

use crate::cli::error::CliError;
use crate::cli::values;
use crate::engine::model::selector::{Selector, Selectors};

/// Which objects are meant.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Filters")]
pub struct FilterArgs {
    /// Namespaces to take; globs such as `team-*` (default: all)
    #[arg(long, value_name = "NAMESPACES", value_delimiter = ',')]
    pub include_namespaces: Vec<String>,
    /// Namespaces to leave out; globs
    #[arg(long, value_name = "NAMESPACES", value_delimiter = ',')]
    pub exclude_namespaces: Vec<String>,
    /// Resources to take, such as `deployments.apps`, `deploy` or `*.example.com` (default: all)
    #[arg(long, value_name = "RESOURCES", value_delimiter = ',')]
    pub include_resources: Vec<String>,
    /// Resources to leave out
    #[arg(long, value_name = "RESOURCES", value_delimiter = ',')]
    pub exclude_resources: Vec<String>,
    /// Take cluster-scoped resources (default: all of them if no namespace is left out, else those
    /// that the others need)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_missing_value = "true")]
    pub include_cluster_resources: Option<bool>,
    /// Take only objects with these labels, such as `app=web,tier!=cache`
    #[arg(short = 'l', long, value_name = "SELECTOR", value_parser = values::selector)]
    pub selector: Option<Selector>,
    /// Take objects that any of these selectors selects, such as `app=web or tier=cache`; may be
    /// given several times
    #[arg(long, value_name = "SELECTORS", value_parser = values::selectors,
          conflicts_with = "selector")]
    pub or_selector: Vec<Selectors>,
}

/// Which kinds are meant, told apart by their scope; not to be mixed with the lists for all kinds.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Filters")]
#[expect(clippy::struct_field_names, reason = "they are named as Velero's flags")]
pub struct ScopedFilterArgs {
    /// Cluster-scoped resources to take (default: all of them if nothing is filtered, else those
    /// that the others need)
    #[arg(long, value_name = "RESOURCES", value_delimiter = ',')]
    pub include_cluster_scoped_resources: Vec<String>,
    /// Cluster-scoped resources to leave out, even where others need them, `*` for all; of the rest
    /// only those that others need are taken then
    #[arg(long, value_name = "RESOURCES", value_delimiter = ',')]
    pub exclude_cluster_scoped_resources: Vec<String>,
    /// Namespaced resources to take (default: all)
    #[arg(long, value_name = "RESOURCES", value_delimiter = ',')]
    pub include_namespace_scoped_resources: Vec<String>,
    /// Namespaced resources to leave out; `*` for all
    #[arg(long, value_name = "RESOURCES", value_delimiter = ',')]
    pub exclude_namespace_scoped_resources: Vec<String>,
}

impl FilterArgs {
    /// The selectors, of which one must match.
    pub(super) fn selectors(&self) -> Selectors {
        Selectors::new(self.selector.iter().chain(self.alternatives()).cloned())
    }

    fn alternatives(&self) -> impl Iterator<Item = &Selector> {
        self.or_selector.iter().flat_map(Selectors::iter)
    }

    /// The alternatives as they are recorded.
    pub(super) fn or_label_selectors(&self) -> Result<Vec<Value>, CliError> {
        let selectors = Selectors::new(self.alternatives().cloned());
        Ok(selectors.iter().map(serde_json::to_value).collect::<Result<_, _>>()?)
    }

    /// The selector as it is recorded.
    pub(super) fn label_selector(&self) -> Result<Option<Value>, CliError> {
        Ok(self.selector.as_ref().map(serde_json::to_value).transpose()?)
    }
}
