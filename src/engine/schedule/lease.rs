//! One holder per schedule: a lease in the bucket, by conditional writes.
//!
//! See `docs/design/0023-leases-and-runs.md`.

use std::time::Duration;

use bowline_api::StoreError;
use jiff::Timestamp;

use crate::engine::clock::pause;
use crate::engine::model::lease::LeaseRecord;
use crate::engine::model::schedule::RunRecord;
use crate::engine::report::chain;
use crate::engine::store::{BackupStore, Error, StoredLease};

/// How often it is renewed while it stands.
const RENEWALS: u32 = 3;
/// How often it is tried to take a lease that somebody else writes at the same moment.
const TRIES: u32 = 5;

/// What is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// Who wants it: the machine and the process.
    pub holder: &'a str,
    /// The identity of the run that it is for.
    pub uid: &'a str,
    /// The backup that the run makes.
    pub backup: &'a str,
    /// When the run was due; none if somebody asked for it.
    pub due: Option<Timestamp>,
    /// Whether it is taken from whoever has it, unless that run was due at the same time.
    pub by_force: bool,
}

/// What came of it.
#[derive(Debug)]
pub enum Taken<'a> {
    /// It is ours.
    Ours {
        /// It.
        lease: Lease<'a>,
        /// From whom it was taken by force.
        from: Option<LeaseRecord>,
    },
    /// It is another's.
    Held(LeaseRecord),
}

/// A lease that is ours until somebody takes it over, which is only possible once it has run out.
#[derive(Debug)]
pub struct Lease<'a> {
    store: &'a BackupStore,
    key: String,
    record: LeaseRecord,
    version: String,
}

/// Takes a lease, if nobody has it; gives back who has it else.
pub async fn take<'a>(
    store: &'a BackupStore,
    key: &str,
    claim: &Claim<'_>,
) -> Result<Taken<'a>, Error> {
    let record = claim.record();
    let (mut from, mut failed) = (None, None);
    for _ in 0..TRIES {
        let found = store.lease(key).await?;
        if let Some(found) = found.as_ref().filter(|found| found.record.uid == record.uid) {
            let (key, version) = (key.to_owned(), found.version.clone());
            return Ok(Taken::Ours { lease: Lease { store, key, record, version }, from });
        }
        if let Some(error) = failed {
            return Err(error);
        }
        from = match &found {
            Some(found) if is_held(store, found).await? => Some(found.record.clone()),
            _ => None,
        };
        if let Some(from) = from.take_if(|from| !claim.may_replace(from)) {
            return Ok(Taken::Held(from));
        }
        // Whether it is ours, though the reply was lost, or somebody was faster, is read next.
        failed = write(store, key, &record, found.as_ref()).await.err();
    }
    Err(failed.unwrap_or_else(|| StoreError::Changed { key: key.to_owned() }.into()))
}

impl<'a> Claim<'a> {
    /// What a run wants.
    pub(super) fn of(run: &'a RunRecord, by_force: bool) -> Self {
        let RunRecord { holder, uid, backup, due, .. } = run;
        Self { holder, uid, backup, due: *due, by_force }
    }

    fn record(&self) -> LeaseRecord {
        LeaseRecord {
            holder: self.holder.to_owned(),
            uid: self.uid.to_owned(),
            backup: self.backup.to_owned(),
            due: self.due,
            duration_seconds: LeaseRecord::DURATION,
            renewals: 0,
            released: false,
        }
    }

    /// Whether it goes before one that stands. One that was due at the same time is the same run, and
    /// one that cannot be read may be.
    fn may_replace(&self, other: &LeaseRecord) -> bool {
        self.by_force && other.is_readable() && (self.due.is_none() || self.due != other.due)
    }
}

/// Who has a lease now; none if nobody does.
pub async fn holder(store: &BackupStore, key: &str) -> Result<Option<LeaseRecord>, Error> {
    let Some(found) = store.lease(key).await? else { return Ok(None) };
    Ok(is_held(store, &found).await?.then_some(found.record))
}

async fn is_held(store: &BackupStore, found: &StoredLease) -> Result<bool, Error> {
    // The time costs three requests, and mostly nobody has it.
    Ok(!found.record.released && found.stands(store.time().await?))
}

async fn write(
    store: &BackupStore,
    key: &str,
    record: &LeaseRecord,
    found: Option<&StoredLease>,
) -> Result<(), Error> {
    match found {
        Some(found) => drop(store.replace_lease(key, record, &found.version).await?),
        None => drop(store.create_lease(key, record).await?),
    }
    Ok(())
}

impl Lease<'_> {
    /// Renews it for as long as it is ours; ends when it is another's, or was removed.
    ///
    /// While the store cannot be reached it may run out, and stays ours if nobody wanted it.
    pub async fn keep(&mut self) {
        loop {
            pause(Duration::from_secs((LeaseRecord::DURATION / RENEWALS).into())).await;
            match self.renew().await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => tracing::warn!("the lease was not renewed: {}", chain(&error)),
            }
        }
    }

    /// Renews it once; tells whether it is still ours.
    async fn renew(&mut self) -> Result<bool, Error> {
        self.record.renewals += 1;
        self.rewrite().await
    }

    /// Gives it back, if it is still ours, and may remove it: nobody will take that one again.
    pub async fn give_back(mut self, remove: bool) -> Result<(), Error> {
        self.record.released = true;
        let is_ours = self.rewrite().await?;
        if remove && is_ours { self.store.remove(&self.key).await } else { Ok(()) }
    }

    async fn rewrite(&mut self) -> Result<bool, Error> {
        for _ in 0..TRIES {
            let written = self.store.replace_lease(&self.key, &self.record, &self.version).await?;
            if let Some(version) = written {
                self.version = version;
                return Ok(true);
            }
            // An earlier write of ours may have taken effect, and its reply was lost.
            match self.store.lease(&self.key).await? {
                Some(found) if found.record.uid == self.record.uid => self.version = found.version,
                _ => return Ok(false),
            }
        }
        Ok(true)
    }
}
