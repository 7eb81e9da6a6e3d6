//! Jobs are made suspended, and released once what they may need is ready.

use serde_json::{Value, json};

use super::error::Cause;
use super::execute::{Execution, Outcome};
use super::plan::kind_of;
use super::select;
use crate::engine::model::Object;
use crate::engine::report::{Problem, chain};
use bowline_api::{GroupResource, ItemId};

/// Whether this is a job.
pub(super) fn is_job(resource: &GroupResource) -> bool {
    resource.group == "batch" && resource.resource == "jobs"
}

/// Suspends a job that is about to be made. One that was suspended stays so.
pub(super) fn hold(id: &ItemId, job: &mut Object) {
    if let Some(spec) =
        job.get_mut("spec").and_then(Value::as_object_mut).filter(|_| is_job(&id.resource))
    {
        spec.insert("suspend".to_owned(), Value::Bool(true));
    }
}

/// Releases the jobs that this restore made and that were not suspended in the backup.
pub(super) async fn release(execution: &Execution<'_>) -> Result<(), Cause> {
    let outcomes = execution.outcomes();
    let rows = execution.plan.rows.iter().enumerate();
    let made = rows.filter(|(index, row)| {
        is_job(row.entry.resource()) && (row.ours || outcomes.get(index) == Some(&Outcome::Created))
    });
    for (_, row) in made {
        let (_, object) = select::read(execution.ready, row.entry)?;
        let suspended = object.get("spec").and_then(|spec| spec.get("suspend"));
        let Some(kind) = kind_of(&execution.ready.catalog, &row.entry) else { continue };
        if suspended == Some(&Value::Bool(true)) {
            continue;
        }
        let id = execution.target(row);
        let patch = json!({"spec": {"suspend": false}});
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_held_and_nothing_else_is() {
        let mut object = json!({"spec": {"parallelism": 1}}).as_object().cloned().unwrap();
        hold(&"cronjobs.batch/shop/report".parse().unwrap(), &mut object);
        assert_eq!(object.get("spec"), Some(&json!({"parallelism": 1})));
        hold(&"jobs.batch/shop/migrate".parse().unwrap(), &mut object);
        assert_eq!(object.get("spec"), Some(&json!({"parallelism": 1, "suspend": true})));
    }
}
