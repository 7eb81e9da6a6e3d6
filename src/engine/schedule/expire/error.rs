//! Why nothing was expired.

use crate::engine::store;

/// Why nothing was expired; whatever goes wrong with one backup is in the report.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is neither such a schedule nor a backup of one.
    #[error("schedule \"{name}\" does not exist in {location}, and no backup is of one")]
    NotFound {
        /// What was named.
        name: String,
        /// The location's URL.
        location: String,
        /// One of a similar name.
        similar: Option<String>,
    },
    /// The location cannot be used, or a record in it not be read; nothing was touched.
    #[error("the storage location cannot be used")]
    Location(#[from] store::Error),
}
