//! The temporary files that objects are written to before they get their names.
//!
//! The one of key `a/b` is `metadata/bowline/.uploads/a/b/.<random>`, so that its place tells its
//! key. It is locked for as long as its writer lives.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt as _;

use rustix::fs::FileType;
use rustix::io::Errno;
use uuid::Uuid;

use super::list::{if_there, version};
use crate::dir::{Dir, Level};
use crate::lease;

const UPLOADS: [&str; 3] = ["metadata", "bowline", ".uploads"];

/// How often something is tried again because a directory on the way was just removed as empty.
const ATTEMPTS: u32 = 1000;

/// A file that has no key yet. Removed when dropped.
#[derive(Debug)]
pub(super) struct Temporary {
    pub(super) file: File,
    key: String,
    root: Dir,
    /// The directory of all temporary files, and the file's own one.
    uploads: Dir,
    dir: Dir,
    name: String,
}

impl Temporary {
    pub(super) fn new(root: Dir, key: &str) -> io::Result<Self> {
        let uploads = make_path(&root, &UPLOADS)?.pop().ok_or(Errno::NOENT)?;
        let parts: Vec<&str> = key.split('/').collect();
        let (file, dir, name) = while_pruned(|| {
            let dir = make_path(&uploads, &parts)?.pop().ok_or(Errno::NOENT)?;
            let name = format!(".{}", Uuid::new_v4());
            let file = dir.create_file(&name)?;
            // Between the two lines a clean-up may have taken it for abandoned.
            if lease::try_lock(&file)? { Ok((file, dir, name)) } else { Err(Errno::NOENT.into()) }
        })?;
        Ok(Self { file, key: key.to_owned(), root, uploads, dir, name })
    }

    /// Gives the file its key, durably, unless the key is taken.
    pub(super) fn publish(self) -> io::Result<()> {
        self.file.sync_all()?;
        let (parents, name) = split(&self.key);
        let path = while_pruned(|| {
            let path = make_path(&self.root, &parents)?;
            let parent = path.last().unwrap_or(&self.root);
            self.name_exclusively(parent, name)?;
            Ok(path)
        })?;
        for dir in path.iter().rev() {
            dir.sync()?;
        }
        self.root.sync()
    }

    /// Gives the file the place of an object that exists, durably; gives back its version.
    pub(super) fn publish_over(self, parent: &Dir, name: &str) -> io::Result<String> {
        self.file.sync_all()?;
        let version = version(&self.file.metadata()?);
        self.dir.move_over(&self.name, parent, name)?;
        parent.sync()?;
        Ok(version)
    }

    fn name_exclusively(&self, parent: &Dir, name: &str) -> io::Result<()> {
        let linked = match self.dir.link(&self.name, parent, name) {
            Err(error) if has_no_links(&error) => {
                self.dir.move_exclusively(&self.name, parent, name)
            }
            linked => linked,
        };
        match linked {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(taken(parent, name)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Either side may be gone; only the target's is worth another attempt.
                self.dir.metadata(&self.name).map_err(|_gone| {
                    io::Error::other("its temporary file was removed by somebody else")
                })?;
                Err(error)
            }
            linked => linked,
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        drop(self.dir.remove_file(&self.name));
        self.uploads.prune(&self.key.split('/').collect::<Vec<_>>());
    }
}

/// Fails if something other than an object has the name of `key`.
pub(super) fn refuse_taken(root: &Dir, key: &str) -> io::Result<()> {
    let (parents, name) = split(key);
    match if_there(root.descend(&parents))? {
        Some(parent) if parent.find(name)?.is_some() => Err(taken(&parent, name)?),
        _ => Ok(()),
    }
}

/// Says why a name cannot be given: an object has it, or something that is none.
fn taken(parent: &Dir, name: &str) -> io::Result<io::Error> {
    match parent.find(name)? {
        Some(other) if !other.is_file() => Ok(io::Error::other("a directory or link has its name")),
        _ => Ok(Errno::EXIST.into()),
    }
}

/// Splits a key into the directories it lies in and its last part.
pub(super) fn split(key: &str) -> (Vec<&str>, &str) {
    let mut parts: Vec<&str> = key.split('/').collect();
    let name = parts.pop().unwrap_or_default();
    (parts, name)
}

/// Opens the directories along `parts`, and makes those that are missing.
fn make_path(root: &Dir, parts: &[&str]) -> io::Result<Vec<Dir>> {
    let mut path: Vec<Dir> = Vec::new();
    for part in parts {
        path.push(path.last().unwrap_or(root).make_child(part)?);
    }
    Ok(path)
}

/// Repeats what failed because a directory on the way was removed as empty meanwhile.
fn while_pruned<T>(mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let mut result = attempt();
    for _ in 1..ATTEMPTS {
        match &result {
            Err(error) if error.kind() == io::ErrorKind::NotFound => result = attempt(),
            _ => break,
        }
    }
    result
}

/// Some network and removable file systems have no hard links.
fn has_no_links(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::MLINK))
}

/// Removes the temporary files that no living process writes to, of keys that start with `prefix`.
pub(super) fn clear(root: &Dir, prefix: &str) -> io::Result<()> {
    let Some((name, parents)) = UPLOADS.split_last() else { return Ok(()) };
    let Some(parent) = if_there(root.descend(parents))? else { return Ok(()) };
    let mut levels: Vec<Level> = if_there(Level::enter(&parent, name))?.into_iter().collect();
    while let Some(level) = levels.last_mut() {
        match level.entries.next() {
            Some(entry) if entry.kind == FileType::Directory => {
                let below = if_there(Level::enter(&level.dir, entry.name))?;
                levels.extend(below);
            }
            Some(entry) if key_of(&levels).starts_with(prefix.as_bytes()) => {
                clear_file(&levels[levels.len() - 1].dir, &entry.name)?;
            }
            Some(_) => {}
            None => {
                let left = levels.pop();
                if let (Some(left), Some(level)) = (left, levels.last()) {
                    level.dir.prune(&[left.name]);
                }
            }
        }
    }
    Ok(())
}

/// The key whose temporary files lie in the innermost directory.
fn key_of(levels: &[Level]) -> Vec<u8> {
    let names = levels.iter().skip(1).map(|level| level.name.as_bytes());
    names.collect::<Vec<_>>().join(&b'/')
}

fn clear_file(dir: &Dir, name: &OsStr) -> io::Result<()> {
    match dir.open_to_lock(name, false) {
        Ok(file) if lease::try_lock(&file)? => dir.remove_file(name),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
