//! What was done: outcomes, warnings and errors, the phase.

use std::collections::BTreeMap;

use bowline_api::ItemId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::model::hooks::HookCounts;

/// How far a backup or a restore came, in Velero's words; those of older versions are read, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Phase {
    /// Accepted, not started.
    New,
    /// Waiting for its turn.
    Queued,
    /// Its turn has come.
    ReadyToStart,
    /// Its specification is not valid.
    FailedValidation,
    /// Being made.
    InProgress,
    /// Data is still being moved.
    #[serde(alias = "Uploading")]
    WaitingForPluginOperations,
    /// Data is still being moved; something failed already.
    #[serde(alias = "UploadingPartialFailure")]
    WaitingForPluginOperationsPartiallyFailed,
    /// Nearly done.
    Finalizing,
    /// Nearly done; something failed already.
    FinalizingPartiallyFailed,
    /// Done, and all of it is good.
    Completed,
    /// Done; the errors tell what is missing.
    PartiallyFailed,
    /// Not usable.
    Failed,
    /// Being deleted.
    Deleting,
    /// Started and never committed: a crash, or still running.
    Incomplete,
}

impl Phase {
    /// The phase of a run that came to its end with so many errors.
    pub fn of_errors(errors: usize) -> Self {
        if errors == 0 { Self::Completed } else { Self::PartiallyFailed }
    }
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&format!("{self:?}"))
    }
}

/// What a problem is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Scope {
    /// The run as a whole.
    Run,
    /// A cluster-scoped object.
    Cluster,
    /// A namespace, or an object in one.
    Namespace,
}

/// A warning or an error about one thing, with what would help.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Problem {
    /// What it is about.
    pub scope: Scope,
    /// The group and resource: `deployments.apps`.
    pub resource: Option<String>,
    /// The namespace (of a restore: the target's).
    pub namespace: Option<String>,
    /// The object's name.
    pub name: Option<String>,
    /// What was tried: `create`, `list`, `snapshot`.
    pub operation: Option<String>,
    /// The HTTP status, where a server gave one.
    pub status: Option<u16>,
    /// What went wrong.
    pub message: String,
    /// What would help.
    pub hint: Option<String>,
}

impl Problem {
    /// A problem of the run as a whole.
    pub fn of_run(operation: &str, message: impl Into<String>) -> Self {
        Self {
            scope: Scope::Run,
            resource: None,
            namespace: None,
            name: None,
            operation: Some(operation.to_owned()),
            status: None,
            message: message.into(),
            hint: None,
        }
    }

    /// A problem of one object.
    pub fn of_item(id: &ItemId, operation: &str, message: impl Into<String>) -> Self {
        let scope = if id.namespace.is_some() { Scope::Namespace } else { Scope::Cluster };
        Self {
            scope,
            resource: Some(id.resource.to_string()),
            namespace: id.namespace.clone(),
            name: Some(id.name.clone()),
            ..Self::of_run(operation, message)
        }
    }

    /// What was not done: an error in a few words, of which the message is the cause.
    pub fn failure(&self) -> String {
        format!("failed to {}", self.operation.as_deref().unwrap_or("go on"))
    }

    /// Adds what would help.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the HTTP status.
    #[must_use]
    pub fn with_status(mut self, status: Option<u16>) -> Self {
        self.status = status;
        self
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts: Vec<&str> = [&self.resource, &self.namespace, &self.name]
            .into_iter()
            .filter_map(|part| part.as_deref())
            .collect();
        if !parts.is_empty() {
            write!(f, "{}: ", parts.join("/"))?;
        }
        f.write_str(&self.message)
    }
}

/// What became of a backup.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct BackupReport {
    /// The backup's name.
    pub name: String,
    /// The attempt's identity.
    pub uid: String,
    /// How it ended.
    pub phase: Phase,
    /// The URL of the location.
    pub location: String,
    /// The identity of the cluster.
    #[serde(rename = "clusterUID")]
    pub cluster_uid: String,
    /// How many objects it holds.
    pub items: u64,
    /// One entry per claim in scope.
    pub volumes: Vec<SnapshotReport>,
    /// How many commands were run in pods.
    #[serde(default, skip_serializing_if = "HookCounts::is_empty")]
    pub hooks: HookCounts,
    /// What was odd.
    pub warnings: Vec<Problem>,
    /// What is missing.
    pub errors: Vec<Problem>,
    /// When it began.
    pub start_timestamp: Timestamp,
    /// When it ended.
    pub completion_timestamp: Option<Timestamp>,
}

/// What became of one claim's volume in a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SnapshotReport {
    /// The claim's namespace.
    pub namespace: Option<String>,
    /// The claim's name.
    pub claim: Option<String>,
    /// The persistent volume it is bound to.
    pub persistent_volume: Option<String>,
    /// Who snapshots it: `aws`, `local`.
    pub provider: Option<String>,
    /// The provider's name of the volume.
    pub volume_id: Option<String>,
    /// The provider's name of the snapshot.
    pub snapshot_id: Option<String>,
    /// `completed`, `failed`, `pending`, `skipped`, `reattach`, `unbound`.
    pub state: String,
    /// Why its data is not copied, of one that is left out.
    #[serde(default)]
    pub reason: Option<String>,
}

