//! One restore from its plan to its last record.

use std::sync::Arc;

use super::document::{self, PlanDocument};
use super::error::{Cause, Error};
use super::execute::Execution;
use super::plan;
use super::preflight::{self, Ready, Request};
use super::readiness;
use super::records::{self, Records};
use super::rights;
use super::volumes;
use crate::engine::context::Context;
use crate::engine::event::Stage;
use crate::engine::journal::Journal;
use crate::engine::model::restore::RestoreRecord;
use crate::engine::report::{Phase, Problem, RestoreReport, VolumeReport};

/// Decides what a restore would do; changes nothing.
pub async fn dry_run(context: &Context, request: &Request) -> Result<PlanDocument, Error> {
    let journal = journal(context, request);
    let ready = check(context, &journal, request).await?;
    let record = records::identity(context, request, &ready).await?;
    journal.stage(Stage::Planning);
    let plan = plan::plan(context, request, &ready, &record.uid).await?;
    let rights = rights::ask(context, &plan).await;
    document::write(request, &ready, &plan, rights)
}

/// Restores a backup.
///
/// A problem with one object or volume is data in the report; an error means that nothing was done,
/// or, as [`Error::Broken`], that the same call goes on with it.
pub async fn create(context: &Context, request: &Request) -> Result<RestoreReport, Error> {
    let journal = journal(context, request);
    let ready = check(context, &journal, request).await?;
    let record = records::identity(context, request, &ready).await?;
    journal.stage(Stage::Planning);
    let plan = plan::plan(context, request, &ready, &record.uid).await?;
    rights::require(context, &plan).await?;
    let execution = Execution::new(context, &journal, request, &ready, &plan);
    run(&execution, record)
        .await
        .map_err(|source| Error::Broken { name: request.name.clone(), source: Box::new(source) })
}

fn journal(context: &Context, request: &Request) -> Arc<Journal> {
    let subject = format!("restore=velero/{}", request.name);
    Arc::new(Journal::new(Arc::clone(&context.observer), context.clock, subject))
}

async fn check(context: &Context, journal: &Journal, request: &Request) -> Result<Ready, Error> {
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

async fn run(execution: &Execution<'_>, record: RestoreRecord) -> Result<RestoreReport, Cause> {
    let journal = execution.journal;
    let records = Records::begin(execution.context, journal, record).await?;
    journal.stage(Stage::Restoring);
    journal.expect(execution.plan.rows.len() as u64);
    let ((), mut volumes) = futures::try_join!(execution.steps(), volumes::restore_all(execution))?;
    journal.stage(Stage::Awaiting);
    readiness::await_workloads(execution, &volumes).await?;
    execution.finish().await?;
    journal.stage(Stage::Recording);
    volumes.extend(other_claims(execution));
    let report = report(execution, &records.record, volumes);
    records.finish(execution, &report).await;
    Ok(with_late_problems(execution, report))
}

/// Claims that got no volume from this restore, with the reason as their state.
fn other_claims(execution: &Execution<'_>) -> Vec<VolumeReport> {
    let plan = execution.plan;
    let with_volume = |index: usize| plan.claims.iter().any(|claim| claim.row == index);
    let rows = plan.rows.iter().enumerate();
    rows.filter(|(index, row)| {
        *row.entry.resource() == super::claims::claims() && !with_volume(*index)
    })
    .map(|(_, row)| {
        let id = execution.target(row);
        let state = match row.verdict {
            plan::Verdict::Create if row.reason.starts_with("EMPTY") => "empty",
            plan::Verdict::Create => "unbound",
            plan::Verdict::Unchanged | plan::Verdict::Update => "unchanged",
            plan::Verdict::Differs => "differs",
            plan::Verdict::Refuse => "refused",
            plan::Verdict::Skip | plan::Verdict::Reattach => "skipped",
        };
        VolumeReport {
            namespace: id.namespace.unwrap_or_default(),
            claim: id.name,
            persistent_volume: None,
            snapshot_id: None,
            volume_id: None,
            state: state.to_owned(),
        }
    })
    .collect()
}

fn report(
    execution: &Execution<'_>,
    record: &RestoreRecord,
    volumes: Vec<VolumeReport>,
) -> RestoreReport {
    let (warnings, errors) = execution.journal.problems();
    RestoreReport {
        name: record.name.clone(),
        uid: record.uid.clone(),
        backup: record.spec.backup_name.clone(),
        phase: Phase::of_errors(errors.len()),
        items: execution.counts(),
        volumes,
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
