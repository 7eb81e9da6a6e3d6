//! Why nothing was deleted, or not all.

use bowline_api::SnapshotterError;
use jiff::Timestamp;

use super::identity::Identity;
use crate::engine::context::{OutOfReach, Right, rights};
use crate::engine::store;

/// Why nothing was deleted. Only [`Error::Broken`] comes after something was.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such backup or restore.
    #[error("{noun} \"{name}\" does not exist in {location}")]
    NotFound {
        /// `backup` or `restore`.
        noun: &'static str,
        /// What was named.
        name: String,
        /// The location's URL.
        location: String,
        /// One of a similar name.
        similar: Option<String>,
    },
    /// The store refuses to remove some of it yet.
    #[error("{noun} \"{name}\" is retained {}: \"{key}\"", how_long(*until))]
    Retained {
        /// `backup` or `restore`.
        noun: &'static str,
        /// Its name.
        name: String,
        /// The key that is retained the longest.
        key: String,
        /// Until when; none if somebody has to lift a legal hold.
        until: Option<Timestamp>,
    },
    /// Somebody wants it to stay.
    #[error("backup \"{name}\" is held since {since}{}", why(reason.as_deref()))]
    Held {
        /// The backup's name.
        name: String,
        /// Since when.
        since: Timestamp,
        /// Why, as they say.
        reason: Option<String>,
    },
    /// The name is no longer that of the backup that was meant.
    #[error("backup \"{name}\" is another one by now")]
    Renewed {
        /// The backup's name.
        name: String,
    },
    /// Nobody here can remove one of its snapshots.
    #[error("snapshot {id} of backup \"{name}\" is of a provider that is not at hand")]
    NoProvider {
        /// The backup's name.
        name: String,
        /// The snapshot.
        id: String,
        /// The providers that are at hand.
        known: String,
    },
    /// A snapshot is in another region than the one that is reached.
    #[error("snapshot {id} was taken in zone {zone}, and this runs in {}", zones.join(", "))]
    OtherRegion {
        /// The snapshot.
        id: String,
        /// Where its volume was.
        zone: String,
        /// The zones that are reached from here.
        zones: Vec<String>,
    },
    /// A provider that was asked for its snapshots cannot be asked for them now.
    #[error("the snapshots of backup \"{name}\" cannot be reached from here")]
    OutOfReach {
        /// The backup's name.
        name: String,
        /// Why not.
        source: OutOfReach,
    },
    /// None of a provider's snapshots is there, as far as these credentials can see.
    #[error(
        "none of the {count} snapshots of backup \"{name}\" can be seen from here: another account \
         or region?"
    )]
    Unseen {
        /// The backup's name.
        name: String,
        /// How many there should be.
        count: usize,
    },
    /// Its snapshots may not be removed.
    #[error("these credentials may not delete its snapshots: {}", rights::names(missing))]
    NotAllowed {
        /// The rights that are not granted.
        missing: Vec<Right>,
    },
    /// Another backup lies under the name of the one whose deletion was begun.
    #[error("what lies under the name \"{name}\" is not the backup whose deletion was begun")]
    OtherBackup {
        /// The backup's name.
        name: String,
        /// The key of the mark of the deletion.
        mark: String,
    },
    /// What snapshots there are cannot be found out.
    #[error("the snapshots of backup \"{name}\" cannot be found out")]
    Snapshots {
        /// The backup's name.
        name: String,
        /// What the provider said.
        source: SnapshotterError,
    },
    /// The location cannot be used, or a record in it not be read; nothing was touched.
    #[error("the storage location cannot be used")]
    Location(#[from] store::Error),
    /// It broke off in the middle.
    #[error("the deletion of {noun} \"{name}\" broke off")]
    Broken {
        /// `backup` or `restore`.
        noun: &'static str,
        /// Its name.
        name: String,
        /// What went wrong.
        source: store::Error,
    },
}

impl Error {
    pub(super) fn other_backup(identity: &Identity) -> Self {
        Self::OtherBackup { name: identity.name.clone(), mark: identity.keys().tombstone() }
    }
}

fn how_long(time: Option<Timestamp>) -> String {
    time.map_or_else(|| "by a legal hold".to_owned(), |time| format!("until {time}"))
}

fn why(reason: Option<&str>) -> String {
    reason.map(|reason| format!(": {reason}")).unwrap_or_default()
}
