//! Objects that are taken before all others, in the order that was asked for.

use bowline_api::{GroupResource, ItemId};

use super::collect::{failed, kind};
use super::error::Cause;
use super::intake::Intake;
use super::preflight::EXCLUDE_LABEL;
use super::related;
use crate::engine::cluster::Listed;
use crate::engine::context::Context;
use crate::engine::model::Kind;
use crate::engine::report::Problem;

/// Takes in what the order names, each with the claims that it uses, so that snapshots follow the
/// order, too.
///
/// The lists bring all else afterwards, and these objects again, which are then known.
pub(super) async fn collect(context: &Context, intake: &mut Intake<'_>) -> Result<(), Cause> {
    for id in &intake.ready.plan.first {
        let Some(kind) = kind(intake.ready, &id.resource).cloned() else { continue };
        match context.cluster.get_raw(&kind, id.namespace.as_deref(), &id.name).await {
            Ok(json) => take(context, intake, &kind, id, json).await?,
            Err(error) => failed(intake.journal, &kind, id.namespace.clone(), error)?,
        }
    }
    Ok(())
}

async fn take(
    context: &Context,
    intake: &mut Intake<'_>,
    kind: &Kind,
    id: &ItemId,
    json: Option<bytes::Bytes>,
) -> Result<(), Cause> {
    let found = json.and_then(Listed::of_object);
    let Some(listed) = found else {
        warn(intake, id, "it does not exist");
        return Ok(());
    };
    let labelled_out = listed.meta.has_label(EXCLUDE_LABEL, "true");
    if labelled_out || !intake.ready.filters.includes_item(kind, &listed.meta) {
        warn(intake, id, "the filters leave it out");
        return Ok(());
    }
    intake.take(kind, &listed).await?;
    let claims = GroupResource::core("persistentvolumeclaims");
    let used = intake.taken.related.iter().filter(|it| it.resource == claims);
    let used: Vec<ItemId> = used.filter(|it| !intake.taken.has(it)).cloned().collect();
    for claim in used {
        related::look_up(context, intake, &claim).await?;
    }
    Ok(())
}

fn warn(intake: &Intake<'_>, id: &ItemId, reason: &str) {
    let message = format!("it was to be taken early, but {reason}");
    intake.journal.warn(Problem::of_item(id, "order", message));
}
