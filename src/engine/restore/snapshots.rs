//! Looks at the snapshots that volumes are made from, before anything is changed.

use bowline_api::{Snapshot, SnapshotterError};
use futures::{StreamExt as _, stream};

use super::claims::{self, Source};
use super::error::Error;
use super::plan::{Plan, Verdict};
use super::preflight::{Ready, Request};
use crate::engine::context::Context;
use crate::engine::model::snapshot;
use crate::engine::model::zones::Zones;
use crate::engine::report::chain;

/// How many snapshots are asked for at once: as many as a provider may answer with one call.
const AT_ONCE: usize = 200;

/// What a provider says of a snapshot.
type Answer = Result<Snapshot, SnapshotterError>;

/// Looks at the snapshot of each claim, and whether it is what the backup made.
///
/// A claim whose snapshot cannot be used stays as it was planned: reserved, so that nothing empty is
/// made in its place. It is its volume that is refused; unless that claim may be empty, and is not made
/// yet, or is another that would be taken over.
pub(super) async fn look(context: &Context, ready: &Ready, request: &Request, plan: &mut Plan<'_>) {
    let mut answers = ask(context, plan).await;
    if let Some(error) = unanswered(plan, &mut answers) {
        plan.unanswered = Some(error);
        return;
    }
    let mut empty = Vec::new();
    let Plan { rows, claims, zones, .. } = plan;
    let sources = claims.iter_mut().filter_map(|claim| {
        let (row, volume_row) = (claim.row, claim.volume_row);
        Some((row, volume_row, claim.source.as_mut()?))
    });
    for ((row, volume_row, source), answer) in sources.zip(answers) {
        let zones = zones.get(source.provider);
        source.snapshot = match answer {
            Ok(found) => {
                let checked = snapshot::check(&found, source.record, &ready.opened.backup);
                checked.map(|()| found)
            }
            Err(error) => Err(not_found(source, zones, &error)),
        };
        if let Err(fault) = &source.snapshot {
            // Nothing is taken over for a claim that would wait for ever.
            let may_be_empty = request.spec.allow_empty_volumes && rows[row].live_uid().is_none();
            if may_be_empty || rows[row].verdict == Verdict::Recreate {
                rows[volume_row].decide(Verdict::Skip, fault.clone());
                empty.push((row, fault.clone()));
                continue;
            }
            rows[volume_row].decide(Verdict::Refuse, fault.clone());
            if rows[row].verdict == Verdict::Create {
                rows[row].explain("reserved, but stays Pending: its volume cannot be made");
            }
        }
    }
    for (row, fault) in empty {
        claims::take_volume(request, plan, row, &fault);
    }
}

/// Asks for all snapshots; the answers are in the order of the claims that have one.
async fn ask(context: &Context, plan: &Plan<'_>) -> Vec<Answer> {
    let sources = plan.claims.iter().filter_map(|claim| claim.source.as_ref());
    let asked = sources.map(|source| (source.provider, source.snapshot_id().to_owned()));
    stream::iter(asked.collect::<Vec<_>>())
        .map(|(provider, id)| async move {
            match context.snapshotters.of_provider(provider) {
                Some(snapshotter) => snapshotter.snapshot(&id).await,
                None => Err(SnapshotterError::NotFound { what: format!("provider {provider}") }),
            }
        })
        .buffered(AT_ONCE)
        .collect()
        .await
}

/// Why nothing can be said of any snapshot of some provider.
///
/// Where others were answered, it is that one snapshot that is out of order.
fn unanswered(plan: &Plan<'_>, answers: &mut Vec<Answer>) -> Option<Error> {
    let is_failed = |answer: &Answer| matches!(answer, Err(SnapshotterError::Failed { .. }));
    let sources = plan.claims.iter().filter_map(|claim| claim.source.as_ref());
    let providers: Vec<_> = sources.map(|source| source.provider).collect();
    let silent = |wanted: &&'static str| {
        let answers = providers.iter().zip(answers.iter()).filter(|(it, _)| *it == wanted);
        answers.clone().count() > 0 && answers.into_iter().all(|(_, answer)| is_failed(answer))
    };
    let provider = plan.providers().into_iter().find(silent)?;
    let first = providers.iter().position(|it| *it == provider)?;
    let source = answers.swap_remove(first).err()?;
    Some(Error::Provider { provider, source })
}

/// Why there is no snapshot. One that is merely far away is said to be.
fn not_found(source: &Source<'_>, zones: Option<&Zones>, error: &SnapshotterError) -> String {
    let recorded = source.record.spec.volume_spec().zone;
    match (error, zones, recorded) {
        (SnapshotterError::NotFound { .. }, Some(zones), Some(zone)) if zones.is_foreign(&zone) => {
            format!(
                "{error} here: it was taken in zone {zone}, which is in another region than {}",
                zones.names()
            )
        }
        _ => chain(error),
    }
}
