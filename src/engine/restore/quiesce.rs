//! Workloads of the target that are scaled down while the restore works, and up again.
//!
//! What they had is noted in an annotation by the very patch that scales them down: whoever comes
//! after a crash finds it there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use bowline_api::{GroupResource, ItemId};
use futures::TryStreamExt as _;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::error::{Cause, Error};
use super::execute::Execution;
use super::plan::{Plan, Verdict};
use super::pods;
use super::preflight::{Ready, Request};
use super::staging::PodTemplate;
use crate::engine::clock::pause;
use crate::engine::cluster::{ListScope, Object};
use crate::engine::context::Context;
use crate::engine::model::Kind;
use crate::engine::model::fields::{at, text_at};
use crate::engine::model::filter::closest;
use crate::engine::report::{Problem, chain};

/// The annotation that keeps how many pods a workload had: `{"replicas":2,"restore":"UID"}`.
pub(super) const ANNOTATION: &str = "bowline.io/quiesced";
/// The kinds that can be scaled down.
const KINDS: [&str; 2] = ["deployments", "statefulsets"];
/// How long the pods of a workload may take to be gone.
const GONE_WITHIN: Duration = Duration::from_mins(5);
/// How often they are looked for.
const INTERVAL: Duration = Duration::from_millis(500);
/// How often a workload that somebody else changes at the same moment is tried again.
const ATTEMPTS: u32 = 5;

/// What tells that something sets a workload to what is written elsewhere.
const OVERSEERS: [(&[&str], &str); 4] = [
    (&["metadata", "labels", "argocd.argoproj.io/instance"], "Argo CD"),
    (&["metadata", "annotations", "argocd.argoproj.io/tracking-id"], "Argo CD"),
    (&["metadata", "labels", "kustomize.toolkit.fluxcd.io/name"], "Flux"),
    (&["metadata", "labels", "helm.toolkit.fluxcd.io/name"], "Flux"),
];

/// A workload that is to be quiet.
#[derive(Debug)]
pub(super) struct Quiesced {
    pub kind: Kind,
    pub id: ItemId,
    /// How many pods it is to have afterwards.
    pub replicas: i64,
    /// Which pods are its own.
    pub selector: Option<String>,
    /// The labels of its pods.
    pub labels: BTreeMap<String, String>,
    /// The kind of those that may scale it up, where it was looked for them.
    pub scalers: Option<GroupResource>,
    /// Who may scale it up meanwhile.
    overseer: Option<String>,
}

/// Finds the workloads that are to be quiet; an unknown one is an error.
///
/// Where a restore is resumed, one that is gone was deleted since, and is a warning.
pub(super) async fn plan(
    context: &Context,
    ready: &Ready,
    request: &Request,
    is_resumed: bool,
) -> Result<(Vec<Quiesced>, Vec<Problem>), Error> {
    let (mut found, mut gone) = (Vec::new(), Vec::new());
    for word in &request.spec.quiesce {
        let (namespace, name) = word.split_once('/').unwrap_or(("default", word));
        let before = found.len();
        for kind in kinds(ready) {
            let live = context.cluster.get(kind, Some(namespace), name).await;
            let Some(live) = live.map_err(Error::Cluster)? else { continue };
            let id = ItemId::namespaced(kind.resource.clone(), namespace, name);
            let scalers = scalers(ready).filter(|_| syncer(&live).is_none());
            let overseer = match scalers {
                Some(scalers) => scaler(context, scalers, kind, namespace, &live).await?,
                None => syncer(&live).map(str::to_owned),
            };
            found.push(Quiesced {
                kind: kind.clone(),
                labels: PodTemplate::of(&id, &live).unwrap_or_default().labels,
                scalers: scalers.map(|it| it.resource.clone()),
                id,
                replicas: noted(&live).unwrap_or_else(|| replicas(&live)),
                selector: pods::selector(&live),
                overseer,
            });
        }
        if found.len() == before && is_resumed {
            let message = format!("{namespace}/{name} was deleted since an earlier run");
            gone.push(Problem::of_run("quiesce", message));
        } else if found.len() == before {
            let names = names(context, ready, namespace).await?;
            let similar = closest(name, &names).map(|name| format!("{namespace}/{name}"));
            return Err(Error::UnknownWorkload { name: word.clone(), similar });
        }
    }
    Ok((found, gone))
}

