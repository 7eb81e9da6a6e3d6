//! Commands in pods around the snapshots of their volumes.
//!
//! found, and shown by the plan, before anything is written -> the claims of such pods wait for one
//! another -> pre hooks, snapshots, post hooks.

mod find;
mod gate;
mod group;
mod planned;
mod run;

pub(super) use find::{Found, HookedPod, find};
pub(super) use gate::{Task, tasks};
pub(super) use group::groups;
pub(super) use planned::planned;

pub use planned::PlannedHook;
