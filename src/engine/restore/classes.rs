//! Classes that claims name and the target lacks.

use std::collections::BTreeSet;

use bowline_api::{GroupResource, ItemId};
use futures::TryStreamExt as _;

use super::claims::{self, claims};
use super::error::Error;
use super::plan::{Plan, Verdict};
use super::preflight::{Ready, Request};
use super::select::damaged;
use crate::engine::cluster::ListScope;
use crate::engine::context::Context;
use crate::engine::model::fields::text_at;
use crate::engine::report::Problem;

/// What to do about a storage class that is missing.
const STORAGE_HINT: &str =
    "make that class, or give claims another one with --storage-class-mappings";
/// What to do about a volume attributes class that is missing.
const ATTRIBUTES_HINT: &str = "make that VolumeAttributesClass in the target, or restore it, too: without it \
     the claim would never be bound";

/// A claim that is made, and the classes that it names.
struct Wish {
    row: usize,
    target: ItemId,
    storage: Option<String>,
    attributes: Option<String>,
    /// Whether a volume is made for it; otherwise it is left to a provisioner.
    reserved: bool,
}

/// Warns of storage classes that are missing, and refuses claims that could never be bound.
///
/// A claim whose volume is made for it binds without its storage class: both only have to name the same.
pub(super) async fn check(
    context: &Context,
    ready: &Ready,
    request: &Request,
    plan: &mut Plan<'_>,
) -> Result<(), Error> {
    let wishes = wishes(ready, plan)?;
    let storage = GroupResource::new("storage.k8s.io", "storageclasses");
    let attributes = GroupResource::new("storage.k8s.io", "volumeattributesclasses");
    if wishes.iter().any(|wish| wish.storage.is_some()) {
        let known = known(context, ready, plan, &storage).await?;
        plan.warnings.extend(wishes.iter().filter_map(|wish| unclassed(wish, &known)));
    }
    // A server that does not know the kind drops the field.
    let asks = wishes.iter().any(|wish| wish.attributes.is_some() && wish.reserved);
    if asks && ready.catalog.get(&attributes).is_some() {
        let known = known(context, ready, plan, &attributes).await?;
        for wish in wishes.iter().filter(|wish| wish.reserved) {
            let Some(class) = wish.attributes.as_ref().filter(|it| !known.contains(*it)) else {
                continue;
            };
            refuse(request, plan, wish.row, class);
        }
    }
    Ok(())
}

fn refuse(request: &Request, plan: &mut Plan<'_>, row: usize, class: &str) {
    let reason = format!(
        "its VolumeAttributesClass {class} is neither in the target nor restored: it would never be bound"
    );
    let volume = plan.claims.iter().find(|claim| claim.row == row).map(|claim| claim.volume_row);
    if let Some(volume) = volume {
        plan.rows[volume].decide(Verdict::Skip, "no claim of it is restored");
    }
    claims::take_volume(request, plan, row, &reason);
    if plan.rows[row].verdict == Verdict::Refuse {
        plan.rows[row].more_mut().hint = Some(ATTRIBUTES_HINT);
    }
}

fn wishes(ready: &Ready, plan: &Plan<'_>) -> Result<Vec<Wish>, Error> {
    let mut wishes = Vec::new();
    for (index, row) in plan.rows.iter().enumerate() {
        let makes = matches!(row.verdict, Verdict::Create | Verdict::Recreate);
        if !makes || *row.entry.resource() != claims() {
            continue;
        }
        let claim = plan.prepared(ready, row).map_err(|cause| damaged(ready, cause))?;
        let text = |key| text_at(&claim.object, &["spec", key]).filter(|name| !name.is_empty());
        wishes.push(Wish {
            row: index,
            storage: text("storageClassName").map(str::to_owned),
            attributes: text("volumeAttributesClassName").map(str::to_owned),
            reserved: text("volumeName").is_some(),
            target: claim.id,
        });
    }
    Ok(wishes)
}

/// The classes that the target has, or that are restored before any claim is.
async fn known(
    context: &Context,
    ready: &Ready,
    plan: &Plan<'_>,
    resource: &GroupResource,
) -> Result<BTreeSet<String>, Error> {
    let made = plan.rows.iter().filter(|row| row.entry.resource() == resource && row.is_made());
    let mut known: BTreeSet<String> = made.map(|row| row.entry.name().to_owned()).collect();
    let Some(kind) = ready.catalog.get(resource) else { return Ok(known) };
    let scope = ListScope::default();
    let mut pages = context.cluster.list(kind, &scope);
    while let Some(page) = pages.try_next().await.map_err(Error::Cluster)? {
        known.extend(page.items.into_iter().map(|listed| listed.meta.name));
    }
    Ok(known)
}

fn unclassed(wish: &Wish, known: &BTreeSet<String>) -> Option<Problem> {
    let class = wish.storage.as_ref().filter(|class| !known.contains(*class))?;
    let consequence = if wish.reserved {
        "it is bound to the volume that is made for it, but cannot be expanded"
    } else {
        "nothing makes a volume for it"
    };
    let message =
        format!("its StorageClass {class} is neither in the target nor restored: {consequence}");
    Some(Problem::of_item(&wish.target, "plan", message).with_hint(STORAGE_HINT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_that_is_missing_is_told_with_what_follows_from_it() {
        let wish = |storage: Option<&str>, reserved| Wish {
            row: 0,
            target: "persistentvolumeclaims/shop/data".parse().unwrap(),
            storage: storage.map(str::to_owned),
            attributes: None,
            reserved,
        };
        let known = BTreeSet::from(["standard".to_owned()]);
        let told = |wish: &Wish| unclassed(wish, &known).map(|problem| problem.message);
        assert_eq!(told(&wish(Some("standard"), true)), None);
        assert_eq!(told(&wish(None, false)), None);
        let bound = told(&wish(Some("fast"), true)).unwrap();
        assert!(bound.ends_with("but cannot be expanded"), "{bound}");
        let fresh = told(&wish(Some("fast"), false)).unwrap();
        assert!(fresh.ends_with("nothing makes a volume for it"), "{fresh}");
    }
}
