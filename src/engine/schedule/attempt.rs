//! One run of a schedule: alone, recorded from its beginning to its end, and never mixed with another.
//!
//! See `docs/design/0023-leases-and-runs.md`.

use jiff::Timestamp;
use uuid::Uuid;

use super::course::Course;
use super::due::Occurrence;
use super::{ending, template};
use crate::engine::clock::Clock;
use crate::engine::context::Context;
use crate::engine::model::schedule::{RunRecord, Schedule};
use crate::engine::report::{BackupReport, chain};
use crate::engine::{backup, cluster, store};

/// Why a run is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// Somebody asked for it, be that a crontab.
    Asked,
    /// It is due.
    Due {
        /// Since when.
        at: Timestamp,
        /// How many earlier times it stands for, which went by without a run.
        missed: u64,
    },
}

/// What came of a run.
#[derive(Clone, Debug)]
pub enum Attempted {
    /// A backup; its phase says whether it is good.
    Made(Box<BackupReport>),
    /// Nothing: another run is in its place.
    LeftOut {
        /// Which, and who makes it.
        reason: String,
    },
}

/// Why a run made no backup.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The schedule is another cluster's.
    #[error("schedule \"{schedule}\" belongs to the cluster {owner}; this is {cluster}")]
    Foreign {
        /// The schedule.
        schedule: String,
        /// The identity of the cluster that it belongs to.
        owner: String,
        /// The identity of this one.
        cluster: String,
    },
    /// Another run took its place.
    #[error("run {backup} of schedule \"{schedule}\" made no backup: {by} took its place")]
    TakenOver {
        /// The schedule.
        schedule: String,
        /// The backup that it was to make.
        backup: String,
        /// Who did.
        by: String,
    },
    /// It was due, and nobody began it in time.
    #[error(
        "schedule \"{schedule}\" made no backup for {due}: it was not begun within its starting \
         deadline"
    )]
    TooLate {
        /// The schedule.
        schedule: String,
        /// When it was due.
        due: Timestamp,
    },
    /// What the schedule asks for cannot be.
    #[error(transparent)]
    Template(#[from] template::Error),
    /// The cluster cannot be used.
    #[error("the cluster cannot be used")]
    Cluster(#[source] cluster::Error),
    /// The location cannot be used.
    #[error("the storage location cannot be used")]
    Location(#[source] store::Error),
    /// The backup failed.
    #[error(transparent)]
    Backup(Box<backup::Error>),
}

impl Error {
    /// Whether it is tried again: nothing of the run need be on record, so that it is still due.
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Foreign { .. } | Self::Template(_) | Self::Cluster(_) | Self::Location(_)
        )
    }
}

/// Makes a run of a schedule, unless another one is in its place.
///
/// The run is on record before it does anything, and so is its end; a run without an end goes on if
/// somebody has its lease, and was killed if nobody does. The next one finishes or clears that.
pub async fn attempt(
    context: &Context,
    schedule: &Schedule,
    occasion: Occasion,
) -> Result<Attempted, Error> {
    let record = beginning(context.clock, schedule, occasion);
    let course = Course { context, schedule, record: &record };
    let request = async {
        require_own(context, schedule).await?;
        Ok(template::request(schedule, &record.backup)?)
    };
    match request.await {
        Ok(request) => course.make(&request).await,
        // One that was due is tried again, and one of another cluster's schedule is none of it.
        Err(error) if record.due.is_some() || matches!(error, Error::Foreign { .. }) => Err(error),
        Err(error) => {
            let tools = backup::Tools::of(context);
            ending::record_failure(&tools, &record, chain(&error)).await;
            Err(error)
        }
    }
}

/// Records a run that somebody asked for, and for which there was not even a cluster to ask, and why.
pub async fn record_failure(tools: &backup::Tools, schedule: &Schedule, reason: String) {
    let record = beginning(tools.clock, schedule, Occasion::Asked);
    ending::record_failure(tools, &record, reason).await;
}

/// Records that a run was due and nobody began it in time, unless that is on record; that is told as
/// [`Error::TooLate`], and once.
pub async fn pass_over(
    context: &Context,
    schedule: &Schedule,
    Occurrence { at, missed }: Occurrence,
) -> Result<Attempted, Error> {
    require_own(context, schedule).await?;
    let record = beginning(context.clock, schedule, Occasion::Due { at, missed });
    Course { context, schedule, record: &record }.pass_over().await
}

/// By what a run is told from those that it may be made beside: its due time, or its backup.
pub(super) fn turn(record: &RunRecord) -> String {
    record.due.map_or_else(|| record.backup.clone(), digits)
}

/// Checks that it is the schedule of this cluster.
async fn require_own(context: &Context, schedule: &Schedule) -> Result<(), Error> {
    let cluster = context.cluster.uid().await.map_err(Error::Cluster)?;
    let owner = &schedule.bowline.cluster_uid;
    if *owner == cluster {
        return Ok(());
    }
    let (schedule, owner) = (schedule.name().to_owned(), owner.clone());
    Err(Error::Foreign { schedule, owner, cluster })
}

/// Makes up the beginning of a run.
fn beginning(clock: Clock, schedule: &Schedule, occasion: Occasion) -> RunRecord {
    let (uid, start_timestamp) = (Uuid::new_v4(), clock.now());
    let (due, missed) = match occasion {
        Occasion::Asked => (None, 0),
        Occasion::Due { at, missed } => (Some(at), missed),
    };
    RunRecord {
        schedule: schedule.name().to_owned(),
        schedule_uid: schedule.metadata.uid.clone(),
        cluster_uid: schedule.bowline.cluster_uid.clone(),
        backup: name(schedule.name(), start_timestamp, uid),
        uid: uid.to_string(),
        due,
        missed,
        start_timestamp,
        holder: holder(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// The name of a run's backup: no two attempts have the same, whoever makes them.
fn name(schedule: &str, start: Timestamp, uid: Uuid) -> String {
    let unique: String = uid.simple().to_string().chars().take(6).collect();
    format!("{schedule}-{}-{unique}", digits(start))
}

/// A time as `yyyymmddHHMMSS`, in UTC.
fn digits(time: Timestamp) -> String {
    time.strftime("%Y%m%d%H%M%S").to_string()
}

/// Who runs: the machine and the process.
fn holder() -> String {
    let machine = rustix::system::uname();
    format!("{}/{}", machine.nodename().to_string_lossy(), std::process::id())
}
