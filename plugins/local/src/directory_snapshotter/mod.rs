//! Snapshots of directories: the volumes of a cluster that runs on this machine.
//!
//! A snapshot lies at `metadata/bowline/volumes/<id>` of a `file://` location: `snapshot.json` says
//! what it is, `files.jsonl` holds owners, modes, times, links and digests, `data` the contents of
//! the files. It is built in `.partial-<id>` and gets its name when it is whole and durable.
//!
//! A volume made from it is a new sibling of the original directory. Beside it, out of sight of the
//! pods that use it, lies `.<name>.bowline.json`, which says that bowline made it.

mod error;
mod names;
mod persistent_volume;
mod place;
mod record;
mod slot;
mod snapshots;
mod snapshotter;
mod tree;
mod volumes;

pub use snapshotter::DirectorySnapshotter;
