//! One drill from its plan to its end.

use std::time::Duration;

use tokio::time::timeout;

use super::check::{Check, Scratch};
use super::clean_up::{Which, clean_up, interrupted};
use super::error::{Cause, Error};
use super::order::{self, Order};
use super::report::{DrillReport, TakeDown};
use super::request::Request;
use super::scratch;
use super::take_down::take_down;
use crate::engine::context::Context;
use crate::engine::event::{Event, Stage};
use crate::engine::model::drill::{Checked, DrillEvidence, Verdict};
use crate::engine::report::{Phase, Problem, RestoreReport, chain};
use crate::engine::restore::{self, DryRun, PlanDocument, PlanFooter, PlanReader};

/// Shows what a drill would restore, object by object; changes nothing.
pub async fn plan(
    context: &Context,
    request: &Request,
    reader: &mut dyn PlanReader,
) -> Result<PlanFooter, Error> {
    let order = order::order(context, request).await?;
    let planned = restore::dry_run(context, &order.restore, DryRun::Client, reader);
    Ok(Box::pin(planned).await?)
}

/// What a restore, and a check of it, showed.
struct Shown {
    restore: RestoreReport,
    check: Option<Checked>,
}

/// Restores a backup into namespaces made for it, has it checked, writes down what that showed, and
/// takes everything down again.
///
/// Everything but [`Error::Broken`] means that nothing was made. The drill takes itself down
/// whatever happens to it, unless its process is killed; then [`clean_up`] does.
pub async fn run(
    context: &Context,
    request: &Request,
    check: Option<&dyn Check>,
) -> Result<DrillReport, Error> {
    let looked = context.stop.unless_asked(Box::pin(look(context, request))).await;
    let order = looked.unwrap_or(Err(Error::Stopped))?;
    let _heeding = context.stop.heed();
    context.store.begin_drill(&order.record).await.map_err(Error::Location)?;
    let shown = unless_stopped(context, request, &order, check).await;
    let evidence = evidence(context, &order, &shown);
    let recorded = context.store.record_evidence(&evidence).await;
    let take_down = if request.keep {
        TakeDown::kept()
    } else {
        TakeDown::of_left(take_down(context, &order.record, request.down_timeout).await)
    };
    let cause = match (shown, recorded) {
        (Err(cause), _) => cause,
        (Ok(_), Err(source)) => Cause::Evidence { verdict: evidence.verdict, source },
        (Ok(_), Ok(())) => return Ok(DrillReport { evidence, take_down }),
    };
    Err(Error::Broken {
        backup: order.record.backup,
        uid: order.record.uid,
        left: take_down.left,
        source: Box::new(cause),
    })
}

/// Sees whether the backup can be drilled, before anything is made; takes down what earlier drills
/// of it left that were killed.
async fn look(context: &Context, request: &Request) -> Result<Order, Error> {
    let order = order::order(context, request).await?;
    let mut plan = PlanDocument::default();
    Box::pin(restore::dry_run(context, &order.restore, DryRun::Client, &mut plan)).await?;
    order::require_rights(context).await?;
    let killed = Which::Killed(order.record.backup.clone());
    for item in clean_up(context, &killed, request.down_timeout).await?.items {
        for problem in &item.left {
            context.observer.observe(&Event::Warning(problem));
        }
    }
    Ok(order)
}

/// Restores and checks; asked to stop, or not done in time, it ends between two changes.
async fn unless_stopped(
    context: &Context,
    request: &Request,
    order: &Order,
    check: Option<&dyn Check>,
) -> Result<Shown, Cause> {
    let work = timeout(order.within, Box::pin(show(context, request, order, check)));
    tokio::select! {
        biased;
        done = work => done.unwrap_or(Err(Cause::TooLong)),
        () = context.stop.quiet() => Err(Cause::Interrupted),
    }
}

async fn show(
    context: &Context,
    request: &Request,
    order: &Order,
    check: Option<&dyn Check>,
) -> Result<Shown, Cause> {
    scratch::make(context, request, &order.record).await?;
    // Its records belong to the drill: nobody is to find them on this machine only.
    let context = &Context { local_records: None, ..context.clone() };
    let restore = match Box::pin(restore::create(context, &order.restore)).await {
        Err(restore::Error::Interrupted { .. }) => return Err(Cause::Interrupted),
        other => other?,
    };
    let is_up = restore.phase == Phase::Completed;
    let check = match check.filter(|_| is_up) {
        Some(check) => Some(checked(context, order, check, request.check_timeout).await),
        None => None,
    };
    Ok(Shown { restore, check })
}

async fn checked(context: &Context, order: &Order, check: &dyn Check, within: Duration) -> Checked {
    context.observer.observe(&Event::Stage(Stage::Checking));
    let record = &order.record;
    let scratch = Scratch {
        uid: record.uid.clone(),
        backup: record.backup.clone(),
        namespaces: record.namespaces.clone(),
    };
    timeout(within, check.run(&scratch)).await.unwrap_or_else(|_| check.timed_out(within))
}

/// What is written down of a drill.
fn evidence(context: &Context, order: &Order, shown: &Result<Shown, Cause>) -> DrillEvidence {
    let (verdict, reason) = match shown {
        Ok(shown) => verdict(shown),
        Err(cause) => (Verdict::Interrupted, Some(chain(cause))),
    };
    let shown = shown.as_ref().ok();
    DrillEvidence {
        archive_sha256: order.archive_sha256.clone(),
        verdict,
        reason,
        restore: shown.map(|shown| shown.restore.clone()),
        check: shown.and_then(|shown| shown.check.clone()),
        ..interrupted(&order.record, context.clock.now())
    }
}

fn verdict(shown: &Shown) -> (Verdict, Option<String>) {
    let Shown { restore, check } = shown;
    if restore.phase != Phase::Completed {
        let first: Option<&Problem> = restore.errors.first();
        let what = first.map_or_else(|| restore.phase.to_string(), ToString::to_string);
        let more = match restore.errors.len() {
            0 | 1 => String::new(),
            errors => format!(", and {} more", errors - 1),
        };
        return (Verdict::Failed, Some(format!("{what}{more}")));
    }
    match check {
        Some(check) if !check.is_passed() => {
            let code = check.exit_code.map(|code| format!("ended with exit code {code}"));
            let what = code.or_else(|| check.fault.clone()).unwrap_or_default();
            (Verdict::Failed, Some(format!("the check {what}")))
        }
        _ => (Verdict::Passed, None),
    }
}
