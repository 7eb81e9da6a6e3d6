//! One command, one file: what can be typed after it, and what it does.

pub(super) mod backup;
pub(super) mod completion;
mod deletion;
mod filters;
pub(super) mod location;
mod lookup;
pub(super) mod restore;
mod rights;
pub(super) mod version;

use super::error::CliError;
use super::exit::Exit;

/// How a command ended.
pub(super) type Outcome = Result<Exit, CliError>;
