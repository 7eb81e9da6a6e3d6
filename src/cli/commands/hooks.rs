//! The file that `--hooks` names.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::engine::model::hooks::{self, Error};

/// Reads what Velero has below `spec.hooks`, and checks it with `check`.
pub(super) fn read<T>(
    path: Option<&Path>,
    check: fn(&Map<String, Value>) -> Result<T, Error>,
) -> Result<Map<String, Value>, CliError> {
    let Some(path) = path else { return Ok(Map::new()) };
    let named = format!("\"{}\" (--hooks)", path.display());
    let text = fs::read_to_string(path).map_err(|error| {
        CliError::of(&error)
            .within(format!("failed to read {named}"))
            .with_exit(Exit::Usage)
            .with_hint("name a file with hooks in YAML, as Velero has them below spec.hooks")
    })?;
    let hooks = hooks::parse(&text).and_then(|hooks| check(&hooks).map(|_| hooks));
    hooks.map_err(|error| {
        CliError::of(&error)
            .within(format!("{named} cannot be followed"))
            .with_exit(Exit::Usage)
            .with_hint(error.hint())
    })
}
