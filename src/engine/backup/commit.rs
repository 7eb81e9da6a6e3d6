//! The last files, and last of all the document that makes it a backup.

use super::error::Cause;
use super::files;
use super::finish::Tools;
use super::pending::{self, Filed, Pending};
use super::{ownership, records};
use crate::engine::journal::Journal;
use crate::engine::model::backup::{Backup, annotations};
use crate::engine::model::results::BackupResults;
use crate::engine::report::{BackupReport, Phase, SnapshotReport};
use crate::engine::store::{Digest, Digests, RunningLog, SideFile};

/// What the last files are made of.
pub(super) struct Commit<'a> {
    pub tools: &'a Tools,
    pub journal: &'a Journal,
    pub log: &'a RunningLog<'a>,
    pub pending: &'a Filed<Pending>,
}

impl Commit<'_> {
    /// Writes what is missing; with the last write it is a backup.
    ///
    /// Several runs may do this at once. The first report counts; all else follows from it.
    pub(super) async fn write(&self, volumes: Vec<SnapshotReport>) -> Result<BackupReport, Cause> {
        let pending = self.pending();
        let report = self.report(volumes).await?;
        let digests = self.side_files(&report).await?;
        self.log.close().await;
        let digests = SideFile::json(pending.keys().digests(), &digests)?;
        let digest = files::write(&self.tools.store, &digests).await?;
        self.still_ours().await?;
        let document = records::document(pending, &report.document, &digest);
        let document = SideFile::json(pending.keys().metadata(), &document)?;
        match self.tools.store.create(&document).await {
            Ok(()) => {}
            Err(error) if self.is_committed().await => {
                self.journal.note(&format!("committed, although the answer was: {error}"));
            }
            Err(error) => return Err(error.into()),
        }
        match self.still_ours().await {
            Err(Cause::Replaced) => self.take_back().await,
            other => other.map(|()| report.document),
        }
    }

    /// Removes the document that came too late: what it speaks of was cleared before it was there.
    async fn take_back(&self) -> Result<BackupReport, Cause> {
        if self.is_committed().await {
            self.tools.store.remove(&self.pending().keys().metadata()).await?;
        }
        Err(Cause::Replaced)
    }

    fn pending(&self) -> &Pending {
        &self.pending.document
    }

    /// Writes the report, or takes the one that another run wrote.
    async fn report(&self, volumes: Vec<SnapshotReport>) -> Result<Filed<BackupReport>, Cause> {
        let key = self.pending().keys().report();
        let file = SideFile::json(key.clone(), &self.own_report(volumes))?;
        let found = files::write_or_adopt(&self.tools.store, &file).await?;
        match serde_json::from_slice(&found) {
            Ok(document) if records::fits(self.pending(), &document) => {
                Ok(Filed { document, digest: Digest::of(&found) })
            }
            _ => Err(Cause::Differs { key }),
        }
    }

    fn own_report(&self, volumes: Vec<SnapshotReport>) -> BackupReport {
        files::take_notices(&self.tools.store, self.journal);
        let (warnings, errors) = self.journal.problems();
        let document = &self.pending().document;
        let now = self.tools.clock.now();
        BackupReport {
            name: document.metadata.name.clone(),
            uid: document.metadata.uid.clone(),
            phase: Phase::of_errors(errors.len()),
            location: self.tools.store.url().to_owned(),
            cluster_uid: document
                .annotation(annotations::CLUSTER_UID)
                .unwrap_or_default()
                .to_owned(),
            items: document.status.progress.unwrap_or_default().items_backed_up,
            volumes,
            hooks: document.status.hooks(),
            warnings,
            errors,
            start_timestamp: document.status.start_timestamp.unwrap_or(now),
            completion_timestamp: Some(now),
        }
    }

    async fn side_files(&self, report: &Filed<BackupReport>) -> Result<Digests, Cause> {
        let (pending, keys) = (self.pending(), self.pending().keys());
        let store = &self.tools.store;
        let Filed { document: report, digest: report_digest } = report;
        let mut digests = Digests { files: pending.files.clone() };
        let mut note = |key: &str, digest| {
            let name = key.rsplit('/').next().unwrap_or(key);
            digests.files.insert(name.to_owned(), digest);
        };
        note(&keys.pending(), self.pending.digest.clone());
        note(&keys.report(), report_digest.clone());
        let results = BackupResults::of_backup(&report.warnings, &report.errors);
        // Go writes an empty slice as null; so do we, where Velero does.
        let snapshots = Some(records::snapshots(pending, report)).filter(|list| !list.is_empty());
        for file in [
            SideFile::json_gz(keys.results(), &results)?,
            SideFile::json_gz(keys.volume_snapshots(), &snapshots)?,
            SideFile::json_gz(keys.volume_info(), &records::volume_infos(pending, report))?,
        ] {
            note(&file.key, files::write(store, &file).await?);
        }
        // Each run has its own to say.
        let log = SideFile { key: keys.logs(), content: self.journal.log()?.into() };
        note(&log.key, Digest::of(&files::write_or_adopt(store, &log).await?));
        Ok(digests)
    }

    /// Checks that the attempt is still there: neither replaced nor being cleared or deleted.
    async fn still_ours(&self) -> Result<(), Cause> {
        let (pending, store) = (self.pending(), &self.tools.store);
        ownership::still_ours(store, pending.name(), pending.uid()).await?;
        // It goes before the first snapshot does.
        match pending::read(store, pending.name()).await? {
            Some(found) if found.document.uid() == pending.uid() => Ok(()),
            _ => Err(Cause::Replaced),
        }
    }

    /// Whether our document is there: a write may take effect and its reply be lost, and another
    /// run may have finished the same attempt.
    async fn is_committed(&self) -> bool {
        let document = self.tools.store.json::<Backup>(&self.pending().keys().metadata()).await;
        document.is_ok_and(|document| document.metadata.uid == self.pending().uid())
    }
}