/// Refuses to make anew what is scaled down; gives back the rows.
pub(super) fn spare(plan: &mut Plan<'_>) -> BTreeSet<usize> {
    let Plan { rows, quiesced, preparation, .. } = plan;
    let mut spared = BTreeSet::new();
    for (index, row) in rows.iter_mut().enumerate() {
        let id = preparation.target(&row.entry.id());
        if row.verdict == Verdict::Recreate && quiesced.iter().any(|it| it.id == id) {
            row.decide(Verdict::Refuse, "it differs, and is not made anew while it is scaled down");
            row.more_mut().hint = Some("restore it again without --quiesce");
            spared.insert(index);
        }
    }
    spared
}

/// Gives a workload that is scaled down the pods that it had, for as long as it is compared.
pub(super) fn as_noted(live: &mut Object) {
    let Some(replicas) = noted(live).filter(|_| replicas(live) == 0) else { return };
    if let Some(spec) = live.get_mut("spec").and_then(Value::as_object_mut) {
        spec.insert("replicas".to_owned(), json!(replicas));
    }
}

/// Lets a patch leave a workload scaled down: what it would scale it to is noted instead.
pub(super) fn keep_down(live: &Object, patch: &mut Value) {
    if noted(live).is_none() || replicas(live) != 0 {
        return;
    }
    let Some(spec) = patch.get_mut("spec").and_then(Value::as_object_mut) else { return };
    let Some(replicas) = spec.remove("replicas") else { return };
    let note = text_at(live, &["metadata", "annotations", ANNOTATION]).unwrap_or_default();
    let mut note: Value = serde_json::from_str(note).unwrap_or_default();
    note["replicas"] = json!(replicas.as_i64().unwrap_or(1));
    patch["metadata"]["annotations"][ANNOTATION] = json!(note.to_string());
}

fn kinds(ready: &Ready) -> impl Iterator<Item = &Kind> {
    KINDS.iter().filter_map(|kind| ready.catalog.get(&GroupResource::new("apps", *kind)))
}

async fn names(context: &Context, ready: &Ready, namespace: &str) -> Result<Vec<String>, Error> {
    let mut names = Vec::new();
    for kind in kinds(ready) {
        let scope = ListScope { namespace: Some(namespace.to_owned()), label_selector: None };
        let mut pages = context.cluster.list(kind, &scope);
        while let Some(page) = pages.try_next().await.map_err(Error::Cluster)? {
            names.extend(page.items.into_iter().map(|listed| listed.meta.name));
        }
    }
    Ok(names)
}

/// What sets a workload to what is written elsewhere, as far as that shows.
fn syncer(live: &Object) -> Option<&'static str> {
    OVERSEERS.iter().find(|(path, _)| text_at(live, path).is_some()).map(|(_, who)| *who)
}

fn scalers(ready: &Ready) -> Option<&Kind> {
    ready.catalog.get(&GroupResource::new("autoscaling", "horizontalpodautoscalers"))
}

/// The autoscaler of a workload.
///
/// That it may not be looked for is told with the rights that the plan needs.
async fn scaler(
    context: &Context,
    scalers: &Kind,
    kind: &Kind,
    namespace: &str,
    live: &Object,
) -> Result<Option<String>, Error> {
    let scope = ListScope { namespace: Some(namespace.to_owned()), label_selector: None };
    let mut pages = context.cluster.list(scalers, &scope);
    loop {
        let page = match pages.try_next().await {
            Ok(Some(page)) => page,
            Ok(None) => return Ok(None),
            Err(error) if error.status() == Some(403) => return Ok(None),
            Err(error) => return Err(Error::Cluster(error)),
        };
        for listed in &page.items {
            let scaler: Object = serde_json::from_slice(&listed.json).unwrap_or_default();
            let of = |key| text_at(&scaler, &["spec", "scaleTargetRef", key]);
            if of("kind") == Some(&kind.kind) && of("name") == text_at(live, &["metadata", "name"])
            {
                return Ok(Some(format!("HorizontalPodAutoscaler {}", listed.meta.name)));
            }
        }
    }
}

/// What the plan says of the workloads that are to be quiet.
pub(super) fn notes<'a>(plan: &'a Plan<'_>) -> impl Iterator<Item = Problem> + use<'a> {
    plan.quiesced.iter().map(|it| {
        let mut message = format!(
            "is scaled down from {} pods while the restore works, and up again",
            it.replicas
        );
        if let Some(overseer) = &it.overseer {
            message = format!("{message}; {overseer} may scale it up meanwhile");
        }
        Problem::of_item(&it.id, "quiesce", message)
    })
}

