//! The engine as a whole, against a world in memory: no cluster is started, no time passes.
#![expect(clippy::unwrap_used, clippy::panic, reason = "test code: it fails by panicking")]

mod application;
mod crash_backup;
mod crash_restore;
mod delete;
mod delete_interrupted;
mod delete_refused;
mod delete_twice;
mod fake_cluster;
mod fake_world;
mod faults;
mod finish;
mod honest_status;
mod location_check;
mod lost_reply;
mod mapping;
mod plan;
mod records;
mod refusals;
mod related_items;
mod rights;
mod snapshots;
mod takeover;
mod volumes;
mod whereabouts;
mod zones;
