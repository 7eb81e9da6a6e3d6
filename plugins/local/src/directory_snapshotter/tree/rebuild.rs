//! A tree is made again from its copy.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;

use rustix::fs::{FileType, Mode, mknodat, symlinkat};

use super::content::Copied;
use super::entry::{Attributes, Entry, Kind, ManifestReader};
use super::path::{from_text, parts};
use super::{DATA, Error, MANIFEST, attributes, content};
use crate::blocking::Cancel;
use crate::dir::{Dir, Level};
use crate::directory_snapshotter::record::Contents;

/// Makes the tree of a copy again below the empty directory `target`.
///
/// Every digest is checked on the way. Anything that is missing, different or too much is damage;
/// what was made until then has no value.
pub(in crate::directory_snapshotter) fn rebuild(
    copy: &Dir,
    target: &Dir,
    contents: &Contents,
    cancel: &Cancel,
) -> Result<(), Error> {
    let manifest = required(copy.open_file(MANIFEST), MANIFEST)?;
    let data = required(copy.open_child(DATA), DATA)?;
    let mut manifest = ManifestReader::new(manifest);
    let mut rebuild = Rebuild { data: &data, target, files: 0, cancel };
    while let Some(entry) = manifest.next()? {
        rebuild.entry(&entry)?;
    }
    let Rebuild { files, .. } = rebuild;
    if manifest.finish() != contents.manifest_sha256 || files != contents.files {
        return Err(Error::damaged(format!("{MANIFEST} is not the one that was recorded")));
    }
    match count_files(copy, cancel).map_err(Error::at(DATA.as_bytes()))? {
        there if there == files => Ok(()),
        there => Err(Error::damaged(format!("it holds {there} files where {files} were recorded"))),
    }
}

struct Rebuild<'a> {
    data: &'a Dir,
    target: &'a Dir,
    files: u64,
    cancel: &'a Cancel,
}

impl Rebuild<'_> {
    fn entry(&mut self, entry: &Entry) -> Result<(), Error> {
        let at = |source| Error::Io { path: entry.path.clone(), source };
        self.cancel.check().map_err(at)?;
        let path = decode(&entry.path)?;
        if path.is_empty() && entry.kind == Kind::Directory {
            return attributes::set(self.target, &entry.attributes).map_err(at);
        }
        let (parent, name) = self.locate(&path)?;
        let attributes = &entry.attributes;
        match &entry.kind {
            Kind::File { size, sha256 } => {
                let expected = Copied { size: *size, sha256: sha256.clone() };
                self.file(&parent, &path, &expected, attributes)
            }
            Kind::Directory => directory(&parent, name, attributes).map_err(at),
            Kind::Symlink { target } => {
                symlink(&parent, name, &decode(target)?, attributes).map_err(at)
            }
            Kind::HardLink { to } => self.hard_link(&decode(to)?, &parent, name).map_err(at),
            Kind::Fifo => fifo(&parent, name, attributes).map_err(at),
            Kind::Socket => Ok(()),
        }
    }

    /// Opens the directory that an entry lies in, and makes it where this is the first one there.
    fn locate<'p>(&self, path: &'p [u8]) -> Result<(Dir, &'p [u8]), Error> {
        let (name, parents) = split(path)?;
        let start = self.target.descend::<&OsStr>(&[]);
        let parent = parents.iter().fold(start, |dir, part| dir?.make_child(part));
        Ok((parent.map_err(Error::at(path))?, name))
    }

    fn file(
        &mut self,
        parent: &Dir,
        path: &[u8],
        expected: &Copied,
        attributes: &Attributes,
    ) -> Result<(), Error> {
        let (name, parents) = split(path)?;
        let text = super::path::to_text(path);
        let source = self.data.descend(&parents).and_then(|dir| dir.open_file(os(name)));
        let source = required(source, &text)?;
        let target = parent.create_file(os(name)).map_err(Error::at(path))?;
        let copied = content::copy(&source, &target, self.cancel).map_err(Error::at(path))?;
        if copied != *expected {
            return Err(Error::damaged(format!("the contents of {text} have changed")));
        }
        self.files += 1;
        attributes::set(&target, attributes).map_err(Error::at(path))
    }

    fn hard_link(&self, to: &[u8], parent: &Dir, name: &[u8]) -> io::Result<()> {
        let (first, parents) = split(to).map_err(|_| io::ErrorKind::InvalidData)?;
        self.target.descend(&parents)?.link(os(first), parent, os(name))
    }
}

fn directory(parent: &Dir, name: &[u8], attributes: &Attributes) -> io::Result<()> {
    attributes::set(parent.make_child(os(name))?, attributes)
}

fn symlink(parent: &Dir, name: &[u8], target: &[u8], attributes: &Attributes) -> io::Result<()> {
    symlinkat(target, parent, name)?;
    attributes::set_link(parent, name, attributes)
}

fn fifo(parent: &Dir, name: &[u8], attributes: &Attributes) -> io::Result<()> {
    mknodat(parent, name, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
    attributes::set_closed(parent, name, attributes)
}

fn os(name: &[u8]) -> &OsStr {
    OsStr::from_bytes(name)
}

fn decode(path: &str) -> Result<Vec<u8>, Error> {
    from_text(path).ok_or_else(|| Error::damaged(format!("{MANIFEST} names \"{path}\"")))
}

fn split(path: &[u8]) -> Result<(&[u8], Vec<&OsStr>), Error> {
    let text = || super::path::to_text(path);
    let parts =
        parts(path).ok_or_else(|| Error::damaged(format!("{MANIFEST} names \"{}\"", text())))?;
    let mut parts: Vec<&OsStr> = parts.into_iter().map(os).collect();
    let name = parts.pop().map(OsStr::as_bytes).unwrap_or_default();
    Ok((name, parts))
}

/// What a copy must hold is damaged without it.
fn required<T>(opened: io::Result<T>, path: &str) -> Result<T, Error> {
    opened.map_err(|source| match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            Error::damaged(format!("{path} is missing"))
        }
        _ => Error::Io { path: path.to_owned(), source },
    })
}

/// Counts what is stored; only files are.
fn count_files(copy: &Dir, cancel: &Cancel) -> io::Result<u64> {
    let mut files = 0;
    let mut levels = vec![Level::enter(copy, DATA)?];
    while let Some(level) = levels.last_mut() {
        cancel.check()?;
        match level.entries.next() {
            Some(entry) if entry.kind == FileType::Directory => {
                let below = Level::enter(&level.dir, entry.name)?;
                levels.push(below);
            }
            Some(_) => files += 1,
            None => drop(levels.pop()),
        }
    }
    Ok(files)
}
