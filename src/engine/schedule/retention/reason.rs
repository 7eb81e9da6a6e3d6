//! What becomes of a backup, and why.

use std::fmt;

use jiff::Timestamp;

use super::buckets::Kept;
use crate::engine::report::Phase;

/// What is to become of a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It stays.
    Keep,
    /// It stays as long as it is held.
    Hold,
    /// It goes.
    Remove,
}

/// Why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A rule keeps it.
    Rule(Kept),
    /// There is no other good one of its schedule and cluster that is as new.
    LastGood,
    /// Somebody holds it.
    Held {
        /// Since when.
        since: Timestamp,
        /// Why, as they say.
        why: Option<String>,
    },
    /// It is not time yet.
    Unexpired(Timestamp),
    /// Neither rules nor a time were given.
    Unlimited,
    /// A Velero made it, and deletes it.
    OfVelero,
    /// The rules of its schedule are for another cluster's backups.
    OfOtherCluster,
    /// It claims to be of a time that is still to come.
    Future(Timestamp),
    /// When it was made is not known.
    Undated,
    /// It did not end in a way that the rules are for.
    Ended(Phase),
    /// Its time has come.
    Expired(Timestamp),
    /// No rule keeps it.
    NoRule,
    /// It failed in part, and good ones reach back no further.
    Superseded,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule(kept) => kept.fmt(f),
            Self::LastGood => f.write_str("the last good backup of its schedule"),
            Self::Held { since, why: None } => write!(f, "held since {since}"),
            Self::Held { since, why: Some(why) } => write!(f, "held since {since}: {why}"),
            Self::Unexpired(time) => write!(f, "expires {time}"),
            Self::Unlimited => f.write_str("nothing says when it goes"),
            Self::OfVelero => f.write_str("made by Velero, which expires it"),
            Self::OfOtherCluster => f.write_str("not of the cluster whose schedule it is"),
            Self::Future(time) => write!(f, "dated {time}, which is still to come"),
            Self::Undated => f.write_str("when it was made is not known"),
            Self::Ended(phase) => write!(f, "its phase is {phase}"),
            Self::Expired(time) => write!(f, "expired {time}"),
            Self::NoRule => f.write_str("no rule keeps it"),
            Self::Superseded => {
                f.write_str("partly failed, and older than all good ones that stay")
            }
        }
    }
}
