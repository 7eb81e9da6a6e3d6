//! Why the pods of a workload are not ready, in the words of those who were to run them.

use std::collections::BTreeMap;

use bowline_api::{GroupResource, ItemId};
use futures::TryStreamExt as _;
use serde_json::{Map, Value};

use super::execute::Execution;
use crate::engine::cluster::{self, ListScope};
use crate::engine::model::selector::Selector;

/// How many different reasons are told of one workload.
const REASONS: usize = 3;
/// How long a reason may be, in characters; the rest is cut off.
const LONGEST: usize = 300;
/// What a container waits for that merely takes its time.
const PATIENT: [&str; 2] = ["ContainerCreating", "PodInitializing"];

/// Which pods are those of a workload, as `kubectl` takes it; none where it does not say.
pub(super) fn selector(workload: &Map<String, Value>) -> Option<String> {
    let selector = workload.get("spec")?.get("selector")?.clone();
    let selector: Selector = serde_json::from_value(selector).ok()?;
    Some(selector.to_string()).filter(|text| !text.is_empty())
}

/// What would tell more.
pub(super) fn hint(id: &ItemId, selector: Option<&str>) -> String {
    let namespace = id.namespace.as_deref().unwrap_or_default();
    let kind = &id.resource.resource;
    let what = match selector {
        Some(selector) if kind != "pods" => format!("pods --selector='{selector}'"),
        _ => format!("{kind} {}", id.name),
    };
    format!("kubectl --namespace={namespace} describe {what} tells more")
}

/// Why pods of a workload are not ready, each reason once, with the first pod that it holds for.
///
/// Looks at the first page of them alone: what is wrong with so many is mostly the same.
pub(super) async fn reasons(
    execution: &Execution<'_>,
    id: &ItemId,
    selector: Option<&str>,
) -> Result<Vec<String>, cluster::Error> {
    Ok(distinct(&pods(execution, id, selector).await?))
}

async fn pods(
    execution: &Execution<'_>,
    id: &ItemId,
    selector: Option<&str>,
) -> Result<Vec<Value>, cluster::Error> {
    let resource = GroupResource::core("pods");
    let Some(kind) = execution.ready.catalog.get(&resource) else { return Ok(Vec::new()) };
    let cluster = &execution.context.cluster;
    if id.resource == resource {
        let pod = cluster.get(kind, id.namespace.as_deref(), &id.name).await?;
        return Ok(pod.into_iter().map(Value::Object).collect());
    }
    let Some(selector) = selector else { return Ok(Vec::new()) };
    let label_selector = Some(selector.to_owned());
    let scope = ListScope { namespace: id.namespace.clone(), label_selector };
    let page = cluster.list(kind, &scope).try_next().await?;
    let items = page.iter().flat_map(|page| &page.items);
    Ok(items.filter_map(|listed| serde_json::from_slice(&listed.json).ok()).collect())
}

fn distinct(pods: &[Value]) -> Vec<String> {
    let mut first: BTreeMap<String, &str> = BTreeMap::new();
    for pod in pods {
        let name = pod["metadata"]["name"].as_str().unwrap_or_default();
        for reason in of_pod(pod) {
            first.entry(reason).or_insert(name);
        }
    }
    let told = first.iter().take(REASONS).map(|(reason, name)| format!("{name}: {reason}"));
    let more = first.len().saturating_sub(REASONS);
    let more = (more > 0).then(|| format!("and {more} more reasons"));
    told.chain(more).collect()
}

/// What keeps one pod from being ready.
fn of_pod(pod: &Value) -> Vec<String> {
    let status = &pod["status"];
    let unscheduled = list(&status["conditions"])
        .filter(|it| it["type"] == "PodScheduled" && it["status"] == "False")
        .map(|it| text(&it["message"], text(&it["reason"], "it is not scheduled")).to_owned());
    let containers = ["initContainerStatuses", "containerStatuses"];
    let containers = containers.into_iter().flat_map(|part| list(&status[part]));
    let reasons = unscheduled.chain(containers.filter_map(of_container));
    reasons.map(|reason| shortened(&reason)).collect()
}

