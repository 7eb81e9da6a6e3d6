//! Making a backup: one file per stage, in the order of the pipeline.
//!
//! preflight -> plan -> collect (with related items, and volumes meanwhile) -> commit.

mod actions;
mod claim;
mod collect;
mod commit;
mod create;
mod error;
mod forecast;
mod intake;
mod plan;
mod preflight;
mod related;
mod replace;
mod volumes;

pub use claim::Claim;
pub use create::create;
pub use error::Error;
pub use plan::{LeftOut, Listing, Plan, PlannedVolume};
pub use preflight::{Request, plan};
