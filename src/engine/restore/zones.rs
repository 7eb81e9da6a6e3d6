//! Gives every volume the zone that it is made in.

use std::collections::{BTreeMap, BTreeSet};

use bowline_api::SnapshotterError;

use super::error::Error;
use super::plan::Plan;
use super::preflight::{Ready, Request};
use crate::engine::context::Context;
use crate::engine::model::zones::{self, Question, Zones};
use crate::engine::report::Problem;

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
        match decide(context, ready, request, plan, provider).await {
            Ok(zones) => drop(plan.zones.insert(provider, zones)),
            // Perhaps for want of a right, which is told with all others that are missing.
            Err(error @ Error::Provider { source: SnapshotterError::Refused { .. }, .. }) => {
                plan.unanswered = Some(error);
            }
            Err(error) => return Err(error),
        }
    }
    let Plan { rows, claims, zones, .. } = plan;
    for claim in claims {
        let Some(source) = &mut claim.source else { continue };
        let recorded = source.record.spec.volume_spec().zone;
        source.zone = match zones.get(source.provider) {
            Some(zones) => zones.of(recorded.as_deref()),
            None => recorded,
        };
        rows[claim.volume_row].explain(source.reason());
    }
    plan.warnings.extend(without_nodes(ready, plan));
    Ok(())
}

/// How many claims a warning names.
const NAMED: usize = 5;

/// Warns of volumes that are made, as asked, where no node is that could use them.
fn without_nodes(ready: &Ready, plan: &Plan<'_>) -> Vec<Problem> {
    let nodes = &ready.nodes.zones;
    if nodes.is_empty() {
        return Vec::new();
    }
    let mut claims: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for claim in &plan.claims {
        let Some(source) = &claim.source else { continue };
        let is_zoned = plan.zones.get(source.provider).is_some_and(Zones::are_known);
        if let Some(zone) = source.zone.as_deref().filter(|zone| is_zoned && !nodes.contains(*zone))
        {
            let target = plan.preparation.target(&claim.source(plan));
            let namespace = target.namespace.unwrap_or_default();
            claims.entry(zone).or_default().push(format!("{namespace}/{}", target.name));
        }
    }
    claims.into_iter().map(|(zone, claims)| without_node(zone, &claims, nodes)).collect()
}

fn without_node(zone: &str, claims: &[String], nodes: &BTreeSet<String>) -> Problem {
    let named = claims.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = match claims.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let nodes = nodes.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let message = format!(
        "no node is in zone {zone}, where the volumes of {named}{more} are made; nodes are in {nodes}"
    );
    Problem::of_run("plan", message).with_hint(
        "no pod can use them until there is such a node; or choose another zone: --zone-mappings \
         OLD:NEW",
    )
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
