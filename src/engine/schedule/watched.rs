//! The schedules of a cluster, as they are in the bucket now, and whether a run of each is due.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::due::{Due, Timetable};
use super::handled::Handled;
use super::runner::{Attendant, Happening};
use super::{Cron, template};
use crate::engine::model::schedule::Schedule;
use crate::engine::report::chain;
use crate::engine::store::{BackupStore, Error};

/// The schedules that are run here.
#[derive(Debug)]
pub(super) struct Watched {
    cluster_uid: String,
    /// Those that were named; all if none was.
    names: Vec<String>,
    /// What is known of each.
    known: BTreeMap<String, Known>,
}

/// What is known of a schedule from one look to the next.
#[derive(Debug, Default)]
struct Known {
    handled: Handled,
    /// Why it is not run, as it was told last.
    told: Option<String>,
}

impl Watched {
    pub(super) fn new(cluster_uid: String, names: Vec<String>) -> Self {
        Self { cluster_uid, names, known: BTreeMap::new() }
    }

    /// Reads the schedules anew; gives those that are run here, and whether each is due.
    ///
    /// One that cannot be used is told of, once for each reason, and keeps no other from running.
    #[expect(clippy::future_not_send, reason = "one task has all runs")]
    pub(super) async fn look(
        &mut self,
        store: &BackupStore,
        now: Timestamp,
        attendant: &dyn Attendant,
    ) -> Result<Vec<(Schedule, Due)>, Error> {
        let mut names = store.schedule_names().await?;
        names.retain(|name| self.names.is_empty() || self.names.contains(name));
        self.known.retain(|name, _| names.contains(name));
        let mut found = Vec::new();
        for name in names {
            let schedule = match store.schedule(&name).await {
                Ok(Some(schedule)) => Ok(schedule.document),
                Ok(None) => continue,
                Err(error) if error.is_damage() => Err(chain(&error)),
                Err(error) => return Err(error),
            };
            let known = self.known.entry(name.clone()).or_default();
            match schedule.and_then(|schedule| usable(schedule, &self.cluster_uid)) {
                Ok((schedule, cron)) => {
                    known.told = None;
                    let handled = known.handled.newest(store, &name, now).await?;
                    let due = Timetable::of(&schedule, &cron, handled).decide(now);
                    found.push((schedule, due));
                }
                Err(reason) if known.told.as_ref() == Some(&reason) => {}
                Err(reason) => {
                    attendant.observe(&Happening::NotRun { schedule: &name, reason: &reason });
                    known.told = Some(reason);
                }
            }
        }
        Ok(found)
    }
}

/// A schedule that is run here, and when it is due; else why it is not.
fn usable(schedule: Schedule, cluster_uid: &str) -> Result<(Schedule, Cron), String> {
    let terms = &schedule.bowline;
    if terms.cluster_uid != cluster_uid {
        return Err(format!("it belongs to the cluster {}", terms.cluster_uid));
    }
    if schedule.spec.paused {
        return Err("it is paused".to_owned());
    }
    let cron = Cron::parse(&schedule.spec.schedule, terms.timezone.as_deref());
    let cron = cron.map_err(|error| chain(&error))?;
    template::request(&schedule, schedule.name()).map_err(|error| chain(&error))?;
    Ok((schedule, cron))
}
