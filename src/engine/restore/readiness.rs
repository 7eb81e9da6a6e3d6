//! Waits until what was made is ready, and tells what is not.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use bowline_api::{GroupResource, ItemId};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::error::Cause;
use super::execute::{Execution, Outcome};
use super::plan::kind_of;
use super::pods;
use super::select;
use crate::engine::clock::pause;
use crate::engine::cluster::{ListScope, Object};
use crate::engine::model::fields::{at, maps_at, text_at};
use crate::engine::model::kinds;
use crate::engine::report::{Problem, VolumeReport, chain};

/// How often what is not ready is looked at.
const INTERVAL: Duration = Duration::from_millis(500);

/// Of how many workloads that are not ready the pods are looked at.
const EXPLAINED: usize = 50;

/// The conditions by which controllers tell that they cannot make pods, or gave up.
const FAILURES: [&str; 2] = ["ReplicaFailure", "Failed"];

/// A workload that is awaited.
struct Awaited {
    row: usize,
    /// Pods of it that can't come up, because their claim has no volume.
    lost: u64,
    /// What is missing; none once it is ready.
    missing: Option<String>,
    /// Why it gets no pods, in its controller's words.
    failures: Vec<String>,
}

/// Waits for every workload that this restore made; those not ready in time are errors.
pub(super) async fn await_workloads(
    execution: &Execution<'_>,
    volumes: &[VolumeReport],
) -> Result<(), Cause> {
    let mut awaited = awaited(execution, volumes)?;
    let timeout = execution.request.ready_timeout;
    if timeout.is_zero() {
        report_unawaited(execution, awaited.len());
        return Ok(());
    }
    execution.journal.expect(awaited.len() as u64);
    let started = Instant::now();
    loop {
        look(execution, &mut awaited).await?;
        let ready = awaited.extract_if(.., |workload| workload.missing.is_none());
        ready.for_each(|workload| execution.journal.item(&id(execution, &workload)));
        execution.journal.awaiting(&names(execution, &awaited));
        if awaited.is_empty() || started.elapsed() >= timeout {
            break;
        }
        pause(INTERVAL).await;
    }
    report_unready(execution, &awaited, timeout).await
}

/// What a workload is called in the target.
fn id(execution: &Execution<'_>, workload: &Awaited) -> ItemId {
    execution.target(&execution.plan.rows[workload.row])
}

/// The first of what is awaited by its name, and how many more there are.
fn names(execution: &Execution<'_>, awaited: &[Awaited]) -> String {
    match awaited {
        [] => String::new(),
        [one] => format!("waiting for {}", id(execution, one)),
        [first, rest @ ..] => {
            format!("waiting for {} and {} more", id(execution, first), rest.len())
        }
    }
}

/// Tells what was not ready in time, and why, as far as that can be found out.
async fn report_unready(
    execution: &Execution<'_>,
    unready: &[Awaited],
    timeout: Duration,
) -> Result<(), Cause> {
    let mut explained = EXPLAINED;
    for workload in unready {
        let id = &id(execution, workload);
        let (_, object) = select::read(execution.ready, execution.plan.rows[workload.row].entry)?;
        let selector = pods::selector(&object);
        let selector = selector.as_deref();
        let Awaited { missing, failures, .. } = workload;
        let missing = missing.as_deref().unwrap_or_default();
        let mut parts = vec![format!("not ready within {} s: {missing}", timeout.as_secs())];
        parts.extend(failures.iter().cloned());
        if explained > 0 {
            explained -= 1;
            match pods::reasons(execution, id, selector).await {
                Ok(reasons) => parts.extend(reasons),
                Err(error) => {
                    parts.push(format!("its pods cannot be looked at: {}", chain(&error)));
                    explained = 0;
                }
            }
        }
        let problem = Problem::of_item(id, "await", parts.join("; "));
        execution.journal.error(problem.with_hint(pods::hint(id, selector)));
    }
    Ok(())
}