/// What became of a restore.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RestoreReport {
    /// The restore's name.
    pub name: String,
    /// Its identity.
    pub uid: String,
    /// Which run of it this was: 1, and one more each time it was resumed.
    #[serde(default = "first")]
    pub run: u32,
    /// The backup it restored.
    pub backup: String,
    /// How it ended.
    pub phase: Phase,
    /// How many objects had which outcome, in all runs together.
    pub items: ItemCounts,
    /// The same by kind, `deployments.apps`.
    #[serde(default)]
    pub kinds: BTreeMap<String, ItemCounts>,
    /// One entry per claim in scope.
    pub volumes: Vec<VolumeReport>,
    /// What was made and has not come up yet.
    #[serde(default)]
    pub awaited: Vec<Awaited>,
    /// How many commands were run in pods.
    #[serde(default, skip_serializing_if = "HookCounts::is_empty")]
    pub hooks: HookCounts,
    /// How many requests about new objects followed the one that makes each, in this run: for owners
    /// that came later, fields of other managers, a status, a name that somebody was faster to take.
    #[serde(default)]
    pub follow_ups: u64,
    /// What was odd.
    pub warnings: Vec<Problem>,
    /// What was not restored, or did not come up.
    pub errors: Vec<Problem>,
    /// When it began.
    pub start_timestamp: Timestamp,
    /// When it ended.
    pub completion_timestamp: Option<Timestamp>,
}

/// Something that was made and has not come up yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Awaited {
    /// The group and resource: `deployments.apps`.
    pub resource: String,
    /// Its namespace in the target; null if it is in none.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// What it lacks.
    pub reason: String,
}

/// What is done to something that is awaited, as errors name it.
const AWAITING: [&str; 3] = ["await", "bind", "install"];

impl Awaited {
    /// What errors say of things that did not come up, once each.
    pub fn of_errors(errors: &[Problem]) -> Vec<Self> {
        let mut awaited: Vec<Self> = Vec::new();
        for problem in errors {
            let Problem { resource, namespace, name, operation, message, .. } = problem;
            let (Some(resource), Some(name)) = (resource, name) else { continue };
            let is_same =
                |it: &Self| (&it.resource, &it.namespace, &it.name) == (resource, namespace, name);
            let operation = operation.as_deref().unwrap_or_default();
            if AWAITING.contains(&operation) && !awaited.iter().any(is_same) {
                awaited.push(Self {
                    resource: resource.clone(),
                    namespace: namespace.clone(),
                    name: name.clone(),
                    reason: message.clone(),
                });
            }
        }
        awaited
    }
}

/// A report from before runs were counted is that of the first.
fn first() -> u32 {
    1
}

/// How many objects of a restore had which outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ItemCounts {
    /// In the plan, whatever its verdict.
    pub planned: u64,
    /// Made.
    pub created: u64,
    /// Changed to what the backup holds, be it in place or by being deleted and made anew: `updated` is
    /// also what the list of resources calls both.
    pub updated: u64,
    /// There before the restore, and the same.
    pub unchanged: u64,
    /// Left out, for the reason in the plan.
    pub skipped: u64,
    /// Not as the plan said.
    pub failed: u64,
}

/// What became of one claim's volume in a restore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct VolumeReport {
    /// The claim's namespace in the target.
    pub namespace: String,
    /// The claim's name.
    pub claim: String,
    /// The persistent volume made for it.
    pub persistent_volume: Option<String>,
    /// What it was made from.
    pub snapshot_id: Option<String>,
    /// The provider's name of the new volume.
    pub volume_id: Option<String>,
    /// `bound`, `unchanged`, `differs`, `empty`, `refused`, `failed`, `pending`, `reattached`.
    pub state: String,
}

/// An error and its causes, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_did_not_come_up_is_awaited_once_with_its_first_reason() {
        let claim = "persistentvolumeclaims/shop/data".parse().unwrap();
        let workload = "deployments.apps/shop/web".parse().unwrap();
        let errors = [
            Problem::of_item(&claim, "bind", "not Bound"),
            Problem::of_item(&workload, "create", "denied"),
            Problem::of_item(&workload, "await", "0 of 1 pods are ready"),
            Problem::of_item(&workload, "await", "again"),
            Problem::of_run("await", "odd"),
        ];
        let awaited = Awaited::of_errors(&errors);
        let told = awaited.iter().map(|it| (it.name.as_str(), it.reason.as_str()));
        let expected = [("data", "not Bound"), ("web", "0 of 1 pods are ready")];
        assert_eq!(told.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_problem_names_what_it_is_about_whatever_the_parts_are_called() {
        let id = "configmaps/shop/shop".parse().unwrap();
        assert_eq!(
            Problem::of_item(&id, "create", "denied").to_string(),
            "configmaps/shop/shop: denied"
        );
        let list = Problem { resource: Some("pods".into()), ..Problem::of_run("list", "denied") };
        assert_eq!(list.to_string(), "pods: denied");
        assert_eq!(Problem::of_run("open", "denied").to_string(), "denied");
    }
}
