//! What a backup needs to be allowed.
//!
//! A list that is refused is an error of that kind alone: most of a nightly backup is better than
//! none. Without the right to take snapshots there is no data at all, so that is an error at once.

use std::collections::{BTreeMap, BTreeSet};

use bowline_api::{GroupResource, Operation};

use super::error::Error;
use super::hooks::HookedPod;
use super::plan::Plan;
use super::preflight::Ready;
use super::reach;
use crate::engine::context::{Access, Context, Right, rights};

/// Asks for all rights that a plan needs whose volumes are known.
pub(super) async fn ask(context: &Context, plan: &Plan) -> Vec<Right> {
    let mut found = rights::of_cluster(context, needed(plan)).await;
    let located =
        |volume: &super::PlannedVolume| Some((volume.provider.clone()?, volume.volume_id.clone()?));
    let first: BTreeMap<_, _> = plan.volumes.iter().rev().filter_map(located).collect();
    for (provider, volume_id) in first {
        found.extend(of_provider(context, &provider, &volume_id).await);
    }
    found
}

/// Refuses a backup whose volumes nobody lets us snapshot, before anything is written.
pub(super) async fn require(context: &Context, ready: &Ready) -> Result<(), Error> {
    let mut missing = Vec::new();
    for (provider, volume_id) in reach::check(context, ready).await? {
        missing.extend(Right::missing(&of_provider(context, provider, &volume_id).await));
    }
    let asked_for = ready.hooks.iter().filter(|pod| pod.idle.is_none());
    let hooks = rights::of_cluster(context, to_exec(asked_for, false)).await;
    missing.extend(Right::missing(&hooks));
    if missing.is_empty() { Ok(()) } else { Err(Error::NotAllowed { missing }) }
}

/// Notes of the hooks that pods ask for themselves which cannot be run for want of a right: whoever
/// may annotate a pod stops no backup.
pub(super) async fn forbid_own(context: &Context, pods: &mut [HookedPod]) {
    let rights = rights::of_cluster(context, to_exec(pods.iter(), true)).await;
    let missing = Right::missing(&rights);
    for pod in pods {
        let needed = Access::to_exec(namespace(pod)).map(|it| it.to_string());
        let missing = missing.iter().filter(|it| needed.contains(&it.action)).cloned();
        let missing: Vec<Right> = missing.collect();
        let own = pod.pre.iter_mut().chain(&mut pod.post).filter(|hook| hook.is_own);
        for hook in own.filter(|hook| hook.fault.is_none() && !missing.is_empty()) {
            hook.fault = Some(format!("this user may not: {}", rights::names(&missing)));
        }
    }
}

/// What the hooks need that pods ask for themselves, or that were asked for with the backup.
fn to_exec<'a>(pods: impl Iterator<Item = &'a HookedPod>, own: bool) -> BTreeSet<Access> {
    let is_one = |pod: &&HookedPod| {
        let mut hooks = pod.pre.iter().chain(&pod.post);
        hooks.any(|hook| hook.is_own == own && hook.fault.is_none())
    };
    pods.filter(is_one).flat_map(|pod| Access::to_exec(namespace(pod))).collect()
}

fn namespace(pod: &HookedPod) -> &str {
    pod.id.namespace.as_deref().unwrap_or_default()
}

/// What the commands in pods need.
fn of_hooks(plan: &Plan) -> BTreeSet<Access> {
    let run = plan.hooks.iter().filter(|hook| hook.reason.is_none());
    run.flat_map(|hook| Access::to_exec(&hook.namespace)).collect()
}

fn needed(plan: &Plan) -> BTreeSet<Access> {
    let access = |verb, resource, namespace| Access { verb, resource, namespace };
    let listings = plan.listings.iter();
    let mut needed: BTreeSet<Access> = listings
        .map(|listing| access("list", listing.kind.resource.clone(), listing.namespace.clone()))
        .collect();
    needed.extend(of_hooks(plan));
    needed.insert(access("list", GroupResource::core("namespaces"), None));
    needed.insert(access("list", GroupResource::core("nodes"), None));
    let first = plan.first.iter();
    needed.extend(first.map(|id| access("get", id.resource.clone(), id.namespace.clone())));
    if plan.volumes.iter().any(|volume| volume.persistent_volume.is_some()) {
        needed.insert(access("get", GroupResource::core("persistentvolumes"), None));
    }
    needed
}

async fn of_provider(context: &Context, provider: &str, volume_id: &str) -> Vec<Right> {
    match context.snapshotters.of_provider(provider) {
        Some(it) => rights::of_provider(it, Operation::Backup, Some(volume_id)).await,
        None => Vec::new(),
    }
}
