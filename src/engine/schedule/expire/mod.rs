//! Removing backups whose time has come, and what their runs have left. Needs no cluster.
//!
//! First it is found out what there is, then decided ([`retention`](super::retention)), then removed:
//! one backup after the other, the oldest first, each as `backup delete` does it. What is interrupted
//! is finished by the next expiry.

mod decide;
mod error;
mod perform;
mod records;
mod report;
mod survey;
mod users;

pub use error::Error;
pub use perform::{Request, expire};
pub use report::{BackupFate, Fate, Report};

pub use crate::engine::backup::Tools;
