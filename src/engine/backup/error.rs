//! Why a backup was not made.

use jiff::Timestamp;

use crate::engine::model::{filter, names};
use crate::engine::{archive, cluster, store};

/// Why a backup was not made. Only [`Error::Broken`] comes after something was written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name cannot be one.
    #[error("the backup's name is not valid")]
    InvalidName(#[from] names::Invalid),
    /// There is a backup of this name.
    #[error("backup \"{name}\" exists already in {location}")]
    NameInUse {
        /// The backup's name.
        name: String,
        /// The location's URL.
        location: String,
    },
    /// An attempt of this name was not finished.
    #[error("backup \"{name}\" was started {} and never finished", since(*started))]
    Incomplete {
        /// The backup's name.
        name: String,
        /// When it was started.
        started: Option<Timestamp>,
    },
    /// The backup of this name is being deleted.
    #[error("backup \"{name}\" is being deleted")]
    Deleting {
        /// The backup's name.
        name: String,
    },
    /// A filter names something that cannot be.
    #[error("a filter is not valid")]
    Filter(#[from] filter::Error),
    /// A namespace that was named does not exist.
    #[error("namespace \"{name}\" does not exist in the cluster")]
    UnknownNamespace {
        /// What was named.
        name: String,
        /// A namespace of a similar name.
        similar: Option<String>,
    },
    /// The location cannot be used; nothing was written.
    #[error("the storage location cannot be used")]
    Location(#[source] store::Error),
    /// The cluster cannot be used; nothing was written.
    #[error("the cluster cannot be used")]
    Cluster(#[source] cluster::Error),
    /// It broke off in the middle.
    #[error("the backup broke off; {}", left(*cleared))]
    Broken {
        /// Whether what it had written was removed.
        cleared: bool,
        /// What went wrong.
        source: Box<Cause>,
    },
}

/// What can break a backup off.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The location failed.
    #[error("the storage location failed")]
    Location(#[from] store::Error),
    /// The cluster failed.
    #[error("the cluster failed")]
    Cluster(#[from] cluster::Error),
    /// The archive could not be written.
    #[error("the archive could not be written")]
    Archive(#[from] archive::Error),
    /// Somebody else replaced this attempt.
    #[error("another run took over the name while this one was working")]
    Replaced,
    /// It was committed meanwhile: nothing of it may be removed.
    #[error("a backup of this name was committed meanwhile")]
    Committed,
    /// The log could not be packed.
    #[error("the log could not be packed")]
    Log(#[from] std::io::Error),
}

fn since(started: Option<Timestamp>) -> String {
    started.map_or_else(|| "earlier".to_owned(), |time| format!("at {time}"))
}

fn left(cleared: bool) -> &'static str {
    if cleared { "nothing of it is left" } else { "what it had written could not all be removed" }
}
