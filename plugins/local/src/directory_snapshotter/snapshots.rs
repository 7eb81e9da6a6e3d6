//! The snapshots below a location: made, found and removed.

use std::io;
use std::path::{Path, PathBuf};

use bowline_api::{Snapshot, SnapshotRequest, SnapshotterError};
use rustix::fs::Mode;

use super::error::{failed, not_found, refused, there};
use super::names::{SnapshotId, volume_path};
use super::slot::{Complete, PARTIAL, Slot, abandoned};
use crate::blocking::Cancel;
use crate::dir::Dir;

const BELOW: [&str; 3] = ["metadata", "bowline", "volumes"];

/// The snapshots of one location.
#[derive(Clone, Debug)]
pub(super) struct Snapshots {
    root: PathBuf,
}

impl Snapshots {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    fn failed(&self, operation: &'static str) -> impl FnOnce(io::Error) -> SnapshotterError {
        let what = format!("the snapshots in {}", self.root.display());
        move |error| failed(operation, what, error)
    }

    /// Opens the directory of all snapshots; none where nobody made one yet.
    fn open(&self) -> Result<Option<Dir>, SnapshotterError> {
        let root = there(Dir::open(&self.root)).map_err(self.failed("open"))?;
        let Some(root) = root else { return Ok(None) };
        there(root.descend(&BELOW)).map_err(self.failed("open"))
    }

    fn make(&self) -> Result<Dir, SnapshotterError> {
        let root = Dir::make(&self.root, Mode::RWXU);
        let made = BELOW.iter().fold(root, |dir, part| {
            let dir = dir?;
            let child = dir.make_child(part)?;
            dir.sync()?;
            Ok(child)
        });
        made.map_err(self.failed("make a directory for"))
    }

    /// Makes a snapshot, or finds the one that this token made.
    pub(super) fn create(
        &self,
        request: &SnapshotRequest,
        cancel: &Cancel,
    ) -> Result<Snapshot, SnapshotterError> {
        let id = SnapshotId::of_token(&request.token)?;
        if let Some(dir) = self.open()?
            && let Some(complete) = Slot::new(&dir, &id).complete()?
        {
            return complete.for_request(request);
        }
        let source = self.open_volume(&request.volume_id)?;
        let dir = self.make()?;
        clear_abandoned(&dir);
        Slot::new(&dir, &id).fill(&source, request, cancel)
    }

    /// Opens a volume that does not hold the location itself.
    fn open_volume(&self, volume_id: &str) -> Result<Dir, SnapshotterError> {
        let what = format!("volume {volume_id}");
        let path = volume_path(volume_id)?;
        let volume = match Dir::open(&path) {
            Ok(volume) => volume,
            Err(error) => match error.kind() {
                io::ErrorKind::NotFound => return Err(not_found(what)),
                io::ErrorKind::NotADirectory => return Err(refused(what, "it is no directory")),
                _ => return Err(failed("open", what, error)),
            },
        };
        match lies_in(&self.root, &path) {
            Ok(false) => Ok(volume),
            Ok(true) => {
                Err(refused(what, format!("the location {} lies in it", self.root.display())))
            }
            Err(error) => Err(failed("open", what, error)),
        }
    }

    /// Describes a snapshot, complete or not.
    pub(super) fn find(&self, id: &str) -> Result<Snapshot, SnapshotterError> {
        let id = SnapshotId::parse(id)?;
        let found = match self.open()? {
            Some(dir) => Slot::new(&dir, &id).look()?,
            None => None,
        };
        found.ok_or_else(|| not_found(format!("snapshot {id}")))
    }

    /// Opens a snapshot to make a volume of it.
    pub(super) fn open_complete(&self, id: &str) -> Result<Complete, SnapshotterError> {
        let id = SnapshotId::parse(id)?;
        if let Some(dir) = self.open()?
            && let Some(complete) = Slot::new(&dir, &id).complete()?
        {
            return Ok(complete);
        }
        let unfinished = self.find(id.as_str())?;
        Err(refused(format!("snapshot {}", unfinished.id), "it is not complete"))
    }

    /// Finds the snapshots that carry a tag, complete or not. Of a damaged one no tag is known.
    ///
    /// Who clears what an attempt left asks this first, so what has no tags any more goes now.
    pub(super) fn tagged(&self, key: &str, value: &str) -> Result<Vec<Snapshot>, SnapshotterError> {
        let Some(dir) = self.open()? else { return Ok(Vec::new()) };
        clear_abandoned(&dir);
        let mut found = Vec::new();
        for entry in dir.entries().map_err(self.failed("list"))? {
            let Some(name) = entry.name.to_str() else { continue };
            let name = name.strip_prefix(PARTIAL).unwrap_or(name);
            let Ok(id) = SnapshotId::parse(name) else { continue };
            match Slot::new(&dir, &id).look() {
                Ok(snapshot) => found.extend(snapshot),
                Err(SnapshotterError::Damaged { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        found.retain(|snapshot| snapshot.tags.get(key).is_some_and(|tag| tag == value));
        found.sort_by(|a, b| a.id.cmp(&b.id));
        found.dedup_by(|a, b| a.id == b.id);
        Ok(found)
    }

    /// Removes a snapshot and what is left of attempts to make or to remove it.
    pub(super) fn delete(&self, id: &str) -> Result<(), SnapshotterError> {
        let id = SnapshotId::parse(id)?;
        self.open()?.map_or(Ok(()), |dir| Slot::new(&dir, &id).clear())
    }
}

/// Removes what dead processes left that is part of no snapshot, as far as that is possible.
fn clear_abandoned(dir: &Dir) {
    for entry in dir.entries().unwrap_or_default() {
        let id = entry.name.to_str().and_then(abandoned).map(SnapshotId::parse);
        if let Some(Ok(id)) = id {
            // What stays is cleared next time.
            drop(Slot::new(dir, &id).clear_abandoned());
        }
    }
}

/// Tells whether `inner`, which need not exist, lies in `outer` or is it.
fn lies_in(inner: &Path, outer: &Path) -> io::Result<bool> {
    let inner = std::path::absolute(inner)?;
    let existing = inner.ancestors().find_map(|path| path.canonicalize().ok());
    let outer = outer.canonicalize()?;
    Ok(existing.is_some_and(|existing| existing.starts_with(outer)))
}
