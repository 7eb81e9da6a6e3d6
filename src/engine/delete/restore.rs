//! Deleting the records of a restore. What it restored stays.

use super::error::Error;
use super::retention;
use crate::engine::clock::Clock;
use crate::engine::model::filter::closest;
use crate::engine::store::{BackupStore, RestoreKeys};

/// Removes the records of a restore from every place that has some.
///
/// The record of what was asked goes last: as long as anything is left the restore is still listed,
/// and can be deleted again.
pub async fn restore(
    store: &BackupStore,
    local_records: Option<&BackupStore>,
    clock: Clock,
    name: &str,
) -> Result<(), Error> {
    let mut holders = Vec::new();
    let mut known = Vec::new();
    for place in std::iter::once(store).chain(local_records) {
        let names = place.restore_names().await?;
        if names.iter().any(|other| other == name) {
            holders.push(place);
        }
        known.extend(names);
    }
    if holders.is_empty() {
        let similar = closest(name, &known).map(ToOwned::to_owned);
        let location = store.url().to_owned();
        return Err(Error::NotFound { noun: "restore", name: name.to_owned(), location, similar });
    }
    for place in &holders {
        retention::check(place, clock, ("restore", name), &RestoreKeys(name).prefix()).await?;
    }
    for place in holders {
        let broken = |source| Error::Broken { noun: "restore", name: name.to_owned(), source };
        place.remove_restore(name).await.map_err(broken)?;
    }
    Ok(())
}