/// What keeps a container from running: what it waits for, or how it ended.
fn of_container(container: &Value) -> Option<String> {
    let name = text(&container["name"], "?");
    let (state, last) = (&container["state"], &container["lastState"]["terminated"]);
    let waiting = &state["waiting"];
    let ended = if state["terminated"].is_object() { &state["terminated"] } else { last };
    let code = ended["exitCode"].as_i64().filter(|code| *code != 0);
    let code = code.map(|code| format!("it ended with exit code {code}"));
    let said = match waiting["reason"].as_str().filter(|reason| !PATIENT.contains(reason)) {
        Some(reason) => {
            let message = Some(text(&waiting["message"], "")).filter(|it| !it.is_empty());
            let parts = [Some(reason), message, code.as_deref()];
            parts.into_iter().flatten().collect::<Vec<_>>().join(": ")
        }
        None if container["ready"] == true => return None,
        None => code?,
    };
    Some(format!("container {name}: {said}"))
}

fn shortened(reason: &str) -> String {
    let words = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &words[..end]),
        None => words,
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text<'a>(value: &'a Value, otherwise: &'a str) -> &'a str {
    value.as_str().filter(|text| !text.is_empty()).unwrap_or(otherwise)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(name: &str, status: &Value) -> Value {
        json!({"metadata": {"name": name}, "status": status})
    }

    fn unscheduled(message: &str) -> Value {
        json!({"conditions": [
            {"type": "Ready", "status": "False", "message": "not this"},
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message},
        ]})
    }

    #[test]
    fn a_pod_that_is_not_ready_says_what_its_scheduler_or_its_containers_say() {
        let waiting = |reason: &str, message: &str| json!({"waiting": {"reason": reason, "message": message}});
        let container =
            |state: &Value| json!({"containerStatuses": [{"name": "app", "state": state}]});
        let crashed = json!({"containerStatuses": [{"name": "app",
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 3}}}]});
        let migrating = json!({"initContainerStatuses": [{"name": "migrate",
            "state": {"terminated": {"exitCode": 1}}}]});
        for (status, expected) in [
            (unscheduled("0/1 nodes are available"), &["0/1 nodes are available"][..]),
            (unscheduled(""), &["Unschedulable"]),
            (
                container(&waiting("ImagePullBackOff", "Back-off pulling image \"x\"")),
                &["container app: ImagePullBackOff: Back-off pulling image \"x\""],
            ),
            (crashed, &["container app: CrashLoopBackOff: it ended with exit code 3"]),
            (migrating, &["container migrate: it ended with exit code 1"]),
            (container(&waiting("ContainerCreating", "")), &[]),
            (container(&json!({"running": {}})), &[]),
            (json!({}), &[]),
        ] {
            assert_eq!(of_pod(&pod("p", &status)), expected, "{status}");
        }
    }

    #[test]
    fn each_reason_is_told_once_and_no_more_than_can_be_read() {
        let same = unscheduled("no node");
        assert_eq!(distinct(&[pod("a", &same), pod("b", &same)]), ["a: no node"]);
        let many: Vec<_> = (0..5).map(|n| pod("p", &unscheduled(&format!("reason {n}")))).collect();
        let told = distinct(&many);
        assert_eq!(told[3..], ["and 2 more reasons"]);
        assert_eq!(told[..2], ["p: reason 0", "p: reason 1"]);
        let long = distinct(&[pod("p", &unscheduled(&"ß\n".repeat(9999)))]);
        assert_eq!(long[0].chars().count(), "p: ".len() + LONGEST + 3);
    }

    #[test]
    fn the_pods_of_a_workload_are_those_that_its_selector_names() {
        let set = json!({"spec": {"selector": {"matchLabels": {"app": "db"}}}});
        let found = selector(set.as_object().unwrap());
        assert_eq!(found.as_deref(), Some("app=db"));
        let id: ItemId = "statefulsets.apps/shop/db".parse().unwrap();
        assert_eq!(
            hint(&id, found.as_deref()),
            "kubectl --namespace=shop describe pods --selector='app=db' tells more"
        );
        for odd in [json!({}), json!({"spec": {"selector": {}}}), json!({"spec": {"selector": 1}})]
        {
            assert_eq!(selector(odd.as_object().unwrap()), None, "{odd}");
        }
        assert_eq!(
            hint(&"pods/shop/db-0".parse().unwrap(), None),
            "kubectl --namespace=shop describe pods db-0 tells more"
        );
    }
}
