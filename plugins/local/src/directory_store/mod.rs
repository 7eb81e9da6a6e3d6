//! A store whose objects are the files below a directory: `file://` locations.
//!
//! An object is written to a temporary file below `metadata/bowline/.uploads`, which no key can
//! name, and gets its own name only when it is whole and durable. A symbolic link below the root is
//! no object and no directory: it is neither listed nor followed.

mod error;
mod list;
mod store;
mod temporary;

pub use store::DirectoryStore;
