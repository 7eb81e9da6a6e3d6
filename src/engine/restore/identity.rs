//! Who a restore is: that of an earlier run with this name, or a new one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bowline_api::GroupResource;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::Value;
use uuid::Uuid;

use super::error::Error;
use super::plan::{Plan, kind_of};
use super::preflight::{Ready, Request, Start};
use super::prepare::{BACKUP_LABEL, RESTORE_LABEL, RESTORE_UID_LABEL, label_value};
use crate::engine::cluster::{ListScope, Listed};
use crate::engine::context::Context;
use crate::engine::model::Kind;
use crate::engine::model::restore::{RestoreRecord, RestoreSpec};
use crate::engine::model::selector::{Selector, Selectors};
use crate::engine::model::volume::tags;
use crate::engine::report::{Phase, RestoreReport};
use crate::engine::store::{BackupStore, RestoreEntry};

/// A restore's identity, and what is known of earlier runs of it.
#[derive(Debug)]
pub(super) struct Identity {
    pub record: RestoreRecord,
    /// How many runs were begun before this one, as the records say.
    pub runs: u32,
}

impl Request {
    /// The request that a restore was recorded with, to go on with it.
    ///
    /// Fails if the record holds a selector that cannot be read.
    pub fn of_record(record: &RestoreRecord) -> serde_json::Result<Self> {
        let spec = &record.spec;
        let selectors = spec.label_selector.iter().chain(&spec.or_label_selectors);
        let selectors = selectors.map(|it: &Value| serde_json::from_value::<Selector>(it.clone()));
        let seconds = record.options.ready_timeout_seconds;
        let ending = record.options.terminating_timeout_seconds;
        Ok(Self {
            name: record.name.clone(),
            labels: record.labels.clone(),
            annotations: record.annotations.clone(),
            spec: spec.clone(),
            selectors: Selectors::new(selectors.collect::<Result<Vec<_>, _>>()?),
            ready_timeout: seconds.map_or(super::READY_TIMEOUT, Duration::from_secs),
            terminating_timeout: ending.map_or(super::ENDING_TIMEOUT, Duration::from_secs),
            options: record.options.clone(),
            start: Start::Resume,
        })
    }
}

/// Finds the earlier run that is to be gone on with, or makes a new identity.
pub(super) async fn find(
    context: &Context,
    request: &Request,
    ready: &Ready,
) -> Result<Identity, Error> {
    for store in places(context) {
        if let Some(found) = store.restore(&request.name).await.map_err(Error::Location)? {
            check(context, store, request, ready, &found)?;
            return Ok(Identity { record: found.record, runs: found.runs });
        }
    }
    Ok(Identity { record: fresh(context, request, ready), runs: 0 })
}

/// Where records are kept: in the location, or on this machine.
pub(super) fn places(context: &Context) -> impl Iterator<Item = &BackupStore> {
    std::iter::once(&context.store).chain(context.local_records.as_ref())
}

fn fresh(context: &Context, request: &Request, ready: &Ready) -> RestoreRecord {
    RestoreRecord {
        name: request.name.clone(),
        uid: request.spec.drill.clone().unwrap_or_else(|| Uuid::new_v4().to_string()),
        backup_uid: ready.opened.backup.metadata.uid.clone(),
        cluster_uid: ready.cluster_uid.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        start_timestamp: context.clock.now(),
        labels: request.labels.clone(),
        annotations: request.annotations.clone(),
        spec: request.spec.clone(),
        options: request.options.clone(),
    }
}

/// Fails unless a further run of what was found is what is asked for.
fn check(
    context: &Context,
    store: &BackupStore,
    request: &Request,
    ready: &Ready,
    found: &RestoreEntry,
) -> Result<(), Error> {
    let (name, record) = (request.name.clone(), &found.record);
    if record.cluster_uid != ready.cluster_uid && request.start == Start::Resume {
        let context = context.cluster.context_name().map(str::to_owned);
        return Err(Error::OtherCluster { name, context });
    }
    let location = store.url().to_owned();
    match (obstacle(request, ready, found), done(found)) {
        (None, None) => Ok(()),
        (None, Some(report)) => {
            Err(Error::Done { name, location, report: Box::new(report.clone()) })
        }
        (Some(reason), _) => Err(Error::NameInUse { name, location, reason: reason.to_owned() }),
    }
}