/// Scales down what is to be quiet and waits until its pods are gone; if that fails, all is undone.
pub(super) async fn down(execution: &Execution<'_>) -> Result<(), Cause> {
    execution.is_quiet.store(true, Ordering::Relaxed);
    let quieted = quiet(execution).await;
    if let Err(Cause::NotQuiet { .. }) = &quieted {
        up(execution).await?;
    }
    quieted
}

async fn quiet(execution: &Execution<'_>) -> Result<(), Cause> {
    for it in &execution.plan.quiesced {
        if let Some(overseer) = &it.overseer {
            let message = format!("{overseer} may scale it up while the restore works");
            execution.journal.warn(Problem::of_item(&it.id, "quiesce", message));
        }
        scale(execution, it, true).await?;
    }
    let started = Instant::now();
    for it in &execution.plan.quiesced {
        while has_pods(execution, it).await? {
            if started.elapsed() >= GONE_WITHIN {
                let minutes = GONE_WITHIN.as_secs() / 60;
                let reason = format!("it still has pods {minutes} min after it was scaled down");
                return Err(Cause::NotQuiet { workload: it.id.to_string(), reason });
            }
            pause(INTERVAL).await;
        }
    }
    Ok(())
}

/// Gives what was scaled down its pods back.
pub(super) async fn up(execution: &Execution<'_>) -> Result<(), Cause> {
    for it in &execution.plan.quiesced {
        match scale(execution, it, false).await {
            Err(Cause::NotQuiet { reason, .. }) => {
                let message = format!("not scaled up to {} pods: {reason}", it.replicas);
                let problem = Problem::of_item(&it.id, "quiesce", message);
                execution.journal.error(problem.with_hint(by_hand(it)));
            }
            other => other?,
        }
    }
    execution.is_quiet.store(false, Ordering::Relaxed);
    Ok(())
}

/// Tells what stays scaled down as the restore broke off, or was interrupted.
pub(super) fn tell(execution: &Execution<'_>) {
    if !execution.is_quiet.load(Ordering::Relaxed) {
        return;
    }
    for it in &execution.plan.quiesced {
        let message =
            format!("stays scaled down until the restore goes on; it had {}", it.replicas);
        execution.journal.warn(Problem::of_item(&it.id, "quiesce", message).with_hint(by_hand(it)));
    }
}

fn by_hand(it: &Quiesced) -> String {
    let ItemId { resource, namespace, name } = &it.id;
    let namespace = namespace.as_deref().unwrap_or_default();
    let replicas = it.replicas;
    format!("kubectl --namespace={namespace} scale {resource} {name} --replicas={replicas}")
}

async fn scale(execution: &Execution<'_>, it: &Quiesced, quiet: bool) -> Result<(), Cause> {
    let cluster = &execution.context.cluster;
    let namespace = it.id.namespace.as_deref();
    let mut attempt = 1;
    loop {
        let Some(live) = cluster.get(&it.kind, namespace, &it.id.name).await? else {
            return Ok(());
        };
        let uid = &execution.plan.preparation.restore_uid;
        let patch = if quiet { quieting(&live, uid) } else { waking(&live) };
        let Some(patch) = patch else { return Ok(()) };
        match cluster.merge_patch(&it.kind, namespace, &it.id.name, &patch).await {
            Ok(_) => return Ok(()),
            Err(error) if error.is_conflict() && attempt < ATTEMPTS => attempt += 1,
            Err(error) if error.is_unreachable() => return Err(error.into()),
            Err(error) => {
                let workload = it.id.to_string();
                return Err(Cause::NotQuiet { workload, reason: chain(&error) });
            }
        }
    }
}

/// The patch that scales a workload down and notes what it had; none where that is done.
///
/// What an earlier restore noted, which nobody has undone, is what the workload is to have.
fn quieting(live: &Object, restore: &str) -> Option<Value> {
    let (noted, replicas) = (noted(live), replicas(live));
    if noted.is_some() && replicas == 0 {
        return None;
    }
    let note = json!({"replicas": noted.unwrap_or(replicas), "restore": restore}).to_string();
    Some(json!({"metadata": {"annotations": {ANNOTATION: note}, "resourceVersion": version(live)},
        "spec": {"replicas": 0}}))
}

