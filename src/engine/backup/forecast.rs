//! What would become of the volumes, for the dry run: looks, and touches nothing.

use std::collections::BTreeSet;

use bowline_api::{GroupResource, ItemId};
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _, future};
use serde_json::{Map, Value};

use super::claim::{Claim, Decision};
use super::collect::scopes;
use super::error::Error;
use super::intake::identity;
use super::plan::{Listing, PlannedVolume};
use super::preflight::Ready;
use super::volumes::{locate, of_claim};
use crate::engine::cluster::{self, Listed};
use crate::engine::context::Context;
use crate::engine::model::relations::{self, Relation};
use crate::engine::model::shared;
use crate::engine::model::volume::REATTACH;

/// Decides for every claim that the plan lists.
pub(super) async fn volumes(context: &Context, ready: &Ready) -> Result<Vec<PlannedVolume>, Error> {
    let claims = claims(context, ready).map_err(Error::Cluster);
    claims.and_then(|claim| async { Ok(volume(context, ready, claim).await) }).try_collect().await
}

/// The claims that the backup takes: those that are listed, then those that come along.
pub(super) fn claims<'a>(
    context: &'a Context,
    ready: &'a Ready,
) -> BoxStream<'a, Result<Claim, cluster::Error>> {
    let is_of_claims = |listing: &&Listing| listing.kind.resource == resource();
    let listings: Vec<_> = ready.plan.listings.iter().filter(is_of_claims).collect();
    // Where all claims are listed, none is left to come along.
    let is_complete = !listings.is_empty() && ready.filters.selectors.is_everything();
    let mut seen = BTreeSet::new();
    stream::iter(listings)
        .flat_map(|listing| items(context, ready, listing))
        .try_filter_map(|listed| future::ready(Ok(read(&listed))))
        .chain(related(context, ready).take(if is_complete { 0 } else { usize::MAX }))
        .try_filter(move |claim| {
            let is_new = seen.insert((claim.namespace.clone(), claim.name.clone()));
            future::ready(is_new && claim.matters())
        })
        .boxed()
}

/// The claims that come along with what is listed, whatever their labels.
///
/// What cannot be read here is an error of the backup itself, later.
fn related<'a>(
    context: &'a Context,
    ready: &'a Ready,
) -> BoxStream<'a, Result<Claim, cluster::Error>> {
    let kind = ready.catalog.get(&resource());
    let of_users = |listing: &&Listing| relations::may_use_claims(&listing.kind.resource);
    let users = ready.plan.listings.iter().filter(of_users);
    let mut seen = BTreeSet::new();
    let used = stream::iter(users.filter(move |_| kind.is_some()))
        .flat_map(|listing| items(context, ready, listing).map_ok(|it| used_by(listing, &it)))
        .map_ok(|ids| stream::iter(ids.into_iter().map(Ok)))
        .try_flatten()
        .try_filter(move |id: &ItemId| {
            let may_come = kind
                .is_some_and(|kind| ready.filters.allows_related(kind, id.namespace.as_deref()));
            future::ready(may_come && seen.insert(id.clone()))
        });
    used.try_filter_map(move |id| async move {
        let Some(kind) = kind else { return Ok(None) };
        let found = context.cluster.get_raw(kind, id.namespace.as_deref(), &id.name).await?;
        let listed = found.and_then(Listed::of_object);
        Ok(listed.filter(|it| !it.meta.is_excluded()).as_ref().and_then(read))
    })
    .filter(|claim: &Result<Claim, cluster::Error>| {
        future::ready(claim.as_ref().err().is_none_or(cluster::Error::is_unreachable))
    })
    .boxed()
}

/// The objects of a list that the backup takes.
pub(super) fn items<'a>(
    context: &'a Context,
    ready: &'a Ready,
    listing: &'a Listing,
) -> BoxStream<'a, Result<Listed, cluster::Error>> {
    let is_included = |listed: &Listed| {
        ready.filters.includes_item(&listing.kind, &listed.meta) && !listed.meta.is_excluded()
    };
    stream::iter(scopes(ready, listing))
        .flat_map(|scope| context.cluster.list(&listing.kind, &scope))
        .map_ok(|page| stream::iter(page.items.into_iter().map(Ok)))
        .try_flatten()
        .try_filter(move |listed| future::ready(is_included(listed)))
        .boxed()
}

/// The claims that an object names, unless it goes away.
fn used_by(listing: &Listing, listed: &Listed) -> Vec<ItemId> {
    let object = serde_json::from_slice::<Map<String, Value>>(&listed.json).unwrap_or_default();
    if listed.meta.deletion_timestamp.is_some() {
        return Vec::new();
    }
    let needed = relations::relations(&identity(&listing.kind, &listed.meta), &object);
    let claim = |relation| match relation {
        Relation::Item(id) if id.resource == resource() => Some(id),
        _ => None,
    };
    needed.into_iter().filter_map(claim).collect()
}

fn resource() -> GroupResource {
    GroupResource::core("persistentvolumeclaims")
}

fn read(listed: &Listed) -> Option<Claim> {
    Some(Claim::read(&listed.meta, &serde_json::from_slice(&listed.json).ok()?))
}

async fn volume(context: &Context, ready: &Ready, claim: Claim) -> PlannedVolume {
    let mut planned = PlannedVolume {
        namespace: claim.namespace.clone(),
        claim: claim.name.clone(),
        persistent_volume: claim.volume.clone(),
        provider: None,
        volume_id: None,
        verdict: "snapshot".to_owned(),
        reason: None,
    };
    let found = of_claim(context, ready, &claim).await;
    match claim.decide(&ready.rules(), &found) {
        Decision::LeaveOut { state, reason } => {
            planned.verdict = state.to_owned();
            planned.reason = Some(reason);
            if let (REATTACH, Some(Ok(volume))) = (state, &found) {
                planned.volume_id = shared::handle(volume);
            }
        }
        Decision::Fail { reason } => refuse(&mut planned, reason),
        Decision::Snapshot { name, volume } => match locate(context, ready, name, volume) {
            Ok((snapshotter, id)) => {
                planned.provider = Some(snapshotter.provider().to_owned());
                planned.volume_id = Some(id);
            }
            Err(reason) => refuse(&mut planned, reason),
        },
    }
    planned
}

fn refuse(planned: &mut PlannedVolume, reason: String) {
    "refuse".clone_into(&mut planned.verdict);
    planned.reason = Some(reason);
}
