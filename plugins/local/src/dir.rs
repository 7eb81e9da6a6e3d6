//! A directory by its descriptor, so that no symbolic link below it leads elsewhere.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::vec;

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

/// What is kept may hold Secrets: nobody but its owner reads it.
const PRIVATE_DIRECTORY: Mode = Mode::RWXU;
const PRIVATE_FILE: Mode = Mode::RUSR.union(Mode::WUSR);
const OPEN_DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
const NO_LINK: OFlags = OFlags::NOFOLLOW.union(OFlags::CLOEXEC);

/// How deep below the one that it started from a directory may be.
///
/// Deeper than any key goes. Whoever can write to a volume can nest directories without end, and
/// what walks them keeps each of them open.
const DEEPEST: u16 = 600;

/// An open directory. Names are single parts of a path, and never followed if they are links.
#[derive(Debug)]
pub(crate) struct Dir {
    fd: OwnedFd,
    depth: u16,
}

/// A name in a directory, and what it names.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: OsString,
    pub(crate) kind: FileType,
}

/// A directory on the way through a tree. Trees are walked without recursion: they may be deep.
#[derive(Debug)]
pub(crate) struct Level {
    pub(crate) dir: Dir,
    /// Its name in the directory above it.
    pub(crate) name: OsString,
    /// The entries that were not yet visited, in order.
    pub(crate) entries: vec::IntoIter<Entry>,
}

impl Level {
    pub(crate) fn enter(parent: &Dir, name: impl AsRef<OsStr>) -> io::Result<Self> {
        let name = name.as_ref().to_owned();
        let dir = parent.open_child(&name)?;
        let entries = dir.entries()?.into_iter();
        Ok(Self { dir, name, entries })
    }
}

