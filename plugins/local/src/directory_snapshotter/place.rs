//! The place of one made volume, and what is there.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

use bowline_api::{SnapshotterError, Volume, VolumeOrigin, VolumeRequest, VolumeState};
use rustix::fs::Mode;
use rustix::io::Errno;

use super::error::{failed, is_unreadable, not_copied, there};
use super::names::{check_volume_name, volume_path};
use super::record::{self, Identity, VolumeRecord};
use super::slot::Complete;
use super::tree;
use crate::blocking::Cancel;
use crate::dir::Dir;
use crate::lease::{self, Lease};

/// Missing parents of a volume are made as the kubelet makes them: `rwxr-xr-x`.
const PARENT: Mode =
    Mode::RWXU.union(Mode::RGRP).union(Mode::XGRP).union(Mode::ROTH).union(Mode::XOTH);

/// Where a volume lies, or would lie.
#[derive(Debug)]
pub(super) struct Place {
    parent: PathBuf,
    name: String,
}

/// What is at the place of a volume.
#[derive(Debug)]
pub(super) enum Found {
    Nothing,
    /// A volume of ours, complete.
    Made(VolumeRecord),
    /// Something that bowline did not make.
    Foreign,
    /// A record of ours, but no directory.
    Unfinished,
}

impl Place {
    /// The place of an existing volume; none where bowline cannot have made it.
    pub(super) fn of(id: &str) -> Result<Option<Self>, SnapshotterError> {
        let path = volume_path(id)?;
        let name = path.file_name().and_then(|name| name.to_str());
        Ok(match (path.parent(), name) {
            (Some(parent), Some(name)) if check_volume_name(name).is_ok() => {
                Some(Self { parent: parent.to_owned(), name: name.to_owned() })
            }
            _ => None,
        })
    }

    /// The place of a volume that is asked for.
    pub(super) fn for_request(request: &VolumeRequest) -> Result<Self, SnapshotterError> {
        Self::beside_source(&request.source_volume_id, &request.persistent_volume)
    }

    /// The place of a volume that was asked for.
    pub(super) fn for_origin(origin: &VolumeOrigin) -> Result<Self, SnapshotterError> {
        Self::beside_source(&origin.source_volume_id, &origin.persistent_volume)
    }

    fn beside_source(source: &str, name: &str) -> Result<Self, SnapshotterError> {
        let source = volume_path(source)?;
        check_volume_name(name)?;
        let parent = source.parent().unwrap_or_else(|| Path::new("/")).to_owned();
        Ok(Self { parent, name: name.to_owned() })
    }

    fn id(&self) -> String {
        self.parent.join(&self.name).display().to_string()
    }

    pub(super) fn what(&self) -> String {
        format!("volume {}", self.id())
    }

    fn failed(&self, operation: &'static str) -> impl FnOnce(io::Error) -> SnapshotterError {
        let what = self.what();
        move |error| failed(operation, what, error)
    }

    pub(super) fn describe(&self, state: VolumeState) -> Volume {
        Volume { id: self.id(), state, zone: None }
    }

    fn beside(&self, what: &str) -> String {
        format!(".{}.bowline.{what}", self.name)
    }

    fn record(&self) -> String {
        self.beside("json")
    }

    fn partial(&self) -> String {
        self.beside("partial")
    }

    fn lock(&self) -> String {
        self.beside("lock")
    }

    /// Opens the directory that volumes lie in; none where there is none.
    pub(super) fn open(&self) -> Result<Option<Dir>, SnapshotterError> {
        there(Dir::open(&self.parent)).map_err(self.failed("describe"))
    }

    /// Opens the directory that volumes lie in, and makes it where there is none.
    pub(super) fn make(&self) -> Result<Dir, SnapshotterError> {
        Dir::make(&self.parent, PARENT).map_err(self.failed("make"))
    }

