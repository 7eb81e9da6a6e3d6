//! Why a drill was not made.

use bowline_api::SnapshotterError;

use crate::engine::context::{Right, rights};
use crate::engine::model::drill::Verdict;
use crate::engine::report::Problem;
use crate::engine::{cluster, restore, store};

/// Why a drill was not made, or did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The backup cannot be restored, or not as it was asked for; nothing was written.
    #[error("the backup cannot be drilled")]
    Restore(#[source] Box<restore::Error>),
    /// Nothing of the backup can be drilled.
    #[error("backup \"{backup}\" holds no namespace that can be drilled")]
    NoNamespaces {
        /// The backup.
        backup: String,
    },
    /// There is no such drill, and no such backup that has any.
    #[error("no drill of \"{name}\" is known in {location}")]
    NotFound {
        /// What was named.
        name: String,
        /// The location's URL.
        location: String,
    },
    /// The user may not do all that a drill needs; nothing was written.
    #[error("this user may not: {}", rights::names(missing))]
    NotAllowed {
        /// What is not granted.
        missing: Vec<Right>,
    },
    /// The location cannot be used.
    #[error("the storage location cannot be used")]
    Location(#[source] store::Error),
    /// The cluster cannot be used.
    #[error("the cluster cannot be used")]
    Cluster(#[source] cluster::Error),
    /// Where volumes would be made cannot be told; nothing was written.
    #[error("the provider of the volumes cannot be used")]
    Provider(#[source] SnapshotterError),
    /// It was asked to stop while it only looked: nothing was written.
    #[error("interrupted")]
    Stopped,
    /// It did not come to its end. What it had made was taken down, but for what is left.
    #[error("the drill of backup \"{backup}\" broke off{}", leftover(left))]
    Broken {
        /// The backup.
        backup: String,
        /// The identity of the drill.
        uid: String,
        /// What of it is left.
        left: Vec<Problem>,
        /// Why.
        source: Box<Cause>,
    },
}

fn leftover(left: &[Problem]) -> String {
    let [first, rest @ ..] = left else { return ", and was taken down".to_owned() };
    match rest.len() {
        0 => format!(", and something is left of it: {first}"),
        more => format!(", and something is left of it: {first}, and {more} more"),
    }
}

/// Why a drill did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// It was asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// The restore broke off.
    #[error(transparent)]
    Restore(#[from] restore::Error),
    /// The cluster failed.
    #[error("the cluster failed")]
    Cluster(#[from] cluster::Error),
    /// A namespace that was to be made is there.
    #[error("namespace \"{0}\" exists already")]
    NamespaceTaken(String),
    /// What closes a namespace off does not hold.
    #[error("the quota of namespace \"{0}\" is not enforced: is the quota controller running?")]
    NoQuota(String),
    /// It took far too long.
    #[error("it was not done in time")]
    TooLong,
    /// What it showed could not be written down.
    #[error("it {}, but the evidence could not be written", verdict.word().to_lowercase())]
    Evidence {
        /// What it came to.
        verdict: Verdict,
        /// Why it could not be written.
        source: store::Error,
    },
}

impl From<restore::Error> for Error {
    fn from(error: restore::Error) -> Self {
        Self::Restore(Box::new(error))
    }
}
