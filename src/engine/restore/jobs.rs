//! Jobs are made suspended. Those that were running are released once what they may need is ready;
//! those that had finished come back only where that is asked for, as finished, and run no more.

use bowline_api::{GroupResource, ItemId};
use serde_json::{Map, Value, json};

use super::actions::Draft;
use super::error::Cause;
use super::execute::{Execution, Outcome};
use super::plan::kind_of;
use super::prepare::{Prepared, RESTORE_UID_LABEL};
use crate::engine::model::fields::{at, maps_at, remove, text_at};
use crate::engine::model::kinds;
use crate::engine::model::{Kind, Object};
use crate::engine::report::{Problem, chain};

/// What becomes of a job whose end could not be written.
pub(super) const STAYS_SUSPENDED: &str =
    "it is there, suspended, and runs nothing; delete it, or resume the restore";

/// The annotation that tells which restore let a job run: it does so once.
pub(super) const RELEASED: &str = "bowline.io/released";

const SUSPEND: &[&str] = &["spec", "suspend"];

/// Whether this is a job.
pub(super) fn is_job(resource: &GroupResource) -> bool {
    resource.group == "batch" && resource.resource == "jobs"
}

/// Whether this is a job that had run to its end, well or not.
pub(super) fn had_finished(id: &ItemId, object: &Object) -> bool {
    is_job(&id.resource) && kinds::is_finished(object)
}

/// Suspends a job that is about to be made. One that was suspended stays so.
pub(super) fn hold(id: &ItemId, job: &mut Object) {
    if let Some(spec) =
        job.get_mut("spec").and_then(Value::as_object_mut).filter(|_| is_job(&id.resource))
    {
        spec.insert("suspend".to_owned(), Value::Bool(true));
    }
}

/// Takes the status of a job that had finished, if it is to come back as finished.
pub(super) fn take_end(draft: &mut Draft<'_>) -> Option<Value> {
    if !draft.context.finished_jobs || !had_finished(draft.id, &draft.object) {
        return None;
    }
    let status = draft.object.remove("status")?;
    draft.note("restored as finished: suspended, it never runs again");
    if let Some(seconds) = at(&draft.object, &["spec", "ttlSecondsAfterFinished"]) {
        let note = format!("the cluster deletes it {seconds} s after the end that it had");
        draft.note(note);
    }
    Some(end(status.as_object()?))
}

/// What of a status tells that a job ended, as the API server takes it.
///
/// Since 1.31 it takes an end only together with what announces it: `SuccessCriteriaMet` before
/// `Complete`, `FailureTarget` before `Failed`. Older clusters wrote the end alone.
fn end(status: &Object) -> Value {
    let mut kept: Map<String, Value> = KEPT
        .iter()
        .filter_map(|key| Some(((*key).to_owned(), status.get(*key)?.clone())))
        .collect();
    let mut conditions: Vec<Value> = maps_at(status, &["conditions"])
        .filter(|it| ENDS.iter().flatten().any(|kind| is_true(it, kind)))
        .cloned()
        .map(Value::Object)
        .collect();
    if conditions.is_empty() {
        let time = status.get("completionTime");
        conditions.push(json!({"type": "Complete", "status": "True", "lastTransitionTime": time}));
    }
    for [announced, end] in ENDS {
        let find = |wanted: &str| conditions.iter().find(|it| it["type"] == wanted);
        if let (Some(ended), None) = (find(end), find(announced)) {
            let mut announcement = ended.clone();
            announcement["type"] = json!(announced);
            conditions.insert(0, announcement);
        }
    }
    if let Some(complete) = conditions.iter().find(|it| it["type"] == "Complete") {
        let time = complete["lastTransitionTime"].clone();
        kept.entry("completionTime").or_insert(time);
    }
    kept.insert("conditions".to_owned(), Value::Array(conditions));
    kept.extend([("ready".to_owned(), json!(0)), ("terminating".to_owned(), json!(0))]);
    kept.insert("uncountedTerminatedPods".to_owned(), json!({}));
    Value::Object(kept)
}

/// What of the status of a job that ended stays true of it.
const KEPT: [&str; 6] =
    ["startTime", "completionTime", "succeeded", "failed", "completedIndexes", "failedIndexes"];

/// The conditions that a job has ended, each with the one that announces it.
const ENDS: [[&str; 2]; 2] = [["SuccessCriteriaMet", "Complete"], ["FailureTarget", "Failed"]];

fn is_true(condition: &Object, kind: &str) -> bool {
    text_at(condition, &["type"]) == Some(kind) && text_at(condition, &["status"]) == Some("True")
}

/// Of a job that a restore made as finished it means nothing that it is suspended.
pub(super) fn drop_suspension(id: &ItemId, ours: &mut Object, live: &mut Object, was: &Object) {
    if had_finished(id, was) && text_at(was, &["metadata", "labels", RESTORE_UID_LABEL]).is_some() {
        remove(ours, SUSPEND);
        remove(live, SUSPEND);
    }
}

