//! Which backups stay and which go. Pure: it is told what there is, and what time it is.
//!
//! The rules are restic's, counted for each schedule and each cluster on its own, and only of good
//! backups. What no rule keeps goes, but neither what is held nor the last good one of its schedule.

mod buckets;
mod candidate;
mod judge;
mod reason;
#[cfg(test)]
mod tests;

pub use buckets::{Kept, Rule, apply};
pub use candidate::{Candidate, Policy};
pub use judge::{Judgement, judge};
pub use reason::{Reason, Verdict};
