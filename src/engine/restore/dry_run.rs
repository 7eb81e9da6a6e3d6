//! The plan, told object by object as the executor would take them.

use bowline_api::{GroupResource, ItemId};
use futures::{StreamExt as _, stream};

use super::alterations;
use super::autoscaled;
use super::create::{check, journal, warn};
use super::document::{PlanFooter, PlanHeader, PlanReader, PlannedItem};
use super::error::Error;
use super::identity;
use super::missing::Missing;
use super::plan::{self, Plan, Row, Verdict};
use super::preflight::{Ready, Request};
use super::prepare::Prepared;
use super::quiesce;
use super::rehearsal::{DryRun, Rehearsal, Rehearsals};
use super::rights;
use super::select::damaged;
use crate::engine::context::{Context, Right};
use crate::engine::event::Stage;
use crate::engine::model::difference::Difference;
use crate::engine::model::kinds::{self, Step};
use crate::engine::report::{Problem, chain};

/// Decides what a restore would do, and tells it; changes nothing.
pub async fn dry_run(
    context: &Context,
    request: &Request,
    how: DryRun,
    reader: &mut dyn PlanReader,
) -> Result<PlanFooter, Error> {
    let request = &alterations::load(context, request).await?;
    let journal = journal(context, request);
    let ready = check(context, &journal, request).await?;
    let identity = identity::find(context, request, &ready).await?;
    journal.stage(Stage::Planning);
    let mut plan = Box::pin(plan::plan(context, request, &ready, &identity)).await?;
    let rights = rights::ask(context, &plan).await;
    match plan.check_answered() {
        Err(error) if Right::missing(&rights).is_empty() => return Err(error),
        Err(error) => plan.warnings.push(Problem::of_run("plan", chain(&error))),
        Ok(()) => {}
    }
    warn(&journal, &plan);
    reader.begin(header(request, how, &ready, &plan, rights)).map_err(Error::Shown)?;
    let told = context.stop.unless_asked(tell(context, how, &ready, &plan, reader)).await;
    told.unwrap_or(Err(Error::Stopped))
}

fn header(
    request: &Request,
    how: DryRun,
    ready: &Ready,
    plan: &Plan<'_>,
    rights: Vec<Right>,
) -> PlanHeader {
    PlanHeader {
        name: request.name.clone(),
        backup: request.spec.backup_name.clone(),
        dry_run: how,
        namespace_mapping: request.spec.namespace_mapping.clone(),
        rights,
        warnings: plan.warnings.iter().cloned().chain(quiesce::notes(plan)).collect(),
        ignored: ready.opened.contents.ignored.entries.clone(),
    }
}

/// Tells every object in turn; only as many are in memory as are tried out at once.
async fn tell(
    context: &Context,
    how: DryRun,
    ready: &Ready,
    plan: &Plan<'_>,
    reader: &mut dyn PlanReader,
) -> Result<PlanFooter, Error> {
    let rehearsals =
        (how == DryRun::Server).then(|| Rehearsals::new(&context.cluster, ready, plan));
    let rehearsals = rehearsals.as_ref();
    let at_once = rehearsals.map_or(1, |_| context.limits.creates);
    let mut items = stream::iter(lines(plan))
        .map(|line| async move {
            match line {
                Line::BareNamespace(name) => bare_namespace(rehearsals, name).await,
                Line::Missing(missing) => Ok(not_held(plan, missing)),
                Line::Row(row) => planned(ready, plan, rehearsals, row).await,
            }
        })
        .buffered(at_once);
    let mut footer = PlanFooter::default();
    while let Some(item) = items.next().await {
        let item = item?;
        footer.count(&item);
        reader.item(item).map_err(Error::Shown)?;
    }
    Ok(footer)
}

