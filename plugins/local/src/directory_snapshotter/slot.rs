//! The place of one snapshot below a location, and what is there.

use std::io;

use bowline_api::{Snapshot, SnapshotRequest, SnapshotState, SnapshotterError, VolumeSpec};
use jiff::Timestamp;

use super::error::{busy, failed, is_unreadable, not_copied, refused, there};
use super::names::SnapshotId;
use super::record::{self, Contents, SnapshotRecord};
use super::tree;
use crate::blocking::Cancel;
use crate::dir::Dir;
use crate::lease::{self, Lease};

const RECORD: &str = "snapshot.json";

/// What the directory of a snapshot is called until it is complete.
pub(super) const PARTIAL: &str = ".partial-";
/// What it is called while it is removed.
const DELETING: &str = ".deleting-";
const LOCK: &str = ".lock-";

/// The id in a name that stays behind when somebody ends who makes or removes a snapshot.
pub(super) fn abandoned(name: &str) -> Option<&str> {
    [PARTIAL, DELETING, LOCK].iter().find_map(|prefix| name.strip_prefix(prefix))
}

/// Where the snapshot of an id lies, or would lie.
#[derive(Debug)]
pub(super) struct Slot<'a> {
    /// The directory of all snapshots.
    dir: &'a Dir,
    id: &'a SnapshotId,
}

/// A snapshot that can be restored.
#[derive(Debug)]
pub(super) struct Complete {
    pub(super) record: SnapshotRecord,
    pub(super) contents: Contents,
    pub(super) dir: Dir,
}

impl<'a> Slot<'a> {
    pub(super) fn new(dir: &'a Dir, id: &'a SnapshotId) -> Self {
        Self { dir, id }
    }

    fn what(&self) -> String {
        format!("snapshot {}", self.id)
    }

    fn failed(&self, operation: &'static str) -> impl FnOnce(io::Error) -> SnapshotterError {
        let what = self.what();
        move |error| failed(operation, what, error)
    }

    fn damaged(&self, reason: String) -> SnapshotterError {
        SnapshotterError::Damaged { what: self.what(), reason }
    }

    fn partial(&self) -> String {
        format!("{PARTIAL}{}", self.id)
    }

    fn deleting(&self) -> String {
        format!("{DELETING}{}", self.id)
    }

    fn lock(&self) -> String {
        format!("{LOCK}{}", self.id)
    }

