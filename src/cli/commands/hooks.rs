//! The file that `--hooks` names.

use std::path::Path;

use serde_json::{Map, Value};

use super::flag_file;
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
    let hint = "name a file with hooks in YAML, as Velero has them below spec.hooks";
    let text = flag_file::read(path, "--hooks", hint)?;
    let hooks = hooks::parse(&text).and_then(|hooks| check(&hooks).map(|_| hooks));
    hooks.map_err(|error| {
        CliError::of(&error)
            .within(format!("{named} cannot be followed"))
            .with_exit(Exit::Usage)
            .with_hint(error.hint())
    })
}
