//! Trees of awkward files: written, read back and compared.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use crate::hex;

/// What lies in a directory, by path relative to it.
pub type Tree = BTreeMap<PathBuf, Entry>;

/// A file, directory or link as a restore must bring it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Permission bits, with setuid, setgid and sticky.
    pub mode: u32,
    /// The owning user.
    pub uid: u32,
    /// The owning group.
    pub gid: u32,
    /// What it is and holds.
    pub kind: Kind,
}

/// What an [`Entry`] is and holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A regular file.
    File {
        /// Its length in bytes.
        size: u64,
        /// The SHA-256 digest of its bytes, in hexadecimal.
        digest: String,
        /// Whether it takes much less room than its length.
        sparse: bool,
    },
    /// A symbolic link to this path.
    Symlink(PathBuf),
}

/// Fills a directory with files whose content depends on `seed`.
pub fn write_tree(root: &Path, seed: &str) -> Result<()> {
    write(root, "index.html", format!("<h1>hello from {seed}</h1>\n").as_bytes(), 0o644)?;
    write(root, "empty", b"", 0o644)?;
    write(root, "secret.key", seed.repeat(100).as_bytes(), 0o400)?;
    write(root, "run.sh", b"#!/bin/sh\n", 0o755)?;
    write(root, "name with spaces and ü", seed.as_bytes(), 0o640)?;
    write(root, ".hidden", seed.as_bytes(), 0o600)?;
    fs::create_dir_all(root.join("logs/2026/empty"))?;
    write(root, "logs/2026/access.log", &noise(seed, 300_000), 0o664)?;
    mode(&root.join("logs/2026"), 0o2750)?;
    write_sparse(&root.join("sparse.img"), seed)?;
    symlink("logs/2026/access.log", root.join("latest"))?;
    symlink("nowhere/at/all", root.join("dangling"))?;
    if rustix::process::geteuid().is_root() {
        chown(root.join("run.sh"), Some(1000), Some(2000)).context("failed to give away run.sh")?;
    }
    Ok(())
}

/// Reads a directory and all below it, without following links.
pub fn read_tree(root: &Path) -> Result<Tree> {
    let mut tree = Tree::new();
    read_below(root, root, &mut tree)?;
    Ok(tree)
}

fn read_below(root: &Path, directory: &Path, tree: &mut Tree) -> Result<()> {
    let entries = fs::read_dir(directory);
    for entry in entries.with_context(|| format!("failed to read {}", directory.display()))? {
        let path = entry?.path();
        let entry = read_entry(&path)?;
        if entry.kind == Kind::Directory {
            read_below(root, &path, tree)?;
        }
        tree.insert(path.strip_prefix(root)?.to_owned(), entry);
    }
    Ok(())
}

fn read_entry(path: &Path) -> Result<Entry> {
    let metadata = fs::symlink_metadata(path)?;
    let kind = if metadata.is_dir() {
        Kind::Directory
    } else if metadata.is_symlink() {
        Kind::Symlink(fs::read_link(path)?)
    } else {
        let digest = Sha256::digest(fs::read(path)?);
        Kind::File {
            size: metadata.len(),
            digest: hex::encode(&digest),
            sparse: metadata.blocks() * 512 + 512 * 1024 < metadata.len(),
        }
    };
    let mode = metadata.mode() & 0o7777;
    Ok(Entry { mode, uid: metadata.uid(), gid: metadata.gid(), kind })
}

fn write(root: &Path, name: &str, bytes: &[u8], permissions: u32) -> Result<()> {
    let path = root.join(name);
    fs::write(&path, bytes).with_context(|| format!("failed to write {}", path.display()))?;
    mode(&path, permissions)
}

fn mode(path: &Path, permissions: u32) -> Result<()> {
    Ok(fs::set_permissions(path, Permissions::from_mode(permissions))?)
}

/// Writes 4 MiB that are a hole but for both ends.
fn write_sparse(path: &Path, seed: &str) -> Result<()> {
    use std::os::unix::fs::FileExt as _;
    const LENGTH: u64 = 4 << 20;
    let mut file = File::create(path)?;
    file.write_all(seed.as_bytes())?;
    file.set_len(LENGTH)?;
    file.write_all_at(b"the end", LENGTH - 7)?;
    Ok(())
}

/// Bytes that do not compress well and differ by seed.
fn noise(seed: &str, length: usize) -> Vec<u8> {
    let blocks = (0_u64..).map(|number| Sha256::digest(format!("{seed}{number}")));
    blocks.flatten().take(length).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_read_as_it_was_written() {
        let [one, same, other] = [(); 3].map(|()| tempfile::tempdir().unwrap());
        write_tree(one.path(), "a").unwrap();
        write_tree(same.path(), "a").unwrap();
        write_tree(other.path(), "b").unwrap();
        let tree = read_tree(one.path()).unwrap();
        assert_eq!(tree, read_tree(same.path()).unwrap());
        assert_ne!(tree, read_tree(other.path()).unwrap());
        let sparse = &tree[Path::new("sparse.img")].kind;
        assert!(matches!(sparse, Kind::File { size: 0x40_0000, sparse: true, .. }));
    }
}