    fn lease(&self) -> Result<Option<Lease<'a>>, SnapshotterError> {
        Lease::take(self.dir, &self.lock()).map_err(self.failed("lock"))
    }

    fn discard(&self, name: &str) -> io::Result<()> {
        self.dir.discard(name, &self.deleting())
    }

    /// Makes the snapshot unless it is there, or just being made.
    pub(super) fn fill(
        &self,
        source: &Dir,
        request: &SnapshotRequest,
        cancel: &Cancel,
    ) -> Result<Snapshot, SnapshotterError> {
        let lease = self.lease()?;
        if let Some(complete) = self.complete()? {
            return complete.for_request(request);
        }
        let record = SnapshotRecord {
            id: self.id.to_string(),
            volume_id: request.volume_id.clone(),
            tags: request.tags.clone(),
            created_at: Timestamp::UNIX_EPOCH,
            contents: None,
        };
        if lease.is_none() {
            return Ok(record.describe(SnapshotState::Pending(None)));
        }
        let built = self.build(source, record, cancel);
        if built.is_err() {
            // It takes the room of a snapshot and has no value. What stays is cleared next time.
            drop(self.discard(&self.partial()));
        }
        built
    }

    fn build(
        &self,
        source: &Dir,
        mut record: SnapshotRecord,
        cancel: &Cancel,
    ) -> Result<Snapshot, SnapshotterError> {
        let name = self.partial();
        self.discard(&name).map_err(self.failed("clear"))?;
        let partial = self.dir.make_child(&name).map_err(self.failed("make"))?;
        record.created_at = now(&partial).map_err(self.failed("make"))?;
        record::write(&partial, RECORD, &record).map_err(self.failed("record"))?;
        let contents = tree::capture(source, &partial, cancel)
            .map_err(|error| not_copied(format!("volume {}", record.volume_id), error))?;
        record.contents = Some(contents);
        partial
            .sync_file_system()
            .and_then(|()| record::write(&partial, RECORD, &record))
            .and_then(|()| self.dir.rename(&name, self.id.as_str()))
            .and_then(|()| self.dir.sync())
            .map_err(self.failed("complete"))?;
        Ok(record.describe(SnapshotState::Completed))
    }

    /// Removes the snapshot and what is left of attempts to make or to remove it.
    pub(super) fn clear(&self) -> Result<(), SnapshotterError> {
        let Some(_lease) = self.lease()? else { return Err(busy("delete", self.what())) };
        self.discard(self.id.as_str())
            .and_then(|()| self.discard(&self.partial()))
            .map_err(self.failed("delete"))
    }

    /// Removes what a dead process left half removed, or had not begun to copy.
    pub(super) fn clear_abandoned(&self) -> Result<(), SnapshotterError> {
        if lease::is_held(self.dir, self.lock()).map_err(self.failed("describe"))? {
            return Ok(());
        }
        let Some(_lease) = self.lease()? else { return Ok(()) };
        self.dir.remove_tree(self.deleting()).map_err(self.failed("clear"))?;
        if self.read(&self.partial())?.is_none() {
            self.discard(&self.partial()).map_err(self.failed("clear"))?;
        }
        Ok(())
    }

    /// Describes the snapshot whatever its state; none where there is nothing of that id.
    pub(super) fn look(&self) -> Result<Option<Snapshot>, SnapshotterError> {
        let completed = |complete: Complete| complete.record.describe(SnapshotState::Completed);
        if let Some(complete) = self.complete()? {
            return Ok(Some(completed(complete)));
        }
        let partial = self.read(&self.partial())?;
        let held = lease::is_held(self.dir, self.lock()).map_err(self.failed("describe"))?;
        if let (Some((_, record)), true) = (&partial, held) {
            return Ok(Some(record.describe(SnapshotState::Pending(None))));
        }
        // It may have been completed between the two looks.
        if let Some(complete) = self.complete()? {
            return Ok(Some(completed(complete)));
        }
        let reason = "whoever made it ended before it was complete";
        Ok(partial.map(|(_, record)| record.describe(SnapshotState::Failed(reason.into()))))
    }

    /// Opens the snapshot if it has its name, and so is whole.
    pub(super) fn complete(&self) -> Result<Option<Complete>, SnapshotterError> {
        let Some((dir, record)) = self.read(self.id.as_str())? else { return Ok(None) };
        match record.contents.clone() {
            Some(contents) => Ok(Some(Complete { record, contents, dir })),
            None => Err(self.damaged(format!("{RECORD} tells no contents"))),
        }
    }

    /// Reads the record in a directory; none where there is no such directory.
    ///
    /// A partial one without a record was left by somebody who had not copied anything yet.
    fn read(&self, name: &str) -> Result<Option<(Dir, SnapshotRecord)>, SnapshotterError> {
        let child = there(self.dir.open_child(name)).map_err(self.failed("open"))?;
        let Some(child) = child else { return Ok(None) };
        match record::read::<SnapshotRecord>(&child, RECORD) {
            Ok(Some(record)) if record.id == self.id.as_str() => Ok(Some((child, record))),
            Ok(Some(record)) => Err(self.damaged(format!("{RECORD} is the one of {}", record.id))),
            Ok(None) if name == self.partial() => Ok(None),
            Ok(None) => Err(self.damaged(format!("{RECORD} is missing"))),
            Err(error) if is_unreadable(&error) => {
                Err(self.damaged(format!("{RECORD} cannot be read: {error}")))
            }
            Err(error) => Err(self.failed("read")(error)),
        }
    }
}

impl Complete {
    /// Describes what a request finds; a token is for one volume only.
    pub(super) fn for_request(
        self,
        request: &SnapshotRequest,
    ) -> Result<Snapshot, SnapshotterError> {
        let SnapshotRecord { id, volume_id, .. } = &self.record;
        if *volume_id == request.volume_id {
            return Ok(self.record.describe(SnapshotState::Completed));
        }
        let reason = format!("snapshot {id} is of {volume_id}");
        Err(refused(format!("token {} for volume {}", request.token, request.volume_id), reason))
    }
}

impl SnapshotRecord {
    fn describe(&self, state: SnapshotState) -> Snapshot {
        Snapshot {
            id: self.id.clone(),
            volume_id: self.volume_id.clone(),
            state,
            tags: self.tags.clone(),
            volume: VolumeSpec { volume_type: "directory".into(), ..VolumeSpec::default() },
            shared_by: None,
        }
    }
}

/// The time, by the clock of the file system.
fn now(fresh: &Dir) -> io::Result<Timestamp> {
    Timestamp::try_from(fresh.metadata(".")?.modified()?).map_err(io::Error::other)
}
