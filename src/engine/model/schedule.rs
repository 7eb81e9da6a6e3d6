//! A schedule: which backups are made when, and how long they are kept.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::backup::BackupSpec;
use super::duration::GoDuration;
use super::keep::KeepRules;
use crate::engine::report::Phase;

/// The label of a backup that names the schedule that made it, as Velero has it.
pub const SCHEDULE_LABEL: &str = "velero.io/schedule-name";

/// `metadata/bowline/schedules/<name>.json`: a Velero Schedule object, and what bowline has besides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Schedule {
    /// `velero.io/v1`.
    pub api_version: String,
    /// `Schedule`.
    pub kind: String,
    /// Its name, UID, labels and annotations.
    pub metadata: ScheduleMeta,
    /// When backups are made, and of what.
    pub spec: ScheduleSpec,
    /// What Velero does not know.
    pub bowline: Terms,
}

/// The metadata of a schedule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct ScheduleMeta {
    /// The schedule's name.
    pub name: String,
    /// The namespace of Velero's objects.
    pub namespace: String,
    /// The identity of the schedule.
    pub uid: String,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creation_timestamp: Option<Timestamp>,
    /// Its labels, which its backups get, too.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Its annotations, which its backups get, too.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// What else is written there; kept as it is.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// When backups are made, and of what: all of it as Velero has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct ScheduleSpec {
    /// What each backup is asked to hold.
    pub template: BackupSpec,
    /// The cron expression.
    pub schedule: String,
    /// Whether nothing is made for now.
    pub paused: bool,
    /// What else is written there; kept as it is.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// What bowline has besides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Terms {
    /// The identity of the cluster whose schedule it is; only there it is run.
    pub cluster_uid: String,
    /// From when on runs are due: when it was made, unpaused or adopted last.
    pub since: Timestamp,
    /// The time zone of the expression, as IANA names it; one in the expression stands above it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// What a run does that is due while another one of the schedule is going on.
    #[serde(default)]
    pub concurrency_policy: ConcurrencyPolicy,
    /// How late a run may begin; a later one is missed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub starting_deadline: Option<GoDuration>,
    /// Over which span runs are spread, each schedule at a place of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub spread: Option<GoDuration>,
    /// Which of its backups are kept.
    #[serde(default, skip_serializing_if = "KeepRules::is_empty")]
    pub keep: KeepRules,
    /// Whether objects are stored in all versions that the cluster serves.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all_api_versions: bool,
    /// The policies that decide about volumes, from wherever they come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_policies: Option<VolumePolicies>,
    /// What a later version of bowline has besides; kept as it is, and not run.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// Policies that decide about volumes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum VolumePolicies {
    /// Those in a `ConfigMap`, read anew by each run.
    ConfigMap {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// Those that were in a file when the schedule was made.
    File {
        /// The name of the file.
        name: String,
        /// What was in it.
        text: String,
    },
}

/// What a run does that is due while another one of the schedule is going on, as a `CronJob` has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum ConcurrencyPolicy {
    /// It is left out.
    #[default]
    Forbid,
    /// It is made beside the other.
    Allow,
    /// It takes the place of the other, which ends without a backup.
    Replace,
}

/// The beginning of a run; written before anything else of it, and never again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RunRecord {
    /// The schedule.
    pub schedule: String,
    /// The schedule's identity.
    pub schedule_uid: String,
    /// The identity of the cluster.
    pub cluster_uid: String,
    /// The backup that it makes.
    pub backup: String,
    /// The identity of the run.
    pub uid: String,
    /// When it was due; none if somebody asked for it.
    pub due: Option<Timestamp>,
    /// How many earlier runs it stands for, which were due and not made.
    #[serde(default)]
    pub missed: u64,
    /// When it began.
    pub start_timestamp: Timestamp,
    /// Who ran it: the machine and the process.
    pub holder: String,
    /// The version of bowline.
    pub version: String,
}

/// The end of a run; a run without one goes on, or was killed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RunResult {
    /// The identity of the run.
    pub uid: String,
    /// How the backup ended; none if there is no backup.
    pub phase: Option<Phase>,
    /// Why there is none.
    pub error: Option<String>,
    /// When it ended.
    pub completion_timestamp: Timestamp,
    /// How many objects the backup holds.
    pub items: u64,
    /// How large its archive is, in bytes.
    pub bytes: u64,
    /// How many snapshots were asked for.
    pub snapshots_attempted: u64,
    /// How many of them completed.
    pub snapshots_completed: u64,
    /// How many warnings there were.
    pub warnings: u64,
    /// How many errors there were.
    pub errors: u64,
}

/// A run: its beginning, and its end if it has come to one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Run {
    /// Its beginning.
    #[serde(flatten)]
    pub record: RunRecord,
    /// Its end.
    pub result: Option<RunResult>,
}

