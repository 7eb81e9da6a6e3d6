//! What can be wrong with hooks.

/// Hooks that cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The document cannot be understood.
    #[error("the hooks cannot be understood: {reason}")]
    Malformed {
        /// What is wrong.
        reason: String,
    },
    /// One of them cannot be followed.
    #[error("hook \"{name}\": {reason}")]
    Invalid {
        /// Its name.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// No pod is meant.
    #[error("hook \"{name}\" matches no pod")]
    MatchesNothing {
        /// Its name.
        name: String,
    },
}

impl Error {
    /// What would help.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => {
                "write what Velero has below spec.hooks: resources: [{name, includedNamespaces, \
                 labelSelector, pre: [{exec: {command}}]}]"
            }
            Self::Invalid { .. } => "correct it in the file that --hooks names",
            Self::MatchesNothing { .. } => {
                "correct its namespaces and labels, or take it out of the file that --hooks names; \
                 a restore's hooks are matched in the namespaces of the target"
            }
        }
    }
}
