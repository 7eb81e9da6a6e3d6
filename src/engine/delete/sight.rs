//! Whether the snapshots can be seen from here: with other credentials all seem to be gone.

use std::collections::BTreeMap;
use std::pin::pin;

use bowline_api::{Operation, SnapshotterError, VolumeSnapshotter};
use futures::{StreamExt as _, stream};

use super::error::Error;
use super::identity::{Identity, Owner};
use crate::engine::context::{Right, Snapshotters, rights};
use crate::engine::model::tombstone::{Leaving, MarkedSnapshot};
use crate::engine::store::BackupStore;

/// How many snapshots are looked at at once.
const AT_ONCE: usize = 16;

/// By provider, a snapshot of the backup that was seen.
///
/// It goes last: as long as it is there, nobody takes other credentials for the end of all.
pub(super) type Witnesses = BTreeMap<String, String>;

/// What was seen of a provider's snapshots.
enum Sight {
    Nothing,
    /// Only such as are not of this backup.
    Others,
    Ours(String),
}

/// Looks until one snapshot of each provider is seen.
///
/// That there is none is believed if the backup's files are gone already, which go after them; if
/// an earlier run was about to remove the last one; or if the user says so.
pub(super) async fn witnesses(
    store: &BackupStore,
    snapshotters: &Snapshotters,
    identity: &Identity,
    snapshots: &[MarkedSnapshot],
    may_be_missing: bool,
) -> Result<Witnesses, Error> {
    let mut witnesses = Witnesses::new();
    for (provider, ids) in by_provider(snapshots) {
        let Some(snapshotter) = snapshotters.of_provider(provider) else { continue };
        let name = identity.name.clone();
        match look(snapshotter, identity, &ids).await {
            Err(source) => return Err(Error::Snapshots { name, source }),
            Ok(Sight::Ours(id)) => drop(witnesses.insert(provider.to_owned(), id)),
            Ok(Sight::Others) => {}
            Ok(Sight::Nothing) if may_be_missing => {}
            Ok(Sight::Nothing) => {
                let mark = leaving(identity, provider);
                let has_files = store.holds_files(&name).await?;
                if has_files && !store.is_leaving(&name, &mark).await? {
                    return Err(Error::Unseen { name, count: ids.len() });
                }
            }
        }
    }
    Ok(witnesses)
}

/// Refuses a deletion whose snapshots nobody lets us remove, before anything is touched.
pub(super) async fn check_rights(
    snapshotters: &Snapshotters,
    witnesses: &Witnesses,
) -> Result<(), Error> {
    let mut missing = Vec::new();
    for (provider, id) in witnesses {
        if let Some(snapshotter) = snapshotters.of_provider(provider) {
            let all = rights::of_provider(snapshotter, Operation::Delete, Some(id)).await;
            missing.extend(Right::missing(&all));
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(Error::NotAllowed { missing }) }
}

/// The snapshots of each provider.
pub(super) fn by_provider(snapshots: &[MarkedSnapshot]) -> BTreeMap<&str, Vec<&str>> {
    let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for MarkedSnapshot { provider, id, .. } in snapshots {
        found.entry(provider).or_default().push(id);
    }
    found
}

/// The mark that only the last snapshot of a provider is left.
pub(super) fn leaving(identity: &Identity, provider: &str) -> Leaving {
    Leaving { uid: identity.uid.clone(), provider: provider.to_owned() }
}

async fn look(
    snapshotter: &dyn VolumeSnapshotter,
    identity: &Identity,
    ids: &[&str],
) -> Result<Sight, SnapshotterError> {
    let looks = stream::iter(ids)
        .map(|id| async move { (*id, snapshotter.snapshot(id).await) })
        .buffered(AT_ONCE);
    let mut looks = pin!(looks);
    let mut sight = Sight::Nothing;
    while let Some((id, found)) = looks.next().await {
        match found {
            // One that somebody shares can be seen from the wrong account, too.
            Ok(snapshot) if snapshot.shared_by.is_some() => {}
            Err(SnapshotterError::NotFound { .. } | SnapshotterError::Refused { .. }) => {}
            Ok(snapshot) if identity.owner(&snapshot.tags) == Owner::Ours => {
                return Ok(Sight::Ours(id.to_owned()));
            }
            Ok(_) => sight = Sight::Others,
            Err(error) => return Err(error),
        }
    }
    Ok(sight)
}
