//! Which restored pods have hooks, and what follows for the plan.

use std::collections::BTreeSet;

use bowline_api::{GroupResource, ItemId};

use super::chain::{self, Chain};
use super::treatment::Treatment;
use crate::engine::context::Access;
use crate::engine::model::Meta;
use crate::engine::model::hooks::{InitHook, Matched, RestoreExec, RestoreHooks, restores_itself};
use crate::engine::report::Problem;
use crate::engine::restore::error::Error;
use crate::engine::restore::owners::{self, ByUid};
use crate::engine::restore::plan::{Plan, Turn, Verdict};
use crate::engine::restore::preflight::{Ready, Request};
use crate::engine::restore::row::Row;
use crate::engine::restore::select::{self, damaged};

/// What is run in a pod once it is back.
#[derive(Clone, Debug)]
pub(in crate::engine::restore) struct PodHooks {
    /// The pod in the target.
    pub id: ItemId,
    /// What is run, in this order.
    pub execs: Vec<RestoreExec>,
    /// Why it is not: a warning of the plan.
    pub reason: Option<String>,
}

/// Finds the pods with hooks, and keeps them, and what stands between them and their controllers,
/// from being left to these; gives back their rows.
///
/// Fails if one of the hooks that were asked for is for none of them.
pub(in crate::engine::restore) fn plan(
    ready: &Ready,
    request: &Request,
    plan: &mut Plan<'_>,
) -> Result<BTreeSet<usize>, Error> {
    let hooks = RestoreHooks::read(&request.spec.hooks)?;
    let mut matched = Matched::default();
    let by_uid = owners::by_uid(&plan.rows);
    let mut kept = BTreeSet::new();
    for index in 0..plan.rows.len() {
        if !is_pod(&plan.rows[index]) {
            continue;
        }
        let (meta, _) =
            select::read(ready, plan.rows[index].entry).map_err(|it| damaged(ready, it))?;
        let id = plan.preparation.target(&plan.rows[index].entry.id());
        let namespace = id.namespace.clone().unwrap_or_default();
        let (execs, init) = hooks.of_pod(&namespace, &meta, &mut matched);
        if !execs.is_empty() || !init.is_empty() {
            kept.extend(of_pod(plan, &by_uid, index, id, (&meta, execs, init)));
        }
    }
    hooks.check(&matched)?;
    Ok(kept)
}

/// What never comes back is left out by now.
fn is_pod(row: &Row<'_>) -> bool {
    *row.entry.resource() == GroupResource::core("pods") && row.verdict != Verdict::Skip
}

fn of_pod(
    plan: &mut Plan<'_>,
    by_uid: &ByUid,
    index: usize,
    id: ItemId,
    (meta, execs, init): (&Meta, Vec<RestoreExec>, Vec<InitHook>),
) -> Vec<usize> {
    if let (Verdict::Create, Err(reason)) = (plan.rows[index].verdict, restores_itself(meta)) {
        // Its controller makes another, in which an application lacks what it needs.
        let row = &mut plan.rows[index];
        row.decide(Verdict::Refuse, format!("its hooks are not run: {reason}"));
        row.more_mut().hint =
            Some("run them by hand once its controller has made another: kubectl exec");
        return vec![index];
    }
    let row = &plan.rows[index];
    let controller = meta.controller().and_then(|owner| by_uid.get(&owner.uid));
    let is_resumed = row.ours || controller.is_some_and(|&owner| plan.rows[owner].ours);
    let kept = match row.verdict {
        Verdict::Create => chain::owners(&plan.rows, by_uid, meta),
        // Killed right after it was made: what is between it and its controller is still to come.
        _ if row.ours => chain::owners(&plan.rows, by_uid, meta),
        Verdict::Refuse => Err("the pod is refused".to_owned()),
        _ => Err("the pod is there already".to_owned()),
    };
    let is_for_good = row.verdict == Verdict::Refuse || restores_itself(meta).is_err();
    let reason = kept.as_ref().err().filter(|_| is_for_good || !is_resumed).cloned();
    if let Some(reason) = &reason {
        tell(plan, &id, reason);
    }
    let archived = plan.rows[index].entry.id();
    let notes = execs.iter().map(note).collect();
    if !execs.is_empty() {
        plan.hooks.push(PodHooks { id, execs, reason });
    }
    let Ok(chain) = kept else { return Vec::new() };
    let treatment = Treatment { init, adopted: meta.controller().is_some(), notes };
    plan.preparation.hooks.insert(archived, treatment);
    keep(plan, index, chain)
}

/// A pod comes before what is between it and its controller, and that before the controller: whichever
/// came later would find that another had been made.
fn keep(plan: &mut Plan<'_>, pod: usize, Chain { between, top }: Chain) -> Vec<usize> {
    let above = between.iter().chain(&top);
    // A controller that is moved to the front takes along what comes before it.
    let earliest = above.clone().copied().min_by_key(|&index| plan.rows[index].step);
    for &index in &between {
        plan.rows[index].turn = Turn::Second;
        let id = plan.rows[index].entry.id();
        plan.preparation.hooks.entry(id).or_default().adopted = true;
    }
    if let Some(earliest) = earliest {
        let (step, stage) = (plan.rows[earliest].step, plan.rows[earliest].stage().cloned());
        for &index in between.iter().chain([&pod]) {
            let row = &mut plan.rows[index];
            if step < row.step {
                row.step = step;
                row.more_mut().stage.clone_from(&stage);
            }
        }
        if step <= plan.rows[pod].step {
            plan.rows[pod].turn = Turn::First;
        }
    }
    between.into_iter().chain([pod]).collect()
}

fn note(exec: &RestoreExec) -> String {
    let command = serde_json::to_string(&exec.exec.command).unwrap_or_default();
    let container = exec.exec.container.as_deref().unwrap_or("its first container");
    format!("then {command} is run in {container} ({})", exec.exec.source)
}

fn tell(plan: &mut Plan<'_>, id: &ItemId, reason: &str) {
    let message = format!("its hooks are not run: {reason}");
    plan.warnings.push(Problem::of_item(id, "run hooks", message));
}

/// What running them needs.
pub(in crate::engine::restore) fn needed(plan: &Plan<'_>) -> Vec<Access> {
    let run = plan.hooks.iter().filter(|it| it.reason.is_none());
    let namespaces: BTreeSet<_> = run.filter_map(|it| it.id.namespace.as_deref()).collect();
    let pods = |verb, namespace: &str| Access {
        verb,
        resource: GroupResource::core("pods"),
        namespace: Some(namespace.to_owned()),
    };
    namespaces
        .into_iter()
        .flat_map(|it| Access::to_exec(it).into_iter().chain([pods("get", it), pods("patch", it)]))
        .collect()
}
