//! Whether the store lets go of it yet.

use super::error::Error;
use crate::engine::clock::Clock;
use crate::engine::store::BackupStore;

/// Checks that nothing below the prefix of a backup or a restore is retained.
pub(super) async fn check(
    store: &BackupStore,
    clock: Clock,
    (noun, name): (&'static str, &str),
    prefix: &str,
) -> Result<(), Error> {
    match store.retained(prefix, clock.now()).await? {
        None => Ok(()),
        Some((key, retention)) => {
            Err(Error::Retained { noun, name: name.to_owned(), key, until: retention.until })
        }
    }
}
