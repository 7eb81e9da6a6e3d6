//! What drills left that were kept, or killed.

use jiff::Timestamp;
use serde::Serialize;
use std::time::Duration;

use super::error::Error;
use super::take_down::take_down;
use crate::engine::context::Context;
use crate::engine::model::drill::{Drill, DrillEvidence, DrillRecord, Verdict};
use crate::engine::report::Problem;

/// Which drills are taken down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// All that have come to their end, kept ones too.
    All,
    /// Those of a backup, or the one of this identity, even if it may still run.
    Named(String),
    /// Those that were killed, of whatever backup.
    Killed,
}

/// What became of the drills that something was left of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CleanUpReport {
    /// One for each.
    pub items: Vec<CleanedUp>,
}

/// What became of a drill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct CleanedUp {
    /// The backup.
    pub backup: String,
    /// The identity of the drill.
    pub uid: String,
    /// What became of it.
    pub state: Fate,
    /// What is left.
    pub left: Vec<Problem>,
}

/// What became of a drill that something was left of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// Nothing is left of it.
    Done,
    /// Something is left, and named.
    Incomplete,
    /// It may still run, and was left alone.
    Running,
    /// It is in another cluster.
    Elsewhere,
}

impl CleanUpReport {
    /// Whether something is left that should not be.
    pub fn is_incomplete(&self) -> bool {
        self.items.iter().any(|item| item.state == Fate::Incomplete)
    }
}

/// Takes down what is left of drills.
pub async fn clean_up(
    context: &Context,
    which: &Which,
    timeout: Duration,
) -> Result<CleanUpReport, Error> {
    let mut drills = context.store.drills().await.map_err(Error::Location)?;
    if let Which::Named(name) = which
        && !drills.iter().any(|drill| is_called(&drill.record, name))
    {
        let (name, location) = (name.clone(), context.store.url().to_owned());
        return Err(Error::NotFound { name, location });
    }
    drills.retain(|drill| !drill.is_down && which.means(drill));
    let mut report = CleanUpReport::default();
    if drills.is_empty() {
        return Ok(report);
    }
    let here = context.cluster.uid().await.map_err(Error::Cluster)?;
    for drill in drills {
        let is_here = drill.record.cluster_uid == here;
        report.items.push(of_one(context, which, (drill, is_here), timeout).await?);
    }
    Ok(report)
}

fn is_called(record: &DrillRecord, name: &str) -> bool {
    record.backup == name || record.uid == name
}

impl Which {
    fn means(&self, drill: &Drill) -> bool {
        match self {
            Self::All => true,
            Self::Named(name) => is_called(&drill.record, name),
            Self::Killed => !drill.record.keep,
        }
    }

    /// Whether a drill that may still run is meant all the same.
    fn insists(&self, drill: &Drill) -> bool {
        matches!(self, Self::Named(name) if *name == drill.record.uid)
    }
}

async fn of_one(
    context: &Context,
    which: &Which,
    (drill, is_here): (Drill, bool),
    timeout: Duration,
) -> Result<CleanedUp, Error> {
    let now = context.clock.now();
    // Between its evidence and its end a drill takes itself down; twice does no harm.
    let runs = drill.may_run(now) && !which.insists(&drill);
    let record = &drill.record;
    let (state, left) = match (is_here, runs) {
        (false, _) => (Fate::Elsewhere, Vec::new()),
        (true, true) => (Fate::Running, Vec::new()),
        (true, false) => {
            if drill.evidence.is_none() {
                let evidence = interrupted(record, now);
                context.store.record_evidence(&evidence).await.map_err(Error::Location)?;
            }
            let left = take_down(context, record, timeout).await;
            (if left.is_empty() { Fate::Done } else { Fate::Incomplete }, left)
        }
    };
    if state == Fate::Done {
        forget(context, record).await?;
    }
    Ok(CleanedUp { backup: record.backup.clone(), uid: record.uid.clone(), state, left })
}

/// Removes the records of a drill whose backup is gone.
async fn forget(context: &Context, record: &DrillRecord) -> Result<(), Error> {
    let store = &context.store;
    if store.backup(&record.backup).await.map_err(Error::Location)?.is_none() {
        store.remove_drill(&record.backup, &record.uid).await.map_err(Error::Location)?;
    }
    Ok(())
}

/// What there is to say of a drill that did not come to its end.
pub(super) fn interrupted(record: &DrillRecord, now: Timestamp) -> DrillEvidence {
    DrillEvidence {
        backup: record.backup.clone(),
        backup_uid: record.backup_uid.clone(),
        archive_sha256: None,
        uid: record.uid.clone(),
        cluster_uid: record.cluster_uid.clone(),
        verdict: Verdict::Interrupted,
        reason: Some("it was killed, or its machine died".to_owned()),
        namespaces: record.namespaces.clone(),
        restore: None,
        check: None,
        start_timestamp: record.start_timestamp,
        completion_timestamp: now,
    }
}
