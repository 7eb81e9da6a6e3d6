//! What looking up backups and restores by name has in common.

use crate::cli::advice::did_you_mean;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::engine::model::filter::closest;
use crate::engine::store::Error;

/// The error for a name that nothing of this sort has.
pub(super) fn not_found<'a>(
    noun: &str,
    name: &str,
    known: impl IntoIterator<Item = &'a str>,
    url: &str,
) -> CliError {
    let hint = match closest(name, known) {
        Some(similar) => did_you_mean(similar),
        None => format!("bowline {noun} get lists what there is"),
    };
    CliError::new(Exit::NotFound, format!("{noun} \"{name}\" does not exist in {url}"))
        .with_hint(hint)
}

/// The error for a location that did not answer, or gave a file that is none.
pub(super) fn failed(error: Error) -> CliError {
    match &error {
        Error::Store(_) => CliError::of(&error).within("the storage location cannot be used"),
        Error::Malformed { .. } | Error::TooLarge { .. } => error.into(),
    }
}
