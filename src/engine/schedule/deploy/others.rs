//! What stands in the cluster already, and is not this schedule's.
//!
//! Labels and names tell a schedule by its name alone, and each location has its own names: another
//! location's schedule of the same name would be replaced, and its runs would end without a word.

use std::collections::BTreeMap;

use futures::TryStreamExt as _;

use super::manifests::{LOCATION, SCHEDULE_UID, kinds, name, selector};
use super::{Error, Wish};
use crate::engine::cluster::{self, Cluster, ListScope};
use crate::engine::model::schedule::Schedule;
use crate::engine::model::{Kind, Meta};

/// Fails if a `CronJob` that a deployment would replace or remove runs something else.
pub(super) async fn check_free(
    cluster: &Cluster,
    schedule: &Schedule,
    wish: &Wish,
) -> Result<(), Error> {
    let Some(kind) = kinds().find(|kind| kind.kind == "CronJob") else { return Ok(()) };
    let found = found(cluster, &kind, schedule.name(), &wish.namespace).await?;
    let Some(other) = found.iter().find(|it| !is_own(&it.annotations, schedule, wish)) else {
        return Ok(());
    };
    Err(Error::Occupied {
        cron_job: format!("{}/{}", other.namespace.as_deref().unwrap_or_default(), other.name),
        schedule: schedule.name().to_owned(),
        location: other.annotations.get(LOCATION).cloned(),
    })
}

/// The `CronJob`s that carry the label of the schedule, and the one that has its name.
async fn found(
    cluster: &Cluster,
    kind: &Kind,
    schedule: &str,
    namespace: &str,
) -> Result<Vec<Meta>, cluster::Error> {
    let scope = ListScope { namespace: None, label_selector: Some(selector(schedule)) };
    let mut pages = cluster.list(kind, &scope);
    let mut found = Vec::new();
    while let Some(page) = pages.try_next().await? {
        found.extend(page.items.into_iter().map(|listed| listed.meta));
    }
    if let Some(mut named) = cluster.get(kind, Some(namespace), &name(schedule)).await? {
        let metadata = named.remove("metadata").unwrap_or_default();
        found.push(serde_json::from_value(metadata).unwrap_or_default());
    }
    Ok(found)
}

/// Whether it runs this schedule: the same one, be it that its location has moved; or the one that the
/// same location had under this name before.
fn is_own(annotations: &BTreeMap<String, String>, schedule: &Schedule, wish: &Wish) -> bool {
    let has = |key, value: &String| annotations.get(key) == Some(value);
    has(SCHEDULE_UID, &schedule.metadata.uid) || has(LOCATION, &wish.location)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::engine::cluster::fake::Reply;

    /// What a deployment of "nightly" of `s3://here` is told where this `CronJob` is listed.
    async fn check(annotations: Value, label: bool) -> Result<(), Error> {
        let schedule: Schedule = serde_json::from_value(json!({
            "apiVersion": "velero.io/v1", "kind": "Schedule",
            "metadata": {"name": "nightly", "uid": "u1"},
            "spec": {"template": {}, "schedule": "0 2 * * *"},
            "bowline": {"clusterUid": "c1", "since": "2026-11-01T00:00:00Z"},
        }))
        .unwrap();
        let cron_job = json!({"metadata": {"name": "bowline-nightly", "namespace": "elsewhere",
                                           "uid": "x", "annotations": annotations}});
        let cluster = Cluster::fake(move |request| {
            let is_list = !request.path.ends_with("/bowline-nightly");
            match (is_list, label) {
                (true, true) => Reply::json(200, &json!({"metadata": {}, "items": [cron_job]})),
                (true, false) => Reply::json(200, &json!({"metadata": {}, "items": []})),
                (false, true) => Reply::status(404, "NotFound", "there is none"),
                (false, false) => Reply::json(200, &cron_job),
            }
        });
        let location = "s3://here".to_owned();
        let wish = Wish { namespace: "bowline".to_owned(), location, ..Wish::default() };
        check_free(&cluster, &schedule, &wish).await
    }

    #[tokio::test]
    async fn what_runs_the_same_schedule_or_an_earlier_one_of_the_location_is_replaced() {
        for (uid, location) in [("u1", "s3://here"), ("u1", "s3://moved"), ("u0", "s3://here")] {
            let annotations = json!({SCHEDULE_UID: uid, LOCATION: location});
            check(annotations.clone(), true).await.unwrap();
            check(annotations, false).await.unwrap();
        }
    }

    #[tokio::test]
    async fn what_runs_another_locations_schedule_or_is_not_known_is_left() {
        let another = || json!({SCHEDULE_UID: "u2", LOCATION: "s3://there"});
        for (annotations, label, there) in [
            (another(), true, ", but the one of s3://there"),
            (another(), false, ", but the one of s3://there"),
            (json!({}), true, ""),
            (json!({}), false, ""),
        ] {
            let told = format!(
                "the CronJob elsewhere/bowline-nightly does not run this schedule \"nightly\"{there}"
            );
            assert_eq!(check(annotations, label).await.unwrap_err().to_string(), told);
        }
    }
}
