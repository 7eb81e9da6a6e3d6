//! What is there already, and whether it is the same.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bowline_api::{GroupResource, ItemId};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Map, Value};

use super::Preparation;
use super::accounts;
use super::claims;
use super::compare;
use super::error::Error;
use super::plan::{EMPTY, Plan, Row, Verdict, kind_of};
use super::preflight::Ready;
use super::prepare;
use super::select::{self, damaged};
use crate::engine::cluster::{ListScope, Listed};
use crate::engine::context::Context;
use crate::engine::model::Kind;
use crate::engine::model::fields::text_at;
use crate::engine::model::kinds::Step;
use crate::engine::model::volume::tags;

const VOLUME_NAME: &[&str] = &["spec", "volumeName"];

/// Rows of one kind in one namespace of the target, by the name in the target.
struct Group<'a> {
    kind: Kind,
    namespace: Option<String>,
    rows: HashMap<String, &'a Row<'a>>,
    indices: HashMap<String, usize>,
}

/// What the live object of a row says.
struct Found {
    row: usize,
    verdict: Verdict,
    reason: String,
    uid: String,
    ours: bool,
}

/// Compares what would be made with what is there; gives back the namespaces that exist.
pub(super) async fn compare(
    context: &Context,
    ready: &Ready,
    plan: &mut Plan<'_>,
) -> Result<BTreeSet<String>, Error> {
    let namespaces = namespaces(context, ready).await?;
    if !plan.preparation.namespaces.is_empty() {
        plan.preparation.taken_node_ports = node_ports(context, ready).await?;
    }
    let groups = groups(ready, plan, &namespaces);
    let preparation = &plan.preparation;
    let found: Vec<Vec<Found>> = stream::iter(groups)
        .map(|group| async move { look_up(context, ready, preparation, &group).await })
        .buffer_unordered(context.limits.lists)
        .try_collect()
        .await?;
    for found in found.into_iter().flatten() {
        let row = &mut plan.rows[found.row];
        // What an interrupted run of this restore made is as it should be; jobs wait to be released.
        let ours = found.ours && found.verdict == Verdict::Differs;
        row.verdict = if ours { Verdict::Unchanged } else { found.verdict };
        row.reason = found.reason.into();
        row.live_uid = Some(found.uid);
        row.ours = found.ours;
    }
    leave_claims_that_are_there(plan);
    Ok(namespaces)
}

async fn namespaces(context: &Context, ready: &Ready) -> Result<BTreeSet<String>, Error> {
    let mut names = BTreeSet::new();
    for item in list(context, ready, &GroupResource::core("namespaces")).await? {
        names.insert(item.meta.name);
    }
    Ok(names)
}

/// The node ports that services of the target hold; a clone must not ask for them.
async fn node_ports(context: &Context, ready: &Ready) -> Result<BTreeSet<i64>, Error> {
    let mut taken = BTreeSet::new();
    for item in list(context, ready, &GroupResource::core("services")).await? {
        let service: Value = serde_json::from_slice(&item.json).unwrap_or_default();
        let ports = service.pointer("/spec/ports").and_then(Value::as_array);
        taken.extend(ports.into_iter().flatten().filter_map(|port| port.get("nodePort")?.as_i64()));
        taken.extend(service.pointer("/spec/healthCheckNodePort").and_then(Value::as_i64));
    }
    Ok(taken)
}

async fn list(
    context: &Context,
    ready: &Ready,
    resource: &GroupResource,
) -> Result<Vec<Listed>, Error> {
    let Some(kind) = ready.catalog.get(resource) else { return Ok(Vec::new()) };
    let pages = context.cluster.list(kind, &ListScope::default());
    let pages: Vec<Vec<Listed>> =
        pages.map_ok(|page| page.items).try_collect().await.map_err(Error::Cluster)?;
    Ok(pages.into_iter().flatten().collect())
}

