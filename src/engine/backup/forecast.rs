//! What would become of the volumes, for the dry run: looks, and touches nothing.

use bowline_api::GroupResource;
use futures::TryStreamExt as _;

use super::claim::{Claim, Decision};
use super::error::Error;
use super::plan::PlannedVolume;
use super::preflight::{EXCLUDE_LABEL, Ready};
use super::volumes::{locate, persistent_volume};
use crate::engine::cluster::{ListScope, Listed};
use crate::engine::context::Context;

/// Decides for every claim that the plan lists.
pub(super) async fn volumes(context: &Context, ready: &Ready) -> Result<Vec<PlannedVolume>, Error> {
    let claims = GroupResource::core("persistentvolumeclaims");
    let mut volumes = Vec::new();
    for listing in ready.plan.listings.iter().filter(|listing| listing.kind.resource == claims) {
        let scope = ListScope {
            namespace: listing.namespace.clone(),
            label_selector: ready.filters.selector.as_ref().map(ToString::to_string),
        };
        let mut pages = context.cluster.list(&listing.kind, &scope);
        while let Some(page) = pages.try_next().await.map_err(Error::Cluster)? {
            let included = |l: &&Listed| {
                ready.filters.includes_item(&listing.kind, &l.meta)
                    && !l.meta.has_label(EXCLUDE_LABEL, "true")
            };
            let claims = page.items.iter().filter(included).filter_map(read);
            for claim in claims.collect::<Vec<_>>() {
                volumes.push(volume(context, ready, claim).await);
            }
        }
    }
    Ok(volumes)
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
    let refuse = |planned: &mut PlannedVolume, reason: String| {
        "refuse".clone_into(&mut planned.verdict);
        planned.reason = Some(reason);
    };
    match claim.decide(ready.spec.snapshot_volumes != Some(false)) {
        Decision::Skip { state, reason } => {
            state.clone_into(&mut planned.verdict);
            planned.reason = Some(reason.to_owned());
        }
        Decision::Fail { reason } => refuse(&mut planned, reason),
        Decision::Snapshot { volume: name } => {
            match persistent_volume(context, ready, &name).await {
                Err(reason) => refuse(&mut planned, reason),
                Ok(volume) => match locate(context, ready, &name, &volume) {
                    Ok((snapshotter, id)) => {
                        planned.provider = Some(snapshotter.provider().to_owned());
                        planned.volume_id = Some(id);
                    }
                    Err(reason) => refuse(&mut planned, reason),
                },
            }
        }
    }
    planned
}
