//! Files that flags name.

use std::fs;
use std::path::Path;

use crate::cli::error::CliError;
use crate::cli::exit::Exit;

/// Reads the file that a flag names; `hint` says what it must hold.
pub(super) fn read(path: &Path, flag: &str, hint: &str) -> Result<String, CliError> {
    fs::read_to_string(path).map_err(|error| {
        CliError::of(&error)
            .within(format!("failed to read \"{}\" ({flag})", path.display()))
            .with_exit(Exit::Usage)
            .with_hint(hint)
    })
}
