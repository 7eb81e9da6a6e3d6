//! What a backup needs to be allowed.
//!
//! A list that is refused is an error of that kind alone: most of a nightly backup is better than
//! none. Without the right to take snapshots there is no data at all, so that is an error at once.

use std::collections::{BTreeMap, BTreeSet};

use bowline_api::{GroupResource, Operation};

use super::error::Error;
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
    if missing.is_empty() { Ok(()) } else { Err(Error::NotAllowed { missing }) }
}

fn needed(plan: &Plan) -> BTreeSet<Access> {
    let access = |verb, resource, namespace| Access { verb, resource, namespace };
    let listings = plan.listings.iter();
    let mut needed: BTreeSet<Access> = listings
        .map(|listing| access("list", listing.kind.resource.clone(), listing.namespace.clone()))
        .collect();
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
