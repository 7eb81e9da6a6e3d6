//! How many pods a workload has, where an autoscaler of the target decides that.

use std::collections::BTreeSet;

use bowline_api::{GroupResource, ItemId};
use futures::TryStreamExt as _;
use serde_json::Value;

use super::quiesce;
use crate::engine::cluster::{self, ListScope, Listed};
use crate::engine::context::Context;
use crate::engine::model::fields::{at, text_at};
use crate::engine::model::kinds::is_built_in_group;
use crate::engine::model::{Catalog, Object};

/// A workload as an autoscaler names it: namespace, group, kind and name.
pub(super) type Target = (String, String, String, String);

/// Built-in kinds that an autoscaler may scale.
const SCALED: &[&str] =
    &["deployments.apps", "replicasets.apps", "replicationcontrollers", "statefulsets.apps"];

/// Whether objects of this kind may be scaled: custom ones may say so themselves.
pub(super) fn may_be_scaled(resource: &GroupResource) -> bool {
    !is_built_in_group(&resource.group) || SCALED.contains(&resource.to_string().as_str())
}

/// The kind of what scales them.
pub(super) fn scalers() -> GroupResource {
    GroupResource::new("autoscaling", "horizontalpodautoscalers")
}

/// The workloads that autoscalers of these namespaces scale, or of all.
pub(super) async fn targets(
    context: &Context,
    catalog: &Catalog,
    namespaces: Option<BTreeSet<String>>,
) -> Result<BTreeSet<Target>, cluster::Error> {
    let mut targets = BTreeSet::new();
    let Some(kind) = catalog.get(&scalers()) else { return Ok(targets) };
    let places = namespaces.map_or_else(|| vec![None], |it| it.into_iter().map(Some).collect());
    for namespace in places {
        let scope = ListScope { namespace, label_selector: None };
        let mut pages = context.cluster.list(kind, &scope);
        while let Some(page) = pages.try_next().await? {
            targets.extend(page.items.iter().filter_map(listed));
        }
    }
    Ok(targets)
}

fn listed(scaler: &Listed) -> Option<Target> {
    let namespace = scaler.meta.namespace.as_deref()?;
    target(namespace, &serde_json::from_slice(&scaler.json).ok()?)
}

fn target(namespace: &str, scaler: &Object) -> Option<Target> {
    let text = |key| text_at(scaler, &["spec", "scaleTargetRef", key]);
    let group = text("apiVersion").and_then(|it| it.split_once('/')).map_or("", |it| it.0);
    Some((
        namespace.to_owned(),
        group.to_owned(),
        text("kind")?.to_owned(),
        text("name")?.to_owned(),
    ))
}

/// Whether an autoscaler of the target decides how many pods this object has.
pub(super) fn is_target(targets: &BTreeSet<Target>, id: &ItemId, object: &Object) -> bool {
    let kind = text_at(object, &["kind"]).unwrap_or_default().to_owned();
    let namespace = id.namespace.clone().unwrap_or_default();
    targets.contains(&(namespace, id.resource.group.clone(), kind, id.name.clone()))
}

/// Leaves a workload as many pods as it has, if an autoscaler of the target decides that.
pub(super) fn keep_replicas(
    targets: &BTreeSet<Target>,
    id: &ItemId,
    ours: &mut Object,
    live: &Object,
) {
    if !is_target(targets, id, ours) {
        return;
    }
    let mut live = live.clone();
    quiesce::as_noted(&mut live);
    let replicas = at(&live, &["spec", "replicas"]).cloned();
    let Some(spec) = ours.get_mut("spec").and_then(Value::as_object_mut) else { return };
    match replicas {
        Some(replicas) => drop(spec.insert("replicas".to_owned(), replicas)),
        None => drop(spec.remove("replicas")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::samples::object;
    use super::*;

    #[test]
    fn the_replicas_of_what_is_scaled_are_those_that_it_has() {
        let scaler = object(json!({"spec": {"scaleTargetRef":
            {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}}));
        let targets: BTreeSet<Target> = target("shop", &scaler).into_iter().collect();
        let live = object(json!({"spec": {"replicas": 7}}));
        let kept = |id: &str| {
            let mut ours = object(json!({"kind": "Deployment", "spec": {"replicas": 2}}));
            keep_replicas(&targets, &id.parse().unwrap(), &mut ours, &live);
            ours["spec"]["replicas"].clone()
        };
        assert_eq!(kept("deployments.apps/shop/web"), 7);
        for other in [
            "deployments.apps/shop/other",
            "deployments.apps/elsewhere/web",
            "deployments.example.com/shop/web",
        ] {
            assert_eq!(kept(other), 2, "{other}");
        }
    }
}
