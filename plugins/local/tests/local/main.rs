//! The local plugins, from outside: the conformance suites, and what is theirs alone.
#![expect(clippy::unwrap_used, clippy::panic, reason = "test code")]

mod conformance;
mod directory_snapshotter;
mod directory_store;
mod faulty_snapshotter;
mod faulty_store;
mod snapshotter_fixture;
