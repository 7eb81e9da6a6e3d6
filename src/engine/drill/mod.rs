//! Drills: a backup is restored beside everything else, looked at, and taken down again.
//!
//! survey -> plan -> record -> scratch namespaces -> restore -> check -> evidence -> take down.
//! What a drill makes is found again by its identity alone, whatever becomes of its process.

mod check;
mod clean_up;
mod create;
mod error;
mod order;
mod plan;
mod remains;
mod report;
mod request;
mod scratch;
mod take_down;
mod volumes;

pub use check::{Check, Scratch};
pub use clean_up::{CleanUpReport, CleanedUp, Fate, Which, clean_up};
pub use create::run;
pub use error::{Cause, Error};
pub use plan::plan;
pub use report::{DrillReport, TakeDown, TakeDownState};
pub use request::{Quota, Request, Security};
