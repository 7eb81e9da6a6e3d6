//! Hooks: commands that run in pods around a backup or after a restore, and containers that are put
//! before those of restored pods. Velero's annotations and specifications.

mod annotations;
mod document;
mod error;
mod hook;
mod pod;

pub use annotations::RESTORED;
pub use document::{BackupHooks, Matched, RestoreHooks, parse};
pub use error::Error;
pub use hook::{ExecHook, HookCounts, InitHook, OnError, RestoreExec, When};
pub use pod::{Idle, container, idle, is_ready, is_running, restores_itself};
