//! What of a pod matters to a hook.

use serde_json::Value;

use crate::engine::model::fields::{at, maps_at, text_at};
use crate::engine::model::{Meta, Object};

/// Why no command can run in a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idle {
    /// In words.
    pub reason: String,
    /// Whether it came to its end: it writes to no volume any more.
    pub is_over: bool,
}

impl Idle {
    /// A pod that may write to its volumes all the same.
    pub fn because(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), is_over: false }
    }
}

/// Why no command can run in a pod, if none can.
pub fn idle(pod: &Object) -> Option<Idle> {
    let phase = text_at(pod, &["status", "phase"]);
    let reason = match phase {
        _ if at(pod, &["metadata", "deletionTimestamp"]).is_some_and(|it| !it.is_null()) => {
            "the pod is being deleted".to_owned()
        }
        Some("Running") => return None,
        Some(phase) => format!("the pod is {phase}"),
        None => "the pod does not run".to_owned(),
    };
    Some(Idle { reason, is_over: matches!(phase, Some("Succeeded" | "Failed")) })
}

/// The container that a hook is for: the one that it names, or the pod's first.
///
/// An init container that goes on beside the others (a sidecar) can be named, too.
pub fn container(pod: &Object, wanted: Option<&str>) -> Result<String, String> {
    let containers = || maps_at(pod, &["spec", "containers"]).filter_map(name);
    let sidecars = || {
        let all = maps_at(pod, &["spec", "initContainers"]);
        all.filter(|it| text_at(it, &["restartPolicy"]) == Some("Always")).filter_map(name)
    };
    let found = match wanted {
        None => containers().next(),
        Some(wanted) => containers().chain(sidecars()).find(|name| *name == wanted),
    };
    found.map(str::to_owned).ok_or_else(|| {
        let wanted = wanted.unwrap_or_default();
        let known = containers().chain(sidecars()).collect::<Vec<_>>().join(", ");
        format!("the pod has no container \"{wanted}\" (it has: {known})")
    })
}

fn name(container: &Object) -> Option<&str> {
    text_at(container, &["name"])
}

/// Whether a container of a pod runs.
pub fn is_running(pod: &Object, container: &str) -> bool {
    status(pod, container)
        .is_some_and(|it| it.get("state").is_some_and(|it| it.get("running").is_some()))
}

/// Whether a container of a pod is ready.
pub fn is_ready(pod: &Object, container: &str) -> bool {
    status(pod, container).is_some_and(|it| it.get("ready") == Some(&Value::Bool(true)))
}

fn status<'a>(pod: &'a Object, container: &str) -> Option<&'a Object> {
    let all = |key: &'static str| maps_at(pod, &["status", key]);
    all("containerStatuses")
        .chain(all("initContainerStatuses"))
        .find(|it| name(it) == Some(container))
}

/// Whether a pod that is restored itself is taken by its controller for one of its own.
///
/// A `StatefulSet` knows its pods by name, a `ReplicaSet` by their labels. The pod of a `DaemonSet`
/// is bound to a node of the old cluster, and a Job knows its pods by its own identity.
pub fn restores_itself(pod: &Meta) -> Result<(), String> {
    let Some(owner) = pod.controller() else { return Ok(()) };
    match owner.kind.as_str() {
        "ReplicaSet" | "StatefulSet" | "ReplicationController" => Ok(()),
        kind => Err(format!("a pod of {kind} {} cannot come back by itself", owner.name)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod() -> Object {
        json!({"spec": {"containers": [{"name": "db"}, {"name": "log"}],
                "initContainers": [{"name": "mesh", "restartPolicy": "Always"}, {"name": "init"}]},
            "status": {"phase": "Running", "containerStatuses": [
                {"name": "db", "ready": true, "state": {"running": {}}},
                {"name": "log", "ready": false, "state": {"waiting": {}}}]}})
        .as_object()
        .cloned()
        .unwrap()
    }

    #[test]
    fn a_hook_is_for_the_first_container_unless_it_names_one() {
        assert_eq!(container(&pod(), None).unwrap(), "db");
        assert_eq!(container(&pod(), Some("log")).unwrap(), "log");
        assert_eq!(container(&pod(), Some("mesh")).unwrap(), "mesh");
        let message = container(&pod(), Some("init")).unwrap_err();
        assert_eq!(message, "the pod has no container \"init\" (it has: db, log, mesh)");
    }

    #[test]
    fn a_container_runs_and_is_ready_by_its_own_status() {
        assert!(is_running(&pod(), "db") && is_ready(&pod(), "db"));
        assert!(!is_running(&pod(), "log") && !is_ready(&pod(), "log"));
        assert!(!is_running(&pod(), "other"));
    }

    #[test]
    fn only_in_a_pod_that_runs_and_stays_can_a_command_run() {
        assert_eq!(idle(&pod()), None);
        let mut finished = pod();
        finished.insert("status".to_owned(), json!({"phase": "Succeeded"}));
        let over = Idle { reason: "the pod is Succeeded".to_owned(), is_over: true };
        assert_eq!(idle(&finished), Some(over));
        let mut deleted = pod();
        deleted.insert("metadata".to_owned(), json!({"deletionTimestamp": "2026-03-01T02:00:00Z"}));
        assert_eq!(idle(&deleted), Some(Idle::because("the pod is being deleted")));
        assert!(idle(&Object::new()).is_some());
    }

    #[test]
    fn a_pod_comes_back_by_itself_if_its_controller_knows_it_by_name_or_labels() {
        let of = |kind: &str| -> Meta {
            let owner = json!({"kind": kind, "name": "x", "controller": true});
            serde_json::from_value(json!({"ownerReferences": [owner]})).unwrap()
        };
        assert!(restores_itself(&Meta::default()).is_ok());
        assert!(restores_itself(&of("StatefulSet")).is_ok());
        assert!(restores_itself(&of("ReplicaSet")).is_ok());
        assert!(restores_itself(&of("DaemonSet")).is_err());
        assert!(restores_itself(&of("Job")).is_err());
    }
}
