//! Who would make a claim anew, and empty, that does not come back.
//!
//! A `StatefulSet` that misses the claim of one of its pods has it provisioned at once, and its
//! application starts afresh on an empty disk: such a set is not restored without its claims.

use std::collections::{BTreeSet, HashSet};

use bowline_api::{GroupResource, ItemId};
use futures::TryStreamExt as _;

use super::claims::claims;
use super::error::Error;
use super::missing::{self, Missing};
use super::plan::{Plan, Verdict};
use super::preflight::{Ready, Request};
use super::select;
use crate::engine::cluster::ListScope;
use crate::engine::context::Context;
use crate::engine::model::Object;
use crate::engine::model::fields::{at, maps_at, text_at};

/// What to do about a set that is refused.
const HINT: &str = "bring the claim back by other means and restore again under another name, or use \
     --allow-empty-volumes";

/// Refuses the sets that would make a claim which does not come back; gives back their rows.
///
/// Where claims may be empty, such a set is restored, and the plan says what it makes.
pub(super) async fn refuse(
    context: &Context,
    ready: &Ready,
    request: &Request,
    plan: &mut Plan<'_>,
) -> Result<BTreeSet<usize>, Error> {
    let mut refused = BTreeSet::new();
    plan.lost = lost(context, ready, plan).await?;
    let may_be_empty =
        request.spec.allow_empty_volumes || request.spec.restore_volumes == Some(false);
    let sets = GroupResource::new("apps", "statefulsets");
    for index in 0..plan.rows.len() {
        let row = &plan.rows[index];
        if plan.lost.is_empty() || *row.entry.resource() != sets || !row.is_applied() {
            continue;
        }
        let id = row.entry.id();
        let set = select::object(ready, row.entry)?;
        let made = plan.lost.iter().filter(|claim| makes(&id, &set, claim));
        let made: Vec<ItemId> = made.cloned().collect();
        if may_be_empty {
            for claim in &made {
                make_empty(plan, &id, claim);
            }
        } else if let Some(claim) = made.first() {
            let reason = format!(
                "it would make claim {} anew, and empty, which does not come back",
                claim.name
            );
            plan.rows[index].decide(Verdict::Refuse, reason);
            plan.rows[index].more_mut().hint = Some(HINT);
            refused.insert(index);
        }
    }
    Ok(refused)
}

/// Says that a set makes a claim which the archive does not hold.
fn make_empty(plan: &mut Plan<'_>, set: &ItemId, claim: &ItemId) {
    plan.lost.remove(claim);
    let known = plan.missing.iter().position(|missing| missing.id == *claim);
    let index = known.unwrap_or(plan.missing.len());
    if known.is_none() {
        plan.missing.push(Missing::new(claim.clone()));
    }
    plan.missing[index].leave_to(set);
}

/// The claims that do not come back and are not in the target either.
async fn lost(
    context: &Context,
    ready: &Ready,
    plan: &Plan<'_>,
) -> Result<BTreeSet<ItemId>, Error> {
    let Some(kind) = ready.catalog.get(&claims()) else { return Ok(BTreeSet::new()) };
    let refused = plan.rows.iter().filter(|row| row.verdict == Verdict::Refuse);
    let refused = refused.filter(|row| row.live_uid().is_none()).map(|row| row.entry.id());
    let missing = plan.missing.iter().map(|missing| missing.id.clone());
    let all = refused.chain(missing).chain(missing::kept_claims(&ready.opened));
    let mut lost: BTreeSet<ItemId> = all.filter(|id| id.resource == claims()).collect();
    // Others are no concern of anything that is restored.
    let restored: BTreeSet<_> = plan.rows.iter().filter_map(|row| row.entry.namespace()).collect();
    lost.retain(|id| id.namespace.as_deref().is_some_and(|it| restored.contains(it)));
    let namespaces = lost.iter().filter_map(|id| plan.preparation.target(id).namespace);
    for namespace in namespaces.collect::<BTreeSet<_>>() {
        let scope = ListScope { namespace: Some(namespace.clone()), label_selector: None };
        let mut pages = context.cluster.list(kind, &scope);
        while let Some(page) = pages.try_next().await.map_err(Error::Cluster)? {
            let live: HashSet<_> = page.items.iter().map(|it| it.meta.name.as_str()).collect();
            lost.retain(|id| {
                let is_there = live.contains(id.name.as_str());
                !is_there || plan.preparation.target(id).namespace.as_ref() != Some(&namespace)
            });
        }
    }
    Ok(lost)
}

/// Whether a set makes this claim: `TEMPLATE-SET-ORDINAL`, for each of its pods.
pub(super) fn makes(id: &ItemId, set: &Object, claim: &ItemId) -> bool {
    let number = |path| at(set, path).and_then(serde_json::Value::as_u64);
    let first = number(&["spec", "ordinals", "start"]).unwrap_or(0);
    let pods = first..first + number(&["spec", "replicas"]).unwrap_or(1);
    let mut templates = maps_at(set, &["spec", "volumeClaimTemplates"]);
    id.namespace == claim.namespace
        && templates.any(|template| {
            let name = text_at(template, &["metadata", "name"]).unwrap_or_default();
            let ordinal = claim.name.strip_prefix(&format!("{name}-{}-", id.name));
            ordinal.and_then(|it| it.parse().ok()).is_some_and(|it: u64| pods.contains(&it))
        })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::samples::object;
    use super::*;

    fn made(spec: &Value, claim: &str) -> bool {
        let mut set = json!({"spec": spec});
        set["spec"]["volumeClaimTemplates"] = json!([{"metadata": {"name": "data"}}]);
        let id = "statefulsets.apps/shop/db".parse().unwrap();
        makes(&id, &object(set), &format!("persistentvolumeclaims/{claim}").parse().unwrap())
    }

    #[test]
    fn a_set_makes_a_claim_for_each_of_its_pods_and_no_other() {
        for claim in ["shop/data-db-0", "shop/data-db-2"] {
            assert!(made(&json!({"replicas": 3}), claim), "{claim}");
        }
        for claim in [
            "shop/data-db-3",
            "other/data-db-0",
            "shop/logs-db-0",
            "shop/data-db",
            "shop/data-web-0",
        ] {
            assert!(!made(&json!({"replicas": 3}), claim), "{claim}");
        }
        assert!(made(&json!({}), "shop/data-db-0"), "one pod, if nothing is said");
        assert!(!made(&json!({"replicas": 0}), "shop/data-db-0"));
        let numbered = || json!({"replicas": 1, "ordinals": {"start": 5}});
        assert!(made(&numbered(), "shop/data-db-5") && !made(&numbered(), "shop/data-db-0"));
    }
}
