//! Whether a backup can be restored: looked at, level by level, and told without a flourish.
//!
//! document and files -> digests -> archive, index, side files and records -> snapshots. What was
//! not looked at is never called good. Needs no cluster, and writes nothing.

mod agreement;
mod contents;
mod digests;
mod document;
mod error;
mod files;
mod inspect;
mod level;
mod names;
mod report;
mod side_files;
mod snapshots;

mod volumes;

pub use error::Error;
pub use inspect::backup;
pub use level::Level;
pub use report::{About, Check, CheckResult, Finding, VerifyReport};
