//! Why a backup could not be looked at.

use crate::engine::{archive, store};

/// Why a backup could not be looked at. What is wrong with it is no error, but the report.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such backup.
    #[error("backup \"{name}\" does not exist in {location}")]
    NotFound {
        /// What was named.
        name: String,
        /// The location's URL.
        location: String,
        /// A backup of a similar name.
        similar: Option<String>,
    },
    /// The location cannot be used.
    #[error("the storage location cannot be used")]
    Location(#[from] store::Error),
    /// The archive could not be looked at, for a reason that is none of its own.
    #[error("the archive of backup \"{name}\" could not be looked at")]
    Archive {
        /// The backup's name.
        name: String,
        /// What went wrong.
        source: archive::Error,
    },
}