fn report_unawaited(execution: &Execution<'_>, count: usize) {
    if count > 0 {
        let message = format!("readiness of {count} workloads was not awaited (--ready-timeout=0)");
        execution.journal.warn(Problem::of_run("await", message));
    }
}

fn awaited(execution: &Execution<'_>, volumes: &[VolumeReport]) -> Result<Vec<Awaited>, Cause> {
    let lost = lost_claims(execution, volumes);
    let mut awaited = Vec::new();
    for (index, row) in execution.plan.rows.iter().enumerate() {
        let made = execution.outcome(index).is_some_and(Outcome::is_changed) || row.ours;
        if !made || !kinds::awaits_readiness(row.entry.resource()) {
            continue;
        }
        if kind_of(&execution.ready.catalog, &row.entry).is_none() {
            continue;
        }
        let id = execution.plan.preparation.target(&row.entry.id());
        let (_, object) = select::read(execution.ready, row.entry)?;
        if let Some(missing) = missing(&object, 0) {
            let message = format!("was not ready when it was backed up ({missing}); not awaited");
            execution.journal.warn(Problem::of_item(&id, "await", message));
            continue;
        }
        let lost = pods_without_claim(&id, &object, &lost);
        if lost > 0 {
            let message = format!("{lost} of its pods wait for a claim that has no volume");
            execution.journal.error(Problem::of_item(&id, "await", message));
        }
        let missing = Some(String::new());
        awaited.push(Awaited { row: index, lost, missing, failures: Vec::new() });
    }
    Ok(awaited)
}

/// Claims, by namespace and name, that will have no volume.
fn lost_claims(execution: &Execution<'_>, volumes: &[VolumeReport]) -> BTreeSet<(String, String)> {
    let failed = volumes.iter().filter(|volume| volume.state == "failed");
    let failed = failed.map(|volume| (volume.namespace.clone(), volume.claim.clone()));
    let refused = execution.plan.rows.iter().filter(|row| {
        row.verdict == super::plan::Verdict::Refuse
            && *row.entry.resource() == super::claims::claims()
    });
    let refused = refused.map(|row| {
        let id = execution.target(row);
        (id.namespace.unwrap_or_default(), id.name)
    });
    let missing = execution.plan.missing.iter().filter(|it| execution.plan.lost.contains(&it.id));
    let missing = missing.map(|missing| {
        let id = execution.plan.preparation.target(&missing.id);
        (id.namespace.unwrap_or_default(), id.name)
    });
    failed.chain(refused).chain(missing).collect()
}

/// How many pods of a workload wait for a claim without a volume.
///
/// Those of a `StatefulSet` come up one after the other unless it says otherwise: behind the first
/// that cannot, none does.
fn pods_without_claim(
    id: &ItemId,
    workload: &Map<String, Value>,
    lost: &BTreeSet<(String, String)>,
) -> u64 {
    let namespace = id.namespace.clone().unwrap_or_default();
    let is_lost = |claim: String| lost.contains(&(namespace.clone(), claim));
    let spec = workload.get("spec").cloned().unwrap_or_default();
    let template = spec.get("template").and_then(|template| template.get("spec")).unwrap_or(&spec);
    let volumes = template.get("volumes").and_then(Value::as_array).into_iter().flatten();
    let claim = |volume: &Value| {
        Some(volume.get("persistentVolumeClaim")?.get("claimName")?.as_str()?.to_owned())
    };
    let replicas = spec.get("replicas").and_then(Value::as_u64).unwrap_or(1);
    if volumes.filter_map(claim).any(is_lost) {
        return replicas;
    }
    let first = spec.pointer("/ordinals/start").and_then(Value::as_u64).unwrap_or(0);
    let templates: Vec<&str> = spec
        .get("volumeClaimTemplates")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|template| template.pointer("/metadata/name")?.as_str())
        .collect();
    let cannot = |ordinal: &u64| {
        templates.iter().any(|template| is_lost(format!("{template}-{}-{ordinal}", id.name)))
    };
    let mut ordinals = first..first + replicas;
    if spec.get("podManagementPolicy") == Some(&Value::from("Parallel")) {
        ordinals.filter(cannot).count() as u64
    } else {
        ordinals.find(cannot).map_or(0, |ordinal| first + replicas - ordinal)
    }
}

