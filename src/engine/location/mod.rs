//! Finding out whether a location does what backups need of it.

mod check;
mod probe;
mod report;

pub use check::check;
pub use report::{CheckReport, Guard, Outcome, Step};
