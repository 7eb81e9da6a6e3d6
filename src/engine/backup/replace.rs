//! Clearing what an attempt that was never committed left behind.

use super::error::Cause;
use crate::engine::context::Context;
use crate::engine::model::backup::Attempt;
use crate::engine::model::volume::tags;
use crate::engine::report::{Problem, chain};
use crate::engine::store::{self, BackupKeys};

/// Removes the snapshots of the unfinished attempt of this name, and then its files.
pub(super) async fn clear(context: &Context, name: &str) -> Result<Vec<Problem>, Cause> {
    let attempt: Result<Attempt, store::Error> =
        context.store.json(&BackupKeys(name).attempt()).await;
    if context.store.exists(&BackupKeys(name).metadata()).await? {
        return Err(Cause::Committed);
    }
    let problems = match attempt {
        Ok(attempt) => delete_snapshots(context, &attempt.uid).await,
        Err(error) if error.is_not_found() => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    if problems.is_empty() {
        context.store.clear_attempt(name).await?;
    }
    Ok(problems)
}

/// Removes every snapshot that carries the attempt's UID.
async fn delete_snapshots(context: &Context, uid: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    for snapshotter in context.snapshotters.iter() {
        let found = match snapshotter.snapshots_tagged(tags::BACKUP_UID, uid).await {
            Ok(found) => found,
            Err(error) => {
                problems.push(Problem::of_run("find snapshots", chain(&error)));
                continue;
            }
        };
        for snapshot in found {
            if let Err(error) = snapshotter.delete_snapshot(&snapshot.id).await {
                problems.push(Problem::of_run("delete snapshot", chain(&error)));
            }
        }
    }
    problems
}
