//! What a clone meets in the cluster that it comes into: its original, and what only one can have.

use std::collections::{BTreeMap, BTreeSet};

use bowline_api::{GroupResource, ItemId};
use serde_json::{Map, Value};

use super::Preparation;
use super::actions::moves;
use super::error::Error;
use super::existing;
use super::namespaces::Namespaces;
use super::outward;
use super::plan::{Plan, Turn, Verdict, kind_of};
use super::preflight::{Ready, Request};
use super::prepare::{self, label_value};
use super::select;
use crate::engine::context::Context;
use crate::engine::model::digest;
use crate::engine::model::fields::{maps_at, text_at};

/// How long a binding's name may get: what any name may, with room to spare.
const LONGEST: usize = 190;

/// Looks at what is there, and decides what a clone leaves out, and what it has under another name.
pub(super) async fn meet(
    context: &Context,
    ready: &Ready,
    request: &Request,
    namespaces: &Namespaces,
    plan: &mut Plan<'_>,
) -> Result<(), Error> {
    if plan.rows.iter().any(|row| row.turn == Turn::First) {
        plan.preparation.node_ports = node_ports(context, ready).await?;
    }
    if plan.preparation.namespaces.is_empty() {
        return Ok(());
    }
    plan.preparation.services = services(ready, &plan.preparation);
    if !request.spec.include_outward {
        plan.preparation.beside = if plan.preparation.isolated {
            plan.preparation.namespaces.keys().cloned().collect()
        } else {
            beside(namespaces, &plan.preparation)
        };
        outward::leave_out(plan);
    }
    plan.preparation.bindings = bindings(context, ready, plan).await?;
    Ok(())
}

/// The node ports that Services of the target hold, and who.
async fn node_ports(context: &Context, ready: &Ready) -> Result<BTreeMap<i64, String>, Error> {
    let mut held = BTreeMap::new();
    for item in existing::list(context, ready, &GroupResource::core("services")).await? {
        let service: Value = serde_json::from_slice(&item.json).unwrap_or_default();
        let holder = format!("{}/{}", item.meta.namespace.unwrap_or_default(), item.meta.name);
        held.extend(ports_of(&service).into_iter().map(|port| (port, holder.clone())));
    }
    Ok(held)
}

/// The node ports that a Service has.
pub(super) fn ports_of(service: &Value) -> Vec<i64> {
    let ports = service.pointer("/spec/ports").and_then(Value::as_array);
    let ports = ports.into_iter().flatten().filter_map(|port| port.get("nodePort"));
    let ports = ports.chain(service.pointer("/spec/healthCheckNodePort"));
    ports.filter_map(Value::as_i64).filter(|port| *port > 0).collect()
}

fn services(ready: &Ready, preparation: &Preparation) -> BTreeSet<(String, String)> {
    let services = GroupResource::core("services");
    let entries = ready.opened.contents.entries().filter(|entry| *entry.resource() == services);
    let names = entries.filter_map(|entry| Some((entry.namespace()?, entry.name())));
    let mapped = names.filter(|(namespace, _)| preparation.is_mapped(namespace));
    mapped.map(|(namespace, name)| (namespace.to_owned(), name.to_owned())).collect()
}

/// The mapped namespaces whose original lives in this cluster.
///
/// A namespace of that name is taken for the original: it may be restored itself, so that the cluster's
/// identity says nothing, and Velero's backups do not tell of which cluster they are.
fn beside(namespaces: &Namespaces, preparation: &Preparation) -> BTreeSet<String> {
    let mapped = preparation.namespaces.keys().filter(|old| preparation.is_mapped(old));
    mapped.filter(|old| namespaces.contains(old)).cloned().collect()
}

/// Bindings that the target has for other subjects: the clone's get one of their own, or nobody would
/// bind them.
async fn bindings(
    context: &Context,
    ready: &Ready,
    plan: &Plan<'_>,
) -> Result<BTreeMap<ItemId, String>, Error> {
    let mut renamed = BTreeMap::new();
    for row in plan.rows.iter().filter(|row| row.verdict == Verdict::Create) {
        let id = row.entry.id();
        if !is_shared_binding(&id, &plan.preparation) {
            continue;
        }
        let object = select::object(ready, row.entry)?;
        let namespaces = moved(&object, &plan.preparation);
        let Some(kind) = kind_of(&ready.catalog, &row.entry) else { continue };
        if namespaces.is_empty() {
            continue;
        }
        let ours = prepare::prepare(&id, object, &plan.preparation).object;
        let live = context.cluster.get(&kind, id.namespace.as_deref(), &id.name).await;
        let live = live.map_err(Error::Cluster)?;
        if live.is_some_and(|live| subjects(&live) != subjects(&ours)) {
            let name = free_name(ready, &renamed, &id, &namespaces);
            renamed.insert(id.clone(), name);
        }
    }
    Ok(renamed)
}

/// Whether it is a binding outside of the namespaces that are mapped.
fn is_shared_binding(id: &ItemId, preparation: &Preparation) -> bool {
    let is_binding = ["clusterrolebindings", "rolebindings"].contains(&&*id.resource.resource);
    let is_mapped = id.namespace.as_deref().is_some_and(|it| preparation.is_mapped(it));
    is_binding && id.resource.group == "rbac.authorization.k8s.io" && !is_mapped
}

