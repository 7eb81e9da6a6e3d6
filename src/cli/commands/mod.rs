//! One command, one file: what can be typed after it, and what it does.

pub(super) mod backup;
pub(super) mod complete;
pub(super) mod completion;
mod deletion;
mod filters;
mod flag_file;
mod hooks;
mod keep;
mod labels;
pub(super) mod location;
mod logs;
mod lookup;
mod records;
pub(super) mod restore;
mod rights;
pub(super) mod schedule;
mod selection;
mod spec;
mod template;
pub(super) mod verbs;
pub(super) mod version;
mod volumes;

use super::error::CliError;
use super::exit::Exit;

/// How a command ended.
pub(super) type Outcome = Result<Exit, CliError>;
