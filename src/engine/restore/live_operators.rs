//! Operators that run in the target already, and may act on what is half restored.

use std::collections::BTreeSet;

use bowline_api::{GroupResource, ItemId};
use futures::TryStreamExt as _;
use serde_json::Value;

use super::claims::claims;
use super::plan::{Plan, Verdict};
use super::preflight::{Ready, Request};
use super::prepare::RESTORE_UID_LABEL;
use super::staging::{Authority, PodTemplate};
use crate::engine::cluster::{self, ListScope, Listed};
use crate::engine::context::Context;
use crate::engine::model::Object;
use crate::engine::model::fields::at;
use crate::engine::model::kinds::Step;
use crate::engine::report::{Problem, chain};

const RBAC: &str = "rbac.authorization.k8s.io";

/// Kinds that are restored, with their namespaces in the target.
type Restored = BTreeSet<(GroupResource, Option<String>)>;

/// Names the operators that run in the target and may write what is restored.
///
/// That they cannot be looked for is told, and hinders nothing.
pub(super) async fn look(
    context: &Context,
    ready: &Ready,
    request: &Request,
    plan: &Plan<'_>,
) -> Vec<Problem> {
    let restored = restored(plan);
    if restored.is_empty() {
        return Vec::new();
    }
    match find(context, ready, request, plan, &restored).await {
        Ok(found) => found,
        Err(error) => {
            let message = format!(
                "whether operators run that may act on what is restored is not known: {}",
                chain(&error)
            );
            vec![Problem::of_run("plan", message)]
        }
    }
}

fn restored(plan: &Plan<'_>) -> Restored {
    let rows = plan.rows.iter().filter(|row| row.verdict == Verdict::Create);
    let rows =
        rows.filter(|row| row.step == Step::CustomResources || *row.entry.resource() == claims());
    rows.map(|row| {
        (row.entry.resource().clone(), plan.preparation.target(&row.entry.id()).namespace)
    })
    .collect()
}

async fn find(
    context: &Context,
    ready: &Ready,
    request: &Request,
    plan: &Plan<'_>,
    restored: &Restored,
) -> Result<Vec<Problem>, cluster::Error> {
    let mut running = Vec::new();
    for kind in ["deployments", "statefulsets"] {
        let resource = GroupResource::new("apps", kind);
        each(context, ready, &resource, |id, listed, object| {
            let ours =
                listed.meta.labels.get(RESTORE_UID_LABEL) == Some(&plan.preparation.restore_uid);
            let ready = at(&object, &["status", "readyReplicas"]).and_then(Value::as_i64);
            if let Some(pods) = PodTemplate::of(&id, &object).filter(|_| !ours && ready > Some(0)) {
                running.push((id, pods.account));
            }
        })
        .await?;
    }
    let asked = |id: &ItemId| {
        let name = format!("{}/{}", id.namespace.as_deref().unwrap_or_default(), id.name);
        request.spec.quiesce.contains(&name)
    };
    running.retain(|(id, _)| !asked(id));
    if running.is_empty() {
        return Ok(Vec::new());
    }
    let authority = authority(context, ready).await?;
    Ok(running
        .iter()
        .filter_map(|(id, account)| named(&authority, id, account, restored))
        .collect())
}

async fn authority(context: &Context, ready: &Ready) -> Result<Authority, cluster::Error> {
    let mut authority = Authority::default();
    for kind in ["clusterroles", "roles", "clusterrolebindings", "rolebindings"] {
        let resource = GroupResource::new(RBAC, kind);
        each(context, ready, &resource, |id, _, object| authority.read(id, object)).await?;
    }
    Ok(authority)
}

/// Looks at every object of a kind in the target.
pub(super) async fn each(
    context: &Context,
    ready: &Ready,
    resource: &GroupResource,
    mut take: impl FnMut(ItemId, &Listed, Object),
) -> Result<(), cluster::Error> {
    let Some(kind) = ready.catalog.get(resource) else { return Ok(()) };
    let mut pages = context.cluster.list(kind, &ListScope::default());
    while let Some(page) = pages.try_next().await? {
        for listed in &page.items {
            let id = ItemId {
                resource: resource.clone(),
                namespace: listed.meta.namespace.clone(),
                name: listed.meta.name.clone(),
            };
            take(id, listed, serde_json::from_slice(&listed.json).unwrap_or_default());
        }
    }
    Ok(())
}

fn named(
    authority: &Authority,
    id: &ItemId,
    account: &str,
    restored: &Restored,
) -> Option<Problem> {
    let home = id.namespace.as_deref()?;
    let mut kinds: Vec<String> = restored
        .iter()
        .filter(|(kind, place)| authority.writes((home, account), kind, place.as_deref()))
        .map(|(kind, _)| kind.to_string())
        .collect();
    kinds.dedup();
    let message = format!("it runs, and may act on {} while they come back", kinds.join(", "));
    let hint = format!("--quiesce {home}/{} scales it down meanwhile", id.name);
    let problem = Problem::of_item(id, "plan", message).with_hint(hint);
    (!kinds.is_empty()).then_some(problem)
}
