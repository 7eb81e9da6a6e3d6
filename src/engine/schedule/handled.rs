//! Up to when a schedule's due times are handled.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::engine::model::schedule::RunRecord;
use crate::engine::report::chain;
use crate::engine::store::{BackupStore, Error, ScheduleKeys};

/// How many due times are looked at before the newest is known: where clocks went astray, the run of
/// the newest name need not be that of the newest time.
const LOOKED_AT: usize = 8;

/// When the runs of a schedule were due, as far as that was read; it is written once.
#[derive(Clone, Debug, Default)]
pub struct Handled {
    /// By the name of the backup; none where somebody asked for the run, or its record is damaged.
    known: BTreeMap<String, Option<Timestamp>>,
}

impl Handled {
    /// The newest due time, not after now, that has a run; be that killed, or too late.
    pub async fn newest(
        &mut self,
        store: &BackupStore,
        schedule: &str,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Error> {
        let names = store.schedule_runs(schedule).await?;
        self.known.retain(|name, _| names.binary_search(name).is_ok());
        self.newest_of(store, schedule, &names, now).await
    }

    /// Whether the newest due time of these runs, not after now, has this run: without its record that
    /// time would be due again.
    pub async fn rests_on(
        &mut self,
        store: &BackupStore,
        (schedule, run): (&str, &str),
        names: &[String],
        now: Timestamp,
    ) -> Result<bool, Error> {
        let Some(due) = self.due(store, schedule, run).await? else { return Ok(false) };
        Ok(self.newest_of(store, schedule, names, now).await? == Some(due))
    }

    async fn newest_of(
        &mut self,
        store: &BackupStore,
        schedule: &str,
        names: &[String],
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Error> {
        let (mut newest, mut looked_at) = (None, 0);
        for name in names.iter().rev() {
            let Some(due) = self.due(store, schedule, name).await?.filter(|due| *due <= now) else {
                continue;
            };
            newest = newest.max(Some(due));
            looked_at += 1;
            if looked_at == LOOKED_AT {
                break;
            }
        }
        Ok(newest)
    }

    /// When a run was due. A record that is damaged does not say so: rather is a time run twice than
    /// none is run any more.
    async fn due(
        &mut self,
        store: &BackupStore,
        schedule: &str,
        name: &str,
    ) -> Result<Option<Timestamp>, Error> {
        if let Some(due) = self.known.get(name) {
            return Ok(*due);
        }
        let key = ScheduleKeys(schedule).run(name);
        let due = match store.json_if_there::<RunRecord>(&key).await {
            Ok(Some(record)) => record.due,
            Ok(None) => return Ok(None),
            Err(error) if error.is_damage() => {
                tracing::warn!("when the run was due is not known: {}", chain(&error));
                None
            }
            Err(error) => return Err(error),
        };
        self.known.insert(name.to_owned(), due);
        Ok(due)
    }
}
