//! The engine as a whole, against a world in memory: no cluster is started, no time passes.
#![expect(clippy::unwrap_used, clippy::panic, reason = "test code: it fails by panicking")]

mod application;
mod crash_backup;
mod crash_restore;
mod fake_cluster;
mod fake_world;
mod faults;
mod honest_status;
mod lost_reply;
mod mapping;
mod plan;
mod records;
mod refusals;
mod related_items;
