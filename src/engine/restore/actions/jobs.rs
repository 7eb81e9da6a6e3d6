use super::Draft;
use crate::engine::model::fields::at;

/// The labels that hold the uid of a job, on it and on its pods.
pub(super) const UID_LABELS: &[&str] = &["controller-uid", "batch.kubernetes.io/controller-uid"];
const NAME_LABELS: &[&str] = &["job-name", "batch.kubernetes.io/job-name"];

/// Drops the labels by which a job finds its pods: they hold the old job's uid, and the API server puts the
/// new one's there.
///
/// A job with `manualSelector` chose its labels itself and keeps them.
pub(super) fn prepare(draft: &mut Draft<'_>) {
    // The job controller's mark; the API server refuses it on jobs that others make.
    draft.drop_annotations(&["batch.kubernetes.io/job-tracking"]);
    if at(&draft.object, &["spec", "manualSelector"]).and_then(serde_json::Value::as_bool)
        == Some(true)
    {
        return;
    }
    let mut dropped = draft.drop_labels(&["spec", "selector", "matchLabels"], UID_LABELS);
    for labels in [&["metadata", "labels"][..], &["spec", "template", "metadata", "labels"]] {
        dropped |= draft.drop_labels(labels, UID_LABELS);
        dropped |= draft.drop_labels(labels, NAME_LABELS);
    }
    if dropped {
        draft.note("selector of the old job's uid dropped");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::draft::prepared;
    use crate::engine::restore::Preparation;

    fn job(manual: bool) -> Value {
        let labels = json!({
            "batch.kubernetes.io/controller-uid": "8797a3b9", "controller-uid": "8797a3b9",
            "batch.kubernetes.io/job-name": "migrate", "job-name": "migrate", "app": "shop"});
        json!({"metadata": {"name": "migrate", "namespace": "shop", "labels": labels},
            "spec": {"manualSelector": manual,
                "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": "8797a3b9"}},
                "template": {"metadata": {"labels": labels}, "spec": {"restartPolicy": "Never"}}}})
    }

    #[test]
    fn a_generated_selector_is_left_to_the_server() {
        let (object, changes) =
            prepared("jobs.batch/shop/migrate", job(false), &Preparation::default());
        assert_eq!(object["spec"].get("selector"), None);
        let template = json!({"metadata": {"labels": {"app": "shop"}},
            "spec": {"restartPolicy": "Never"}});
        assert_eq!(object["spec"]["template"], template);
        assert_eq!(object["metadata"]["labels"].get("job-name"), None);
        assert_eq!(object["metadata"]["labels"]["app"], "shop");
        assert_eq!(changes, ["selector of the old job's uid dropped"]);
    }

    #[test]
    fn a_selector_of_ones_own_is_respected() {
        let original = job(true);
        let (object, changes) =
            prepared("jobs.batch/shop/migrate", original.clone(), &Preparation::default());
        assert_eq!(object["spec"], original["spec"]);
        assert!(changes.is_empty());
    }

    #[test]
    fn the_mark_of_the_job_controller_is_dropped_whoever_chose_the_selector() {
        for manual in [true, false] {
            let mut job = job(manual);
            job["metadata"]["annotations"] = json!({"batch.kubernetes.io/job-tracking": ""});
            let (object, _) = prepared("jobs.batch/shop/migrate", job, &Preparation::default());
            assert_eq!(object["metadata"].get("annotations"), None);
        }
    }

    #[test]
    fn a_job_without_generated_labels_is_not_changed() {
        let plain = json!({"metadata": {"name": "j"}, "spec": {"template": {"metadata": {}}}});
        let (object, changes) =
            prepared("jobs.batch/shop/j", plain.clone(), &Preparation::default());
        assert_eq!(object["spec"], plain["spec"]);
        assert!(changes.is_empty());
    }
}