fn groups<'a>(ready: &Ready, plan: &'a Plan<'a>, namespaces: &BTreeSet<String>) -> Vec<Group<'a>> {
    let mut groups: BTreeMap<(GroupResource, String, Option<String>), Group<'a>> = BTreeMap::new();
    for (index, row) in plan.rows.iter().enumerate() {
        if !is_compared(row) || row.step == Step::Volumes {
            continue;
        }
        let target = plan.preparation.target(&row.entry.id());
        if target.namespace.as_ref().is_some_and(|namespace| !namespaces.contains(namespace)) {
            continue;
        }
        let Some(kind) = kind_of(&ready.catalog, &row.entry) else { continue };
        let key = (target.resource, kind.version.clone(), target.namespace.clone());
        let group = groups.entry(key).or_insert_with(|| Group {
            kind: kind.into_owned(),
            namespace: target.namespace,
            rows: HashMap::new(),
            indices: HashMap::new(),
        });
        group.rows.insert(target.name.clone(), row);
        group.indices.insert(target.name, index);
    }
    groups.into_values().collect()
}

/// A claim that cannot have its volume may be there with the very one that it had.
fn is_compared(row: &Row<'_>) -> bool {
    let is_claim = *row.entry.resource() == claims::claims();
    row.verdict == Verdict::Create || is_claim && row.verdict == Verdict::Refuse
}

async fn look_up(
    context: &Context,
    ready: &Ready,
    preparation: &Preparation,
    group: &Group<'_>,
) -> Result<Vec<Found>, Error> {
    let scope = ListScope { namespace: group.namespace.clone(), label_selector: None };
    let mut pages = context.cluster.list(&group.kind, &scope);
    let mut found = Vec::new();
    while let Some(page) = pages.try_next().await.map_err(Error::Cluster)? {
        for listed in &page.items {
            if let Some(row) = group.rows.get(&listed.meta.name) {
                let index = group.indices[&listed.meta.name];
                found.extend(judge(ready, preparation, row, index, listed)?);
            }
        }
    }
    Ok(found)
}

fn judge(
    ready: &Ready,
    preparation: &Preparation,
    row: &Row<'_>,
    index: usize,
    listed: &Listed,
) -> Result<Option<Found>, Error> {
    let id = row.entry.id();
    let (_, object) = select::read(ready, row.entry).map_err(|cause| damaged(ready, cause))?;
    let recorded = text_at(&object, VOLUME_NAME).map(str::to_owned);
    let prepared = prepare::prepare(&id, object, preparation);
    let live: Map<String, Value> = serde_json::from_slice(&listed.json).unwrap_or_default();
    if row.verdict == Verdict::Refuse && !has_volume(&live, recorded.as_deref()) {
        return Ok(None);
    }
    let ours = listed.meta.labels.get(prepare::RESTORE_UID_LABEL) == Some(&preparation.restore_uid);
    let (verdict, reason) = if id.resource == claims::claims() {
        judge_empty(ours, &prepared.object, &live)
            .or_else(|| judge_claim(&prepared.object, &live))
            .or_else(|| judge_data(recorded.as_deref(), &prepared.object, &live))
            .unwrap_or_else(|| judge_object(&prepared.id, &prepared.object, &live))
    } else {
        judge_object(&prepared.id, &prepared.object, &live)
    };
    Ok(Some(Found { row: index, verdict, reason, uid: listed.meta.uid.clone(), ours }))
}

/// Whether a claim is bound to this volume.
fn has_volume(live: &Map<String, Value>, volume: Option<&str>) -> bool {
    let is_bound = text_at(live, &["status", "phase"]) == Some("Bound");
    is_bound && volume.is_some() && text_at(live, VOLUME_NAME) == volume
}

/// A claim that an interrupted run of this restore made without its data: not for the volume that it
/// would be reserved for.
fn judge_empty(
    ours: bool,
    prepared: &Map<String, Value>,
    live: &Map<String, Value>,
) -> Option<(Verdict, String)> {
    let wanted = text_at(prepared, VOLUME_NAME)?;
    (ours && text_at(live, VOLUME_NAME) != Some(wanted))
        .then(|| (Verdict::Unchanged, format!("{EMPTY}: this restore made it without its data")))
}

