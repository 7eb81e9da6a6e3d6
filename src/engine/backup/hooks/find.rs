//! Which pods have hooks, found before anything is written.

use std::collections::BTreeSet;

use bowline_api::{GroupResource, ItemId};
use futures::TryStreamExt as _;

use super::super::collect::unlisted;
use super::super::error::Error;
use super::super::forecast::items;
use super::super::plan::Listing;
use super::super::preflight::Ready;
use crate::engine::cluster::{self, Listed};
use crate::engine::context::Context;
use crate::engine::model::hooks::{BackupHooks, ExecHook, Idle, Matched, container, idle};
use crate::engine::model::relations::{self, Relation};
use crate::engine::model::{Meta, Object};
use crate::engine::report::Problem;

/// A pod in which something is run before or after the snapshots of its volumes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine::backup) struct HookedPod {
    pub id: ItemId,
    /// Which pod of that name it is.
    pub uid: String,
    /// What is run before, in this order. Each names its container, or why it cannot be run.
    pub pre: Vec<ExecHook>,
    /// What is run after.
    pub post: Vec<ExecHook>,
    /// The claims that it uses, by namespace and name.
    pub claims: BTreeSet<(String, String)>,
    /// Why nothing can be run in it.
    pub idle: Option<Idle>,
}

/// What is known of the hooks of a backup.
#[derive(Debug, Default)]
pub(in crate::engine::backup) struct Found {
    pub pods: Vec<HookedPod>,
    /// Where pods may have hooks that nobody knows of.
    pub unknown: Vec<Problem>,
}

/// Finds the pods that the backup takes and that have hooks.
///
/// Fails if one of the hooks that were asked for is for none of them.
pub(in crate::engine::backup) async fn find(
    context: &Context,
    ready: &Ready,
) -> Result<Found, Error> {
    let hooks = BackupHooks::read(&ready.spec.hooks)?;
    let (mut found, mut matched) = (Found::default(), Matched::default());
    let mut seen = BTreeSet::new();
    for listing in ready.plan.listings.iter().filter(|it| is_of_pods(it)) {
        let mut pods = items(context, ready, listing);
        loop {
            match pods.try_next().await {
                Ok(Some(listed)) => {
                    let pod = hooked(&hooks, &listed, &mut matched);
                    // Each selector has a list of its own.
                    found.pods.extend(pod.filter(|pod| seen.insert(pod.id.clone())));
                }
                Err(error) if error.is_unreachable() => return Err(Error::Cluster(error)),
                Ok(None) => break,
                Err(error) => {
                    // One that is forbidden is so to the backup itself, too, which tells of it.
                    let passing = (error.status() != Some(403)).then(|| unknown(listing, &error));
                    found.unknown.extend(passing);
                    break;
                }
            }
        }
    }
    if found.unknown.is_empty() {
        hooks.check(&matched)?;
    }
    Ok(found)
}

/// Looks at a pod again, right before its hooks: it may have ended, or another have its name.
///
/// One that cannot be read is taken to be as it was found.
pub(super) async fn again(context: &Context, ready: &Ready, pod: &HookedPod) -> HookedPod {
    let Some(kind) = ready.catalog.get(&pod.id.resource) else { return pod.clone() };
    let (namespace, name) = (pod.id.namespace.as_deref(), &pod.id.name);
    match context.cluster.get_raw(kind, namespace, name).await {
        Ok(json) => match json.and_then(Listed::of_object) {
            Some(listed) => seen_again(ready, pod, &listed),
            None => HookedPod { idle: Some(Idle::because("the pod is gone")), ..pod.clone() },
        },
        Err(_) => pod.clone(),
    }
}

fn seen_again(ready: &Ready, pod: &HookedPod, listed: &Listed) -> HookedPod {
    if listed.meta.uid == pod.uid {
        let idle = serde_json::from_slice(&listed.json).map(|it| idle(&it));
        return HookedPod { idle: idle.unwrap_or_else(|_| pod.idle.clone()), ..pod.clone() };
    }
    let hooks = BackupHooks::read(&ready.spec.hooks).unwrap_or_default();
    let other = hooked(&hooks, listed, &mut Matched::default());
    let nothing = HookedPod { pre: Vec::new(), post: Vec::new(), idle: None, ..pod.clone() };
    other.unwrap_or(nothing)
}

fn unknown(listing: &Listing, error: &cluster::Error) -> Problem {
    let problem = unlisted(&listing.kind, listing.namespace.clone(), error);
    let place = listing.namespace.as_deref().unwrap_or("the cluster");
    let message = format!("hooks of pods in {place} are not known: {}", problem.message);
    let operation = Some("find hooks".to_owned());
    Problem { operation, message, ..problem }
        .with_hint("snapshots are taken without them; make the backup again")
}

fn is_of_pods(listing: &Listing) -> bool {
    listing.kind.resource == GroupResource::core("pods")
}

fn hooked(hooks: &BackupHooks, listed: &Listed, matched: &mut Matched) -> Option<HookedPod> {
    let meta = &listed.meta;
    let (pre, post) = hooks.of_pod(meta, matched);
    if pre.is_empty() && post.is_empty() {
        return None;
    }
    let pod: Object = serde_json::from_slice(&listed.json).ok()?;
    Some(read(meta, &pod, pre, post))
}

fn read(meta: &Meta, pod: &Object, pre: Vec<ExecHook>, post: Vec<ExecHook>) -> HookedPod {
    let namespace = meta.namespace.clone().unwrap_or_default();
    let id = ItemId::namespaced(GroupResource::core("pods"), namespace, meta.name.clone());
    let claims = relations::relations(&id, pod).into_iter().filter_map(|relation| match relation {
        Relation::Item(it) if it.resource == GroupResource::core("persistentvolumeclaims") => {
            Some((it.namespace.unwrap_or_default(), it.name))
        }
        _ => None,
    });
    let in_container =
        |hooks: Vec<ExecHook>| hooks.into_iter().map(|hook| named(pod, hook)).collect::<Vec<_>>();
    HookedPod {
        claims: claims.collect(),
        pre: in_container(pre),
        post: in_container(post),
        idle: idle(pod),
        uid: meta.uid.clone(),
        id,
    }
}

/// The hook with the name of its container.
fn named(pod: &Object, mut hook: ExecHook) -> ExecHook {
    match container(pod, hook.container.as_deref()) {
        Ok(name) => hook.container = Some(name),
        Err(reason) => drop(hook.fault.get_or_insert(reason)),
    }
    hook
}
