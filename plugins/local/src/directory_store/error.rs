//! What an I/O error means to a store.

use std::io::{Error, ErrorKind};

use bowline_api::StoreError;

/// Sorts an I/O error by its meaning; `operation` and `key` say what was tried.
pub(super) fn store_error(operation: &'static str, key: &str, error: Error) -> StoreError {
    let key = key.to_owned();
    match error.kind() {
        ErrorKind::NotFound => StoreError::NotFound { key },
        ErrorKind::AlreadyExists => StoreError::AlreadyExists { key },
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            StoreError::Denied { key, source: error.into() }
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            StoreError::Full { key, source: error.into() }
        }
        _ => StoreError::Failed { operation, key, source: error.into() },
    }
}

/// Sorts an I/O error of a write, where a missing file is not a missing object.
pub(super) fn write_error(operation: &'static str, key: &str, error: Error) -> StoreError {
    match error.kind() {
        ErrorKind::NotFound => {
            StoreError::Failed { operation, key: key.to_owned(), source: error.into() }
        }
        _ => store_error(operation, key, error),
    }
}

/// Adds to an error which path it is about.
pub(super) fn about(path: &std::path::Path, error: &Error) -> Error {
    Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    fn meaning(errno: Errno) -> StoreError {
        store_error("read", "a/b", errno.into())
    }

    #[test]
    fn errors_are_sorted_by_meaning() {
        assert!(matches!(meaning(Errno::NOENT), StoreError::NotFound { key } if key == "a/b"));
        assert!(matches!(meaning(Errno::EXIST), StoreError::AlreadyExists { .. }));
        for denied in [Errno::ACCESS, Errno::PERM, Errno::ROFS] {
            assert!(matches!(meaning(denied), StoreError::Denied { .. }), "{denied}");
        }
        for full in [Errno::NOSPC, Errno::DQUOT] {
            assert!(matches!(meaning(full), StoreError::Full { .. }), "{full}");
        }
        assert!(matches!(meaning(Errno::IO), StoreError::Failed { operation: "read", .. }));
    }

    #[test]
    fn a_write_never_fails_with_not_found() {
        let error = write_error("create", "a", Errno::NOENT.into());
        assert!(matches!(error, StoreError::Failed { .. }));
    }
}