/// Where the accounts that are bound come to, as far as their namespaces are mapped.
fn moved(binding: &Map<String, Value>, preparation: &Preparation) -> BTreeSet<String> {
    let subjects = binding.get("subjects").and_then(Value::as_array).into_iter().flatten();
    let moved = subjects.filter(|subject| moves(subject, preparation)).filter_map(Value::as_object);
    let namespaces = moved.filter_map(|subject| {
        let name = text_at(subject, &["name"])?;
        let of_name = || name.rsplit(':').find(|part| preparation.is_mapped(part));
        let old = text_at(subject, &["namespace"]).or_else(of_name)?;
        Some(preparation.namespace(old).to_owned())
    });
    namespaces.collect()
}

fn subjects(binding: &Map<String, Value>) -> BTreeSet<[String; 3]> {
    let text =
        |subject: &Map<String, Value>, key| text_at(subject, &[key]).unwrap_or_default().to_owned();
    let subjects = maps_at(binding, &["subjects"]);
    subjects.map(|it| ["kind", "namespace", "name"].map(|key| text(it, key))).collect()
}

/// The name of a clone's own binding that no other binding of this restore has.
fn free_name(
    ready: &Ready,
    renamed: &BTreeMap<ItemId, String>,
    id: &ItemId,
    namespaces: &BTreeSet<String>,
) -> String {
    let contents = &ready.opened.contents;
    let is_archived =
        |name: &str| contents.find(&ItemId { name: name.to_owned(), ..id.clone() }).is_some();
    let place = |id: &ItemId| (id.resource.clone(), id.namespace.clone());
    let is_given = |name: &str| {
        renamed.iter().any(|(other, given)| given == name && place(other) == place(id))
    };
    unless_taken(&id.name, namespaces, |name| is_archived(name) || is_given(name))
}

fn unless_taken(
    name: &str,
    namespaces: &BTreeSet<String>,
    is_taken: impl Fn(&str) -> bool,
) -> String {
    let plain = name_for(name, namespaces);
    if !is_taken(&plain) {
        return plain;
    }
    let words: Vec<&str> = namespaces.iter().map(String::as_str).collect();
    let digest = digest::short(&format!("{name}/{}", words.join("/")), 8);
    name_for(&format!("{name}-{digest}"), namespaces)
}

/// The name of a clone's own binding: the same whenever the same is cloned to the same place.
fn name_for(name: &str, namespaces: &BTreeSet<String>) -> String {
    let suffix = namespaces.iter().map(String::as_str).collect::<Vec<_>>().join("-");
    let suffix = label_value(&suffix);
    let mut name = name.to_owned();
    if name.len() + suffix.len() > LONGEST {
        let digest: String = label_value(&name).chars().skip(57).collect();
        name = name.chars().take(LONGEST - suffix.len() - digest.len() - 1).collect();
        name = format!("{name}-{digest}");
    }
    format!("{name}-{suffix}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_clones_binding_has_the_same_name_each_time_and_another_one_elsewhere() {
        let to = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        assert_eq!(name_for("reader", &to(&["copy"])), "reader-copy");
        assert_eq!(name_for("reader", &to(&["b", "a"])), "reader-a-b");
        let long = |last: &str| name_for(&format!("{}{last}", "r".repeat(240)), &to(&["copy"]));
        assert_eq!(long("a"), long("a"));
        assert_ne!(long("a"), long("b"));
        assert!(long("a").len() <= 253 && long("a").ends_with("-copy"), "{}", long("a"));
        assert!(name_for("reader", &to(&[&"n".repeat(63), &"m".repeat(63)])).len() <= 253);
    }

    #[test]
    fn a_name_that_another_binding_has_gets_a_digest() {
        let to = BTreeSet::from(["copy".to_owned()]);
        assert_eq!(unless_taken("reader", &to, |_| false), "reader-copy");
        let other = unless_taken("reader", &to, |name| name == "reader-copy");
        assert!(other.starts_with("reader-") && other.ends_with("-copy"), "{other}");
        assert_eq!(other.len(), "reader-12345678-copy".len());
        let [one, two] = [("a", "b-c"), ("a-b", "c")]
            .map(|(name, to)| unless_taken(name, &[to.to_owned()].into(), |name| name == "a-b-c"));
        assert_ne!(one, two);
    }

    #[test]
    fn the_namespaces_of_accounts_are_found_however_these_are_named() {
        let namespaces = ["a", "b", "c", "d"].map(|it| (it.to_owned(), format!("{it}-copy")));
        let preparation = Preparation { namespaces: namespaces.into(), ..Preparation::default() };
        let binding = json!({"subjects": [
            {"kind": "ServiceAccount", "name": "x", "namespace": "a"},
            {"kind": "User", "name": "system:serviceaccount:b:x"},
            {"kind": "Group", "name": "system:serviceaccounts:c"},
            {"kind": "User", "name": "d"}]});
        let found = moved(binding.as_object().unwrap(), &preparation);
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["a-copy", "b-copy", "c-copy"]);
    }

    #[test]
    fn the_node_ports_of_a_service_are_those_of_its_ports_and_of_its_health_check() {
        let service = json!({"spec": {"healthCheckNodePort": 32000,
            "ports": [{"port": 80, "nodePort": 30080}, {"port": 81}, {"nodePort": 0}]}});
        assert_eq!(ports_of(&service), [30080, 32000]);
    }
}
