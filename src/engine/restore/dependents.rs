//! What would be deleted along with an object that is made anew: where that does not come again by itself,
//! the object is left as it is.

use std::collections::{BTreeSet, HashMap};

use bowline_api::{GroupResource, ItemId};
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::error::Error;
use super::judgement::UPDATE;
use super::plan::{Plan, Verdict};
use super::preflight::Ready;
use super::recreate;
use crate::engine::cluster::{self, ListScope};
use crate::engine::context::Context;
use crate::engine::model::{Kind, Meta, kinds};

/// The objects that are to be deleted with what they own: their rows, by identity.
type Doomed = HashMap<String, (usize, GroupResource)>;

/// What is found of one kind: rows, and why these are to be left.
type Found = Vec<(usize, String)>;

/// Leaves objects as they are which own what would not come again without them.
pub(super) async fn spare(
    context: &Context,
    ready: &Ready,
    plan: &mut Plan<'_>,
) -> Result<(), Error> {
    let (doomed, namespaces) = doomed(plan);
    let kinds = ready.catalog.kinds.iter().filter(|kind| kind.supports(&["list"]));
    let mut lists = Vec::new();
    for kind in kinds {
        for namespace in namespaces.iter().filter(|it| kind.namespaced || it.is_none()) {
            lists.push((kind, ListScope { namespace: namespace.clone(), label_selector: None }));
        }
    }
    let found: Vec<Found> = stream::iter(lists)
        .map(|(kind, scope)| async { look(context, kind, scope, &doomed).await })
        .buffer_unordered(context.limits.lists)
        .try_collect()
        .await?;
    for (row, why) in found.into_iter().flatten() {
        let row = &mut plan.rows[row];
        if row.verdict == Verdict::Recreate {
            let reason = format!("{}; not recreated: {why}", row.reason());
            row.decide(Verdict::Differs, reason);
            row.more_mut().hint = Some(UPDATE);
        }
    }
    Ok(())
}

/// What is deleted with all that it owns, and the namespaces where that may be; none for anywhere.
fn doomed(plan: &Plan<'_>) -> (Doomed, BTreeSet<Option<String>>) {
    let mut doomed = Doomed::new();
    let mut namespaces = BTreeSet::new();
    for (index, row) in plan.rows.iter().enumerate() {
        let target = plan.preparation.target(&row.entry.id());
        let uid = row.live_uid().filter(|_| row.verdict == Verdict::Recreate);
        let Some(uid) = uid.filter(|_| !recreate::keeps_its_pods(&target.resource)) else {
            continue;
        };
        namespaces.insert(target.namespace);
        doomed.insert(uid.to_owned(), (index, target.resource));
    }
    (doomed, namespaces)
}

async fn look(
    context: &Context,
    kind: &Kind,
    scope: ListScope,
    doomed: &Doomed,
) -> Result<Found, Error> {
    let mut pages = context.cluster.list(kind, &scope);
    let mut found = Vec::new();
    loop {
        match pages.try_next().await {
            // Some kinds are in the catalog and cannot be listed: nothing is stored of them.
            Ok(None) | Err(cluster::Error::NotServed { .. }) => return Ok(found),
            Ok(Some(page)) => found.extend(
                page.items.iter().filter_map(|it| claimed(&kind.resource, &it.meta, doomed)),
            ),
            Err(cluster::Error::Forbidden { .. }) => {
                let why = format!("{} that it may own cannot be listed", kind.resource);
                return Ok(doomed.values().map(|(row, _)| (*row, why.clone())).collect());
            }
            Err(error) => return Err(Error::Cluster(error)),
        }
    }
}

/// The row of an owner without which this object would not come again.
fn claimed(resource: &GroupResource, meta: &Meta, doomed: &Doomed) -> Option<(usize, String)> {
    // It is deleted when its last owner is.
    let stays = meta.owner_references.iter().any(|owner| !doomed.contains_key(&owner.uid));
    let mut owners = meta.owner_references.iter().filter_map(|owner| doomed.get(&owner.uid));
    let (row, _) = owners.find(|(_, owner)| !stays && !kinds::remakes(owner, resource))?;
    let id = ItemId {
        resource: resource.clone(),
        namespace: meta.namespace.clone(),
        name: meta.name.clone(),
    };
    Some((*row, format!("{id} belongs to it and would be deleted with it")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::model::OwnerReference;

    fn spared(child: &str, owners: &[&str]) -> Option<usize> {
        let deployment = "deployments.apps".parse().unwrap();
        let doomed = Doomed::from([("u1".to_owned(), (7, deployment))]);
        let owner = |uid: &&str| OwnerReference { uid: (*uid).to_owned(), ..<_>::default() };
        let meta = Meta { owner_references: owners.iter().map(owner).collect(), ..Meta::default() };
        claimed(&child.parse().unwrap(), &meta, &doomed).map(|(row, _)| row)
    }

    #[test]
    fn what_an_object_owns_and_nobody_makes_again_spares_it() {
        assert_eq!(spared("persistentvolumeclaims", &["u1"]), Some(7));
        assert_eq!(spared("configmaps", &["u1"]), Some(7));
        assert_eq!(spared("replicasets.apps", &["u1"]), None);
        assert_eq!(spared("configmaps", &["u2"]), None);
        assert_eq!(spared("configmaps", &["u1", "u2"]), None, "another owner keeps it");
        assert_eq!(spared("configmaps", &[]), None);
    }
}
