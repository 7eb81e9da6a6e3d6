//! Up to when a schedule's due times are handled.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::engine::model::schedule::RunRecord;
use crate::engine::store::{BackupStore, Error, ScheduleKeys};

/// How many due times are looked at before the newest is known: where clocks went astray, the run of
/// the newest name need not be that of the newest time.
const LOOKED_AT: usize = 8;

/// When the runs of a schedule were due, as far as that was read; it is written once.
#[derive(Clone, Debug, Default)]
pub struct Handled {
    /// By the name of the backup; none for a run that somebody asked for.
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
        let record: Option<RunRecord> = store.json_if_there(&key).await?;
        let Some(record) = record else { return Ok(None) };
        self.known.insert(name.to_owned(), record.due);
        Ok(record.due)
    }
}
