//! Volumes that come back as the very same: whether they can.

use bowline_api::GroupResource;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Map, Value};

use super::claims::{self, ClaimPlan};
use super::error::Error;
use super::plan::{Plan, Verdict};
use super::preflight::{Ready, Request};
use super::prepare::RESTORE_UID_LABEL;
use crate::engine::context::Context;
use crate::engine::model::fields::text_at;

/// Why a claim cannot have the very volume that it had.
struct Obstacle {
    row: usize,
    volume_row: usize,
    reason: String,
}

/// Finds the claims whose very volume the target has already: it would be that of two claims, or it
/// still belongs to one that is gone.
pub(super) async fn check(
    context: &Context,
    ready: &Ready,
    request: &Request,
    plan: &mut Plan<'_>,
) -> Result<(), Error> {
    let uid = plan.preparation.restore_uid.as_str();
    let wanted = plan.claims.iter().filter(|claim| claim.source.is_none());
    let obstacles: Vec<Option<Obstacle>> = stream::iter(wanted)
        .map(|claim| obstacle(context, ready, uid, claim))
        .buffer_unordered(context.limits.lists)
        .try_collect()
        .await?;
    for Obstacle { row, volume_row, reason } in obstacles.into_iter().flatten() {
        plan.rows[volume_row].decide(Verdict::Skip, "it exists already");
        claims::take_volume(request, plan, row, &reason);
    }
    Ok(())
}

async fn obstacle(
    context: &Context,
    ready: &Ready,
    restore_uid: &str,
    claim: &ClaimPlan<'_>,
) -> Result<Option<Obstacle>, Error> {
    let live = live(context, ready, &claim.name).await?;
    let ours = |live: &Map<String, Value>| label(live) == Some(restore_uid);
    Ok(live.filter(|live| !ours(live)).map(|live| Obstacle {
        row: claim.row,
        volume_row: claim.volume_row,
        reason: in_the_way(&claim.name, &live),
    }))
}

async fn live(
    context: &Context,
    ready: &Ready,
    name: &str,
) -> Result<Option<Map<String, Value>>, Error> {
    match ready.catalog.get(&GroupResource::core("persistentvolumes")) {
        Some(kind) => context.cluster.get(kind, None, name).await.map_err(Error::Cluster),
        None => Ok(None),
    }
}

fn label(live: &Map<String, Value>) -> Option<&str> {
    text_at(live, &["metadata", "labels", RESTORE_UID_LABEL])
}

fn in_the_way(name: &str, live: &Map<String, Value>) -> String {
    let text = |path: &[&str]| text_at(live, path).unwrap_or_default().to_owned();
    match text(&["status", "phase"]).as_str() {
        "Bound" => {
            let namespace = text(&["spec", "claimRef", "namespace"]);
            let claim = text(&["spec", "claimRef", "name"]);
            format!("its volume {name} is in use by {namespace}/{claim}: both would write to it")
        }
        _ => format!(
            "its volume {name} exists already and is bound to no claim: set its reclaim policy to \
             Retain, so that its data stays, delete that PersistentVolume and restore again"
        ),
    }
}
