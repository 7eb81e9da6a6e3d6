//! Earlier runs that came to no end: they were killed, and what they left is finished or cleared.

use super::attempt::turn;
use super::ending;
use super::lease::{self, Claim, Taken};
use crate::engine::backup::{self, Tools};
use crate::engine::context::Context;
use crate::engine::event::Event;
use crate::engine::model::schedule::{RunRecord, RunResult};
use crate::engine::report::{Problem, chain};
use crate::engine::store::{BackupState, BackupStore, Error, ScheduleKeys};

/// What a run that was killed is said to have ended by.
const INTERRUPTED: &str = "the run was interrupted, and nothing of it is left";

/// Settles the earlier runs of a schedule that nobody works at any more.
///
/// Only who has the schedule's lease may, or with none for the schedule as a whole. A backup that
/// lacks only its end is finished, unless it is `overthrown`: that one is to end without. What cannot
/// be settled, or whose record is damaged, is told, and stays for the next run.
pub(super) async fn settle(
    context: &Context,
    own: &RunRecord,
    overthrown: Option<&str>,
) -> Result<(), Error> {
    let (store, schedule) = (&context.store, own.schedule.as_str());
    for name in store.unended_runs(schedule).await? {
        let key = ScheduleKeys(schedule).run(&name);
        let record = match store.json_if_there::<RunRecord>(&key).await {
            Ok(Some(record)) => record,
            Ok(None) => continue,
            Err(error) if error.is_damage() => {
                let problem = unsettled(&name, &error);
                context.observer.observe(&Event::Warning(&problem));
                continue;
            }
            Err(error) => return Err(error),
        };
        if is_alive(store, &record).await? {
            continue;
        }
        let is_overthrown = overthrown == Some(&record.uid);
        match settle_one(context, &record, is_overthrown).await {
            Ok(result) => store.end_run(&record, &result).await?,
            Err(problem) => context.observer.observe(&Event::Warning(&problem)),
        }
    }
    remove_leases(store, own).await
}

/// Removes what is left of the leases of single runs that nobody holds any more.
async fn remove_leases(store: &BackupStore, own: &RunRecord) -> Result<(), Error> {
    let own_key = ScheduleKeys(&own.schedule).run_lease(&turn(own));
    for key in store.run_leases(&own.schedule).await? {
        let claim = Claim::of(own, false);
        if key != own_key
            && let Taken::Ours { lease, .. } = lease::take(store, &key, &claim).await?
        {
            lease.give_back(true).await?;
        }
    }
    Ok(())
}

/// Whether somebody still works at a run, by either kind of lease: the policy may have changed. One that
/// cannot be read may be its own.
async fn is_alive(store: &BackupStore, record: &RunRecord) -> Result<bool, Error> {
    let keys = ScheduleKeys(&record.schedule);
    for key in [keys.lease(), keys.run_lease(&turn(record))] {
        let holder = lease::holder(store, &key).await?;
        if holder.is_some_and(|holder| !holder.is_readable() || holder.uid == record.uid) {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn settle_one(
    context: &Context,
    record: &RunRecord,
    is_overthrown: bool,
) -> Result<RunResult, Problem> {
    let (tools, name) = (Tools::of(context), record.backup.as_str());
    let problem = |error: &dyn std::error::Error| unsettled(name, error);
    let store = &context.store;
    if !is_overthrown && store.is_finishable(name).await.map_err(|error| problem(&error))? {
        backup::finish(&tools, name).await.map_err(|error| problem(&error))?;
    }
    store.keep_pieces(&record.schedule, name).await.map_err(|error| problem(&error))?;
    let left = backup::discard(&tools, name).await.map_err(|error| problem(&error))?;
    if let Some(problem) = left.into_iter().next() {
        return Err(problem);
    }
    let now = context.clock.now();
    Ok(match store.backup(name).await.map_err(|error| problem(&error))? {
        Some(BackupState::Committed(backup)) => ending::with(&backup, &record.uid, now),
        _ if is_overthrown => {
            ending::without(&record.uid, "another run took its place".to_owned(), now)
        }
        _ => ending::without(&record.uid, INTERRUPTED.to_owned(), now),
    })
}

fn unsettled(name: &str, error: &dyn std::error::Error) -> Problem {
    Problem::of_run(&format!("settle the interrupted run {name}"), chain(error))
}
