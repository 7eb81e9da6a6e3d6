//! Bringing a backup back: one file per stage, in the order of the pipeline.
//!
//! open -> select -> plan (claims, existing objects, children, zones) -> rights -> execute (steps,
//! and volumes meanwhile) -> readiness -> records.

mod accounts;
mod actions;
mod apply;
mod bind;
mod children;
mod claims;
mod classify;
mod compare;
mod create;
mod document;
mod error;
mod execute;
mod existing;
mod insignificant;
mod jobs;
mod kept;
mod known;
mod makers;
mod missing;
mod open;
mod owners;
mod plan;
mod pods;
mod preflight;
mod preparation;
mod prepare;
mod readiness;
mod reattach;
mod records;
mod registrations;
mod rights;
#[cfg(test)]
mod samples;
mod select;
mod snapshots;
mod status;
mod volumes;
mod zones;

pub use create::{create, dry_run};
pub use document::{PlanDocument, PlannedItem};
pub use error::{Cause, Error};
pub use plan::Verdict;
pub use preflight::Request;
use preparation::Preparation;
