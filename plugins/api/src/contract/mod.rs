//! Conformance suites: what every implementation of a plugin trait must do, as tests that it runs.
//!
//! A suite is an async function that panics at the first promise that is broken. It knows nothing of
//! the implementation; a fixture makes it fresh stores or volumes.
#![expect(
    clippy::panic,
    clippy::cognitive_complexity,
    clippy::needless_pass_by_value,
    reason = "test code: it fails by panicking, and asserts one thing after the other"
)]

mod object_store;
mod volume_snapshotter;

pub use object_store::object_store;
pub use volume_snapshotter::{Files, SnapshotterFixture, volume_snapshotter};
