//! What somebody is told of a run: one JSON document.

use jiff::Timestamp;
use serde::Serialize;

use crate::engine::model::schedule::Schedule;
use crate::engine::report::{BackupReport, Phase, Problem};

/// How many errors are told one by one.
const ERRORS: usize = 20;

/// What came of a run.
///
/// Slack, Mattermost and the like show `text` and pass over the rest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    /// All that matters, in a few words.
    pub text: String,
    /// The schedule.
    pub schedule: String,
    /// The backup; none if there is none.
    pub backup: Option<String>,
    /// How it ended; none if there is no backup.
    pub phase: Option<Phase>,
    /// Whether it is good: Completed.
    pub good: bool,
    /// Why there is no backup.
    pub error: Option<String>,
    /// The URL of the location.
    pub location: String,
    /// The identity of the cluster.
    #[serde(rename = "clusterUID")]
    pub cluster_uid: String,
    /// How many objects the backup holds.
    pub items: u64,
    /// How many volumes were in scope.
    pub volumes: usize,
    /// How many warnings there were.
    pub warnings: usize,
    /// What is missing: the first twenty errors.
    pub errors: Vec<Problem>,
    /// When it began; none if there is no backup.
    pub start_timestamp: Option<Timestamp>,
    /// When it ended.
    pub completion_timestamp: Option<Timestamp>,
}

impl Notice {
    /// What is told of a run that made a backup, good or not.
    pub fn of_backup(schedule: &Schedule, report: &BackupReport) -> Self {
        Self {
            text: text(schedule.name(), report),
            schedule: schedule.name().to_owned(),
            backup: Some(report.name.clone()),
            phase: Some(report.phase),
            good: report.phase == Phase::Completed,
            error: None,
            location: report.location.clone(),
            cluster_uid: report.cluster_uid.clone(),
            items: report.items,
            volumes: report.volumes.len(),
            warnings: report.warnings.len(),
            errors: report.errors.iter().take(ERRORS).cloned().collect(),
            start_timestamp: Some(report.start_timestamp),
            completion_timestamp: report.completion_timestamp,
        }
    }

    /// What is told of a run that made none, be it that it never began.
    pub fn of_failure(schedule: &Schedule, error: String, location: &str, now: Timestamp) -> Self {
        Self {
            text: format!("schedule {} made no backup: {error}", schedule.name()),
            schedule: schedule.name().to_owned(),
            backup: None,
            phase: None,
            good: false,
            error: Some(error),
            location: location.to_owned(),
            cluster_uid: schedule.bowline.cluster_uid.clone(),
            items: 0,
            volumes: 0,
            warnings: 0,
            errors: Vec::new(),
            start_timestamp: None,
            completion_timestamp: Some(now),
        }
    }
}

/// The line that people read.
fn text(schedule: &str, report: &BackupReport) -> String {
    let BackupReport { name, phase, items, volumes, errors, .. } = report;
    let volumes = volumes.len();
    let outcome = format!(
        "backup {name} of schedule {schedule} is {phase} (objects: {items}, volumes: {volumes}"
    );
    match errors.first() {
        Some(first) => format!("{outcome}, errors: {}); the first error: {first}", errors.len()),
        None => format!("{outcome})"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schedule() -> Schedule {
        serde_json::from_value(json!({
            "apiVersion": "velero.io/v1",
            "kind": "Schedule",
            "metadata": {"name": "nightly", "uid": "s1"},
            "spec": {"schedule": "0 2 * * *"},
            "bowline": {"clusterUid": "c1", "since": "2026-11-01T00:00:00Z"},
        }))
        .unwrap()
    }

    fn report(phase: Phase, errors: usize) -> BackupReport {
        BackupReport {
            name: "nightly-1".to_owned(),
            uid: "u1".to_owned(),
            phase,
            location: "s3://vault".to_owned(),
            cluster_uid: "c1".to_owned(),
            items: 40,
            volumes: Vec::new(),
            hooks: crate::engine::model::hooks::HookCounts::default(),
            warnings: Vec::new(),
            errors: vec![Problem::of_run("list", "no answer"); errors],
            start_timestamp: "2026-11-22T02:00:00Z".parse().unwrap(),
            completion_timestamp: None,
        }
    }

    #[test]
    fn the_text_says_what_came_of_the_run_and_not_every_error_is_told() {
        let good = Notice::of_backup(&schedule(), &report(Phase::Completed, 0));
        let text = "backup nightly-1 of schedule nightly is Completed (objects: 40, volumes: 0)";
        assert_eq!((good.good, good.text.as_str()), (true, text));
        let partly = Notice::of_backup(&schedule(), &report(Phase::PartiallyFailed, 30));
        assert_eq!((partly.good, partly.errors.len()), (false, ERRORS));
        let text = "backup nightly-1 of schedule nightly is PartiallyFailed (objects: 40, volumes: \
                    0, errors: 30); the first error: no answer";
        assert_eq!(partly.text, text);
        let now = "2026-11-22T02:00:00Z".parse().unwrap();
        let none = Notice::of_failure(&schedule(), "no cluster".to_owned(), "s3://vault", now);
        assert_eq!(none.text, "schedule nightly made no backup: no cluster");
        assert!(!none.good);
    }
}
