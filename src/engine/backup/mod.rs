//! Making a backup: one file per stage, in the order of the pipeline.
//!
//! preflight -> plan -> collect (with related items; snapshots start meanwhile) -> pending -> settle
//! -> commit. From `pending` on any process can go on: `finish`.

mod actions;
mod asked;
mod claim;
mod collect;
mod commit;
mod create;
mod discard;
mod error;
mod files;
mod finish;
mod forecast;
mod halt;
mod hooks;
mod intake;
mod last_word;
mod needs;
mod ordered;
mod outcome;
mod ownership;
mod pending;
mod plan;
mod policies;
mod preflight;
mod reach;
mod records;
mod related;
mod replace;
mod rights;
mod settle;
mod start;
mod versions;
mod volumes;

pub use claim::Claim;
pub use create::{create, create_unless};
pub use discard::discard;
pub use error::Error;
pub use finish::{Finished, Tools, finish};
pub use hooks::PlannedHook;
pub use needs::{Need, Needs, needs};
pub use plan::{LeftOut, Listing, Plan, PlannedVolume};
pub use policies::PolicySource;
pub use preflight::{Request, plan};
pub use versions::ApiVersions;