impl Dir {
    /// Opens the directory at `path`, through links if there are any.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { fd: fs::open(path, OPEN_DIRECTORY, Mode::empty())?, depth: 0 })
    }

    /// Opens the directory at `path` and durably makes what is missing of it.
    pub(crate) fn make(path: &Path, mode: Mode) -> io::Result<Self> {
        let missing = match Self::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => error,
            opened => return opened,
        };
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(missing);
        };
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        let parent = Self::make(parent, mode)?;
        let child = parent.make_child_with(name, mode)?;
        parent.sync()?;
        Ok(child)
    }

    pub(crate) fn open_child(&self, name: impl AsRef<OsStr>) -> io::Result<Self> {
        self.check_depth()?;
        let flags = OPEN_DIRECTORY.union(NO_LINK);
        let fd = fs::openat(&self.fd, name.as_ref(), flags, Mode::empty())?;
        Ok(Self { fd, depth: self.depth + 1 })
    }

    fn check_depth(&self) -> io::Result<()> {
        if self.depth < DEEPEST {
            Ok(())
        } else {
            Err(io::Error::other(format!("it is nested deeper than {DEEPEST} levels")))
        }
    }

    /// Opens a directory and makes it if it is missing; for its owner only.
    pub(crate) fn make_child(&self, name: impl AsRef<OsStr>) -> io::Result<Self> {
        self.make_child_with(name.as_ref(), PRIVATE_DIRECTORY)
    }

    fn make_child_with(&self, name: &OsStr, mode: Mode) -> io::Result<Self> {
        self.check_depth()?;
        match fs::mkdirat(&self.fd, name, mode) {
            Ok(()) | Err(Errno::EXIST) => self.open_child(name),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens the directory that lies `parts` below this one.
    pub(crate) fn descend<P: AsRef<OsStr>>(&self, parts: &[P]) -> io::Result<Self> {
        let start = Self { fd: self.fd.try_clone()?, depth: self.depth };
        parts.iter().try_fold(start, |dir, part| dir.open_child(part))
    }

    /// Opens a regular file to read; anything else there is "not found".
    pub(crate) fn open_file(&self, name: impl AsRef<OsStr>) -> io::Result<File> {
        // Without NONBLOCK a FIFO would wait for its writer.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | NO_LINK;
        let file = match fs::openat(&self.fd, name.as_ref(), flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::LOOP | Errno::NXIO) => return Err(Errno::NOENT.into()),
            Err(error) => return Err(error.into()),
        };
        if file.metadata()?.is_file() { Ok(file) } else { Err(Errno::NOENT.into()) }
    }

    /// Makes a file that does not exist yet; for its owner only.
    pub(crate) fn create_file(&self, name: impl AsRef<OsStr>) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | NO_LINK;
        Ok(File::from(fs::openat(&self.fd, name.as_ref(), flags, PRIVATE_FILE)?))
    }

    /// Opens a file to write, and makes it if it is missing and `create` says so.
    pub(crate) fn open_to_lock(&self, name: impl AsRef<OsStr>, create: bool) -> io::Result<File> {
        let create = if create { OFlags::CREATE } else { OFlags::empty() };
        let flags = OFlags::RDWR | create | OFlags::NONBLOCK | NO_LINK;
        Ok(File::from(fs::openat(&self.fd, name.as_ref(), flags, PRIVATE_FILE)?))
    }

    /// Describes what a name stands for, links included.
    pub(crate) fn metadata(&self, name: impl AsRef<OsStr>) -> io::Result<Metadata> {
        let flags = OFlags::PATH | NO_LINK;
        File::from(fs::openat(&self.fd, name.as_ref(), flags, Mode::empty())?).metadata()
    }

    /// Describes what a name stands for, if it stands for anything.
    pub(crate) fn find(&self, name: impl AsRef<OsStr>) -> io::Result<Option<Metadata>> {
        match self.metadata(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            found => found.map(Some),
        }
    }

    /// Lists the entries in byte order of their names.
    pub(crate) fn entries(&self) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in fs::Dir::read_from(&self.fd)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            if let Some(kind) = self.kind(name, entry.file_type())? {
                entries.push(Entry { name: name.to_owned(), kind });
            }
        }
        entries.sort_by(|a, b| a.name.as_bytes().cmp(b.name.as_bytes()));
        Ok(entries)
    }

    /// Some file systems tell the type of an entry only when asked for it.
    fn kind(&self, name: &OsStr, told: FileType) -> io::Result<Option<FileType>> {
        if told != FileType::Unknown {
            return Ok(Some(told));
        }
        match fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(FileType::from_raw_mode(stat.st_mode))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn remove_file(&self, name: impl AsRef<OsStr>) -> io::Result<()> {
        Ok(fs::unlinkat(&self.fd, name.as_ref(), AtFlags::empty())?)
    }

    /// Removes a directory and all below it, or a file; nothing where there is neither.
    pub(crate) fn remove_tree(&self, name: impl AsRef<OsStr>) -> io::Result<()> {
        let name = name.as_ref();
        let Some(metadata) = self.find(name)? else { return Ok(()) };
        if !metadata.is_dir() {
            return self.remove_file(name);
        }
        let mut levels = vec![Level::enter(self, name)?];
        while let Some(level) = levels.last_mut() {
            match level.entries.next() {
                Some(entry) if entry.kind == FileType::Directory => {
                    let below = Level::enter(&level.dir, entry.name)?;
                    levels.push(below);
                }
                Some(entry) => level.dir.remove_file(entry.name)?,
                None => self.remove_left(&mut levels)?,
            }
        }
        Ok(())
    }

    /// Removes the innermost directory, which is empty by now.
    fn remove_left(&self, levels: &mut Vec<Level>) -> io::Result<()> {
        let Some(left) = levels.pop() else { return Ok(()) };
        let parent = levels.last().map_or(self, |level| &level.dir);
        Ok(fs::unlinkat(&parent.fd, &left.name, AtFlags::REMOVEDIR)?)
    }

    /// Removes a tree in two steps, so that no half of it is ever taken for a whole.
    ///
    /// `deleting` is the name that it has meanwhile, and after an attempt that did not get further.
    pub(crate) fn discard(&self, name: &str, deleting: &str) -> io::Result<()> {
        self.remove_tree(deleting)?;
        match self.rename(name, deleting) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            renamed => renamed?,
        }
        self.sync()?;
        self.remove_tree(deleting)
    }

    /// Removes the empty directories along `parts`, from the innermost; others stay.
    ///
    /// What cannot be removed stays, too: somebody may just be filling it.
    pub(crate) fn prune<P: AsRef<OsStr>>(&self, parts: &[P]) {
        let mut parts = parts;
        while let Some((name, parents)) = parts.split_last() {
            let removed = self
                .descend(parents)
                .and_then(|dir| Ok(fs::unlinkat(&dir.fd, name.as_ref(), AtFlags::REMOVEDIR)?));
            if removed.is_err() {
                return;
            }
            parts = parents;
        }
    }

    /// Renames within this directory, over whatever has the new name.
    pub(crate) fn rename(&self, from: impl AsRef<OsStr>, to: impl AsRef<OsStr>) -> io::Result<()> {
        Ok(fs::renameat(&self.fd, from.as_ref(), &self.fd, to.as_ref())?)
    }

    /// Moves a name to another directory unless the new name is taken.
    pub(crate) fn move_exclusively(
        &self,
        from: impl AsRef<OsStr>,
        target: &Self,
        to: impl AsRef<OsStr>,
    ) -> io::Result<()> {
        let flags = RenameFlags::NOREPLACE;
        Ok(fs::renameat_with(&self.fd, from.as_ref(), &target.fd, to.as_ref(), flags)?)
    }

    /// Moves a name to another directory, over whatever has the new name.
    pub(crate) fn move_over(
        &self,
        from: impl AsRef<OsStr>,
        target: &Self,
        to: impl AsRef<OsStr>,
    ) -> io::Result<()> {
        Ok(fs::renameat(&self.fd, from.as_ref(), &target.fd, to.as_ref())?)
    }

    /// Gives a file a second name unless that is taken.
    pub(crate) fn link(
        &self,
        from: impl AsRef<OsStr>,
        target: &Self,
        to: impl AsRef<OsStr>,
    ) -> io::Result<()> {
        let flags = AtFlags::empty();
        Ok(fs::linkat(&self.fd, from.as_ref(), &target.fd, to.as_ref(), flags)?)
    }

    /// Makes the names in this directory survive the loss of power.
    pub(crate) fn sync(&self) -> io::Result<()> {
        Ok(fs::fsync(&self.fd)?)
    }

    /// Makes everything on the file system of this directory survive the loss of power.
    ///
    /// For a tree of many small files this is far quicker than to sync them one by one.
    pub(crate) fn sync_file_system(&self) -> io::Result<()> {
        Ok(fs::syncfs(&self.fd)?)
    }
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn temp_dir() -> (tempfile::TempDir, Dir) {
        let temp = tempfile::tempdir().unwrap();
        let dir = Dir::open(temp.path()).unwrap();
        (temp, dir)
    }

    #[test]
    fn a_move_takes_no_name_that_is_taken() {
        let (_temp, dir) = temp_dir();
        for name in ["a", "b"] {
            dir.create_file(name).unwrap();
            dir.make_child(format!("dir-{name}")).unwrap();
        }
        for (from, to) in [("a", "b"), ("dir-a", "dir-b"), ("dir-a", "b")] {
            let moved = dir.move_exclusively(from, &dir, to).unwrap_err();
            assert_eq!(moved.kind(), io::ErrorKind::AlreadyExists, "{from} to {to}");
        }
        dir.move_exclusively("a", &dir, "c").unwrap();
        assert!(dir.find("a").unwrap().is_none());
        assert!(dir.find("c").unwrap().is_some());
    }

    #[test]
    fn a_tree_is_removed_without_what_its_links_point_to() {
        let (temp, dir) = temp_dir();
        std::fs::create_dir_all(temp.path().join("kept/below")).unwrap();
        std::fs::create_dir_all(temp.path().join("tree/a/b")).unwrap();
        std::fs::write(temp.path().join("tree/a/file"), "x").unwrap();
        symlink("../kept", temp.path().join("tree/link")).unwrap();
        dir.remove_tree("tree").unwrap();
        dir.remove_tree("never-was").unwrap();
        symlink("kept", temp.path().join("link")).unwrap();
        dir.remove_tree("link").unwrap();
        assert_eq!(dir.entries().unwrap().len(), 1);
        assert!(temp.path().join("kept/below").exists());
    }

    #[test]
    fn a_path_is_made_as_far_as_it_is_missing() {
        let (temp, dir) = temp_dir();
        dir.make_child("a").unwrap();
        Dir::make(&temp.path().join("a/b/c"), Mode::RWXU).unwrap();
        dir.descend(&["a", "b", "c"]).unwrap();
        symlink("nowhere", temp.path().join("dangling")).unwrap();
        assert!(Dir::make(&temp.path().join("dangling"), Mode::RWXU).is_err());
    }
}
