//! bowline on real control planes: one module per proof.

#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test code: a failed step ends the test that it belongs to"
)]

mod alerts;
mod application;
mod clones;
mod cloud;
mod crashes;
mod drills;
#[path = "../engine/equality.rs"]
mod equality;
mod failures;
mod faults;
mod gauntlet;
mod inventory;
mod locations;
mod plan;
mod recovery;
mod refusals;
mod remains;
mod schedules;
mod written;
