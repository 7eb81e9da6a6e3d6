//! Copies of directory trees, with everything that makes a file what it is.
//!
//! A copy keeps the contents of the files as files and all else in a manifest, a JSON line each.
//! So it needs nothing of the file system it lies on: no owners, no links, no extended attributes;
//! and no set-user-id program and no symbolic link lies about in it.

mod attributes;
mod capture;
mod content;
mod entry;
mod path;
mod rebuild;

use std::io;

pub(super) use capture::capture;
pub(super) use rebuild::rebuild;

/// The names of the parts of a copy.
const DATA: &str = "data";
const MANIFEST: &str = "files.jsonl";

/// Why a tree was not copied. Paths are relative to the tree.
#[derive(Debug)]
pub(super) enum Error {
    /// A file could not be read or written.
    Io { path: String, source: io::Error },
    /// It holds what a copy cannot keep.
    Unsupported { path: String, reason: &'static str },
    /// The copy is not what it was when it was made.
    Damaged { reason: String },
}

impl Error {
    /// Says which path an I/O error is about.
    fn at(path: &[u8]) -> impl FnOnce(io::Error) -> Self {
        let path = path::to_text(path);
        move |source| Self::Io { path, source }
    }

    fn damaged(reason: impl Into<String>) -> Self {
        Self::Damaged { reason: reason.into() }
    }
}
