//! Gives objects their recorded status back, where that was asked for.

use bowline_api::ItemId;
use serde_json::{Value, json};

use super::actions::Draft;
use super::error::Cause;
use super::execute::Execution;
use super::jobs;
use super::plan::kind_of;
use super::row::Row;
use super::wording::told;
use crate::engine::cluster::{FIELD_MANAGER, Object};
use crate::engine::model::Kind;
use crate::engine::model::fields::{maps_at, text_at};
use crate::engine::report::Problem;

/// The annotation by which an object says itself whether its status comes back. Velero's; it wins.
const WISH: &str = "velero.io/restore-status";

/// Takes the status out of an object, and gives it back if it is to be restored.
pub(super) fn take(draft: &mut Draft<'_>) -> Option<Value> {
    let status = draft.object.remove("status")?;
    let wish = match text_at(&draft.object, &["metadata", "annotations", WISH]) {
        Some("true") => Some(true),
        Some("false") => Some(false),
        _ => None,
    };
    if !status.is_object() || !draft.context.status.includes(&draft.id.resource, wish) {
        return None;
    }
    draft.note("status restored");
    Some(without_generations(status))
}

/// What a controller has seen of the old object, it has not seen of the new one.
fn without_generations(mut status: Value) -> Value {
    if let Some(status) = status.as_object_mut() {
        status.remove("observedGeneration");
    }
    let conditions = status.get_mut("conditions").and_then(Value::as_array_mut);
    for condition in conditions.into_iter().flatten().filter_map(Value::as_object_mut) {
        condition.remove("observedGeneration");
    }
    status
}

impl Execution<'_> {
    /// Writes the status of an object that was just made; where that fails, it is a warning.
    pub(super) async fn write_status(
        &self,
        kind: &Kind,
        id: &ItemId,
        status: &Value,
    ) -> Result<(), Cause> {
        let patch = json!({ "status": status });
        // Nobody but us takes a job for finished until its status is written.
        let is_end = patch.as_object().is_some_and(|it| jobs::had_finished(id, it));
        let cluster = &self.context.cluster;
        self.follow_up();
        match cluster.patch_status(kind, id.namespace.as_deref(), &id.name, &patch).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_unreachable() => Err(error.into()),
            Err(error) => {
                let problem = Problem::of_item(id, "restore status", told(&id.resource, &error));
                let problem = problem.with_status(error.status());
                if is_end {
                    self.journal.error(problem.with_hint(jobs::STAYS_SUSPENDED));
                } else {
                    self.journal.warn(problem);
                }
                Ok(())
            }
        }
    }

    /// Writes the status of what an interrupted run made, unless that run did.
    ///
    /// A status that was written, and was perhaps taken further by a controller since, is left.
    pub(super) async fn complete_statuses(&self) -> Result<(), Cause> {
        for row in self.plan.rows.iter().filter(|row| row.ours) {
            self.complete_status(row).await?;
        }
        Ok(())
    }

    async fn complete_status(&self, row: &Row<'_>) -> Result<(), Cause> {
        let Some(kind) = kind_of(&self.ready.catalog, &row.entry) else { return Ok(()) };
        let prepared = self.plan.prepared(self.ready, row)?;
        let (Some(status), id) = (prepared.status, prepared.id) else { return Ok(()) };
        let live = self.context.cluster.get(&kind, id.namespace.as_deref(), &id.name).await;
        match self.settle_as("restore status", live, &id)?.flatten() {
            Some(live) if !is_written(&live) => self.write_status(&kind, &id, &status).await,
            _ => Ok(()),
        }
    }
}

/// Whether we are among those who wrote the status of a live object.
fn is_written(live: &Object) -> bool {
    maps_at(live, &["metadata", "managedFields"]).any(|entry| {
        text_at(entry, &["manager"]) == Some(FIELD_MANAGER)
            && text_at(entry, &["subresource"]) == Some("status")
    })
}

#[cfg(test)]
mod tests {
    use super::super::prepare;
    use super::*;
    use crate::engine::model::Catalog;
    use crate::engine::model::filter::StatusFilter;
    use crate::engine::restore::Preparation;

    fn widgets() -> Preparation {
        let kind = Kind {
            resource: "widgets.example.com".parse().unwrap(),
            version: "v1".to_owned(),
            kind: "Widget".to_owned(),
            singular: String::new(),
            short_names: Vec::new(),
            namespaced: true,
            verbs: Vec::new(),
        };
        let catalog = Catalog { kinds: vec![kind], ..Catalog::default() };
        let status = StatusFilter::resolve(&["widgets".to_owned()], &[], &catalog).unwrap();
        Preparation { status, ..Preparation::default() }
    }

    fn prepared(id: &str, wish: Option<&str>, status: &Value) -> prepare::Prepared {
        let mut object = json!({"metadata": {}, "status": status});
        if let Some(wish) = wish {
            object["metadata"]["annotations"][WISH] = json!(wish);
        }
        let object = object.as_object().cloned().unwrap();
        prepare::prepare(&id.parse().unwrap(), object, &widgets())
    }

    #[test]
    fn a_status_that_is_asked_for_is_handed_over_and_told() {
        let status = json!({"observedGeneration": 7, "phase": "Ready", "conditions": [
            {"type": "Ready", "status": "True", "observedGeneration": 7}]});
        let it = prepared("widgets.example.com/shop/main", None, &status);
        assert_eq!(it.changes, ["status restored"]);
        assert_eq!(it.object.get("status"), None);
        let expected =
            json!({"phase": "Ready", "conditions": [{"type": "Ready", "status": "True"}]});
        assert_eq!(it.status, Some(expected));
    }

    #[test]
    fn what_the_object_says_itself_wins() {
        let has = |id: &str, wish| prepared(id, wish, &json!({"a": 1})).status.is_some();
        let (widget, service) = ("widgets.example.com/shop/main", "services/shop/web");
        assert!(has(widget, Some("nonsense")) && !has(widget, Some("false")));
        assert!(has(service, Some("true")) && !has(service, None));
        assert!(!has("pods/shop/web", Some("true")));
    }

    #[test]
    fn what_is_no_status_is_never_written() {
        let it = prepared("widgets.example.com/shop/main", None, &json!("text"));
        assert_eq!((it.status, it.changes), (None, Vec::new()));
    }

    #[test]
    fn a_status_is_written_once_we_are_among_its_managers() {
        let live = |manager: &str, subresource: Option<&str>| {
            let entry = json!({"manager": manager, "subresource": subresource});
            let live = json!({"metadata": {"managedFields": [{"manager": "x"}, entry]}});
            is_written(live.as_object().unwrap())
        };
        assert!(live("bowline", Some("status")));
        assert!(!live("bowline", None) && !live("operator", Some("status")));
    }
}