/// Looks at all workloads, with one list for each kind and namespace.
async fn look(execution: &Execution<'_>, awaited: &mut [Awaited]) -> Result<(), Cause> {
    let mut groups: HashMap<(GroupResource, Option<String>), Vec<&mut Awaited>> = HashMap::new();
    for workload in awaited {
        let ItemId { resource, namespace, .. } = id(execution, workload);
        groups.entry((resource, namespace)).or_default().push(workload);
    }
    stream::iter(groups)
        .map(|((_, namespace), group)| look_at(execution, namespace, group))
        .buffer_unordered(execution.context.limits.lists)
        .try_collect()
        .await
}

/// Looks at the workloads of one kind and namespace.
async fn look_at(
    execution: &Execution<'_>,
    namespace: Option<String>,
    group: Vec<&mut Awaited>,
) -> Result<(), Cause> {
    let entry = &execution.plan.rows[group[0].row].entry;
    let Some(kind) = kind_of(&execution.ready.catalog, entry) else { return Ok(()) };
    let named = group.into_iter().map(|workload| (id(execution, workload).name, workload));
    let mut unseen: HashMap<String, &mut Awaited> = named.collect();
    let scope = ListScope { namespace, label_selector: None };
    let mut pages = execution.context.cluster.list(&kind, &scope);
    while let Some(page) = pages.try_next().await? {
        let seen = page.items.iter();
        let seen = seen.filter_map(|it| Some((unseen.remove(&it.meta.name)?, &it.json)));
        for (workload, json) in seen {
            let live: Object = serde_json::from_slice(json).unwrap_or_default();
            workload.missing = missing(&live, workload.lost);
            workload.failures = failures(&live);
        }
    }
    for workload in unseen.into_values() {
        workload.missing = Some("it is gone".to_owned());
        workload.failures.clear();
    }
    Ok(())
}

/// What a workload lacks to be ready, where `lost` of its pods cannot be.
fn missing(object: &Map<String, Value>, lost: u64) -> Option<String> {
    let number = |path: [&str; 2]| at(object, &path)?.as_u64();
    let kind = object.get("kind").and_then(Value::as_str).unwrap_or_default();
    if kind == "Pod" {
        return if lost > 0 { None } else { pod_missing(object) };
    }
    let observed = number(["status", "observedGeneration"]);
    if observed.is_some_and(|observed| Some(observed) < number(["metadata", "generation"])) {
        return Some("its controller has not looked at it yet".to_owned());
    }
    let (wanted, ready) = if kind == "DaemonSet" {
        (number(["status", "desiredNumberScheduled"]), number(["status", "numberReady"]))
    } else {
        (number(["spec", "replicas"]).or(Some(1)), number(["status", "readyReplicas"]))
    };
    if kind == "DaemonSet" && observed.is_none() {
        return Some("its controller has not looked at it yet".to_owned());
    }
    let wanted = wanted.unwrap_or(0).saturating_sub(lost);
    let ready = ready.unwrap_or(0);
    (ready < wanted).then(|| format!("{ready} of {wanted} pods are ready"))
}

/// Why a workload gets no pods: quotas, admission, a service account that is not there.
fn failures(workload: &Object) -> Vec<String> {
    let conditions = maps_at(workload, &["status", "conditions"]);
    let holds = conditions.filter(|it| {
        text_at(it, &["type"]).is_some_and(|kind| FAILURES.contains(&kind))
            && text_at(it, &["status"]) == Some("True")
    });
    holds.filter_map(|it| text_at(it, &["message"])).map(str::to_owned).collect()
}

