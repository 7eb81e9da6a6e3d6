//! Why a restore was not made.

use bowline_api::SnapshotterError;

use super::alterations;
use crate::engine::context::{Right, rights};
use crate::engine::model::{filter, hooks, names, zones};
use crate::engine::report::{Phase, RestoreReport};
use crate::engine::{archive, cluster, store};

/// Why a restore was not made. Only [`Error::Broken`] and [`Error::Interrupted`] come after something
/// was written.
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
    /// The very same was asked for before, and is done.
    #[error("restore \"{name}\" exists already in {location}: it is done")]
    Done {
        /// The restore's name.
        name: String,
        /// The location's URL.
        location: String,
        /// What came of it.
        report: Box<RestoreReport>,
    },
    /// The restore went into another cluster than this one.
    #[error("restore \"{name}\" went into another cluster than this one")]
    OtherCluster {
        /// The restore's name.
        name: String,
        /// The context of this cluster.
        context: Option<String>,
    },
    /// It was asked to stop, and has. What it did is there.
    #[error("interrupted")]
    Interrupted {
        /// The restore's name.
        name: String,
    },
    /// It was asked to stop while it only looked: nothing was written.
    #[error("interrupted")]
    Stopped,
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
    /// The archive could not be read, for a reason that is none of its own.
    #[error("the archive of backup \"{name}\" could not be read")]
    ArchiveUnread {
        /// The backup's name.
        name: String,
        /// What went wrong.
        source: archive::Error,
    },
    /// A filter names something that cannot be.
    #[error("a filter is not valid")]
    Filter(#[from] filter::Error),
    /// The hooks cannot be run as they are written; nothing was written.
    #[error("the hooks cannot be run")]
    Hooks(#[from] hooks::Error),
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
    /// A workload that is to be quiet does not exist in the target.
    #[error("the target has no deployment or stateful set \"{name}\"")]
    UnknownWorkload {
        /// What was named.
        name: String,
        /// One of a similar name.
        similar: Option<String>,
    },
    /// What a person wants changed cannot be done.
    #[error(transparent)]
    Alterations(#[from] alterations::Error),
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
    /// The plan could not be shown.
    #[error("the plan could not be written out")]
    Shown(#[source] std::io::Error),
    /// It broke off in the middle; run again, it goes on.
    #[error("restore \"{name}\" broke off")]
    Broken {
        /// The restore's name.
        name: String,
        /// What went wrong.
        source: Box<Cause>,
    },
}

impl Error {
    /// What it means for a restore that the archive of a backup was not read.
    pub(super) fn of_archive(name: &str, source: archive::Error) -> Self {
        let name = name.to_owned();
        match source {
            archive::Error::Store(error) => Self::Location(error.into()),
            source if source.is_damage() => Self::ArchiveDamaged { name, source },
            source => Self::ArchiveUnread { name, source },
        }
    }

    /// Whether another restore has the name, so that this one did nothing.
    pub fn is_name_taken(&self) -> bool {
        match self {
            Self::NameInUse { .. } => true,
            Self::Broken { source, .. } => matches!(**source, Cause::Overtaken),
            _ => false,
        }
    }
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
    /// A workload that was to be quiet is not.
    #[error("{workload} is not quiet: {reason}")]
    NotQuiet {
        /// The workload.
        workload: String,
        /// What it still does, or why it could not be scaled.
        reason: String,
    },
    /// It was asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// Another run of this name began at the same time.
    #[error("another run of the same name began at the same time")]
    Overtaken,
    /// No place takes the record of the restore.
    #[error("the restore's record could not be written anywhere")]
    Records(#[from] store::Error),
}

#[cfg(test)]
mod tests {
    use bowline_api::StoreError;

    use super::*;

    #[test]
    fn only_an_archive_that_is_at_fault_is_damaged() {
        let of = |source| Error::of_archive("nightly", source);
        let lost = StoreError::NotFound { key: "a".to_owned() };
        assert!(matches!(of(archive::Error::Store(lost)), Error::Location(_)));
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        assert!(matches!(of(archive::Error::Spool(full)), Error::ArchiveUnread { .. }));
        let cut = archive::Error::Truncated("inside an entry");
        assert!(matches!(of(cut), Error::ArchiveDamaged { .. }));
    }
}
