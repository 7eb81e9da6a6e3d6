//! One restore from its plan to its last record.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bowline_api::ItemId;

use super::alterations;
use super::error::{Cause, Error};
use super::execute::Execution;
use super::hooks;
use super::identity;
use super::plan::{self, Plan};
use super::preflight::{self, Ready, Request};
use super::quiesce;
use super::readiness;
use super::records::{self, Place, Records};
use super::rights;
use super::take_over;
use super::volumes;
use crate::engine::context::Context;
use crate::engine::event::Stage;
use crate::engine::journal::Journal;
use crate::engine::report::{Awaited, Phase, Problem, RestoreReport, VolumeReport, chain};

/// Restores a backup.
///
/// A problem with one object or volume is data in the report; an error means that nothing was done,
/// or, as [`Error::Broken`], that the same call goes on with it.
pub async fn create(context: &Context, request: &Request) -> Result<RestoreReport, Error> {
    let request = &alterations::load(context, request).await?;
    let journal = journal(context, request);
    let ready = check(context, &journal, request).await?;
    let mut identity = identity::find(context, request, &ready).await?;
    journal.stage(Stage::Planning);
    let mut plan = Box::pin(plan::plan(context, request, &ready, &identity)).await?;
    rights::require(context, &plan).await?;
    plan.check_answered()?;
    let broken = |cause| broken(&request.name, cause);
    let place = records::place(context, &identity.record).await.map_err(broken)?;
    if matches!(place, Place::Elsewhere(_))
        && identity.runs == 0
        && let Some(uid) = identity::in_cluster(context, request, &ready, &plan).await?
    {
        journal.note("an earlier run of this restore is in the cluster: it goes on with that one");
        identity.record.uid = uid;
        plan = Box::pin(plan::plan(context, request, &ready, &identity)).await?;
        plan.check_answered()?;
    }
    warn(&journal, &plan);
    let records = Records::begin(context, &journal, identity, &place).await.map_err(broken)?;
    let mut execution = Execution::new(context, &journal, request, &ready, &plan);
    execution.is_recorded = records.is_shared;
    Box::pin(run(&execution, &records)).await.map_err(broken)
}

fn broken(name: &str, cause: Cause) -> Error {
    let name = name.to_owned();
    match cause {
        Cause::Interrupted => Error::Interrupted { name },
        source => Error::Broken { name, source: Box::new(source) },
    }
}

pub(super) fn journal(context: &Context, request: &Request) -> Arc<Journal> {
    let observer = Arc::clone(&context.observer);
    Arc::new(Journal::of_restore(observer, context.clock, &request.name))
}

pub(super) async fn check(
    context: &Context,
    journal: &Journal,
    request: &Request,
) -> Result<Ready, Error> {
    journal.stage(Stage::Opening);
    let ready = Box::pin(preflight::check(context, request)).await?;
    let backup = &ready.opened.backup;
    if backup.phase() == Phase::PartiallyFailed {
        let message = format!(
            "backup \"{}\" is PartiallyFailed: what its {} errors name is missing",
            request.spec.backup_name, backup.status.errors
        );
        journal.warn(Problem::of_run("open", message));
    }
    Ok(ready)
}

pub(super) fn warn(journal: &Journal, plan: &Plan<'_>) {
    plan.warnings.iter().for_each(|problem| journal.warn(problem.clone()));
}

async fn run(execution: &Execution<'_>, records: &Records<'_>) -> Result<RestoreReport, Cause> {
    let journal = execution.journal;
    let _heeding = execution.context.stop.heed();
    let log = records.running_log(journal);
    let work = unless_stopped(execution);
    let done = match &log {
        Some(log) => Box::pin(log.during(work)).await,
        None => work.await,
    };
    if let (Err(cause), Some(log)) = (&done, &log) {
        journal.last_word(&chain(cause));
        log.write_rest().await;
    }
    let mut volumes = done?;
    journal.stage(Stage::Recording);
    volumes.extend(other_claims(execution));
    execution.recall(&records.earlier_outcomes(execution.context, journal).await);
    let report = report(execution, records, volumes);
    records.finish(execution, &report, log.as_ref()).await;
    Ok(with_late_problems(execution, report))
}

