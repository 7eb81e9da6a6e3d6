//! From what is asked to what is made: pure, but for the look at the backup and the cluster.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::error::Error;
use super::request::Request;
use crate::engine::context::{Context, Snapshotters};
use crate::engine::model::backup::{ProviderRecord, annotations};
use crate::engine::model::drill::{DrillRecord, DrillVolume, restore_name, scratch};
use crate::engine::model::filter::NamespaceFilter;
use crate::engine::model::kinds;
use crate::engine::model::restore::RestoreSpec;
use crate::engine::model::selector::Selectors;
use crate::engine::restore::{self, ENDING_TIMEOUT, Start, Survey};

/// How long a drill may take beside what is said of its parts: volumes are made meanwhile.
const BESIDE: Duration = Duration::from_hours(2);

/// What a drill is about to do.
#[derive(Debug)]
pub(super) struct Order {
    pub record: DrillRecord,
    pub restore: restore::Request,
    /// The digest of the backup's archive.
    pub archive_sha256: Option<String>,
    /// How long the restore and the check may take together.
    pub within: Duration,
}

/// Decides what is made.
pub(super) async fn order(context: &Context, request: &Request) -> Result<Order, Error> {
    let survey = restore::survey(&context.store, &request.spec.backup_name).await?;
    let cluster_uid = context.cluster.uid().await.map_err(Error::Cluster)?;
    let uid = Uuid::new_v4().to_string();
    let namespaces = namespaces(request, &survey, &uid)?;
    let volumes = volumes(&context.snapshotters, &survey, &namespaces).await?;
    let within = BESIDE + request.ready_timeout + request.check_timeout;
    let start = context.clock.now();
    let record = DrillRecord {
        backup: request.spec.backup_name.clone(),
        backup_uid: survey.backup.metadata.uid.clone(),
        cluster_uid,
        restore: restore_name(&uid),
        volumes,
        keep: request.keep,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        start_timestamp: start,
        until: later(start, within + request.down_timeout),
        namespaces,
        uid,
    };
    let restore = restore(request, &record);
    let archive_sha256 = survey.backup.annotation(annotations::ARCHIVE_SHA256).map(str::to_owned);
    Ok(Order { record, restore, archive_sha256, within })
}

fn later(start: Timestamp, by: Duration) -> Timestamp {
    start.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// The namespaces that are drilled, and what stands in for each.
fn namespaces(
    request: &Request,
    survey: &Survey,
    uid: &str,
) -> Result<BTreeMap<String, String>, Error> {
    let RestoreSpec { included_namespaces, excluded_namespaces, .. } = &request.spec;
    let filter = NamespaceFilter::new(included_namespaces, excluded_namespaces)
        .map_err(restore::Error::Filter)?;
    let names = survey.namespaces.iter().filter(|name| {
        let is_named = included_namespaces.contains(*name);
        filter.includes(name) && (is_named || !kinds::only_when_named(name))
    });
    let mapped: BTreeMap<_, _> = names.map(|name| (name.clone(), scratch(name, uid))).collect();
    // What is named and not there is for the restore to tell.
    if mapped.is_empty() && included_namespaces.is_empty() {
        let backup = request.spec.backup_name.clone();
        return Err(Error::NoNamespaces { backup });
    }
    Ok(mapped)
}

/// The volumes that may be made: those of namespaces that are drilled, and that somebody at hand can
/// make. Nobody else is asked for anything.
async fn volumes(
    snapshotters: &Snapshotters,
    survey: &Survey,
    namespaces: &BTreeMap<String, String>,
) -> Result<Vec<DrillVolume>, Error> {
    let mut volumes = Vec::new();
    for it in survey.snapshots_in(|name| namespaces.contains_key(name)) {
        let (made_by, id) = (it.spec.bowline_provider.as_deref(), it.snapshot_id());
        let snapshotter = snapshotters.of_recorded(made_by, id.unwrap_or_default());
        let Some(snapshotter) = snapshotter else { continue };
        let provider = snapshotter.provider().to_owned();
        let place = snapshotter.place().await.map_err(Error::Provider)?;
        volumes.push(DrillVolume {
            provider: ProviderRecord { provider, place },
            volume_id: it.spec.provider_volume_id.clone(),
            persistent_volume: it.spec.persistent_volume_name.clone(),
        });
    }
    Ok(volumes)
}

fn restore(request: &Request, record: &DrillRecord) -> restore::Request {
    restore::Request {
        name: record.restore.clone(),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        spec: RestoreSpec {
            namespace_mapping: record.namespaces.clone(),
            drill: Some(record.uid.clone()),
            include_outward: false,
            ..request.spec.clone()
        },
        selectors: Selectors::default(),
        ready_timeout: request.ready_timeout,
        terminating_timeout: ENDING_TIMEOUT,
        options: request.options.clone(),
        start: Start::Either,
    }
}
