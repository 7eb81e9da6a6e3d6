//! The records of drills.

use super::backup_store::{BackupStore, Error, SideFile, malformed};
use super::layout::{DRILLS, DrillKeys};
use crate::engine::model::drill::{Drill, DrillEvidence, DrillRecord, TakenDown};

impl BackupStore {
    /// Writes what a drill is about to make.
    pub async fn begin_drill(&self, record: &DrillRecord) -> Result<(), Error> {
        let key = DrillKeys(&record.backup, &record.uid).begun();
        self.create(&SideFile::json(key, record)?).await
    }

    /// Writes what a drill showed; the first to say so is right.
    pub async fn record_evidence(&self, evidence: &DrillEvidence) -> Result<(), Error> {
        let key = DrillKeys(&evidence.backup, &evidence.uid).evidence();
        unless_there(self.create(&SideFile::json(key, evidence)?).await)
    }

    /// Writes that nothing is left of a drill.
    pub async fn mark_down(&self, record: &DrillRecord, mark: &TakenDown) -> Result<(), Error> {
        let key = DrillKeys(&record.backup, &record.uid).down();
        unless_there(self.create(&SideFile::json(key, mark)?).await)
    }

    /// Reads the drills of a backup, the oldest first.
    pub async fn drills_of(&self, backup: &str) -> Result<Vec<Drill>, Error> {
        self.drills_below(&DrillKeys(backup, "").all()).await
    }

    /// Reads the drills of all backups, the oldest first.
    pub async fn drills(&self) -> Result<Vec<Drill>, Error> {
        self.drills_below(DRILLS).await
    }

    async fn drills_below(&self, prefix: &str) -> Result<Vec<Drill>, Error> {
        let keys = self.keys(prefix).await?;
        let mut drills = Vec::new();
        for (backup, uid) in keys.iter().filter_map(|key| DrillKeys::begun_by(key)) {
            drills.extend(self.drill(DrillKeys(backup, uid), &keys).await?);
        }
        drills.sort_by_key(|drill| drill.record.start_timestamp);
        Ok(drills)
    }

    async fn drill(&self, at: DrillKeys<'_>, keys: &[String]) -> Result<Option<Drill>, Error> {
        let Some(record) = self.json_if_there::<DrillRecord>(&at.begun()).await? else {
            return Ok(None);
        };
        if (record.backup.as_str(), record.uid.as_str()) != (at.0, at.1) {
            return Err(malformed(&at.begun(), "it is the record of another drill"));
        }
        let evidence = self.json_if_there(&at.evidence()).await?;
        let is_down = keys.contains(&at.down());
        Ok(Some(Drill { record, evidence, is_down }))
    }

    /// Removes the records of a drill; what says that there was one goes last.
    pub async fn remove_drill(&self, backup: &str, uid: &str) -> Result<(), Error> {
        let at = DrillKeys(backup, uid);
        for key in [at.evidence(), at.down(), at.begun()] {
            self.remove(&key).await?;
        }
        Ok(())
    }

    /// Removes the records of the drills of a backup, but of those of which something may be left.
    pub(super) async fn remove_drills(&self, backup: &str) -> Result<(), Error> {
        let prefix = DrillKeys(backup, "").all();
        let keys = self.keys(&prefix).await?;
        for (_, uid) in keys.iter().filter_map(|key| DrillKeys::begun_by(key)) {
            if keys.contains(&DrillKeys(backup, uid).down()) {
                self.remove_drill(backup, uid).await?;
            }
        }
        Ok(())
    }
}

fn unless_there(written: Result<(), Error>) -> Result<(), Error> {
    match written {
        Err(error) if error.is_already_exists() => Ok(()),
        other => other,
    }
}