/// What a plan says something about.
enum Line<'p, 'a> {
    /// A namespace that must be made although the backup does not hold it.
    BareNamespace(&'p str),
    Row(&'p Row<'a>),
    Missing(&'p Missing),
}

/// All that the plan says, by step; the rows as the executor takes them.
fn lines<'p, 'a>(plan: &'p Plan<'a>) -> impl Iterator<Item = Line<'p, 'a>> {
    Step::ALL.into_iter().flat_map(move |step| {
        let bare = plan.bare_namespaces.iter().filter(move |_| step == Step::Namespaces);
        let rows = plan.rows.iter().filter(move |row| row.step == step);
        let missing = plan.missing.iter().filter(move |it| step_of(plan, it) == step);
        bare.map(|name| Line::BareNamespace(name))
            .chain(rows.map(Line::Row))
            .chain(missing.map(Line::Missing))
    })
}

fn step_of(plan: &Plan<'_>, missing: &Missing) -> Step {
    kinds::step(&plan.preparation.target(&missing.id).resource, false).0
}

/// An object of which only its name, its verdict and a reason are told.
fn item(step: Step, verdict: Verdict, target: ItemId, reason: &str) -> PlannedItem {
    PlannedItem {
        step: step.to_string(),
        verdict,
        resource: target.resource.to_string(),
        namespace: target.namespace,
        name: target.name,
        reason: (!reason.is_empty()).then(|| reason.to_owned()),
        transformations: Vec::new(),
        hint: None,
        hints: Vec::new(),
        differences: Vec::new(),
        server_dry_run: None,
    }
}

async fn bare_namespace(
    rehearsals: Option<&Rehearsals<'_>>,
    name: &str,
) -> Result<PlannedItem, Error> {
    let target = ItemId::cluster(GroupResource::core("namespaces"), name);
    let reason = "the backup does not hold the namespace itself";
    let planned = item(Step::Namespaces, Verdict::Create, target, reason);
    match rehearsals {
        Some(rehearsals) => Ok(tried(planned, rehearsals.rehearse_namespace(name).await?)),
        None => Ok(planned),
    }
}

/// What the API server refuses will not come back, whatever the plan wants.
fn tried(mut planned: PlannedItem, rehearsal: Rehearsal) -> PlannedItem {
    if rehearsal.is_refused() {
        planned.verdict = Verdict::Refuse;
        planned.reason = Some("the API server refuses it".to_owned());
    }
    PlannedItem { server_dry_run: Some(rehearsal), ..planned }
}

fn not_held(plan: &Plan<'_>, missing: &Missing) -> PlannedItem {
    let target = plan.preparation.target(&missing.id);
    item(step_of(plan, missing), missing.verdict, target, &missing.reason)
}

async fn planned(
    ready: &Ready,
    plan: &Plan<'_>,
    rehearsals: Option<&Rehearsals<'_>>,
    row: &Row<'_>,
) -> Result<PlannedItem, Error> {
    let id = row.entry.id();
    let Some(prepared) = prepared(ready, plan, row)? else {
        let target = plan.preparation.target(&id);
        return Ok(PlannedItem {
            hint: row.hint.map(str::to_owned),
            differences: differences(row),
            ..item(row.step, row.verdict, target, &row.reason)
        });
    };
    let planned = PlannedItem {
        transformations: transformations(plan, row, &prepared),
        hint: row.hint.map(str::to_owned),
        hints: prepared.hints.clone(),
        differences: differences(row),
        ..item(row.step, row.verdict, prepared.id.clone(), &row.reason)
    };
    match rehearsals {
        Some(rehearsals) => Ok(tried(planned, rehearsals.rehearse(row, prepared).await?)),
        None => Ok(planned),
    }
}

/// How an object is changed before it is made, and what of it is left to others.
fn transformations(plan: &Plan<'_>, row: &Row<'_>, prepared: &Prepared) -> Vec<String> {
    let mut changes = prepared.changes.clone();
    let targets = &plan.preparation.autoscaled;
    let is_there = matches!(row.verdict, Verdict::Update | Verdict::Recreate);
    if is_there && autoscaled::is_target(targets, &prepared.id, &prepared.object) {
        changes.push("replicas left to the autoscaler".to_owned());
    }
    changes
}

/// Where an object differs from what is there, unless that was found to be of no account.
fn differences(row: &Row<'_>) -> Vec<Difference> {
    match row.verdict {
        Verdict::Differs | Verdict::Update | Verdict::Recreate => row.differences.clone(),
        _ => Vec::new(),
    }
}

/// What is made of an object, where something is.
fn prepared(ready: &Ready, plan: &Plan<'_>, row: &Row<'_>) -> Result<Option<Prepared>, Error> {
    match row.verdict {
        Verdict::Create | Verdict::Reattach | Verdict::Update | Verdict::Recreate => {
            plan.prepared(ready, row).map(Some).map_err(|cause| damaged(ready, cause))
        }
        Verdict::Unchanged | Verdict::Differs | Verdict::Skip | Verdict::Refuse => Ok(None),
    }
}
