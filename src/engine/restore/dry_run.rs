//! The plan, told object by object as the executor would take them.

use bowline_api::{GroupResource, ItemId};
use futures::{StreamExt as _, stream};
use serde_json::Value;

use super::alterations;
use super::autoscaled;
use super::create::{check, journal, warn};
use super::document::{PlanFooter, PlanHeader, PlanReader, PlannedItem};
use super::error::Error;
use super::identity;
use super::judgement::TOLD;
use super::missing::Missing;
use super::plan::{self, Plan, Verdict};
use super::preflight::{Ready, Request};
use super::prepare::Prepared;
use super::quiesce;
use super::rehearsal::{DryRun, Rehearsal, Rehearsals};
use super::rights;
use super::row::Row;
use super::select::damaged;
use crate::engine::context::{Context, Right};
use crate::engine::event::Stage;
use crate::engine::model::difference::Difference;
use crate::engine::model::entries::{self, is_within};
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
            hint: row.hint().map(str::to_owned),
            differences: differences(row),
            ..item(row.step, row.verdict, target, row.reason())
        });
    };
    let planned = PlannedItem {
        transformations: transformations(plan, row, &prepared),
        hint: row.hint().map(str::to_owned),
        hints: prepared.hints.clone(),
        differences: differences(row),
        ..item(row.step, row.verdict, prepared.id.clone(), row.reason())
    };
    match rehearsals {
        Some(rehearsals) => Ok(tried(planned, rehearsals.rehearse(row, prepared).await?)),
        None => Ok(planned),
    }
}

/// How an object is changed before it is made, and what of it is left to others.
fn transformations(plan: &Plan<'_>, row: &Row<'_>, prepared: &Prepared) -> Vec<String> {
    let mut changes = match row.verdict {
        Verdict::Update if is_cut(row) => all(prepared),
        Verdict::Update => alterations_in(prepared, row.differences()),
        _ => prepared.changes.clone(),
    };
    let targets = &plan.preparation.autoscaled;
    let is_there = matches!(row.verdict, Verdict::Update | Verdict::Recreate);
    if is_there && autoscaled::is_target(targets, &prepared.id, &prepared.object) {
        changes.push("replicas left to the autoscaler".to_owned());
    }
    changes
}

/// Of what a person asked to be changed, that which an update brings: all else that is done to an
/// object that is made does not touch one that is there.
fn alterations_in(prepared: &Prepared, differences: &[Difference]) -> Vec<String> {
    let object = Value::Object(prepared.object.clone());
    let places: Vec<Place> =
        differences.iter().filter_map(|it| Place::of(&object, &it.path)).collect();
    let is_brought = |path: &String| places.iter().any(|place| place.is_of(path));
    let brought = prepared.alterations.iter().filter(|it| it.paths.iter().any(is_brought));
    brought.map(|it| it.change.clone()).collect()
}

/// All of that: of differences that are not told nobody knows which of it they come from.
fn all(prepared: &Prepared) -> Vec<String> {
    prepared.alterations.iter().map(|it| it.change.clone()).collect()
}

/// Whether more differs than is told.
fn is_cut(row: &Row<'_>) -> bool {
    row.differences().len() >= TOLD && row.seen() > row.differences().len()
}

/// Where something differs in an object that is prepared, as a JSON pointer.
enum Place {
    /// There, and all below it.
    At(String),
    /// In a list, of which it lacks an entry.
    Lack(String),
}

impl Place {
    fn of(object: &Value, path: &str) -> Option<Self> {
        let list = |path: &str| {
            let pointer = entries::pointer(object, path)?;
            object.pointer(&pointer)?.is_array().then_some(Self::Lack(pointer))
        };
        let mut lists = path.rmatch_indices('[').map(|(end, _)| &path[..end]);
        entries::pointer(object, path).map(Self::At).or_else(|| lists.find_map(list))
    }

    /// Whether what was altered at a path may be what differs.
    fn is_of(&self, path: &str) -> bool {
        match self {
            Self::At(place) => is_within(path, place) || is_within(place, path),
            Self::Lack(list) => is_within(list, path),
        }
    }
}

/// Where an object differs from what is there, unless that was found to be of no account.
fn differences(row: &Row<'_>) -> Vec<Difference> {
    match row.verdict {
        Verdict::Differs | Verdict::Update | Verdict::Recreate => row.differences().to_vec(),
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Preparation;
    use super::super::compare;
    use super::super::prepare::prepare;
    use super::super::samples::object;
    use super::*;
    use crate::engine::model::modifier::Modifiers;
    use crate::engine::model::policy::Origin;

    const RULES: &str = r#"
version: v1
resourceModifierRules:
- conditions: {groupResource: widgets.example.com}
  patches:
  - {operation: remove, path: "/spec/parts/0"}
- conditions: {groupResource: widgets.example.com}
  patches:
  - {operation: replace, path: "/spec/parts/0/size", value: "2"}
"#;

    fn brought(live: &Value) -> Vec<String> {
        let id: ItemId = "widgets.example.com/shop/w".parse().unwrap();
        let modifiers = Modifiers::read(Origin::File("rules".to_owned()), RULES).unwrap();
        let context = Preparation { modifiers, ..Preparation::default() };
        let parts = json!([{"name": "a", "size": 1}, {"name": "b", "size": 1}]);
        let ours = object(json!({"metadata": {}, "spec": {"parts": parts}}));
        let prepared = prepare(&id, ours, &context);
        assert_eq!(prepared.alterations.len(), 2, "{:?}", prepared.fault);
        let live = object(json!({"metadata": {}, "spec": {"parts": live}}));
        alterations_in(&prepared, &compare::differences(&id, &prepared.object, &live))
    }

    #[test]
    fn an_entry_that_a_rule_takes_out_is_an_alteration_that_an_update_brings() {
        let (a, b) = (json!({"name": "a", "size": 1}), json!({"name": "b", "size": 2}));
        assert_eq!(brought(&json!([b])), [""; 0]);
        assert_eq!(brought(&json!([a, b])), ["modifier rule 1: /spec/parts"]);
        let both = ["modifier rule 1: /spec/parts", "modifier rule 2: /spec/parts/0/size"];
        assert_eq!(brought(&json!([a, {"name": "b", "size": 1}])), both);
    }
}
