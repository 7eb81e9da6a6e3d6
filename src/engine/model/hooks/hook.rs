//! One hook.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::model::Object;

/// How long a command is waited for where nothing is said. Velero's.
pub(super) const TIMEOUT: Duration = Duration::from_secs(30);

/// What a failed hook means for what comes after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnError {
    /// It goes on.
    Continue,
    /// It does not.
    Fail,
}

/// When a backup's hook runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum When {
    /// Before the snapshots of the pod's volumes.
    Pre,
    /// After them.
    Post,
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pre => "pre",
            Self::Post => "post",
        })
    }
}

/// A command for a container of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecHook {
    /// Where it comes from: `annotation pre.hook.backup.velero.io/command`, `hook "freeze"`.
    pub source: String,
    /// Whether the pod itself asks for it, in an annotation.
    pub is_own: bool,
    /// The container; the pod's first where none is named.
    pub container: Option<String>,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// What its failure means.
    pub on_error: OnError,
    /// How long it is waited for.
    pub timeout: Duration,
    /// Why it cannot be run as it is written.
    pub fault: Option<String>,
}

/// A command for a container of a restored pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreExec {
    /// The command.
    pub exec: ExecHook,
    /// How long the container is waited for; as long as workloads are where nothing is said.
    pub wait: Option<Duration>,
    /// Whether the container must be ready; running is enough otherwise.
    pub wait_for_ready: bool,
}

/// Containers that run before those of a restored pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitHook {
    /// Where it comes from.
    pub source: String,
    /// The containers.
    pub containers: Vec<Object>,
}

/// How many hooks were run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HookCounts {
    /// Tried.
    pub attempted: u64,
    /// Of those, not done.
    pub failed: u64,
}

impl HookCounts {
    /// Whether there were none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for HookCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} run, {} failed", self.attempted, self.failed)
    }
}
