//! Hooks of restored pods: containers that run before theirs, commands that run in them.
//!
//! A pod with a hook comes back itself, before its controller, which takes it for one of its own.

mod chain;
mod find;
mod progress;
mod run;
mod treatment;

pub(super) use find::{PodHooks, needed, plan};
pub(super) use run::run;
pub(super) use treatment::{Treatment, apply, is_adopted};
