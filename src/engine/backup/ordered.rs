//! Objects that are taken before all others, in the order that was asked for.

use std::collections::BTreeSet;

use bowline_api::{GroupResource, ItemId};
use serde_json::Value;

use super::collect::kind;
use super::error::Cause;
use super::intake::Intake;
use super::plan::NEEDED_VERBS;
use super::preflight::Ready;
use super::related;
use crate::engine::cluster::Listed;
use crate::engine::context::Context;
use crate::engine::model::Kind;
use crate::engine::report::{Problem, chain};

/// Takes in what the order names, each with the claims that it uses, so that snapshots follow the
/// order, too.
///
/// The lists bring all else afterwards, and these objects again, which are then known. So nothing is
/// lost with one that cannot be had here, and it is a warning.
pub(super) async fn collect(context: &Context, intake: &mut Intake<'_>) -> Result<(), Cause> {
    let mut asked = BTreeSet::new();
    for id in &intake.ready.plan.first {
        let Some(kind) = kind(intake.ready, &id.resource).cloned() else { continue };
        if !kind.supports(&NEEDED_VERBS) {
            warn(intake, id, "objects of its kind cannot be listed and created");
            continue;
        }
        match find(context, &kind, id).await? {
            Ok(Some(listed)) => take(context, intake, &kind, id, &listed).await?,
            Ok(None) => warn(intake, id, "it does not exist"),
            Err(reason) => warn(intake, id, &reason),
        }
        take_used_claims(context, intake, &mut asked).await?;
    }
    Ok(())
}

/// Reads an object, or says why that cannot be; a cluster that is gone ends the backup.
async fn find(
    context: &Context,
    kind: &Kind,
    id: &ItemId,
) -> Result<Result<Option<Listed>, String>, Cause> {
    match context.cluster.get_raw(kind, id.namespace.as_deref(), &id.name).await {
        Ok(json) => Ok(Ok(json.and_then(Listed::of_object))),
        Err(error) if error.is_unreachable() => Err(error.into()),
        Err(error) => Ok(Err(format!("it cannot be read: {}", chain(&error)))),
    }
}

async fn take(
    context: &Context,
    intake: &mut Intake<'_>,
    kind: &Kind,
    id: &ItemId,
    listed: &Listed,
) -> Result<(), Cause> {
    let claim = claim_of(context, intake.ready, id, listed).await?;
    let comes_along = claim.is_some() && intake.ready.filters.allows_related(kind, None);
    let is_included = comes_along || intake.ready.filters.includes_item(kind, &listed.meta);
    if listed.meta.is_excluded() || !is_included {
        warn(intake, id, "the filters leave it out");
        return Ok(());
    }
    if let Some((kind, claim)) = claim {
        intake.take(&kind, &claim).await?;
    }
    intake.take(kind, listed).await
}

/// The claim that a persistent volume is bound to, if the backup takes it: its turn is the volume's.
async fn claim_of(
    context: &Context,
    ready: &Ready,
    id: &ItemId,
    listed: &Listed,
) -> Result<Option<(Kind, Listed)>, Cause> {
    if id.resource != GroupResource::core("persistentvolumes") {
        return Ok(None);
    }
    let Some(claim) = claim_ref(listed) else { return Ok(None) };
    let Some(kind) = kind(ready, &claim.resource) else { return Ok(None) };
    // The list of claims tells if they cannot be read.
    let found = find(context, kind, &claim).await?.ok().flatten();
    let found = found.filter(|claim| ready.filters.includes_item(kind, &claim.meta));
    Ok(found.map(|claim| (kind.clone(), claim)))
}

fn claim_ref(volume: &Listed) -> Option<ItemId> {
    let volume: Value = serde_json::from_slice(&volume.json).ok()?;
    let claim = volume.pointer("/spec/claimRef")?;
    let text = |key: &str| claim.get(key)?.as_str().map(str::to_owned);
    let resource = GroupResource::core("persistentvolumeclaims");
    Some(ItemId { resource, namespace: Some(text("namespace")?), name: text("name")? })
}

/// Takes in the claims that were found to be used, each asked for once.
async fn take_used_claims(
    context: &Context,
    intake: &mut Intake<'_>,
    asked: &mut BTreeSet<ItemId>,
) -> Result<(), Cause> {
    let claims = GroupResource::core("persistentvolumeclaims");
    let used = intake.taken.related.iter().filter(|it| it.resource == claims);
    let used: Vec<ItemId> = used.filter(|it| !intake.taken.has(it)).cloned().collect();
    for claim in used {
        if asked.insert(claim.clone()) {
            related::look_up(context, intake, &claim).await?;
        }
    }
    Ok(())
}

fn warn(intake: &Intake<'_>, id: &ItemId, reason: &str) {
    let message = format!("it was to be taken early, but {reason}");
    intake.journal.warn(Problem::of_item(id, "order", message));
}
