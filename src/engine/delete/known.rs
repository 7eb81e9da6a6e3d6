//! What is known of a backup before anything of it is touched.

use std::collections::BTreeMap;

use bowline_api::{Snapshot, SnapshotterError, VolumeSnapshotter};

use super::backup::Request;
use super::error::Error;
use super::identity::Identity;
use super::records::{Recorded, Records};
use super::sight::{self, Witnesses};
use crate::engine::context::Snapshotters;
use crate::engine::journal::Journal;
use crate::engine::model::filter::closest;
use crate::engine::model::tombstone::{MarkedSnapshot, Tombstone};
use crate::engine::model::volume::tags;
use crate::engine::report::{Problem, chain};
use crate::engine::store::BackupStore;

/// What is known of a backup before anything of it is touched.
#[derive(Debug)]
pub(super) struct Known {
    pub identity: Identity,
    pub snapshots: Vec<MarkedSnapshot>,
    pub witnesses: Witnesses,
    pub tombstone: Option<Tombstone>,
}

/// Snapshots by id.
type Found = BTreeMap<String, MarkedSnapshot>;

/// Finds out all that is to be removed.
pub(super) async fn find(
    store: &BackupStore,
    snapshotters: &Snapshotters,
    journal: &Journal,
    request: Request<'_>,
) -> Result<Known, Error> {
    let name = request.name;
    check_name(store, name).await?;
    let tombstone = store.tombstone(name).await?;
    let records = Records::read(store, journal, name).await?;
    let identity = identify(store, name, tombstone.as_ref(), &records)?;
    for record in &records.providers {
        let out_of_reach = |source| Error::OutOfReach { name: name.to_owned(), source };
        snapshotters.reach(record).await.map_err(out_of_reach)?;
    }
    let marked = tombstone.iter().flat_map(|it| &it.snapshots).cloned();
    let mut found: Found = marked.map(|it| (it.id.clone(), it)).collect();
    for snapshot in &records.snapshots {
        let snapshot = attributed(snapshotters, name, snapshot)?;
        found.entry(snapshot.id.clone()).or_insert(snapshot);
    }
    if let Some(uid) = &identity.uid {
        // Whoever wrote a tombstone has looked everywhere.
        let anywhere = tombstone.is_none() && records.leave_open();
        let search = Search { name, uid, records: &records, found: &found, anywhere };
        for snapshot in search.run(snapshotters, journal).await? {
            found.entry(snapshot.id.clone()).or_insert(snapshot);
        }
    }
    let snapshots: Vec<_> = found.into_values().collect();
    check_zones(snapshotters, name, &snapshots).await?;
    let may_be_missing = request.ignore_missing_snapshots;
    let witnesses =
        sight::witnesses(store, snapshotters, &identity, &snapshots, may_be_missing).await?;
    Ok(Known { identity, snapshots, witnesses, tombstone })
}

async fn check_name(store: &BackupStore, name: &str) -> Result<(), Error> {
    let names = store.backup_names().await?;
    if names.iter().any(|known| known == name) {
        return Ok(());
    }
    let similar = closest(name, &names).map(ToOwned::to_owned);
    let location = store.url().to_owned();
    Err(Error::NotFound { noun: "backup", name: name.to_owned(), location, similar })
}

/// Tells which backup is deleted. What lies under its name must be of that one.
fn identify(
    store: &BackupStore,
    name: &str,
    tombstone: Option<&Tombstone>,
    records: &Records,
) -> Result<Identity, Error> {
    let marked = tombstone.and_then(|tombstone| tombstone.uid.as_deref());
    let uid = marked.or_else(|| records.uid()).map(ToOwned::to_owned);
    let identity = Identity { name: name.to_owned(), uid, location: store.url().to_owned() };
    if identity.is_of(&records.documents) {
        Ok(identity)
    } else {
        Err(Error::other_backup(&identity))
    }
}