fn pod_missing(pod: &Map<String, Value>) -> Option<String> {
    let status = pod.get("status")?;
    let phase = status.get("phase").and_then(Value::as_str).unwrap_or("Pending");
    let ready = status.get("conditions").and_then(Value::as_array).is_some_and(|conditions| {
        conditions.iter().any(|c| c["type"] == "Ready" && c["status"] == "True")
    });
    (!ready && phase != "Succeeded").then(|| format!("it is {phase}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: &Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    fn stateful_set(policy: &str) -> Map<String, Value> {
        object(
            &json!({"kind": "StatefulSet", "spec": {"replicas": 3, "podManagementPolicy": policy,
            "template": {"spec": {}},
            "volumeClaimTemplates": [{"metadata": {"name": "data"}}]}}),
        )
    }

    fn lost(claim: &str) -> BTreeSet<(String, String)> {
        BTreeSet::from([("shop".to_owned(), claim.to_owned())])
    }

    fn id(resource: &str, name: &str) -> ItemId {
        ItemId::namespaced(resource.parse().unwrap(), "shop", name)
    }

    #[test]
    fn behind_a_pod_without_its_claim_no_other_comes_up_unless_all_start_at_once() {
        let id = id("statefulsets.apps", "db");
        assert_eq!(pods_without_claim(&id, &stateful_set("OrderedReady"), &lost("data-db-1")), 2);
        assert_eq!(pods_without_claim(&id, &stateful_set("Parallel"), &lost("data-db-1")), 1);
        assert_eq!(pods_without_claim(&id, &stateful_set("Parallel"), &lost("data-other-1")), 0);
    }

    #[test]
    fn a_deployment_whose_claim_has_no_volume_has_no_pods() {
        let deployment = object(&json!({"kind": "Deployment", "spec": {"replicas": 2, "template":
            {"spec": {"volumes": [{"persistentVolumeClaim": {"claimName": "files"}}]}}}}));
        assert_eq!(
            pods_without_claim(&id("deployments.apps", "web"), &deployment, &lost("files")),
            2
        );
    }

    #[test]
    fn a_workload_is_ready_when_its_pods_are_and_its_controller_has_seen_it() {
        let set = |generation: u64, ready: u64| {
            object(&json!({"kind": "StatefulSet", "metadata": {"generation": generation},
                "spec": {"replicas": 3},
                "status": {"observedGeneration": 1, "readyReplicas": ready}}))
        };
        assert_eq!(missing(&set(1, 3), 0), None);
        assert!(missing(&set(2, 3), 0).is_some());
        assert!(missing(&set(1, 2), 0).is_some());
        assert_eq!(missing(&set(1, 2), 1), None);
    }

    #[test]
    fn a_pod_whose_claim_has_no_volume_is_not_awaited() {
        let pod = object(&json!({"kind": "Pod", "status": {"phase": "Pending"},
            "spec": {"volumes": [{"persistentVolumeClaim": {"claimName": "files"}}]}}));
        assert!(missing(&pod, 0).is_some());
        assert_eq!(missing(&pod, pods_without_claim(&id("pods", "p"), &pod, &lost("files"))), None);
    }

    #[test]
    fn a_workload_that_gets_no_pods_says_why() {
        let failure = |kind: &str, status: &str| {
            object(
                &json!({"status": {"conditions": [{"type": "Progressing", "status": "True", "message": "not this"},
                {"type": kind, "status": status, "reason": "FailedCreate", "message": "serviceaccount \"web\" not found"}]}}),
            )
        };
        let told = ["serviceaccount \"web\" not found"];
        assert_eq!(failures(&failure("ReplicaFailure", "True")), told);
        assert_eq!(failures(&failure("Failed", "True")), told);
        assert_eq!(failures(&failure("ReplicaFailure", "False")), [""; 0]);
    }

    #[test]
    fn a_daemon_set_that_nobody_looked_at_is_not_ready() {
        let fresh = object(&json!({"kind": "DaemonSet", "status": {"desiredNumberScheduled": 0}}));
        assert!(missing(&fresh, 0).is_some());
    }
}
