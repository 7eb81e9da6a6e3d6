//! One drill from its plan to its end.

use std::time::Duration;

use tokio::time::timeout;

use super::check::{Check, Scratch};
use super::clean_up::{Which, clean_up, interrupted};
use super::error::{Cause, Error};
use super::order::{self, Order};
use super::plan;
use super::report::{DrillReport, TakeDown};
use super::request::Request;
use super::scratch;
use super::take_down::take_down;
use crate::engine::clock::pause;
use crate::engine::context::Context;
use crate::engine::event::{Event, Stage};
use crate::engine::model::drill::{Checked, DrillEvidence, Verdict};
use crate::engine::report::{Phase, Problem, RestoreReport, chain};
use crate::engine::restore;

/// Why a drill that made nothing did not pass.
const NOTHING: &str = "nothing was made: a drill leaves out all that it holds";

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
    // One that broke off shows nothing that would be worth a look.
    let take_down = if request.keep && shown.is_ok() && recorded.is_ok() {
        TakeDown::kept()
    } else {
        TakeDown::of_left(take_down(context, &order.record, request.down_timeout).await)
    };
    let cause = match (shown, recorded) {
        (Err(cause), _) => cause,
        (Ok(_), Err(source)) => Cause::Evidence { verdict: evidence.verdict, source },
        (Ok(_), Ok(())) => return Ok(DrillReport::new(evidence, take_down)),
    };
    Err(Error::Broken {
        backup: order.record.backup,
        uid: order.record.uid,
        left: take_down.left,
        source: Box::new(cause),
    })
}

/// Sees whether the backup can be drilled, before anything is made; takes down what earlier drills
/// left that were killed. Of whatever backup: the next one of a schedule is of another.
async fn look(context: &Context, request: &Request) -> Result<Order, Error> {
    let order = order::order(context, request).await?;
    plan::require_rights(context, &order).await?;
    for item in clean_up(context, &Which::Killed, request.down_timeout).await?.items {
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
    let mut work = Box::pin(show(context, request, order, check));
    tokio::select! {
        biased;
        done = &mut work => return done,
        () = context.stop.quiet() => return Err(Cause::Interrupted),
        () = pause(order.within) => context.stop.ask(),
    };
    tokio::select! {
        biased;
        _ = work => {}
        () = context.stop.quiet() => {}
    }
    Err(Cause::TooLong)
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
    let check = match check.filter(|_| fault(&restore).is_none()) {
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
    let fault = fault(&shown.restore).or_else(|| match &shown.check {
        Some(check) if !check.is_passed() => {
            let code = check.exit_code.map(|code| format!("ended with exit code {code}"));
            let what = code.or_else(|| check.fault.clone()).unwrap_or_default();
            Some(format!("the check {what}"))
        }
        _ => None,
    });
    let verdict = if fault.is_none() { Verdict::Passed } else { Verdict::Failed };
    (verdict, fault)
}

/// Why a restore does not show that the backup is good, if it does not.
fn fault(restore: &RestoreReport) -> Option<String> {
    if restore.phase == Phase::Completed {
        // What is left out is not tried; service accounts are in every namespace.
        let made = restore.kinds.iter().filter(|(kind, _)| *kind != "serviceaccounts");
        let is_nothing = made.map(|(_, counts)| counts.created).sum::<u64>() == 0;
        return is_nothing.then(|| NOTHING.to_owned());
    }
    let what = restore.errors.first().map_or_else(|| restore.phase.to_string(), Problem::to_string);
    Some(match restore.errors.len() {
        0 | 1 => what,
        errors => format!("{what}, and {} more", errors - 1),
    })
}
