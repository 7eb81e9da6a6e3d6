//! What bowline's engine asks of the world that is not Kubernetes: a place that keeps objects, and
//! a cloud that snapshots volumes.
//!
//! A plugin is a crate that implements [`ObjectStore`] or [`VolumeSnapshotter`] (or both) and runs
//! the conformance suites of `contract` (feature `contract`). The traits hold primitives only: retries, prefixes
//! and progress are built above them, once, for every implementation.

#[cfg(feature = "contract")]
pub mod contract;
mod item;
mod object_store;
mod volume_snapshotter;

pub use item::{GroupResource, InvalidItemId, ItemId};
pub use object_store::{
    ByteStream, ObjectMeta, ObjectStore, Protection, Retention, Setting, StoreError, Upload,
    validate_key, validate_prefix,
};
pub use volume_snapshotter::{
    Operation, Right, Snapshot, SnapshotRequest, SnapshotState, SnapshotterError, Tags, Volume,
    VolumeOrigin, VolumeRequest, VolumeSnapshotter, VolumeSpec, VolumeState,
};
