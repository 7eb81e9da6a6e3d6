//! The format on storage, without a cluster: files that Velero itself wrote, and hostile ones.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code: it fails by panicking"
)]

mod cron;
mod documents;
mod hostile;
mod logs;
#[path = "../fuzz/properties.rs"]
#[expect(unreachable_pub, reason = "the fuzz targets call it from another crate")]
mod properties;
mod seeds;
mod shape;
