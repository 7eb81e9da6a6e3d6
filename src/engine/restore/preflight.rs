//! What is checked before anything is planned.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::time::Duration;

use super::error::Error;
use super::missing::{self, Lost};
use super::open::{self, Opened};
use super::parts::{self, Wanted};
use super::{known, zones};
use crate::engine::cluster::Nodes;
use crate::engine::context::Context;
use crate::engine::model::filter::{self, Filters, NamespaceFilter, StatusFilter, closest};
use crate::engine::model::restore::{RestoreOptions, RestoreSpec};
use crate::engine::model::selector::Selectors;
use crate::engine::model::{Catalog, kinds, names};
use crate::engine::report::Problem;
use crate::engine::store::check_name;

/// What a restore is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The restore's name.
    pub name: String,
    /// Labels of the restore.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the restore.
    pub annotations: BTreeMap<String, String>,
    /// What it shall bring back.
    pub spec: RestoreSpec,
    /// Which objects it shall bring back, by label.
    pub selectors: Selectors,
    /// How long what was made may take to be ready; zero: it is not awaited.
    pub ready_timeout: Duration,
    /// How long what is being deleted in the target may take until it is gone, all of it together.
    pub terminating_timeout: Duration,
    /// How it works otherwise, as far as its record says so.
    pub options: RestoreOptions,
    /// What may be there of it already.
    pub start: Start,
}

/// How long what was made may take to be ready where nothing else is asked for.
pub const READY_TIMEOUT: Duration = Duration::from_mins(10);

/// How long what is being deleted may take to be gone where nothing else is asked for.
pub const ENDING_TIMEOUT: Duration = Duration::from_mins(10);

/// What may be there already of a restore.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// Nothing: its name was made up.
    Anew,
    /// Runs that asked for the same and did not complete it, or nothing.
    #[default]
    Either,
    /// At least the record that the request was read from.
    Resume,
}

/// What is known once all is checked.
#[derive(Debug)]
pub(super) struct Ready {
    pub opened: Opened,
    /// What the target serves.
    pub catalog: Catalog,
    /// What the target serves, and what only the archive knows.
    pub known: Catalog,
    /// What the backup's list of objects names and its archive does not hold.
    pub lost: Lost,
    /// What was odd about the backup's files.
    pub warnings: Vec<Problem>,
    pub filters: Filters,
    pub status: StatusFilter,
    pub cluster_uid: String,
    pub nodes: Nodes,
}

/// Checks names, reads the backup, and looks at what the target is.
pub(super) async fn check(context: &Context, request: &Request) -> Result<Ready, Error> {
    check_name(&request.name).map_err(Error::InvalidName)?;
    for target in request.spec.namespace_mapping.values() {
        names::check_label(target).map_err(Error::InvalidMapping)?;
    }
    let wanted = Wanted::by(&request.spec);
    let mut opened = open::open(&context.store, &request.spec.backup_name, &wanted).await?;
    let cluster = &context.cluster;
    let (catalog, cluster_uid, nodes) =
        futures::try_join!(cluster.catalog(), cluster.uid(), cluster.nodes())
            .map_err(Error::Cluster)?;
    let mut known = known::kinds(&catalog, &opened);
    if parts::complete(&context.store, &opened).await? {
        known = known::kinds(&catalog, &opened);
    }
    let listed = mem::take(&mut opened.others.listed);
    let warnings = mem::take(&mut opened.others.warnings);
    let lost = missing::of_list(&opened, &known, &listed);
    let filters = filters(request, &known)?;
    let status = status(&request.spec, &known)?;
    check_namespaces(request, &filters, &opened)?;
    let ready =
        Ready { opened, catalog, known, lost, warnings, filters, status, cluster_uid, nodes };
    zones::check(&ready, request)?;
    Ok(ready)
}

fn filters(request: &Request, catalog: &Catalog) -> Result<Filters, Error> {
    let spec = &request.spec;
    check_restorable(&spec.included_resources, catalog)?;
    Ok(Filters {
        namespaces: NamespaceFilter::new(&spec.included_namespaces, &spec.excluded_namespaces)?,
        kinds: spec.kind_lists().resolve(catalog)?,
        selectors: request.selectors.clone(),
    })
}

/// A kind of which nothing comes back can't be asked for by name.
fn check_restorable(words: &[String], catalog: &Catalog) -> Result<(), filter::Error> {
    for word in words {
        let reason = catalog.resolve(word).and_then(|kind| kinds::never_restored(&kind.resource));
        if let Some(reason) = reason {
            return Err(filter::Error::NeverRestored { word: word.clone(), reason });
        }
    }
    Ok(())
}

fn status(spec: &RestoreSpec, catalog: &Catalog) -> Result<StatusFilter, filter::Error> {
    let asked = spec.restore_status.clone().unwrap_or_default();
    StatusFilter::resolve(&asked.included_resources, &asked.excluded_resources, catalog)
}

/// Every namespace that is named must be in the backup, and every pattern must match one.
fn check_namespaces(request: &Request, filters: &Filters, opened: &Opened) -> Result<(), Error> {
    let entries = opened.contents.entries();
    let known: BTreeSet<&str> = entries
        .filter_map(|entry| match entry.resource().to_string().as_str() {
            "namespaces" => Some(entry.name()),
            _ => entry.namespace(),
        })
        .collect();
    let mapped = request.spec.namespace_mapping.keys().map(String::as_str);
    let unknown = filters.namespaces.literals().chain(mapped).find(|name| !known.contains(name));
    if let Some(name) = unknown {
        let similar = closest(name, known.iter().copied()).map(str::to_owned);
        return Err(Error::UnknownNamespace { name: name.to_owned(), similar });
    }
    match filters.namespaces.unmatched(&known.iter().copied()) {
        Some(pattern) => Err(Error::NoSuchNamespace { pattern: pattern.to_owned() }),
        None => Ok(()),
    }
}
