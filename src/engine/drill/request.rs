//! What a drill is asked for.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::engine::model::restore::{RestoreOptions, RestoreSpec};

/// What a drill is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The backup, and how it is restored; its namespaces are mapped by the drill.
    pub spec: RestoreSpec,
    /// How the restore works otherwise.
    pub options: RestoreOptions,
    /// What all of one of its namespaces may take.
    pub quota: Quota,
    /// What its pods may do.
    pub security: Security,
    /// How long what was made may take to be ready.
    pub ready_timeout: Duration,
    /// How long the check may take.
    pub check_timeout: Duration,
    /// How long it may take until nothing is left.
    pub down_timeout: Duration,
    /// Whether it stays as it is at its end.
    pub keep: bool,
}

/// What all objects of a namespace may take together, by the names of a resource quota.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quota(pub BTreeMap<String, String>);

/// What pods may do, in the words of the pod security standards.
///
/// Pods that share the network of their node are not bound by network policies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Security {
    /// Anything.
    Privileged,
    /// Nothing by which they would leave their namespace.
    #[default]
    Baseline,
    /// As little as is possible.
    Restricted,
}

impl fmt::Display for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Privileged => "privileged",
            Self::Baseline => "baseline",
            Self::Restricted => "restricted",
        })
    }
}
