//! What stays and what goes, against a model that is written in another way.

mod judgements;
mod model;
mod rules;
mod year;

use jiff::Timestamp;

use super::{Candidate, Policy};
use crate::engine::model::keep::KeepRules;
use crate::engine::report::Phase;

pub(super) const WEST: &str = "west";

/// A time, in seconds.
pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A backup of a schedule of `west`, named after its time.
pub(super) fn nightly(time: Timestamp, phase: Phase) -> Candidate {
    Candidate {
        name: format!("nightly-{}", time.strftime("%Y%m%d%H%M%S")),
        uid: time.to_string(),
        is_ours: true,
        schedule: Some("nightly".to_owned()),
        cluster_uid: Some(WEST.to_owned()),
        phase,
        time: Some(time),
        expiration: None,
    }
}

/// What the schedule of `west` says, in UTC.
pub(super) fn policy(keep: KeepRules) -> Policy {
    Policy { cluster_uid: WEST.to_owned(), keep, zone: jiff::tz::TimeZone::UTC }
}