/// What came of a restore of which nothing is left to do.
fn done(found: &RestoreEntry) -> Option<&RestoreReport> {
    let is_done = |phase| !matches!(phase, Phase::PartiallyFailed | Phase::Failed);
    let result = found.result.as_ref().filter(|_| !found.is_unfinished());
    result.filter(|it| is_done(it.phase))
}

fn obstacle(request: &Request, ready: &Ready, found: &RestoreEntry) -> Option<&'static str> {
    let record = &found.record;
    let is_same = (&record.spec, &record.labels, &record.annotations)
        == (&asked(request, record), &request.labels, &request.annotations);
    match &found.result {
        _ if request.start == Start::Anew => Some("its name is taken"),
        _ if record.backup_uid != ready.opened.backup.metadata.uid => {
            Some("it was of another backup")
        }
        _ if record.cluster_uid != ready.cluster_uid => Some("it was into another cluster"),
        Some(_) if !is_same && done(found).is_some() => Some("it is done"),
        Some(_) if !is_same => Some("it asked for something else"),
        None if !is_same => Some("it was interrupted and asked for something else"),
        _ => None,
    }
}

/// What is asked for, but for what a resumed restore may be asked for anew.
fn asked(request: &Request, record: &RestoreRecord) -> RestoreSpec {
    let mut spec = request.spec.clone();
    if request.start == Start::Resume {
        spec.take_over_claims = record.spec.take_over_claims;
    }
    spec
}

/// Looks in the cluster for what an earlier run made of which no record can be read from here.
///
/// That is so where the location takes no records and another machine began: then what was made is
/// the record. All of it must agree on who made it.
pub(super) async fn in_cluster(
    context: &Context,
    request: &Request,
    ready: &Ready,
    plan: &Plan<'_>,
) -> Result<Option<String>, Error> {
    let found: Vec<BTreeSet<String>> = stream::iter(scopes(ready, plan))
        .map(|(kind, namespace)| async move {
            let label = format!("{RESTORE_LABEL}={}", label_value(&request.name));
            let scope = ListScope { namespace, label_selector: Some(label) };
            makers(context, request, ready, &kind, &scope).await
        })
        .buffer_unordered(context.limits.lists)
        .try_collect()
        .await?;
    let mut uids: Vec<String> =
        found.into_iter().flatten().collect::<BTreeSet<_>>().into_iter().collect();
    if uids.len() > 1 {
        return Err(Error::NameInUse {
            name: request.name.clone(),
            location: context.cluster.server_url().to_owned(),
            reason: "objects of several restores of that name are there".to_owned(),
        });
    }
    Ok(uids.pop())
}

/// The kinds of the plan, and the namespaces that they go to.
fn scopes(ready: &Ready, plan: &Plan<'_>) -> Vec<(Kind, Option<String>)> {
    let mut scopes: BTreeMap<(GroupResource, Option<String>), Kind> = BTreeMap::new();
    for row in plan.rows.iter().filter(|row| row.is_made()) {
        if let Some(kind) = kind_of(&ready.catalog, &row.entry) {
            let target = plan.preparation.target(&row.entry.id());
            scopes.entry((target.resource, target.namespace)).or_insert_with(|| kind.into_owned());
        }
    }
    scopes.into_iter().map(|((_, namespace), kind)| (kind, namespace)).collect()
}

async fn makers(
    context: &Context,
    request: &Request,
    ready: &Ready,
    kind: &Kind,
    scope: &ListScope,
) -> Result<BTreeSet<String>, Error> {
    let mut uids = BTreeSet::new();
    let mut pages = context.cluster.list(kind, scope);
    while let Some(page) = pages.try_next().await.map_err(Error::Cluster)? {
        let ours = page.items.iter().filter(|item| is_of_backup(item, request, ready));
        uids.extend(ours.filter_map(|item| item.meta.labels.get(RESTORE_UID_LABEL).cloned()));
    }
    Ok(uids)
}

/// Whether an object was made from this backup; claims say so exactly.
fn is_of_backup(item: &Listed, request: &Request, ready: &Ready) -> bool {
    let uid = &ready.opened.backup.metadata.uid;
    item.meta.has_label(BACKUP_LABEL, &label_value(&request.spec.backup_name))
        && item.meta.annotations.get(tags::BACKUP_UID).is_none_or(|found| found == uid)
}
