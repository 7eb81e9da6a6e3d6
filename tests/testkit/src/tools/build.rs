//! Building aside, once per machine, and renaming in.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::{cache, hex};

/// A directory of the cache that is built where it is missing.
#[derive(Debug)]
pub(super) struct Build<'a> {
    /// The part of `tests/testenv`.
    pub(super) name: &'a str,
    /// What it makes, in words.
    pub(super) programs: &'a str,
    /// How long that takes, in words.
    pub(super) estimate: &'a str,
    /// What the build depends on, by [`key`].
    pub(super) key: String,
}

impl Build<'_> {
    /// The directory, made by `make` if it was not there.
    pub(super) fn find(&self, make: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
        let cache = cache::directory()?.join("tools");
        let built = cache.join(format!("{}-{}", self.name, self.key));
        if built.is_dir() {
            return Ok(built);
        }
        fs::create_dir_all(&cache)
            .with_context(|| format!("failed to make {}", cache.display()))?;
        let _lock = cache::lock(&cache.join(format!("{}.lock", self.name)))?;
        if !built.is_dir() {
            self.run(&cache, &built, make)?;
        }
        Ok(built)
    }

    /// Builds aside and renames in, so that nobody ever sees half a build.
    fn run(
        &self,
        cache: &Path,
        built: &Path,
        make: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<()> {
        let start = Instant::now();
        eprintln!("building {} ({}, once) ...", self.programs, self.estimate);
        let aside = self.empty_directory(cache)?;
        make(aside.path())?;
        fs::rename(aside.keep(), built)?;
        eprintln!("built {} in {:.0?}", self.programs, start.elapsed());
        Ok(())
    }

    /// Makes a directory to build in, and removes those of builds that were killed.
    fn empty_directory(&self, cache: &Path) -> Result<TempDir> {
        let prefix = format!("building-{}-", self.name);
        for entry in fs::read_dir(cache)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(tempfile::Builder::new().prefix(&prefix).tempdir_in(cache)?)
    }
}

/// What a build depends on, in sixteen hexadecimal digits.
pub(super) fn key<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    parts.into_iter().for_each(|part| hash.update(part));
    hex::encode(&hash.finalize()).chars().take(16).collect()
}

/// The directory of a part in `tests/testenv`.
pub(super) fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testenv").join(name)
}

/// Reads a file of a part in `tests/testenv`.
pub(super) fn read(name: &str, file: &str) -> Result<Vec<u8>> {
    let path = directory(name).join(file);
    fs::read(&path).with_context(|| format!("failed to read {}", path.display()))
}