fn judge_object(
    target: &ItemId,
    ours: &Map<String, Value>,
    live: &Map<String, Value>,
) -> (Verdict, String) {
    let differences = compare::differences(target, ours, live);
    if differences.is_empty() {
        return (Verdict::Unchanged, String::new());
    }
    if target.resource == GroupResource::core("serviceaccounts") {
        return match accounts::additions(ours, live) {
            Some(_) => (Verdict::Update, "what it lacks is added".to_owned()),
            None => (Verdict::Unchanged, "it has more than the backup's".to_owned()),
        };
    }
    let shown = differences.iter().take(8).cloned().collect::<Vec<_>>().join(", ");
    let more = differences.len().saturating_sub(8);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (Verdict::Differs, format!("it exists and differs in {shown}{more}"))
}

/// A claim that is there but not bound is either ours, from an interrupted run, or in the way.
fn judge_claim(ours: &Map<String, Value>, live: &Map<String, Value>) -> Option<(Verdict, String)> {
    let text = |object: &Map<String, Value>, part: &str, key: &str| {
        Some(object.get(part)?.get(key)?.as_str()?.to_owned())
    };
    if text(live, "status", "phase").as_deref() == Some("Bound") {
        return None;
    }
    let wanted = text(ours, "spec", "volumeName")?;
    let reserved = text(live, "spec", "volumeName").filter(|name| !name.is_empty());
    Some(match reserved {
        Some(reserved) if reserved == wanted => (Verdict::Create, "it is reserved already".into()),
        Some(reserved) => (
            Verdict::Refuse,
            format!("it exists and waits for volume {reserved}, of another restore perhaps"),
        ),
        None => (Verdict::Refuse, "it exists and is not bound".to_owned()),
    })
}

/// A bound claim has the backup's data if it is on the disk that was backed up, or was restored from
/// this backup. Any other may be empty: a `StatefulSet` makes a fresh one where its claim is missing.
fn judge_data(
    recorded: Option<&str>,
    ours: &Map<String, Value>,
    live: &Map<String, Value>,
) -> Option<(Verdict, String)> {
    text_at(ours, VOLUME_NAME)?;
    let volume = text_at(live, VOLUME_NAME)?;
    let backup = ["metadata", "annotations", tags::BACKUP_UID];
    let restored = text_at(live, &backup) == text_at(ours, &backup);
    (!restored && recorded != Some(volume)).then(|| {
        let reason =
            format!("it exists and is bound to {volume}, which was not made of this backup");
        (Verdict::Refuse, reason)
    })
}

/// No volume is made for a claim that is there.
fn leave_claims_that_are_there(plan: &mut Plan<'_>) {
    let Plan { rows, claims, preparation, .. } = plan;
    claims.retain(|claim| {
        // A claim that this very restore made is Bound to its volume or waits for it.
        let row = &rows[claim.row];
        let keep = row.verdict == Verdict::Create || row.ours && !row.is_empty();
        if !keep {
            rows[claim.volume_row].verdict = Verdict::Skip;
            rows[claim.volume_row].reason = "its claim exists already".into();
            preparation.renamed.remove(claim.volume.name());
        }
        keep
    });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claim(phase: &str, volume: Option<&str>) -> Map<String, Value> {
        let claim = json!({"spec": {"volumeName": volume}, "status": {"phase": phase}});
        claim.as_object().cloned().unwrap()
    }

    #[test]
    fn only_a_claim_that_waits_for_our_own_volume_is_not_in_the_way() {
        let ours = claim("", Some("bowline-1"));
        let verdict = |live| judge_claim(&ours, &live).map(|(verdict, _)| verdict);
        assert_eq!(verdict(claim("Pending", Some("bowline-1"))), Some(Verdict::Create));
        assert_eq!(verdict(claim("Pending", Some("bowline-2"))), Some(Verdict::Refuse));
        assert_eq!(verdict(claim("Pending", None)), Some(Verdict::Refuse));
        assert_eq!(verdict(claim("Lost", Some("bowline-2"))), Some(Verdict::Refuse));
        assert_eq!(verdict(claim("Bound", Some("pvc-1"))), None);
    }
}
