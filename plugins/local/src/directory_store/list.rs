//! Objects in byte order of their keys, a page at a time.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::time::SystemTime;

use bowline_api::{ObjectMeta, validate_key, validate_prefix};
use jiff::Timestamp;
use rustix::fs::FileType;

use crate::dir::Dir;

/// A walk over the objects whose keys start with a prefix. Holds one page and one level of names
/// per directory on the way, whatever the size of the store.
#[derive(Debug)]
pub(super) struct Walk {
    prefix: String,
    /// The directories on the way down to the next object.
    levels: Vec<Level>,
}

#[derive(Debug)]
struct Level {
    dir: Dir,
    /// The key of the directory with its trailing slash; empty for the root.
    path: String,
    /// What is left of it, the next one last.
    entries: Vec<Node>,
}

/// A file or directory that may be or hold objects.
#[derive(Debug)]
struct Node {
    /// Ends in a slash where it is a directory: that is how the keys below it sort.
    name: String,
}

impl Walk {
    /// Starts below `root`; `prefix` has been validated.
    pub(super) fn new(root: &Dir, prefix: &str) -> io::Result<Self> {
        let path = prefix.rsplit_once('/').map_or("", |(path, _)| path);
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let mut walk = Self { prefix: prefix.to_owned(), levels: Vec::new() };
        if let Some(dir) = if_there(root.descend(&parts))? {
            let path = if path.is_empty() { String::new() } else { format!("{path}/") };
            walk.enter(dir, path)?;
        }
        Ok(walk)
    }

    fn enter(&mut self, dir: Dir, path: String) -> io::Result<()> {
        let mut entries = nodes(&dir)?;
        entries.retain(|node| {
            let key = format!("{path}{}", node.name);
            let matches = key.starts_with(&self.prefix)
                || (key.ends_with('/') && self.prefix.starts_with(&key));
            matches && validate_prefix(&key).is_ok()
        });
        entries.reverse();
        self.levels.push(Level { dir, path, entries });
        Ok(())
    }

    /// Takes the next objects, at most `limit`; none are left when there are fewer.
    pub(super) fn page(&mut self, limit: usize) -> io::Result<Vec<ObjectMeta>> {
        let mut page = Vec::new();
        while page.len() < limit && !self.levels.is_empty() {
            page.extend(self.step()?);
        }
        Ok(page)
    }

    /// Goes to the next entry, into it or out of its directory; an object where it is one.
    fn step(&mut self) -> io::Result<Option<ObjectMeta>> {
        let Some(level) = self.levels.last_mut() else { return Ok(None) };
        let Some(node) = level.entries.pop() else {
            self.levels.pop();
            return Ok(None);
        };
        let key = format!("{}{}", level.path, node.name);
        let Some(name) = node.name.strip_suffix('/') else {
            return describe(&level.dir, &node.name, key);
        };
        if let Some(dir) = if_there(level.dir.open_child(name))? {
            self.enter(dir, key)?;
        }
        Ok(None)
    }
}

/// Names the directories directly below `dir` that hold at least one object.
pub(super) fn directories(dir: &Dir) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for node in nodes(dir)? {
        if let Some(name) = node.name.strip_suffix('/')
            && validate_key(name).is_ok()
            && let Some(child) = if_there(dir.open_child(name))?
            && !Walk::new(&child, "")?.page(1)?.is_empty()
        {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn nodes(dir: &Dir) -> io::Result<Vec<Node>> {
    let mut nodes: Vec<Node> = dir.entries()?.into_iter().filter_map(node).collect();
    nodes.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(nodes)
}

fn node(entry: crate::dir::Entry) -> Option<Node> {
    let name = entry.name.into_string().ok()?;
    match entry.kind {
        FileType::RegularFile => Some(Node { name }),
        FileType::Directory => Some(Node { name: name + "/" }),
        _ => None,
    }
}

fn describe(dir: &Dir, name: &str, key: String) -> io::Result<Option<ObjectMeta>> {
    match dir.find(name)? {
        Some(metadata) if metadata.is_file() => Ok(Some(object_meta(key, &metadata)?)),
        _ => Ok(None),
    }
}

/// Tells of an object what its file's metadata say.
pub(super) fn object_meta(key: String, metadata: &Metadata) -> io::Result<ObjectMeta> {
    let modified = timestamp(metadata.modified()?)?;
    Ok(ObjectMeta { key, size: metadata.len(), modified, version: version(metadata) })
}

/// The version of an object: every write makes a new file.
pub(super) fn version(metadata: &Metadata) -> String {
    let (seconds, nanoseconds) = (metadata.mtime(), metadata.mtime_nsec());
    format!("{:x}-{seconds:x}.{nanoseconds:x}", metadata.ino())
}

/// Turns a file's time into the one of an object.
fn timestamp(time: SystemTime) -> io::Result<Timestamp> {
    Timestamp::try_from(time).map_err(io::Error::other)
}

/// A directory that is not there, or is something else by now, holds no objects.
pub(super) fn if_there<T>(opened: io::Result<T>) -> io::Result<Option<T>> {
    match opened {
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            Ok(None)
        }
        opened => opened.map(Some),
    }
}
