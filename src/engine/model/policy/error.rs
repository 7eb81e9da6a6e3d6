//! What can be wrong with volume policies.

use std::fmt;

/// Where volume policies come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A `ConfigMap` of the cluster.
    ConfigMap {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// A file, by the name that it was given under.
    File(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConfigMap { namespace, name } => write!(f, "ConfigMap {namespace}/{name}"),
            Self::File(name) => write!(f, "file {name}"),
        }
    }
}

/// Volume policies that cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{origin}: {fault}")]
pub struct Error {
    /// Where they come from.
    pub origin: Origin,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong at one place of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The place: `volumePolicies[2].conditions.capacity`; empty for the document as a whole.
    pub path: String,
    /// The rule that is broken.
    pub reason: String,
    /// What would help.
    pub hint: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if self.path.is_empty() { "" } else { ": " };
        write!(f, "{}{separator}{}", self.path, self.reason)
    }
}

impl Error {
    /// What would help.
    pub fn hint(&self) -> String {
        self.fault.hint.clone()
    }
}
