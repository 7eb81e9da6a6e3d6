use serde_json::Value;

use super::Draft;
use super::jobs::UID_LABELS;
use crate::engine::model::Object;
use crate::engine::model::fields::{maps_at, maps_at_mut, remove, retain, text_at};
use crate::engine::model::kinds::is_generated_token;

/// Where admission mounts the token of a pod's service account.
const TOKEN_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

const CONTAINERS: &[&str] = &["containers", "initContainers"];

/// What admission computes from classes of the target; what differs from its result is refused.
const COMPUTED: &[&str] = &["priority", "preemptionPolicy"];

/// Frees a pod from its node, and from what admission added to it.
pub(super) fn prepare(draft: &mut Draft<'_>) {
    if let Some(Value::String(node)) = remove(&mut draft.object, &["spec", "nodeName"]) {
        draft.note(format!("node {node} left to the scheduler"));
    }
    // A job of that uid would take the pod for its own; the one that comes back has another.
    if draft.drop_labels(&["metadata", "labels"], UID_LABELS) {
        draft.note("label of the old job's uid dropped");
    }
    for key in COMPUTED {
        remove(&mut draft.object, &["spec", key]);
    }
    if text_at(&draft.object, &["spec", "runtimeClassName"]).is_some() {
        remove(&mut draft.object, &["spec", "overhead"]);
    }
    if remove(&mut draft.object, &["spec", "ephemeralContainers"]).is_some() {
        draft.note("ephemeral containers dropped, as a pod cannot be made with them");
    }
    drop_token_volumes(draft);
}

/// Drops the volumes that hold tokens of the old cluster, and their mounts: admission adds its own.
fn drop_token_volumes(draft: &mut Draft<'_>) {
    let account = text_at(&draft.object, &["spec", "serviceAccountName"])
        .or_else(|| text_at(&draft.object, &["spec", "serviceAccount"]))
        .unwrap_or("default")
        .to_owned();
    let doomed: Vec<String> = maps_at(&draft.object, &["spec", "volumes"])
        .filter(|volume| is_token(volume, &account))
        .filter_map(|volume| text_at(volume, &["name"]))
        .filter(|name| is_mounted_as_token_only(&draft.object, name))
        .map(str::to_owned)
        .collect();
    for volume in draft.drop_named(&["spec", "volumes"], |name| doomed.iter().any(|it| it == name))
    {
        for containers in CONTAINERS {
            for container in maps_at_mut(&mut draft.object, &["spec", containers]) {
                retain(container, &["volumeMounts"], |mount| !is_of(mount, &volume));
            }
        }
        draft.note(format!("token volume {volume} left to admission"));
    }
}

/// Whether admission made this volume: a projected token, or the Secret of clusters before 1.24.
fn is_token(volume: &Object, account: &str) -> bool {
    let is_projected = volume.contains_key("projected")
        && text_at(volume, &["name"]).is_some_and(|name| name.starts_with("kube-api-access-"));
    is_projected
        || text_at(volume, &["secret", "secretName"])
            .is_some_and(|secret| is_generated_token(account, secret))
}

/// Whether nothing uses this volume but as the token that admission mounts. A mount elsewhere is
/// somebody's own, and would lack its volume.
fn is_mounted_as_token_only(pod: &Object, volume: &str) -> bool {
    CONTAINERS
        .iter()
        .flat_map(|containers| maps_at(pod, &["spec", containers]))
        .flat_map(|container| maps_at(container, &["volumeMounts"]))
        .filter(|mount| text_at(mount, &["name"]) == Some(volume))
        .all(|mount| text_at(mount, &["mountPath"]) == Some(TOKEN_PATH))
}

