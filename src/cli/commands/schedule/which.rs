//! Which schedules are meant, where something is done to them.

use clap::Args;

use crate::cli::commands::lookup::{failed, not_found};
use crate::cli::commands::selection::{each_once, matches};
use crate::cli::error::CliError;
use crate::engine::model::selector::Selector;
use crate::engine::store::BackupStore;

/// What is to be changed: nothing, unless that is said in one way.
#[derive(Args, Clone, Debug)]
#[group(id = "which_schedules", required = true, multiple = false)]
pub struct WhichArgs {
    /// Those of these names
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Those with these labels, such as `team=web,tier!=cache`
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    pub selector: Option<Selector>,
    /// All of them
    #[arg(long)]
    pub all: bool,
}

impl WhichArgs {
    /// The names of those that are meant; all that are named must be there before any is touched.
    pub(super) async fn names(&self, store: &BackupStore) -> Result<Vec<String>, CliError> {
        let known = store.schedule_names().await.map_err(failed)?;
        let names: Vec<_> = each_once(&self.names).into_iter().map(str::to_owned).collect();
        if let Some(name) = names.iter().find(|name| !known.contains(name)) {
            let known = known.iter().map(String::as_str);
            return Err(not_found("schedule", name, known, store.url()));
        }
        if !names.is_empty() {
            return Ok(names);
        }
        let Some(selector) = &self.selector else { return Ok(known) };
        let mut meant = Vec::new();
        for name in known {
            let found = store.schedule(&name).await.map_err(failed)?;
            if found.is_some_and(|it| matches(Some(selector), Some(&it.document.metadata.labels))) {
                meant.push(name);
            }
        }
        Ok(meant)
    }
}
