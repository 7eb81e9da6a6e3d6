//! The filter flags, which backup and restore share.

use clap::Args;
use serde_json::Value;

use crate::cli::error::CliError;
use crate::cli::values;
use crate::engine::model::selector::Selector;

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
}

impl FilterArgs {
    /// The selector as it is recorded.
    pub(super) fn label_selector(&self) -> Result<Option<Value>, CliError> {
        Ok(self.selector.as_ref().map(serde_json::to_value).transpose()?)
    }
}
