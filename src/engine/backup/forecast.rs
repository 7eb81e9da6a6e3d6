//! What would become of the volumes, for the dry run: looks, and touches nothing.

use std::collections::BTreeSet;

use bowline_api::GroupResource;
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};

use super::claim::{Claim, Decision};
use super::collect::scopes;
use super::error::Error;
use super::plan::{Listing, PlannedVolume};
use super::preflight::{EXCLUDE_LABEL, Ready};
use super::volumes::{locate, of_claim};
use crate::engine::cluster::{self, Listed, Page};
use crate::engine::context::Context;
use crate::engine::model::shared;
use crate::engine::model::volume::REATTACH;

/// Decides for every claim that the plan lists.
pub(super) async fn volumes(context: &Context, ready: &Ready) -> Result<Vec<PlannedVolume>, Error> {
    let claims = claims(context, ready).map_err(Error::Cluster);
    claims.and_then(|claim| async { Ok(volume(context, ready, claim).await) }).try_collect().await
}

/// The claims that the backup takes, as they are listed.
pub(super) fn claims<'a>(
    context: &'a Context,
    ready: &'a Ready,
) -> BoxStream<'a, Result<Claim, cluster::Error>> {
    let resource = GroupResource::core("persistentvolumeclaims");
    let listings = ready.plan.listings.iter();
    let mut seen = BTreeSet::new();
    stream::iter(listings.filter(move |listing| listing.kind.resource == resource))
        .flat_map(move |listing| {
            let scopes = stream::iter(scopes(ready, listing));
            let pages = scopes.flat_map(|scope| context.cluster.list(&listing.kind, &scope));
            pages.map_ok(|page| stream::iter(taken(ready, listing, &page).into_iter().map(Ok)))
        })
        .try_flatten()
        .try_filter(move |claim| {
            let is_new = seen.insert((claim.namespace.clone(), claim.name.clone()));
            std::future::ready(is_new)
        })
        .boxed()
}

/// The claims of a page that the backup takes.
fn taken(ready: &Ready, listing: &Listing, page: &Page) -> Vec<Claim> {
    let included = |l: &&Listed| {
        ready.filters.includes_item(&listing.kind, &l.meta)
            && !l.meta.has_label(EXCLUDE_LABEL, "true")
    };
    page.items.iter().filter(included).filter_map(read).collect()
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