/// A mark that a backup stays, whatever the rules say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct HoldRecord {
    /// The backup.
    pub backup: String,
    /// The identity of the backup.
    pub uid: String,
    /// Since when.
    pub since: Timestamp,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Schedule {
    /// The schedule's name.
    pub fn name(&self) -> &str {
        &self.metadata.name
    }

    /// The fields by which a later version of bowline, or Velero, asks for what this one does not do.
    ///
    /// A backup that is made without them may lack something, and one that a rule keeps which is not
    /// known would go: a schedule that has any is not run, and none of its backups expires.
    pub fn unheeded(&self) -> Vec<String> {
        let Self { spec, bowline, .. } = self;
        let kind =
            [("apiVersion", &self.api_version, "velero.io/v1"), ("kind", &self.kind, "Schedule")];
        let kind = kind.into_iter().filter(|(_, is, known)| is != known);
        let asked = [
            ("spec.template.defaultVolumesToFsBackup", spec.template.default_volumes_to_fs_backup),
            ("spec.template.snapshotMoveData", spec.template.snapshot_move_data),
            (
                "spec.template.resourcePolicy",
                Some(spec.template.resource_policy.is_some() && bowline.volume_policies.is_none()),
            ),
        ];
        let asked = asked.into_iter().filter(|(_, asked)| *asked == Some(true));
        let further = [
            ("spec", &spec.rest),
            ("spec.template", &spec.template.rest),
            ("bowline", &bowline.rest),
            ("bowline.keep", &bowline.keep.rest),
        ];
        let further = further.into_iter().flat_map(|(place, rest)| {
            let rest =
                rest.iter().filter(|(name, value)| *name != IMMEDIATELY && !is_nothing(value));
            rest.map(move |(name, _)| format!("{place}.{name}"))
        });
        let known = kind.map(|(name, ..)| name).chain(asked.map(|(name, _)| name));
        known.map(str::to_owned).chain(further).collect()
    }
}

/// What Velero says of a backup before the first one that is due, which nobody makes here.
const IMMEDIATELY: &str = "skipImmediately";

/// Whether a field says no more than one that is absent.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schedule_is_one_of_velero_and_keeps_what_it_does_not_know() {
        let document = json!({
            "apiVersion": "velero.io/v1",
            "kind": "Schedule",
            "metadata": {"name": "nightly", "namespace": "velero", "uid": "u1", "generation": 3},
            "spec": {
                "template": {"metadata": {}, "hooks": {}, "includedNamespaces": ["shop"]},
                "schedule": "0 2 * * *",
                "paused": false,
                "skipImmediately": true,
            },
            "bowline": {
                "clusterUid": "c1",
                "since": "2026-11-01T00:00:00Z",
                "concurrencyPolicy": "Forbid",
                "spread": "10m0s",
                "keep": {"daily": 7},
                "future": 1,
            },
        });
        let schedule: Schedule = serde_json::from_value(document.clone()).unwrap();
        assert_eq!(schedule.bowline.keep.daily, Some(7));
        assert_eq!(serde_json::to_value(&schedule).unwrap(), document);
    }

    #[test]
    fn what_asks_for_something_that_is_not_done_is_told_by_its_path() {
        let unheeded = |pointer: &str, value: Value| {
            let mut document = json!({
                "apiVersion": "velero.io/v1", "kind": "Schedule", "metadata": {"name": "nightly"},
                "spec": {"schedule": "0 2 * * *", "skipImmediately": true, "template": {
                    "csiSnapshotTimeout": "10m0s", "defaultVolumesToFsBackup": false, "datamover": "",
                    "uploaderConfig": {}, "snapshotMoveData": false, "storageLocation": "default"}},
                "bowline": {"clusterUid": "c1", "since": "2026-11-01T00:00:00Z", "keep": {"daily": 7}},
            });
            let (place, name) = pointer.rsplit_once('/').unwrap();
            document.pointer_mut(place).unwrap()[name] = value;
            serde_json::from_value::<Schedule>(document).unwrap().unheeded().join(" ")
        };
        assert_eq!(unheeded("/bowline/keep/daily", json!(8)), "");
        for (pointer, value) in [
            ("/kind", json!("Backup")),
            ("/apiVersion", json!("velero.io/v2")),
            ("/spec/useOwnerReferencesInBackup", json!(true)),
            ("/spec/template/snapshotMoveData", json!(true)),
            ("/spec/template/defaultVolumesToFsBackup", json!(true)),
            ("/spec/template/uploaderConfig", json!({"parallelFilesUpload": 2})),
            ("/spec/template/resourcePolicy", json!({"kind": "configmap", "name": "policies"})),
            ("/bowline/excludedDays", json!(["sat"])),
            ("/bowline/keep/quarterly", json!(4)),
        ] {
            let path = pointer[1..].replace('/', ".");
            assert_eq!(unheeded(pointer, value), path);
        }
    }
}
