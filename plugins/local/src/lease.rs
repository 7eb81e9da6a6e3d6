//! A lock between processes that ends with the process that holds it.

use std::ffi::{OsStr, OsString};
use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::thread;
use std::time::Duration;

use crate::dir::Dir;

/// How often, and how long apart, a lease is asked for: [`is_held`] takes it for a moment.
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(5);

/// The exclusive right to what a lock file in a directory stands for, until dropped or dead.
#[derive(Debug)]
pub(crate) struct Lease<'a> {
    dir: &'a Dir,
    name: OsString,
    _file: File,
}

impl<'a> Lease<'a> {
    /// Takes the lease unless a living process has it.
    pub(crate) fn take(dir: &'a Dir, name: &str) -> io::Result<Option<Self>> {
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                thread::sleep(PAUSE);
            }
            let file = dir.open_to_lock(name, true)?;
            if try_lock(&file)? {
                return Ok(Some(Self { dir, name: name.into(), _file: file }));
            }
        }
        Ok(None)
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        // Removed while locked: whoever waits for this very file sees that it has no name.
        drop(self.dir.remove_file(&self.name));
    }
}

/// Tells whether a living process has the lease.
pub(crate) fn is_held(dir: &Dir, name: impl AsRef<OsStr>) -> io::Result<bool> {
    match dir.open_to_lock(name, false) {
        Ok(file) => match file.try_lock() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Locks a file that still has a name; false where another has the lock or it lost its name.
pub(crate) fn try_lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(file.metadata()?.nlink() > 0),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_held_by_one_and_leaves_nothing() {
        let temp = tempfile::tempdir().unwrap();
        let dir = Dir::open(temp.path()).unwrap();
        let lease = Lease::take(&dir, ".lock").unwrap().unwrap();
        assert!(is_held(&dir, ".lock").unwrap());
        assert!(Lease::take(&dir, ".lock").unwrap().is_none());
        drop(lease);
        assert!(!is_held(&dir, ".lock").unwrap());
        assert!(dir.entries().unwrap().is_empty());
        assert!(Lease::take(&dir, ".lock").unwrap().is_some());
    }

    #[test]
    fn a_lock_file_of_a_dead_process_is_no_lease() {
        let temp = tempfile::tempdir().unwrap();
        let dir = Dir::open(temp.path()).unwrap();
        dir.create_file(".lock").unwrap();
        assert!(!is_held(&dir, ".lock").unwrap());
        assert!(Lease::take(&dir, ".lock").unwrap().is_some());
    }

    #[test]
    fn a_file_that_lost_its_name_cannot_be_locked() {
        let temp = tempfile::tempdir().unwrap();
        let dir = Dir::open(temp.path()).unwrap();
        let file = dir.create_file(".lock").unwrap();
        dir.remove_file(".lock").unwrap();
        assert!(!try_lock(&file).unwrap());
    }
}