fn is_of(mount: &Value, volume: &str) -> bool {
    mount.get("name").and_then(Value::as_str) == Some(volume)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::draft::prepared;
    use crate::engine::restore::Preparation;

    fn pod(volume: &Value, mount_path: &str) -> Value {
        let mount = json!({"name": volume["name"], "mountPath": mount_path, "readOnly": true});
        json!({"metadata": {"name": "web", "namespace": "shop"}, "spec": {
            "serviceAccountName": "web",
            "containers": [{"name": "a", "volumeMounts": [{"name": "data", "mountPath": "/d"}, mount]}],
            "initContainers": [{"name": "b", "volumeMounts": [mount]}],
            "volumes": [volume, {"name": "data", "emptyDir": {}}]}})
    }

    fn volumes_of(pod: Value) -> usize {
        let (object, _) = prepared("pods/shop/web", pod, &Preparation::default());
        object["spec"]["volumes"].as_array().unwrap().len()
    }

    #[test]
    fn a_pod_is_freed_from_its_node_and_from_what_admission_computes() {
        let bound = json!({"spec": {"nodeName": "node-a", "priority": 1000, "overhead": {"cpu": "1"},
            "preemptionPolicy": "PreemptLowerPriority", "priorityClassName": "shop-high",
            "runtimeClassName": "gvisor", "ephemeralContainers": [{"name": "debug"}],
            "nodeSelector": {"disk": "ssd"}}});
        let (object, changes) = prepared("pods/shop/web", bound, &Preparation::default());
        let expected = json!({"priorityClassName": "shop-high", "runtimeClassName": "gvisor",
            "nodeSelector": {"disk": "ssd"}});
        assert_eq!(object["spec"], expected);
        assert_eq!(changes[0], "node node-a left to the scheduler");
    }

    #[test]
    fn an_overhead_that_no_class_explains_is_kept() {
        let pod = json!({"spec": {"overhead": {"cpu": "1"}}});
        let (object, changes) = prepared("pods/shop/web", pod.clone(), &Preparation::default());
        assert_eq!(object["spec"], pod["spec"]);
        assert!(changes.is_empty());
    }

    #[test]
    fn token_volumes_go_with_their_mounts() {
        for volume in [
            json!({"name": "kube-api-access-x7f2k", "projected": {"sources": []}}),
            json!({"name": "web-token-x7f2k", "secret": {"secretName": "web-token-x7f2k"}}),
        ] {
            let (object, changes) =
                prepared("pods/shop/web", pod(&volume, super::TOKEN_PATH), &Preparation::default());
            assert_eq!(object["spec"]["volumes"], json!([{"name": "data", "emptyDir": {}}]));
            let mounts = &object["spec"]["containers"][0]["volumeMounts"];
            assert_eq!(*mounts, json!([{"name": "data", "mountPath": "/d"}]));
            assert_eq!(object["spec"]["initContainers"], json!([{"name": "b"}]));
            assert_eq!(changes.len(), 1, "{changes:?}");
        }
    }

    #[test]
    fn volumes_that_somebody_added_under_such_names_are_kept() {
        for volume in [
            json!({"name": "kube-api-access-x7f2k", "emptyDir": {}}),
            json!({"name": "web-token-x7f2k", "configMap": {"name": "web-token-x7f2k"}}),
            json!({"name": "web-token-manual", "secret": {"secretName": "web-token-manual"}}),
            json!({"name": "api-token-x7f2k", "secret": {"secretName": "api-token-x7f2k"}}),
        ] {
            assert_eq!(volumes_of(pod(&volume, super::TOKEN_PATH)), 2, "{volume}");
        }
    }

    #[test]
    fn a_token_that_is_mounted_elsewhere_too_is_kept() {
        let volume = json!({"name": "kube-api-access-x7f2k", "projected": {"sources": []}});
        assert_eq!(volumes_of(pod(&volume, super::TOKEN_PATH)), 1);
        assert_eq!(volumes_of(pod(&volume, "/var/run/elsewhere")), 2);
    }

    #[test]
    fn a_pod_without_an_account_uses_the_default_one() {
        let volume = json!({"name": "t", "secret": {"secretName": "default-token-x7f2k"}});
        let mut pod = pod(&volume, super::TOKEN_PATH);
        assert_eq!(volumes_of(pod.clone()), 2);
        pod["spec"].as_object_mut().unwrap().remove("serviceAccountName");
        assert_eq!(volumes_of(pod), 1);
    }
}
