//! The engine as a whole, against a world in memory: no cluster is started, no time passes.
#![expect(clippy::unwrap_used, clippy::panic, reason = "test code: it fails by panicking")]

mod application;
mod claims;
mod crash_backup;
mod crash_restore;
mod delete;
mod delete_interrupted;
mod delete_refused;
mod delete_twice;
mod fake_cluster;
mod fake_world;
mod faults;
mod filters;
mod finish;
mod foreign;
mod honest_status;
mod hostile;
mod labels;
mod location_check;
mod lost_claims;
mod lost_reply;
mod mapping;
mod plan;
mod policies;
mod promises;
mod records;
mod refusals;
mod regions;
mod related_items;
mod rights;
mod running_logs;
#[path = "../format/shape.rs"]
mod shape;
mod snapshots;
mod status;
mod takeover;
mod unready;
mod velero;
mod velero_backup;
mod velero_files;
mod verify;
mod verify_snapshots;
mod volumes;
mod whereabouts;
mod zones;
