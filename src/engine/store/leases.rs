//! Leases, and what time it is where they lie.

use bowline_api::StoreError;
use jiff::Timestamp;
use uuid::Uuid;

use super::backup_store::{BackupStore, Error, SideFile};
use super::layout::ProbeKeys;
use crate::engine::model::lease::LeaseRecord;

/// A lease as it is in the bucket.
#[derive(Clone, Debug)]
pub struct StoredLease {
    /// What it says.
    pub record: LeaseRecord,
    /// The version that was read; what it says may be of a later one, which is not replaced then.
    pub version: String,
    /// When it was written, by the store's clock.
    pub written: Timestamp,
}

impl StoredLease {
    /// Whether it stands at this time of the store's.
    pub fn stands(&self, now: Timestamp) -> bool {
        let end = self.written.checked_add(self.record.duration()).unwrap_or(Timestamp::MAX);
        !self.record.released && now <= end
    }
}

impl BackupStore {
    /// Reads a lease; none if nobody ever took it. One that is damaged runs out, too.
    pub async fn lease(&self, key: &str) -> Result<Option<StoredLease>, Error> {
        let found = match self.store.head(key).await {
            Ok(found) => found,
            Err(StoreError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let record = match self.json_if_there::<LeaseRecord>(key).await {
            Err(error) if error.is_damage() => Some(LeaseRecord::unreadable()),
            read => read?,
        };
        let (version, written) = (found.version, found.modified);
        Ok(record.map(|record| StoredLease { record, version, written }))
    }

    /// Writes a lease that nobody ever took; false if somebody has by now.
    pub async fn create_lease(&self, key: &str, record: &LeaseRecord) -> Result<bool, Error> {
        match self.create(&SideFile::json(key.to_owned(), record)?).await {
            Err(error) if error.is_already_exists() => Ok(false),
            other => other.map(|()| true),
        }
    }

    /// Writes a lease anew, if it is still of that version; gives back the one that it has then, none
    /// if it has changed.
    pub async fn replace_lease(
        &self,
        key: &str,
        record: &LeaseRecord,
        version: &str,
    ) -> Result<Option<String>, Error> {
        let file = SideFile::json(key.to_owned(), record)?;
        match self.store.replace(key, file.content, version).await {
            Ok(version) => Ok(Some(version)),
            Err(StoreError::Changed { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// What time it is by the store's clock: that of an object which is written for it.
    ///
    /// It is the clock that times of other objects are by, which the date of a reply need not be.
    pub async fn time(&self) -> Result<Timestamp, Error> {
        let key = ProbeKeys("clock").object();
        let body = Uuid::new_v4().to_string();
        let written = match self.store.head(&key).await {
            Ok(found) => self.store.replace(&key, body.into(), &found.version).await.map(drop),
            Err(StoreError::NotFound { .. }) => self.store.create(&key, body.into()).await,
            Err(error) => Err(error),
        };
        match written {
            // Written by somebody else, and after we had begun to look: that is as good.
            Ok(()) | Err(StoreError::Changed { .. } | StoreError::AlreadyExists { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(self.store.head(&key).await?.modified)
    }
}
