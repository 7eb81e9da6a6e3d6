//! A copy is made of a tree.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::{self, BufWriter};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;

use rustix::fs::{FileType, readlinkat};

use super::entry::{Entry, Kind, ManifestWriter};
use super::path::to_text;
use super::{DATA, Error, MANIFEST, attributes, content};
use crate::blocking::Cancel;
use crate::dir::{self, Dir, Level};
use crate::directory_snapshotter::record::Contents;

/// Copies the tree below `source` into the empty directory `target`.
///
/// Files may change meanwhile; each is then what it was at some time. Files that vanish are left
/// out, as if they had done so before.
pub(in crate::directory_snapshotter) fn capture(
    source: &Dir,
    target: &Dir,
    cancel: &Cancel,
) -> Result<Contents, Error> {
    let manifest = target.create_file(MANIFEST).map_err(Error::at(MANIFEST.as_bytes()))?;
    let mut capture = Capture {
        manifest: ManifestWriter::new(BufWriter::new(manifest)),
        linked: HashMap::new(),
        files: 0,
        bytes: 0,
        cancel,
    };
    let data = target.make_child(DATA).map_err(Error::at(b""))?;
    capture.tree(source, data)?;
    let manifest_sha256 = capture.manifest.finish().map_err(Error::at(MANIFEST.as_bytes()))?;
    Ok(Contents { files: capture.files, bytes: capture.bytes, manifest_sha256 })
}

struct Capture<'a> {
    manifest: ManifestWriter<BufWriter<File>>,
    /// Where a file with several names was first met, by device and inode.
    linked: HashMap<(u64, u64), String>,
    files: u64,
    bytes: u64,
    cancel: &'a Cancel,
}

/// A directory that is being copied, and where to.
struct Pair {
    source: Level,
    target: Dir,
    /// Relative to the tree.
    path: Vec<u8>,
}

impl Capture<'_> {
    fn tree(&mut self, source: &Dir, target: Dir) -> Result<(), Error> {
        let source = Level::enter(source, ".").map_err(Error::at(b""))?;
        let mut pairs = vec![Pair { source, target, path: Vec::new() }];
        while let Some(pair) = pairs.last_mut() {
            self.cancel.check().map_err(Error::at(&pair.path))?;
            match pair.source.entries.next() {
                Some(entry) if entry.kind == FileType::Directory => {
                    let below = pair.enter(&entry)?;
                    pairs.extend(below);
                }
                Some(entry) => self.child(pair, &entry)?,
                None => {
                    self.directory(pair)?;
                    pairs.pop();
                }
            }
        }
        Ok(())
    }

    fn directory(&mut self, pair: &Pair) -> Result<(), Error> {
        let (dir, path) = (&pair.source.dir, &pair.path);
        let metadata = dir.metadata(".").map_err(Error::at(path))?;
        let attributes = attributes::of_open(dir, &metadata).map_err(Error::at(path))?;
        self.write(&Entry { path: to_text(path), kind: Kind::Directory, attributes })
    }

    fn child(&mut self, pair: &Pair, entry: &dir::Entry) -> Result<(), Error> {
        let source = &pair.source.dir;
        let path = &pair.path_of(entry);
        match entry.kind {
            FileType::RegularFile => self.file(source, &pair.target, entry, path),
            FileType::Symlink => {
                let link = readlinkat(source, &entry.name, Vec::new()).map_err(io::Error::from);
                let link = there(link).map_err(Error::at(path))?;
                let Some(link) = link else { return Ok(()) };
                self.other(source, entry, path, Kind::Symlink { target: to_text(link.as_bytes()) })
            }
            FileType::Fifo => self.other(source, entry, path, Kind::Fifo),
            FileType::Socket => self.other(source, entry, path, Kind::Socket),
            _ => Err(Error::Unsupported { path: to_text(path), reason: "it is a device" }),
        }
    }

    fn file(
        &mut self,
        source: &Dir,
        target: &Dir,
        entry: &dir::Entry,
        path: &[u8],
    ) -> Result<(), Error> {
        let opened = there(source.open_file(&entry.name)).map_err(Error::at(path))?;
        let Some(file) = opened else { return Ok(()) };
        let metadata = file.metadata().map_err(Error::at(path))?;
        let attributes = attributes::of_open(&file, &metadata).map_err(Error::at(path))?;
        let kind = match self.first_name(&metadata, path) {
            Some(to) => Kind::HardLink { to },
            None => self.contents(&file, target, entry, path)?,
        };
        self.write(&Entry { path: to_text(path), kind, attributes })
    }

    /// Finds the name under which a file of several names was copied, or notes this one.
    fn first_name(&mut self, metadata: &Metadata, path: &[u8]) -> Option<String> {
        if metadata.nlink() < 2 {
            return None;
        }
        let file = (metadata.dev(), metadata.ino());
        let first = self.linked.get(&file).cloned();
        if first.is_none() {
            self.linked.insert(file, to_text(path));
        }
        first
    }

    fn contents(
        &mut self,
        file: &File,
        target: &Dir,
        entry: &dir::Entry,
        path: &[u8],
    ) -> Result<Kind, Error> {
        let copied = target
            .create_file(&entry.name)
            .and_then(|target| content::copy(file, &target, self.cancel))
            .map_err(Error::at(path))?;
        self.files += 1;
        self.bytes += copied.size;
        Ok(Kind::File { size: copied.size, sha256: copied.sha256 })
    }

    /// Records a file that has no contents.
    fn other(
        &mut self,
        source: &Dir,
        entry: &dir::Entry,
        path: &[u8],
        kind: Kind,
    ) -> Result<(), Error> {
        match source.find(&entry.name).map_err(Error::at(path))? {
            Some(metadata) => {
                let attributes = attributes::of_metadata(&metadata);
                self.write(&Entry { path: to_text(path), kind, attributes })
            }
            None => Ok(()),
        }
    }

    fn write(&mut self, entry: &Entry) -> Result<(), Error> {
        self.manifest.write(entry).map_err(Error::at(MANIFEST.as_bytes()))
    }
}

impl Pair {
    fn path_of(&self, entry: &dir::Entry) -> Vec<u8> {
        let name = entry.name.as_bytes();
        if self.path.is_empty() { name.to_vec() } else { [&self.path, &b"/"[..], name].concat() }
    }

    /// Goes into a directory, unless it has vanished.
    fn enter(&self, entry: &dir::Entry) -> Result<Option<Self>, Error> {
        let path = self.path_of(entry);
        let source = there(Level::enter(&self.source.dir, &entry.name));
        let Some(source) = source.map_err(Error::at(&path))? else { return Ok(None) };
        let target = self.target.make_child(&entry.name).map_err(Error::at(&path))?;
        Ok(Some(Self { source, target, path }))
    }
}

/// What has vanished since its directory was read is not there, and no error.
fn there<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}
