//! Why a restore was not made.

use bowline_api::SnapshotterError;

use crate::engine::context::{Right, rights};
use crate::engine::model::{filter, names, zones};
use crate::engine::report::Phase;
use crate::engine::{archive, cluster, store};

/// Why a restore was not made. Only [`Error::Broken`] comes after something was written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name cannot be one.
    #[error("the restore's name is not valid")]
    InvalidName(#[source] names::Invalid),
    /// A namespace in a mapping cannot be one.
    #[error("a namespace mapping is not valid")]
    InvalidMapping(#[source] names::Invalid),
    /// There is a restore of this name that is done, or that was asked for something else.
    #[error("restore \"{name}\" exists already in {location}: {reason}")]
    NameInUse {
        /// The restore's name.
        name: String,
        /// The location's URL.
        location: String,
        /// Why it cannot be resumed.
        reason: String,
    },
    /// There is no such backup.
    #[error("backup \"{name}\" does not exist in {location}")]
    BackupNotFound {
        /// The backup's name.
        name: String,
        /// The location's URL.
        location: String,
        /// A backup of a similar name.
        similar: Option<String>,
    },
    /// The backup was never finished.
    #[error("backup \"{name}\" was never finished and cannot be restored")]
    BackupIncomplete {
        /// The backup's name.
        name: String,
    },
    /// The backup is not good.
    #[error("backup \"{name}\" is {phase} and cannot be restored: {reason}")]
    BackupNotGood {
        /// The backup's name.
        name: String,
        /// How it ended.
        phase: Phase,
        /// What that means for it.
        reason: String,
    },
    /// The backup is not what was written.
    #[error("backup \"{name}\" is damaged: {reason}")]
    BackupDamaged {
        /// The backup's name.
        name: String,
        /// Where it differs.
        reason: String,
    },
    /// The archive cannot be read.
    #[error("the archive of backup \"{name}\" is damaged")]
    ArchiveDamaged {
        /// The backup's name.
        name: String,
        /// What is wrong with it.
        source: archive::Error,
    },
    /// A filter names something that cannot be.
    #[error("a filter is not valid")]
    Filter(#[from] filter::Error),
    /// A namespace that was named is not in the backup.
    #[error("namespace \"{name}\" is not in the backup")]
    UnknownNamespace {
        /// What was named.
        name: String,
        /// A namespace of a similar name.
        similar: Option<String>,
    },
    /// A pattern of namespaces matches none, so that nothing would come back.
    #[error("no namespace in the backup matches \"{pattern}\"")]
    NoSuchNamespace {
        /// The pattern as given.
        pattern: String,
    },
    /// It is not clear in which zones volumes are to be made.
    #[error("there is no zone for some volumes")]
    Zones(#[source] zones::Error),
    /// A provider of volumes cannot be used; nothing was written.
    #[error("volumes of provider \"{provider}\" cannot be made")]
    Provider {
        /// The provider's name.
        provider: &'static str,
        /// What it said.
        source: SnapshotterError,
    },
    /// The user may not do all that the plan needs; nothing was written.
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
    /// It broke off in the middle; run again, it goes on.
    #[error("restore \"{name}\" broke off")]
    Broken {
        /// The restore's name.
        name: String,
        /// What went wrong.
        source: Box<Cause>,
    },
}

/// What can break a restore off.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The cluster failed.
    #[error("the cluster failed")]
    Cluster(#[from] cluster::Error),
    /// The archive could not be read again.
    #[error("the archive could not be read")]
    Archive(#[from] archive::Error),
    /// Another run of this name began at the same time.
    #[error("another run of the same name began at the same time")]
    Overtaken,
    /// No place takes the record of the restore.
    #[error("the restore's record could not be written anywhere")]
    Records(#[from] store::Error),
}