/// Releases the jobs that this restore made and that were not suspended, nor finished, in the backup.
pub(super) async fn release(execution: &Execution<'_>) -> Result<(), Cause> {
    let rows = execution.plan.rows.iter().enumerate();
    let made = rows.filter(|(index, row)| {
        let is_made = execution.outcome(*index).is_some_and(Outcome::is_made);
        is_job(row.entry.resource()) && (row.ours || is_made) && !row.finished
    });
    for (_, row) in made {
        // As it was to be made: a modifier may suspend what was not.
        let Prepared { id, object, .. } = execution.plan.prepared(execution.ready, row)?;
        let Some(kind) = kind_of(&execution.ready.catalog, &row.entry) else { continue };
        if at(&object, SUSPEND) == Some(&Value::Bool(true))
            || row.ours && !is_held(execution, &kind, &id).await?
        {
            continue;
        }
        let released = json!({RELEASED: execution.plan.preparation.restore_uid});
        let patch = json!({"metadata": {"annotations": released}, "spec": {"suspend": false}});
        let cluster = &execution.context.cluster;
        match cluster.merge_patch(&kind, id.namespace.as_deref(), &id.name, &patch).await {
            Ok(_) => {}
            Err(error) if error.is_unreachable() => return Err(error.into()),
            Err(error) => {
                execution.journal.error(Problem::of_item(&id, "release", chain(&error)));
            }
        }
    }
    Ok(())
}

/// Whether a job that an earlier run made still waits to be released. One that was suspended since was
/// suspended by somebody.
async fn is_held(execution: &Execution<'_>, kind: &Kind, id: &ItemId) -> Result<bool, Cause> {
    let live = execution.context.cluster.get(kind, id.namespace.as_deref(), &id.name).await;
    let live = execution.settle_as("release", live, id)?.flatten();
    let uid = execution.plan.preparation.restore_uid.as_str();
    Ok(live.is_some_and(|live| {
        let released = text_at(&live, &["metadata", "annotations", RELEASED]);
        at(&live, SUSPEND) == Some(&Value::Bool(true)) && released != Some(uid)
    }))
}

#[cfg(test)]
mod tests {
    use super::super::prepare::prepare;
    use super::super::samples::object;
    use super::*;
    use crate::engine::restore::Preparation;

    #[test]
    fn a_job_is_held_and_nothing_else_is() {
        let mut object = object(json!({"spec": {"parallelism": 1}}));
        hold(&"cronjobs.batch/shop/report".parse().unwrap(), &mut object);
        assert_eq!(object.get("spec"), Some(&json!({"parallelism": 1})));
        hold(&"jobs.batch/shop/migrate".parse().unwrap(), &mut object);
        assert_eq!(object.get("spec"), Some(&json!({"parallelism": 1, "suspend": true})));
    }

    fn condition(kind: &str) -> Value {
        json!({"type": kind, "status": "True", "lastTransitionTime": "2026-03-01T00:01:00Z"})
    }

    fn prepared(finished_jobs: bool, status: &Value) -> Prepared {
        let job = json!({"metadata": {}, "status": status,
            "spec": {"ttlSecondsAfterFinished": 100}});
        let context = Preparation { finished_jobs, ..Preparation::default() };
        prepare(&"jobs.batch/shop/migrate".parse().unwrap(), object(job), &context)
    }

    #[test]
    fn an_end_is_handed_over_as_the_api_server_takes_it() {
        let status = json!({"startTime": "2026-03-01T00:00:00Z", "succeeded": 1, "active": 0,
            "completionTime": "2026-03-01T00:01:00Z",
            "conditions": [condition("Suspended"), condition("Complete")]});
        let expected = json!({"startTime": "2026-03-01T00:00:00Z", "succeeded": 1, "ready": 0,
            "completionTime": "2026-03-01T00:01:00Z", "terminating": 0,
            "uncountedTerminatedPods": {},
            "conditions": [condition("SuccessCriteriaMet"), condition("Complete")]});
        let it = prepared(true, &status);
        assert_eq!(it.status, Some(expected));
        let told = [
            "restored as finished: suspended, it never runs again",
            "the cluster deletes it 100 s after the end that it had",
        ];
        assert_eq!(it.changes, told);
        assert_eq!(prepared(false, &status).status, None);
    }

    #[test]
    fn a_job_that_failed_comes_back_as_failed() {
        let status = json!({"failed": 3, "conditions": [condition("Failed")]});
        let status = prepared(true, &status).status.unwrap();
        let expected = json!([condition("FailureTarget"), condition("Failed")]);
        assert_eq!((&status["conditions"], &status["failed"]), (&expected, &json!(3)));
        assert_eq!(status.get("completionTime"), None);
    }

    #[test]
    fn an_end_that_only_its_time_tells_is_one() {
        let status = prepared(true, &json!({"completionTime": "2026-03-01T00:01:00Z"})).status;
        let conditions = status.unwrap()["conditions"].clone();
        assert_eq!(conditions, json!([condition("SuccessCriteriaMet"), condition("Complete")]));
    }

    #[test]
    fn a_job_that_was_running_has_no_end() {
        let running = json!({"active": 1, "conditions": [condition("SuccessCriteriaMet")]});
        assert_eq!(prepared(true, &running).status, None);
    }

    #[test]
    fn a_job_that_was_restored_as_finished_may_be_suspended() {
        let of = |labels: Value| {
            object(json!({"metadata": {"labels": labels},
                "status": {"conditions": [condition("Complete")]}}))
        };
        let finished = of(json!({RESTORE_UID_LABEL: "u"}));
        let sides = || (object(json!({"spec": {}})), object(json!({"spec": {"suspend": true}})));
        let after = |id: &str, was: &Object| {
            let (mut ours, mut live) = sides();
            drop_suspension(&id.parse().unwrap(), &mut ours, &mut live, was);
            live.contains_key("spec")
        };
        assert!(!after("jobs.batch/shop/j", &finished));
        assert!(after("jobs.batch/shop/j", &Object::new()));
        assert!(after("jobs.batch/shop/j", &of(json!({}))));
        assert!(after("cronjobs.batch/shop/j", &finished));
    }
}
