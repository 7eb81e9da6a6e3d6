//! One command, one file: what can be typed after it, and what it does.

pub(super) mod backup;
pub(super) mod completion;
mod filters;
mod lookup;
pub(super) mod restore;
pub(super) mod version;

use super::error::CliError;
use super::exit::Exit;

/// How a command ended.
pub(super) type Outcome = Result<Exit, CliError>;
