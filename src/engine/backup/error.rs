//! Why a backup was not made.

use std::collections::BTreeSet;

use bowline_api::SnapshotterError;
use jiff::Timestamp;

use crate::engine::context::{OutOfReach, Right, rights};
use crate::engine::model::{filter, hooks, names, policy};
use crate::engine::{archive, cluster, store};

/// Why a backup was not made or finished.
///
/// Only [`Error::Broken`] and [`Error::Unfinished`] come after something was written.
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
    /// There is no backup of this name.
    #[error("backup \"{name}\" does not exist in {location}")]
    NotFound {
        /// What was asked for.
        name: String,
        /// The location's URL.
        location: String,
        /// A backup of a similar name.
        similar: Option<String>,
    },
    /// There is something of this name, but no backup.
    #[error("\"{name}\" is not a backup: {reason}")]
    Invalid {
        /// What was asked for.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The backup cannot be finished: it broke off before its archive was written.
    #[error("the archive of backup \"{name}\" is not whole")]
    NotWhole {
        /// The backup's name.
        name: String,
    },
    /// The backup is finished, and another program made it.
    #[error("backup \"{name}\" is finished, and another program made it")]
    Finished {
        /// The backup's name.
        name: String,
    },
    /// Nobody here can tell how the backup's snapshots are doing.
    #[error("backup \"{name}\" has snapshots of \"{provider}\", which is not at hand here")]
    NoSnapshotter {
        /// The backup's name.
        name: String,
        /// Who took them.
        provider: String,
    },
    /// The backup's snapshots cannot be reached from here.
    #[error("the snapshots of backup \"{name}\" cannot be reached")]
    OutOfReach {
        /// The backup's name.
        name: String,
        /// Why not.
        source: OutOfReach,
    },
    /// A filter names something that cannot be.
    #[error("a filter is not valid")]
    Filter(#[from] filter::Error),
    /// The hooks cannot be run as they are written; nothing was written.
    #[error("the hooks cannot be run")]
    Hooks(#[from] hooks::Error),
    /// The policies about volumes cannot be followed.
    #[error("the volume policies cannot be used")]
    Policies(#[from] policy::Error),
    /// The `ConfigMap` with the policies about volumes does not exist.
    #[error(
        "ConfigMap \"{name}\" with the volume policies does not exist in namespace \"{namespace}\""
    )]
    UnknownPolicies {
        /// The namespace.
        namespace: String,
        /// What was named.
        name: String,
    },
    /// A namespace that was named does not exist.
    #[error("namespace \"{name}\" does not exist in the cluster")]
    UnknownNamespace {
        /// What was named.
        name: String,
        /// A namespace of a similar name.
        similar: Option<String>,
    },
    /// A pattern of namespaces matches none, so that the backup would be empty.
    #[error("no namespace in the cluster matches \"{pattern}\"")]
    NoSuchNamespace {
        /// The pattern as given.
        pattern: String,
    },
    /// No provider of volumes can be used; nothing was written.
    #[error("volumes of provider \"{provider}\" cannot be snapshotted")]
    Provider {
        /// The provider's name.
        provider: &'static str,
        /// What it said.
        source: SnapshotterError,
    },
    /// No volume is where its provider is reached; nothing was written.
    #[error(
        "the volumes to snapshot are in {}, but provider \"{provider}\" is reached in {place}",
        zones.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
    )]
    Elsewhere {
        /// The provider's name.
        provider: &'static str,
        /// The region in which it is reached from here.
        place: String,
        /// The zones that the volumes are in.
        zones: BTreeSet<String>,
    },
    /// The user may not take snapshots; nothing was written.
    #[error("this user may not: {}", rights::names(missing))]
    NotAllowed {
        /// What is not granted.
        missing: Vec<Right>,
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
    /// It broke off while its snapshots were awaited; it can be finished.
    #[error("backup \"{name}\" broke off before it was committed; its snapshots go on")]
    Unfinished {
        /// The backup's name.
        name: String,
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
    /// It is not known how a snapshot is doing.
    #[error("the snapshot of {claim} could not be looked at")]
    Snapshot {
        /// The claim, as `namespace/name`.
        claim: String,
        /// What its provider said.
        source: SnapshotterError,
    },
    /// Nobody here takes the snapshots of this provider.
    #[error("no snapshotter is named \"{0}\"")]
    NoSnapshotter(String),
    /// A file is there already, and is another one.
    #[error("\"{key}\" is there already, and is not what this program would write")]
    Differs {
        /// The key of the file.
        key: String,
    },
    /// Somebody else replaced this attempt.
    #[error("another run took over the name while this one was working")]
    Replaced,
    /// It was committed meanwhile: nothing of it may be removed.
    #[error("a backup of this name was committed meanwhile")]
    Committed,
    /// It was to end, and nothing more was begun.
    #[error("it was interrupted")]
    Interrupted,
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
