//! Who would start on a claim that something else made.
//!
//! On such a claim a workload finds another's data, or none, and takes that for its own. It comes back when
//! the claim does.

use std::collections::BTreeSet;

use bowline_api::ItemId;

use super::claims::claims;
use super::error::Error;
use super::makers;
use super::plan::{Plan, Verdict};
use super::preflight::Ready;
use super::select;
use crate::engine::model::Object;
use crate::engine::model::relations::{Relation, may_use_claims, relations};

/// What to do about a workload that is refused.
const HINT: &str = "it comes back when the claim does: see what is said of that";

/// Refuses what would mount a claim that is there and not the backup's; gives back the rows.
pub(super) fn refuse(ready: &Ready, plan: &mut Plan<'_>) -> Result<BTreeSet<usize>, Error> {
    let is_foreign = |it: &&super::row::Row<'_>| {
        *it.entry.resource() == claims() && it.verdict == Verdict::Refuse && it.live_uid().is_some()
    };
    let foreign = plan.rows.iter().filter(is_foreign).map(|row| row.entry.id()).collect();
    let mut refused = BTreeSet::new();
    for (index, row) in plan.rows.iter_mut().enumerate() {
        if row.verdict != Verdict::Create || !is_concerned(&row.entry.id(), &foreign) {
            continue;
        }
        let object = select::object(ready, row.entry)?;
        if let Some(claim) = mounted(&row.entry.id(), &object, &foreign) {
            let reason =
                format!("it would start on claim {}, which is not the backup's", claim.name);
            row.decide(Verdict::Refuse, reason);
            row.more_mut().hint = Some(HINT);
            refused.insert(index);
        }
    }
    Ok(refused)
}

/// The first of these claims, as they were backed up, that a workload mounts or makes.
pub(super) fn mounted(id: &ItemId, workload: &Object, of: &BTreeSet<ItemId>) -> Option<ItemId> {
    if !is_concerned(id, of) {
        return None;
    }
    let named = relations(id, workload);
    let mounts = |claim: &ItemId| named.contains(&Relation::Item(claim.clone()));
    of.iter().find(|claim| mounts(claim) || makers::makes(id, workload, claim)).cloned()
}

fn is_concerned(id: &ItemId, claims: &BTreeSet<ItemId>) -> bool {
    may_use_claims(&id.resource) && claims.iter().any(|claim| claim.namespace == id.namespace)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::samples::object;
    use super::*;

    #[test]
    fn a_workload_is_concerned_by_the_claims_that_it_mounts_and_those_that_it_makes() {
        let claims: BTreeSet<ItemId> =
            ["persistentvolumeclaims/shop/files", "persistentvolumeclaims/shop/data-db-0"]
                .map(|id| id.parse().unwrap())
                .into();
        let found = |id: &str, workload| {
            let found = mounted(&id.parse().unwrap(), &object(workload), &claims);
            found.map(|claim| claim.name)
        };
        let mounts =
            |claim: &str| json!({"volumes": [{"persistentVolumeClaim": {"claimName": claim}}]});
        let web = || json!({"spec": {"template": {"spec": mounts("files")}}});
        assert_eq!(found("deployments.apps/shop/web", web()).as_deref(), Some("files"));
        assert_eq!(found("deployments.apps/other/web", web()), None);
        assert_eq!(found("pods/shop/job", json!({"spec": mounts("other")})), None);
        let set = || json!({"spec": {"volumeClaimTemplates": [{"metadata": {"name": "data"}}]}});
        assert_eq!(found("statefulsets.apps/shop/db", set()).as_deref(), Some("data-db-0"));
        assert_eq!(found("statefulsets.apps/shop/cache", set()), None);
    }
}
