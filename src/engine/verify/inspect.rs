//! One backup, level by level.

use std::sync::Arc;

use bowline_api::ByteStream;
use futures::{StreamExt as _, TryStreamExt as _};

use super::error::Error;
use super::files::Listed;
use super::level::Level;
use super::report::VerifyReport;
use super::{agreement, contents, digests, document, files, side_files, snapshots, volumes};
use crate::engine::context::Snapshotters;
use crate::engine::event::{Event, Observer, Stage};
use crate::engine::model::backup::Backup;
use crate::engine::store::{BackupKeys, BackupStore, Digests};

/// What a backup is looked at with.
pub(super) struct Work<'a> {
    pub store: &'a BackupStore,
    pub snapshotters: &'a Snapshotters,
    pub observer: &'a Arc<dyn Observer>,
    pub backup: Backup,
    /// What lies below its name.
    pub listed: Listed,
    /// What its document vouches for; none if it does for nothing, or that is damaged.
    pub digests: Option<Digests>,
    pub report: VerifyReport,
}

/// Looks at a backup, and tells what is wrong with it.
///
/// Memory does not grow with the archive but for an index of its objects, which are spooled to an
/// unlinked temporary file. Fails only where the location gives no answer; a provider that gives none
/// is told in the report.
pub async fn backup(
    store: &BackupStore,
    snapshotters: &Snapshotters,
    observer: &Arc<dyn Observer>,
    name: &str,
    level: Level,
) -> Result<VerifyReport, Error> {
    observer.observe(&Event::Stage(Stage::Verifying));
    let mut report = VerifyReport::new(name, store.url(), level);
    let Some(backup) = document::check(store, name, &mut report).await? else {
        return Ok(report.finish());
    };
    let listed = files::list(store, name).await?;
    let mut work = Work { store, snapshotters, observer, backup, listed, digests: None, report };
    files::check(&mut work).await?;
    if level >= Level::Hash {
        let archive = contents::read(&mut work, level).await?;
        digests::check(&mut work, archive.digest).await?;
        if level >= Level::Parse {
            let volumes = volumes::read(&mut work).await?;
            side_files::check(&mut work).await?;
            contents::check_index(&mut work, archive.contents.as_ref()).await?;
            agreement::check(&mut work, archive.contents, &volumes).await?;
            if level >= Level::Snapshots {
                snapshots::check(&mut work, &volumes).await?;
            }
        }
    }
    Ok(work.report.finish())
}

impl Work<'_> {
    pub(super) fn name(&self) -> &str {
        &self.backup.metadata.name
    }

    pub(super) fn keys(&self) -> BackupKeys<'_> {
        BackupKeys(self.name())
    }

    /// Tells how many bytes were read.
    pub(super) fn seen(&self) -> impl Fn(u64) + Send + Sync + 'static {
        let observer = Arc::clone(self.observer);
        move |bytes| observer.observe(&Event::Bytes(bytes))
    }

    /// Reads a file, and tells how many bytes came.
    pub(super) async fn stream(&self, key: &str) -> Result<ByteStream, Error> {
        let seen = self.seen();
        let stream =
            self.store.objects().get(key).await.map_err(crate::engine::store::Error::from)?;
        Ok(stream.inspect_ok(move |piece| seen(piece.len() as u64)).boxed())
    }
}