/// Carries the plan out; asked to stop, it ends between two changes.
async fn unless_stopped(execution: &Execution<'_>) -> Result<Vec<VolumeReport>, Cause> {
    let done = tokio::select! {
        biased;
        done = Box::pin(bring_back(execution)) => done,
        () = execution.context.stop.quiet() => Err(Cause::Interrupted),
    };
    done.inspect_err(|_| quiesce::tell(execution))
}

/// Makes what the plan says, and waits until it has come up.
async fn bring_back(execution: &Execution<'_>) -> Result<Vec<VolumeReport>, Cause> {
    let journal = execution.journal;
    journal.stage(Stage::Restoring);
    journal.expect(execution.plan.rows.len() as u64);
    quiesce::down(execution).await?;
    let ((), volumes) = futures::try_join!(execution.steps(), volumes::restore_all(execution))?;
    execution.count_remarks();
    journal.stage(Stage::Awaiting);
    let awaiting = readiness::await_workloads(execution, &volumes);
    let (awaited, ()) = futures::join!(awaiting, hooks::run(execution));
    awaited?;
    quiesce::up(execution).await?;
    execution.finish().await?;
    take_over::report_kept(execution).await;
    Ok(volumes)
}

/// Claims that got no volume from this restore, with the reason as their state.
fn other_claims(execution: &Execution<'_>) -> Vec<VolumeReport> {
    let plan = execution.plan;
    let with_volume: HashSet<usize> = plan.claims.iter().map(|claim| claim.row).collect();
    let rows = plan.rows.iter().enumerate();
    rows.filter(|(index, row)| {
        *row.entry.resource() == super::claims::claims() && !with_volume.contains(index)
    })
    .map(|(_, row)| {
        let id = execution.target(row);
        let state = match row.verdict {
            plan::Verdict::Create | plan::Verdict::Unchanged if row.is_empty() => "empty",
            plan::Verdict::Create => "unbound",
            plan::Verdict::Unchanged | plan::Verdict::Update | plan::Verdict::Recreate => {
                "unchanged"
            }
            plan::Verdict::Differs => "differs",
            plan::Verdict::Refuse => "refused",
            plan::Verdict::Skip | plan::Verdict::Reattach => "skipped",
        };
        without_volume(id, state)
    })
    .chain(missing_claims(plan))
    .collect()
}

fn without_volume(claim: ItemId, state: &str) -> VolumeReport {
    VolumeReport {
        namespace: claim.namespace.unwrap_or_default(),
        claim: claim.name,
        persistent_volume: None,
        snapshot_id: None,
        volume_id: None,
        state: state.to_owned(),
    }
}

/// Claims that the archive does not hold.
fn missing_claims(plan: &Plan<'_>) -> impl Iterator<Item = VolumeReport> {
    let missing = plan.missing.iter().filter(|it| it.id.resource == super::claims::claims());
    missing.map(|missing| {
        let target = plan.preparation.target(&missing.id);
        let state = match missing.verdict {
            _ if missing.is_made_empty() => "empty",
            plan::Verdict::Refuse => "refused",
            _ => "skipped",
        };
        without_volume(target, state)
    })
}

fn report(
    execution: &Execution<'_>,
    records: &Records<'_>,
    volumes: Vec<VolumeReport>,
) -> RestoreReport {
    let record = &records.record;
    let (warnings, errors) = execution.journal.problems();
    RestoreReport {
        name: record.name.clone(),
        uid: record.uid.clone(),
        run: records.run,
        backup: record.spec.backup_name.clone(),
        phase: Phase::of_errors(errors.len()),
        items: execution.counts(),
        kinds: execution.counts_by_kind(),
        volumes,
        awaited: Awaited::of_errors(&errors),
        hooks: execution.hooks.counts(),
        follow_ups: execution.follow_ups.load(Relaxed),
        warnings,
        errors,
        start_timestamp: record.start_timestamp,
        completion_timestamp: Some(execution.context.clock.now()),
    }
}

/// Adds what only came up while the records were written.
fn with_late_problems(execution: &Execution<'_>, mut report: RestoreReport) -> RestoreReport {
    (report.warnings, report.errors) = execution.journal.problems();
    report
}
