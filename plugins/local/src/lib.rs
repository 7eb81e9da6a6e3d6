//! Stores and a volume snapshotter that need nothing but this machine: bowline's embedded default.
//!
//! [`DirectoryStore`] keeps objects as files below a directory, [`MemoryStore`] keeps them for as
//! long as it lives, and [`DirectorySnapshotter`] copies the directories behind `hostPath` and
//! `local` volumes of a cluster that runs on this very machine.

mod blocking;
mod dir;
mod directory_snapshotter;
mod directory_store;
mod lease;
mod memory_store;

pub use directory_snapshotter::DirectorySnapshotter;
pub use directory_store::DirectoryStore;
pub use memory_store::MemoryStore;
