//! What is checked before anything is planned.

use std::collections::BTreeSet;
use std::time::Duration;

use super::error::Error;
use super::open::{self, Opened};
use super::zones;
use crate::engine::archive::Entry;
use crate::engine::cluster::Nodes;
use crate::engine::context::Context;
use crate::engine::model::filter::{Filters, NamespaceFilter, ResourceFilter};
use crate::engine::model::restore::RestoreSpec;
use crate::engine::model::selector::Selector;
use crate::engine::model::{Catalog, Kind, names};
use crate::engine::store::check_name;

/// What a restore is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The restore's name.
    pub name: String,
    /// What it shall bring back.
    pub spec: RestoreSpec,
    /// Which objects it shall bring back, by label.
    pub selector: Option<Selector>,
    /// How long what was made may take to be ready; zero: it is not awaited.
    pub ready_timeout: Duration,
}

/// What is known once all is checked.
#[derive(Debug)]
pub(super) struct Ready {
    pub opened: Opened,
    /// What the target serves.
    pub catalog: Catalog,
    /// What the target serves, and what only the archive knows.
    pub known: Catalog,
    pub filters: Filters,
    pub cluster_uid: String,
    pub nodes: Nodes,
}

/// Checks names, reads the backup, and looks at what the target is.
pub(super) async fn check(context: &Context, request: &Request) -> Result<Ready, Error> {
    check_name(&request.name).map_err(Error::InvalidName)?;
    for target in request.spec.namespace_mapping.values() {
        names::check_label(target).map_err(Error::InvalidMapping)?;
    }
    let opened = open::open(context, &request.spec.backup_name).await?;
    let cluster = &context.cluster;
    let (catalog, cluster_uid, nodes) =
        futures::try_join!(cluster.catalog(), cluster.uid(), cluster.nodes())
            .map_err(Error::Cluster)?;
    let known = known_kinds(&catalog, &opened);
    let filters = filters(request, &known)?;
    check_namespaces(request, &filters, &opened)?;
    let ready = Ready { opened, catalog, known, filters, cluster_uid, nodes };
    zones::check(&ready, request)?;
    Ok(ready)
}

/// What the target serves, and what only the archive knows.
///
/// A word such as `widgets` must be understood although its definition is yet to be restored.
fn known_kinds(catalog: &Catalog, opened: &Opened) -> Catalog {
    let mut known = catalog.clone();
    for entry in opened.contents.entries() {
        if known.kinds.last().is_some_and(|kind| kind.resource == *entry.resource()) {
            continue;
        }
        if known.get(entry.resource()).is_none() {
            known.kinds.push(Kind {
                resource: entry.resource().clone(),
                version: entry.version().to_owned(),
                kind: kind_of(opened, entry),
                singular: String::new(),
                short_names: Vec::new(),
                namespaced: entry.namespace().is_some(),
                verbs: Vec::new(),
            });
        }
    }
    known
}

/// The kind that an object of the archive says it is; empty where it cannot be read.
fn kind_of(opened: &Opened, entry: Entry<'_>) -> String {
    #[derive(serde::Deserialize)]
    struct Item {
        kind: String,
    }
    let json = opened.contents.read(entry).unwrap_or_default();
    serde_json::from_slice(&json).map(|item: Item| item.kind).unwrap_or_default()
}

fn filters(request: &Request, catalog: &Catalog) -> Result<Filters, Error> {
    let spec = &request.spec;
    Ok(Filters {
        namespaces: NamespaceFilter::new(&spec.included_namespaces, &spec.excluded_namespaces)?,
        resources: ResourceFilter::resolve(
            &spec.included_resources,
            &spec.excluded_resources,
            catalog,
        )?,
        include_cluster_resources: spec.include_cluster_resources,
        selector: request.selector.clone(),
    })
}

fn check_namespaces(request: &Request, filters: &Filters, opened: &Opened) -> Result<(), Error> {
    let mut known: BTreeSet<&str> =
        opened.contents.entries().filter_map(|e| e.namespace()).collect();
    known.extend(
        opened
            .contents
            .entries()
            .filter(|entry| entry.resource().to_string() == "namespaces")
            .map(|entry| entry.name()),
    );
    let mapped = request.spec.namespace_mapping.keys().map(String::as_str);
    match filters.namespaces.literals().chain(mapped).find(|name| !known.contains(name)) {
        Some(name) => Err(Error::UnknownNamespace { name: name.to_owned() }),
        None => Ok(()),
    }
}
