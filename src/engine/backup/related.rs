//! Objects that the taken ones need: they are looked up one by one, where no list brought them.

use std::collections::BTreeSet;

use bowline_api::{GroupResource, ItemId};
use futures::TryStreamExt as _;
use serde_json::{Map, Value};

use super::collect::{failed, kind};
use super::error::Cause;
use super::intake::Intake;
use crate::engine::cluster::{ListScope, Listed};
use crate::engine::context::Context;
use crate::engine::model::Kind;
use crate::engine::model::relations::{binding_names_account, definition_of};

/// Takes in everything that taken objects need, and what that needs in turn.
pub(super) async fn collect(context: &Context, intake: &mut Intake<'_>) -> Result<(), Cause> {
    bindings(context, intake).await?;
    let definitions = definitions(intake);
    intake.taken.related.extend(definitions);
    let mut asked = BTreeSet::new();
    loop {
        let wanted = wanted(intake, &asked);
        if wanted.is_empty() {
            return Ok(());
        }
        for id in wanted {
            look_up(context, intake, &id).await?;
            asked.insert(id);
        }
    }
}

fn wanted(intake: &Intake<'_>, asked: &BTreeSet<ItemId>) -> Vec<ItemId> {
    let new = |id: &&ItemId| !asked.contains(*id) && !intake.taken.has(id);
    intake.taken.related.iter().filter(new).cloned().collect()
}

/// The definitions of all custom resources that were taken.
///
/// Which kinds are custom is not asked: the definition of a built-in one is not found.
fn definitions(intake: &Intake<'_>) -> Vec<ItemId> {
    let taken = |kind: &&Kind| intake.taken.has_any(kind);
    let dotted = |kind: &&Kind| kind.resource.group.contains('.');
    let kinds = intake.ready.catalog.kinds.iter().filter(dotted).filter(taken);
    kinds.map(|kind| definition_of(&kind.resource)).collect()
}

/// Takes in an object that another one needs, if the filters allow it.
pub(super) async fn look_up(
    context: &Context,
    intake: &mut Intake<'_>,
    id: &ItemId,
) -> Result<(), Cause> {
    let Some(kind) = kind(intake.ready, &id.resource).cloned() else { return Ok(()) };
    if !intake.ready.filters.allows_related(&kind, id.namespace.as_deref()) {
        return Ok(());
    }
    match context.cluster.get_raw(&kind, id.namespace.as_deref(), &id.name).await {
        Ok(json) => match json.and_then(Listed::of_object) {
            Some(listed) => intake.take(&kind, &listed).await,
            None => Ok(()),
        },
        Err(error) => failed(intake.journal, &kind, id.namespace.clone(), error),
    }
}

/// Takes the cluster role bindings that give rights to a taken account.
///
/// They are cluster-scoped: where they are not listed anyway, they are read and sieved here.
async fn bindings(context: &Context, intake: &mut Intake<'_>) -> Result<(), Cause> {
    let resource = GroupResource::new("rbac.authorization.k8s.io", "clusterrolebindings");
    let Some(kind) = kind(intake.ready, &resource).cloned() else { return Ok(()) };
    let filters = &intake.ready.filters;
    let listed_anyway = filters.includes_kind(&kind) && filters.selectors.is_everything();
    if listed_anyway || intake.taken.accounts.is_empty() || !filters.allows_related(&kind, None) {
        return Ok(());
    }
    let mut pages = context.cluster.list(&kind, &ListScope::default());
    loop {
        match pages.try_next().await {
            Ok(Some(page)) => {
                for listed in
                    page.items.iter().filter(|item| names_one(item, intake)).collect::<Vec<_>>()
                {
                    intake.take(&kind, listed).await?;
                }
            }
            Ok(None) => return Ok(()),
            Err(error) => return failed(intake.journal, &kind, None, error),
        }
    }
}

fn names_one(binding: &Listed, intake: &Intake<'_>) -> bool {
    let Ok(object) = serde_json::from_slice::<Map<String, Value>>(&binding.json) else {
        return false;
    };
    let named = |(namespace, account): &(String, String)| {
        binding_names_account(&object, namespace, account)
    };
    intake.taken.accounts.iter().any(named)
}
