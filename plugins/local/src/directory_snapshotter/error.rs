//! What goes wrong with files, in the words of a snapshotter.

use std::io;

use bowline_api::SnapshotterError;

use super::tree;

pub(super) fn failed(operation: &'static str, what: String, error: io::Error) -> SnapshotterError {
    SnapshotterError::Failed { operation, what, source: error.into() }
}

pub(super) fn refused(what: String, reason: impl Into<String>) -> SnapshotterError {
    SnapshotterError::Refused { what, reason: reason.into() }
}

pub(super) fn not_found(what: String) -> SnapshotterError {
    SnapshotterError::NotFound { what }
}

/// Says that another process is at it just now.
pub(super) fn busy(operation: &'static str, what: String) -> SnapshotterError {
    failed(operation, what, io::Error::other("another process is working on it"))
}

/// Says why a tree was not copied; `what` is the volume or snapshot that was to be copied.
pub(super) fn not_copied(what: String, error: tree::Error) -> SnapshotterError {
    match error {
        tree::Error::Io { path, source } => {
            let kind = source.kind();
            failed("copy", what, io::Error::new(kind, format!("{path}: {source}")))
        }
        tree::Error::Unsupported { path, reason } => refused(what, format!("{path}: {reason}")),
        tree::Error::Damaged { reason } => SnapshotterError::Damaged { what, reason },
    }
}

/// Tells whether a record was read, but is none.
pub(super) fn is_unreadable(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
}

/// What does not exist is no error.
pub(super) fn there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}
