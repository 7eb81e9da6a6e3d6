//! The newest good backup of a schedule, to restore it.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::standing::Good;
use crate::engine::clock::TOLERANCE;
use crate::engine::model::backup::{Backup, annotations};
use crate::engine::model::filter::closest;
use crate::engine::model::schedule::SCHEDULE_LABEL;
use crate::engine::report::Phase;
use crate::engine::store::{self, BackupState, BackupStore};

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No backup was made by a schedule of that name in its cluster.
    #[error("there is no backup of schedule \"{schedule}\" in {location}")]
    NoBackup {
        /// The schedule.
        schedule: String,
        /// Where was looked.
        location: String,
        /// The nearest name of a schedule that has some.
        similar: Option<String>,
        /// How many there are of other clusters.
        elsewhere: usize,
    },
    /// There are some, but none is good.
    #[error(
        "none of the {found} backups of schedule \"{schedule}\" is good ({partially_failed} \
         PartiallyFailed)"
    )]
    NoneGood {
        /// The schedule.
        schedule: String,
        /// How many there are.
        found: usize,
        /// In how many of them something failed.
        partially_failed: usize,
    },
    /// Schedules of several clusters had the name, and none of them is there any more.
    #[error("{clusters} clusters have backups of a schedule \"{schedule}\", which is gone itself")]
    SeveralClusters {
        /// The schedule.
        schedule: String,
        /// How many clusters.
        clusters: usize,
    },
    /// The location failed.
    #[error("the storage location cannot be used")]
    Location(#[from] store::Error),
}

/// Finds the newest good backup that was made by a schedule of this name: by that of the cluster whose
/// schedule it is now, or, if the schedule is gone or was a Velero's, of the one cluster that had it.
///
/// One that is dated ahead was made by a clock that was wrong, and would pass for the newest until its
/// date has come: it is taken only if there is no other.
pub async fn good_backup(
    store: &BackupStore,
    schedule: &str,
    good: Good,
    now: Timestamp,
) -> Result<Backup, Error> {
    let owner = store.schedule(schedule).await?.map(|found| found.document.bowline.cluster_uid);
    let entries = store.backups().await?.into_iter();
    let committed = entries.filter_map(|entry| match entry.state {
        BackupState::Committed(backup) => Some(*backup),
        _ => None,
    });
    let chosen = choose(committed.collect(), schedule, owner.as_deref(), good, now);
    chosen.map_err(|error| match error {
        Error::NoBackup { schedule, similar, elsewhere, .. } => {
            Error::NoBackup { schedule, similar, elsewhere, location: store.url().to_owned() }
        }
        other => other,
    })
}

fn choose(
    backups: Vec<Backup>,
    schedule: &str,
    owner: Option<&str>,
    good: Good,
    now: Timestamp,
) -> Result<Backup, Error> {
    let known: BTreeSet<_> = backups.iter().filter_map(schedule_of).map(str::to_owned).collect();
    let mut own: Vec<_> =
        backups.into_iter().filter(|it| schedule_of(it) == Some(schedule)).collect();
    let all = own.len();
    match owner {
        Some(owner) => own.retain(|it| it.annotation(annotations::CLUSTER_UID) == Some(owner)),
        None => check_one_cluster(&own, schedule)?,
    }
    if own.is_empty() {
        let others = known.iter().map(String::as_str).filter(|name| *name != schedule);
        let similar = closest(schedule, others).map(str::to_owned);
        let (schedule, location) = (schedule.to_owned(), String::new());
        return Err(Error::NoBackup { schedule, location, similar, elsewhere: all });
    }
    let is_partial = |it: &&Backup| it.phase() == Phase::PartiallyFailed;
    let (found, partially_failed) = (own.len(), own.iter().filter(is_partial).count());
    let newest = own.into_iter().filter(|it| good.takes(it.phase())).max_by_key(|it| {
        let start = it.status.start_timestamp;
        let has_come = start.is_some_and(|start| start.duration_since(now) <= TOLERANCE);
        (has_come, start, it.metadata.name.clone())
    });
    let schedule = schedule.to_owned();
    newest.ok_or(Error::NoneGood { schedule, found, partially_failed })
}

fn schedule_of(backup: &Backup) -> Option<&str> {
    backup.metadata.labels.get(SCHEDULE_LABEL).map(String::as_str)
}

fn check_one_cluster(backups: &[Backup], schedule: &str) -> Result<(), Error> {
    let clusters: BTreeSet<_> =
        backups.iter().map(|it| it.annotation(annotations::CLUSTER_UID)).collect();
    match clusters.len() {
        0 | 1 => Ok(()),
        clusters => Err(Error::SeveralClusters { schedule: schedule.to_owned(), clusters }),
    }
}
