//! What a backup needs to be allowed.
//!
//! A list that is refused is an error of that kind alone: most of a nightly backup is better than
//! none. Without the right to take snapshots there is no data at all, so that is an error at once.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;

use bowline_api::{GroupResource, Operation};
use futures::StreamExt as _;
use serde_json::Value;

use super::claim::{Claim, Decision};
use super::error::Error;
use super::forecast;
use super::plan::Plan;
use super::preflight::Ready;
use super::volumes::{locate, persistent_volume};
use crate::engine::context::{Access, Context, Right, rights};

/// How many claims are looked at to find one of whose volume a snapshot is taken.
const LOOKS: usize = 500;

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
    let Some((provider, volume_id)) = first_volume(context, ready).await else { return Ok(()) };
    let missing = Right::missing(&of_provider(context, provider, &volume_id).await);
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

/// Finds the first volume of which a snapshot is to be taken, and who takes it.
async fn first_volume(context: &Context, ready: &Ready) -> Option<(&'static str, String)> {
    if ready.spec.snapshot_volumes == Some(false) {
        return None;
    }
    let claims = forecast::claims(context, ready).take(LOOKS);
    let found = claims.filter_map(|claim| async move {
        // What cannot be listed is an error of the backup itself, later.
        provider_of(context, ready, &claim.ok()?).await
    });
    pin!(found).next().await
}

async fn provider_of(
    context: &Context,
    ready: &Ready,
    claim: &Claim,
) -> Option<(&'static str, String)> {
    let Decision::Snapshot { volume: name } = claim.decide(true) else { return None };
    let volume: Value = persistent_volume(context, ready, &name).await.ok()?;
    let (snapshotter, id) = locate(context, ready, &name, &volume).ok()?;
    Some((snapshotter.provider(), id))
}
