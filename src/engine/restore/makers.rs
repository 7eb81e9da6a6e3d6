//! Who would make a claim anew, and empty, that does not come back.
//!
//! A `StatefulSet` that misses the claim of one of its pods has it provisioned at once, and its
//! application starts afresh on an empty disk: such a set is not restored without its claims.

use std::collections::BTreeSet;

use bowline_api::{GroupResource, ItemId};

use super::claims::claims;
use super::error::Error;
use super::plan::{Plan, Verdict};
use super::preflight::{Ready, Request};
use super::select::{self, damaged};
use crate::engine::context::Context;
use crate::engine::model::Object;
use crate::engine::model::fields::{at, maps_at, text_at};

/// What to do about a set that is refused.
const HINT: &str = "bring the claim back by other means and restore again under another name, or use \
     --allow-empty-volumes";

/// Refuses the sets that would make a claim which does not come back.
pub(super) async fn refuse(
    context: &Context,
    ready: &Ready,
    request: &Request,
    plan: &mut Plan<'_>,
) -> Result<(), Error> {
    if request.spec.allow_empty_volumes {
        return Ok(());
    }
    let lost = lost(context, ready, plan).await?;
    let sets = GroupResource::new("apps", "statefulsets");
    for row in &mut plan.rows {
        if lost.is_empty() || *row.entry.resource() != sets || row.verdict != Verdict::Create {
            continue;
        }
        let id = row.entry.id();
        let (_, set) = select::read(ready, row.entry).map_err(|cause| damaged(ready, cause))?;
        if let Some(claim) = lost.iter().find(|claim| makes(&id, &set, claim)) {
            let name = &claim.name;
            row.decide(
                Verdict::Refuse,
                format!("it would make claim {name} anew, and empty, which does not come back"),
            );
            row.hint = Some(HINT);
        }
    }
    Ok(())
}

/// The claims that do not come back and are not in the target either.
async fn lost(
    context: &Context,
    ready: &Ready,
    plan: &Plan<'_>,
) -> Result<BTreeSet<ItemId>, Error> {
    let refused = plan.rows.iter().filter(|row| row.verdict == Verdict::Refuse);
    let refused = refused.filter(|row| row.live_uid.is_none()).map(|row| row.entry.id());
    let missing = plan.missing.iter().map(|missing| missing.id.clone());
    let mut lost = BTreeSet::new();
    for claim in refused.chain(missing).filter(|id| id.resource == claims()) {
        let Some(kind) = ready.catalog.get(&claim.resource) else { continue };
        let target = plan.preparation.target(&claim);
        let live = context.cluster.get(kind, target.namespace.as_deref(), &target.name);
        if live.await.map_err(Error::Cluster)?.is_none() {
            lost.insert(claim);
        }
    }
    Ok(lost)
}

/// Whether a set makes this claim: `TEMPLATE-SET-ORDINAL`, for each of its pods.
fn makes(id: &ItemId, set: &Object, claim: &ItemId) -> bool {
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