/// The patch that gives a workload back what was noted; none where nothing is noted.
///
/// Whoever scaled it meanwhile knows better.
fn waking(live: &Object) -> Option<Value> {
    let noted = noted(live)?;
    let replicas = if replicas(live) == 0 { noted } else { replicas(live) };
    let metadata = json!({"annotations": {ANNOTATION: null}, "resourceVersion": version(live)});
    Some(json!({"metadata": metadata, "spec": {"replicas": replicas}}))
}

fn version(live: &Object) -> Option<&Value> {
    at(live, &["metadata", "resourceVersion"])
}

fn noted(live: &Object) -> Option<i64> {
    let note = text_at(live, &["metadata", "annotations", ANNOTATION])?;
    serde_json::from_str::<Value>(note).ok()?.get("replicas")?.as_i64()
}

fn replicas(live: &Object) -> i64 {
    at(live, &["spec", "replicas"]).and_then(Value::as_i64).unwrap_or(1)
}

async fn has_pods(execution: &Execution<'_>, it: &Quiesced) -> Result<bool, Cause> {
    let resource = GroupResource::core("pods");
    let (Some(kind), Some(selector)) = (execution.ready.catalog.get(&resource), &it.selector)
    else {
        return Ok(false);
    };
    let scope =
        ListScope { namespace: it.id.namespace.clone(), label_selector: Some(selector.clone()) };
    let mut pages = execution.context.cluster.list(kind, &scope);
    while let Some(page) = pages.try_next().await? {
        if !page.items.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::super::samples::object;
    use super::*;

    fn live(replicas: i64, note: Option<&str>) -> Object {
        let annotations = note.map(|note| json!({ANNOTATION: note}));
        object(json!({"metadata": {"annotations": annotations, "resourceVersion": "7"},
            "spec": {"replicas": replicas}}))
    }

    fn note(patch: &Value) -> Value {
        let text = patch["metadata"]["annotations"][ANNOTATION].as_str().unwrap();
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn what_a_workload_had_is_noted_by_the_patch_that_scales_it_down() {
        let patch = quieting(&live(3, None), "uid-1").unwrap();
        assert_eq!(patch["spec"]["replicas"], 0);
        assert_eq!(patch["metadata"]["resourceVersion"], "7");
        assert_eq!(note(&patch), json!({"replicas": 3, "restore": "uid-1"}));
        assert_eq!(quieting(&live(0, Some(r#"{"replicas":3}"#)), "uid-1"), None);
    }

    #[test]
    fn what_a_restore_that_was_killed_has_noted_is_not_forgotten() {
        let patch = quieting(&live(1, Some(r#"{"replicas":3}"#)), "uid-2").unwrap();
        assert_eq!(note(&patch), json!({"replicas": 3, "restore": "uid-2"}));
    }

    #[test]
    fn a_workload_gets_back_what_was_noted_unless_somebody_scaled_it_meanwhile() {
        let patch = waking(&live(0, Some(r#"{"replicas":3}"#))).unwrap();
        assert_eq!(
            (&patch["spec"]["replicas"], &patch["metadata"]["annotations"][ANNOTATION]),
            (&json!(3), &Value::Null)
        );
        let patch = waking(&live(5, Some(r#"{"replicas":3}"#))).unwrap();
        assert_eq!(patch["spec"]["replicas"], 5);
        assert_eq!(waking(&live(0, None)), None, "it was so before");
    }

    #[test]
    fn what_is_scaled_down_is_compared_with_what_it_had_and_changed_without_scaling_it_up() {
        let down = live(0, Some(r#"{"replicas":3,"restore":"u"}"#));
        let mut compared = down.clone();
        as_noted(&mut compared);
        assert_eq!(replicas(&compared), 3);
        let mut patch = json!({"spec": {"replicas": 5, "paused": true}});
        keep_down(&down, &mut patch);
        assert_eq!(patch["spec"], json!({"paused": true}));
        assert_eq!(note(&patch), json!({"replicas": 5, "restore": "u"}));
        let mut patch = json!({"spec": {"replicas": 5}});
        keep_down(&live(3, None), &mut patch);
        assert_eq!(patch, json!({"spec": {"replicas": 5}}));
    }
}