    pub(super) fn lease<'d>(&self, dir: &'d Dir) -> Result<Option<Lease<'d>>, SnapshotterError> {
        Lease::take(dir, &self.lock()).map_err(self.failed("lock"))
    }

    pub(super) fn is_leased(&self, dir: &Dir) -> Result<bool, SnapshotterError> {
        lease::is_held(dir, self.lock()).map_err(self.failed("describe"))
    }

    /// Whether an attempt to make or to remove it left something that is no volume.
    pub(super) fn is_begun(&self, dir: &Dir) -> Result<bool, SnapshotterError> {
        let parts = [self.partial(), self.beside("deleting")];
        let found = parts.iter().map(|part| dir.find(part)).collect::<io::Result<Vec<_>>>();
        Ok(found.map_err(self.failed("describe"))?.iter().any(Option::is_some))
    }

    /// Looks at what is there.
    pub(super) fn look(&self, dir: &Dir) -> Result<Found, SnapshotterError> {
        let there = dir.find(&self.name).map_err(self.failed("describe"))?;
        let record = match record::read::<VolumeRecord>(dir, &self.record()) {
            Err(error) if is_unreadable(&error) => None,
            read => read.map_err(self.failed("describe"))?,
        };
        Ok(match (there, record) {
            (Some(there), Some(record)) if record.is_of(&there) => Found::Made(record),
            (Some(_), _) => Found::Foreign,
            (None, Some(_)) => Found::Unfinished,
            (None, None) => Found::Nothing,
        })
    }

    /// Makes the volume where nothing is.
    pub(super) fn fill(
        &self,
        dir: &Dir,
        request: &VolumeRequest,
        snapshot: &Complete,
        cancel: &Cancel,
    ) -> Result<Volume, SnapshotterError> {
        let built = self.build(dir, request, snapshot, cancel);
        if built.is_err() {
            // It takes the room of a volume and has no value. What stays is cleared next time.
            drop(self.clear_unfinished(dir));
        }
        built.map(|()| self.describe(VolumeState::Available))
    }

    fn build(
        &self,
        dir: &Dir,
        request: &VolumeRequest,
        snapshot: &Complete,
        cancel: &Cancel,
    ) -> Result<(), SnapshotterError> {
        self.clear_unfinished(dir).map_err(self.failed("clear"))?;
        let partial = dir.make_child(self.partial()).map_err(self.failed("make"))?;
        tree::rebuild(&snapshot.dir, &partial, &snapshot.contents, cancel)
            .map_err(|error| not_copied(format!("snapshot {}", snapshot.record.id), error))?;
        let directory = partial.metadata(".").map_err(self.failed("describe"))?;
        let record = VolumeRecord {
            token: request.token.clone(),
            snapshot_id: request.snapshot_id.clone(),
            tags: request.tags.clone(),
            directory: Identity::of(&directory),
        };
        partial
            .sync_file_system()
            .and_then(|()| record::write(dir, &self.record(), &record))
            .and_then(|()| self.give_name(dir))
            .and_then(|()| dir.sync())
            .map_err(self.failed("complete"))
    }

    /// Gives the partial directory the name of the volume, unless that is taken by now.
    fn give_name(&self, dir: &Dir) -> io::Result<()> {
        match dir.move_exclusively(self.partial(), dir, &self.name) {
            // Not every file system can tell; then there is a moment between the look and the name.
            Err(error) if Errno::from_io_error(&error) == Some(Errno::INVAL) => {
                match dir.find(&self.name)? {
                    Some(_) => Err(Errno::EXIST.into()),
                    None => dir.rename(self.partial(), &self.name),
                }
            }
            moved => moved,
        }
    }

    /// Removes what an attempt left that did not come to its end; never a volume.
    fn clear_unfinished(&self, dir: &Dir) -> io::Result<()> {
        if matches!(self.look(dir), Ok(Found::Unfinished)) {
            there(dir.remove_file(self.record()))?;
        }
        self.discard(dir, &self.partial())
    }

    /// Removes the volume and what is left of attempts to make or to remove it.
    ///
    /// The record goes last: until then the next attempt knows that all this is ours.
    pub(super) fn clear(&self, dir: &Dir) -> Result<(), SnapshotterError> {
        self.discard(dir, &self.name)
            .and_then(|()| self.discard(dir, &self.partial()))
            .and_then(|()| there(dir.remove_file(self.record())))
            .and_then(|_| dir.sync())
            .map_err(self.failed("delete"))
    }

    fn discard(&self, dir: &Dir, name: &str) -> io::Result<()> {
        dir.discard(name, &self.beside("deleting"))
    }
}

impl VolumeRecord {
    fn is_of(&self, directory: &Metadata) -> bool {
        directory.is_dir() && self.directory == Identity::of(directory)
    }
}
