//! Making, changing and removing schedules.
//!
//! A change is made to the version that was read. If another one was quicker, the schedule is read
//! again and the change is made to that, so that none is lost.

use bowline_api::StoreError;
use jiff::Timestamp;

use crate::engine::model::filter::closest;
use crate::engine::model::schedule::Schedule;
use crate::engine::store::{self, BackupStore, Versioned};

/// How often others may be quicker in a row; each time one of them has made its change.
const TRIES: usize = 100;

/// Why a schedule was not made, changed or removed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is none of that name.
    #[error("schedule \"{name}\" does not exist in {location}")]
    NotFound {
        /// The name.
        name: String,
        /// Where it was looked for.
        location: String,
        /// The nearest name that there is.
        similar: Option<String>,
    },
    /// The name is taken.
    #[error("schedule \"{name}\" exists already in {location}")]
    InUse {
        /// The name.
        name: String,
        /// Where.
        location: String,
    },
    /// Another cluster took it meanwhile.
    #[error(
        "schedule \"{name}\" is no longer the cluster {from}'s: the cluster {owner} has it now"
    )]
    Taken {
        /// The name.
        name: String,
        /// Whose it was to be taken from.
        from: String,
        /// Whose it is.
        owner: String,
    },
    /// Others change it all the time.
    #[error("schedule \"{name}\" was changed by others again and again")]
    Contended {
        /// The name.
        name: String,
    },
    /// The location failed.
    #[error("the storage location cannot be used")]
    Location(#[from] store::Error),
}

/// A schedule before and after a change; they are equal if there was nothing to change.
#[derive(Clone, Debug)]
pub struct Change {
    /// As it was.
    pub before: Schedule,
    /// As it is.
    pub after: Schedule,
}

impl Change {
    /// Whether it was not so before.
    pub fn is_new(&self) -> bool {
        self.before != self.after
    }
}

/// Reads a schedule.
pub async fn find(store: &BackupStore, name: &str) -> Result<Versioned<Schedule>, Error> {
    if let Some(found) = store.schedule(name).await? {
        return Ok(found);
    }
    let known = store.schedule_names().await?;
    let similar = closest(name, known.iter().map(String::as_str)).map(str::to_owned);
    Err(Error::NotFound { name: name.to_owned(), location: store.url().to_owned(), similar })
}

/// Fails if the name of a schedule is taken.
pub async fn check_free(store: &BackupStore, name: &str) -> Result<(), Error> {
    match store.schedule(name).await? {
        Some(_) => Err(in_use(store, name)),
        None => Ok(()),
    }
}

/// Writes a new schedule.
pub async fn create(store: &BackupStore, schedule: &Schedule) -> Result<(), Error> {
    match store.create_schedule(schedule).await {
        Err(error) if error.is_already_exists() => Err(in_use(store, schedule.name())),
        other => Ok(other?),
    }
}

/// Has nothing made for now.
pub async fn pause(store: &BackupStore, name: &str) -> Result<Change, Error> {
    change(store, name, |schedule| schedule.spec.paused = true).await
}

/// Has backups made again, from the next time on that is due: what was due meanwhile is not made up
/// for.
pub async fn unpause(store: &BackupStore, name: &str, now: Timestamp) -> Result<Change, Error> {
    let unpaused = |schedule: &mut Schedule| {
        if std::mem::take(&mut schedule.spec.paused) {
            schedule.bowline.since = now;
        }
    };
    change(store, name, unpaused).await
}

/// Makes it the schedule of another cluster, from the next time on that is due.
///
/// It is taken from the cluster `from` and no other: who agreed to that did not agree to take it from
/// one that has adopted it meanwhile.
pub async fn adopt(
    store: &BackupStore,
    name: &str,
    from: &str,
    cluster_uid: &str,
    now: Timestamp,
) -> Result<Change, Error> {
    let adopted = |schedule: &mut Schedule| {
        if schedule.bowline.cluster_uid == from && from != cluster_uid {
            cluster_uid.clone_into(&mut schedule.bowline.cluster_uid);
            schedule.bowline.since = now;
        }
    };
    let change = change(store, name, adopted).await?;
    let owner = &change.after.bowline.cluster_uid;
    if owner != cluster_uid {
        let [name, from, owner] = [name, from, owner.as_str()].map(str::to_owned);
        return Err(Error::Taken { name, from, owner });
    }
    Ok(change)
}

async fn change(
    store: &BackupStore,
    name: &str,
    edit: impl Fn(&mut Schedule),
) -> Result<Change, Error> {
    for _ in 0..TRIES {
        let mut found = find(store, name).await?;
        let before = found.document.clone();
        edit(&mut found.document);
        let change = Change { before, after: found.document.clone() };
        if !change.is_new() {
            return Ok(change);
        }
        match store.replace_schedule(&found).await {
            Ok(()) => return Ok(change),
            Err(store::Error::Store(StoreError::Changed { .. })) => {}
            // It may be only the reply that was lost.
            Err(error) => match store.schedule(name).await {
                Ok(Some(there)) if there.document == change.after => return Ok(change),
                _ => return Err(error.into()),
            },
        }
    }
    Err(Error::Contended { name: name.to_owned() })
}

fn in_use(store: &BackupStore, name: &str) -> Error {
    Error::InUse { name: name.to_owned(), location: store.url().to_owned() }
}
