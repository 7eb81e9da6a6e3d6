//! Gives every volume the zone that it is made in.

use std::collections::BTreeSet;

use super::error::Error;
use super::plan::Plan;
use super::preflight::{Ready, Request};
use crate::engine::context::Context;
use crate::engine::model::zones::{self, Question, Zones};

/// Checks that every zone that was mapped is one of the backup's.
pub(super) fn check(ready: &Ready, request: &Request) -> Result<(), Error> {
    let snapshots = ready.opened.snapshots.values();
    let recorded: BTreeSet<String> =
        snapshots.filter_map(|snapshot| snapshot.spec.volume_spec().zone).collect();
    match request.spec.zone_mapping.keys().find(|zone| !recorded.contains(*zone)) {
        Some(zone) => Err(Error::Zones(zones::Error::NotRecorded { zone: zone.clone(), recorded })),
        None => Ok(()),
    }
}

/// Decides for each volume that is made in which zone that is.
///
/// Each provider is asked once, and only if a volume of it is made.
pub(super) async fn place(
    context: &Context,
    ready: &Ready,
    request: &Request,
    plan: &mut Plan<'_>,
) -> Result<(), Error> {
    for provider in plan.providers() {
        let zones = decide(context, ready, request, plan, provider).await?;
        plan.zones.insert(provider, zones);
    }
    let Plan { rows, claims, zones, .. } = plan;
    for claim in claims {
        let Some(source) = &mut claim.source else { continue };
        let recorded = source.record.spec.volume_spec().zone;
        source.zone = match zones.get(source.provider) {
            Some(zones) => zones.of(recorded.as_deref()),
            None => recorded,
        };
        rows[claim.volume_row].reason = source.reason().into();
    }
    Ok(())
}

async fn decide(
    context: &Context,
    ready: &Ready,
    request: &Request,
    plan: &Plan<'_>,
    provider: &'static str,
) -> Result<Zones, Error> {
    let Some(snapshotter) = context.snapshotters.of_provider(provider) else {
        return Ok(Zones::default());
    };
    let available = snapshotter.zones().await;
    let available = available.map_err(|source| Error::Provider { provider, source })?;
    let sources = plan.claims.iter().filter_map(|claim| claim.source.as_ref());
    let ours = sources.filter(|source| source.provider == provider);
    let question = Question {
        recorded: ours.map(|source| source.record.spec.volume_spec().zone).collect(),
        asked: request.spec.zone_mapping.clone(),
        available: available.into_iter().collect(),
        nodes: ready.nodes.zones.clone(),
    };
    Zones::decide(&question).map_err(Error::Zones)
}