/// A recorded snapshot with its provider, which Velero's records do not tell.
fn attributed(
    snapshotters: &Snapshotters,
    name: &str,
    Recorded { id, provider, zone }: &Recorded,
) -> Result<MarkedSnapshot, Error> {
    let snapshotter = snapshotters.of_recorded(provider.as_deref(), id);
    let snapshotter = snapshotter.ok_or_else(|| no_provider(snapshotters, name, id.clone()))?;
    let (provider, id, zone) = (snapshotter.provider().to_owned(), id.clone(), zone.clone());
    Ok(MarkedSnapshot { provider, id, zone })
}

fn no_provider(snapshotters: &Snapshotters, name: &str, id: String) -> Error {
    Error::NoProvider { name: name.to_owned(), id, known: snapshotters.names() }
}

/// A search for snapshots that carry the backup's UID, recorded or not.
struct Search<'a> {
    name: &'a str,
    uid: &'a str,
    records: &'a Records,
    found: &'a Found,
    /// Whether those are asked, too, who are not known to have any.
    anywhere: bool,
}

impl Search<'_> {
    /// A provider that cannot be reached from here at all is passed over, with a warning, unless it
    /// is known to hold snapshots of this backup.
    async fn run(
        &self,
        snapshotters: &Snapshotters,
        journal: &Journal,
    ) -> Result<Vec<MarkedSnapshot>, Error> {
        let mut all = Vec::new();
        for snapshotter in snapshotters.iter() {
            let provider = snapshotter.provider();
            let is_involved = self.involves(provider);
            if !is_involved && !self.anywhere {
                continue;
            }
            match snapshotter.snapshots_tagged(tags::BACKUP_UID, self.uid).await {
                Ok(found) => all.extend(found.iter().map(|it| of_provider(snapshotter, it))),
                Err(error @ SnapshotterError::Unreachable { .. }) if !is_involved => {
                    let message = format!(
                        "whether there are snapshots of provider {provider} was not found out: {}",
                        chain(&error)
                    );
                    journal.warn(Problem::of_run("find snapshots", message));
                }
                Err(source) => return Err(Error::Snapshots { name: self.name.to_owned(), source }),
            }
        }
        Ok(all)
    }

    fn involves(&self, provider: &str) -> bool {
        self.records.providers.iter().any(|record| record.provider == provider)
            || self.found.values().any(|snapshot| snapshot.provider == provider)
    }
}

/// A snapshot that was just seen, as it is marked.
fn of_provider(snapshotter: &dyn VolumeSnapshotter, snapshot: &Snapshot) -> MarkedSnapshot {
    let provider = snapshotter.provider().to_owned();
    MarkedSnapshot { provider, id: snapshot.id.clone(), zone: snapshot.volume.zone.clone() }
}

/// Checks that every snapshot is in a zone that is reached: elsewhere it would seem not to exist.
async fn check_zones(
    snapshotters: &Snapshotters,
    name: &str,
    snapshots: &[MarkedSnapshot],
) -> Result<(), Error> {
    let mut zones: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for snapshot in snapshots {
        let snapshotter = snapshotters
            .of_provider(&snapshot.provider)
            .ok_or_else(|| no_provider(snapshotters, name, snapshot.id.clone()))?;
        let Some(zone) = &snapshot.zone else { continue };
        if !zones.contains_key(snapshot.provider.as_str()) {
            let fail = |source| Error::Snapshots { name: name.to_owned(), source };
            zones.insert(&snapshot.provider, snapshotter.zones().await.map_err(fail)?);
        }
        let here = zones.get(snapshot.provider.as_str()).map_or(&[][..], Vec::as_slice);
        if !here.is_empty() && !here.contains(zone) {
            let (id, zone, zones) = (snapshot.id.clone(), zone.clone(), here.to_vec());
            return Err(Error::OtherRegion { id, zone, zones });
        }
    }
    Ok(())
}
