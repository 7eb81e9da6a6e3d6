//! Where built tools are kept and where runs keep their data.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

/// The user-level cache: `$BOWLINE_CACHE`, else `bowline-build` below the XDG cache directory.
pub fn directory() -> Result<PathBuf> {
    let set = |name| env::var(name).ok().filter(|value| !value.is_empty()).map(PathBuf::from);
    set("BOWLINE_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("bowline-build")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/bowline-build")))
        .context("no cache directory: set HOME, XDG_CACHE_HOME or BOWLINE_CACHE")
}

/// A directory for the data of one run, removed with the value.
///
/// It lies in the cache and not below the system's temporary directory, because the controller
/// manager deletes host paths there. What a killed run left behind is removed by the next one.
#[derive(Debug)]
pub struct RunDir {
    directory: TempDir,
    _lock: File,
}

impl RunDir {
    /// Makes a new directory whose name starts with `name`.
    pub fn create(name: &str) -> Result<Self> {
        let runs = directory()?.join("run");
        fs::create_dir_all(&runs).with_context(|| format!("failed to make {}", runs.display()))?;
        let entry = lock(&runs.join(".lock"))?;
        remove_abandoned(&runs)?;
        let directory = tempfile::Builder::new().prefix(&format!("{name}-")).tempdir_in(&runs)?;
        let own = lock(&directory.path().join(".lock"))?;
        drop(entry);
        Ok(Self { directory, _lock: own })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// Opens and locks a file, waiting for whoever holds it.
pub(crate) fn lock(path: &Path) -> Result<File> {
    let file = File::create(path).with_context(|| format!("failed to make {}", path.display()))?;
    file.lock().with_context(|| format!("failed to lock {}", path.display()))?;
    Ok(file)
}

/// Removes the directories of runs that ended without cleaning up: nobody holds their lock.
fn remove_abandoned(runs: &Path) -> Result<()> {
    for entry in fs::read_dir(runs)? {
        let path = entry?.path();
        let Ok(lock) = File::open(path.join(".lock")) else { continue };
        if lock.try_lock().is_ok() {
            fs::remove_dir_all(&path).ok();
        }
    }
    Ok(())
}
