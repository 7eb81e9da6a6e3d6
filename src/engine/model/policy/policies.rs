//! A list of policies, and what it says of a volume.

use std::fmt;

use super::condition::Condition;
use super::error::{Error, Origin};
use super::facts::VolumeFacts;
use super::read;

/// Policies in order, and where they come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policies {
    origin: Origin,
    policies: Vec<Policy>,
}

/// What becomes of the volumes for which some conditions hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What must hold, all of it.
    pub conditions: Vec<Condition>,
    /// What becomes of such volumes.
    pub action: Action,
}

/// What becomes of a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is left out.
    Skip,
    /// A snapshot of it is taken.
    Snapshot,
    /// It is not copied; a restore attaches the very same. Not one of Velero's.
    Reattach,
}

/// What policies say of one volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What becomes of it.
    pub action: Action,
    /// Which policy says so, and for which conditions; Velero's words come first.
    pub reason: String,
}

impl Policies {
    /// Reads a document, all of which must be understood.
    pub fn read(origin: Origin, yaml: &str) -> Result<Self, Error> {
        match read::policies(yaml) {
            Ok(policies) => Ok(Self { origin, policies }),
            Err(fault) => Err(Error { origin, fault }),
        }
    }

    /// These policies.
    pub fn new(origin: Origin, policies: Vec<Policy>) -> Self {
        Self { origin, policies }
    }

    /// Where they come from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// What they say of a volume; none if no policy holds. The first that does decides.
    pub fn decide(&self, facts: &VolumeFacts) -> Option<Verdict> {
        let holds = |policy: &Policy| policy.conditions.iter().all(|it| it.holds(facts));
        let index = self.policies.iter().position(holds)?;
        let Policy { conditions, action } = &self.policies[index];
        let conditions: Vec<String> = conditions.iter().map(ToString::to_string).collect();
        let holds = if conditions.is_empty() {
            "without conditions".to_owned()
        } else {
            conditions.join(", ")
        };
        let reason = format!(
            "matched action is '{action}' in chosen resource policies: volumePolicies[{index}] of \
             {} ({holds})",
            self.origin
        );
        Some(Verdict { action: *action, reason })
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Skip => "skip",
            Self::Snapshot => "snapshot",
            Self::Reattach => "reattach",
        })
    }
}
