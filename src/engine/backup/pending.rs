//! `bowline-pending.json`: from here on a backup can be finished by anybody.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::collect::Collected;
use super::create::{Run, expiration};
use super::error::Cause;
use super::files;
use super::intake::Taken;
use super::outcome::Outcome;
use super::ownership::still_ours;
use crate::engine::archive::Written;
use crate::engine::model::backup::{
    Backup, BackupMeta, BackupStatus, FORMAT_VERSION, Progress, annotations, hook_status,
};
use crate::engine::model::duration::GoDuration;
use crate::engine::model::name_list::ResourceList;
use crate::engine::model::volume::PersistentVolumeInfo;
use crate::engine::report::Problem;
use crate::engine::store::{self, BackupKeys, BackupStore, Digest, SideFile};

/// The name of the location that records refer to, unless another was asked for.
const LOCATION: &str = "default";
/// The layout of this record.
const VERSION: u32 = 1;

/// A backup whose archive is whole and whose snapshots were started.
///
/// Holds all that the commit needs and that is nowhere else in the bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pending {
    version: u32,
    /// The backup's document as far as it is known.
    pub document: Backup,
    /// The digests of the files that are written.
    pub files: BTreeMap<String, Digest>,
    /// The volumes of all claims, by namespace and name.
    pub volumes: Vec<Outcome>,
    /// The persistent volumes in the archive, by name.
    pub persistent_volumes: BTreeMap<String, PersistentVolumeInfo>,
    /// What was odd so far.
    pub warnings: Vec<Problem>,
    /// What is missing so far.
    pub errors: Vec<Problem>,
    /// The log so far, by line.
    pub log: Vec<String>,
}

/// A document as it is in the bucket.
#[derive(Clone, Debug)]
pub(super) struct Filed<T> {
    pub document: T,
    pub digest: Digest,
}

impl Pending {
    /// The backup's name.
    pub(super) fn name(&self) -> &str {
        &self.document.metadata.name
    }

    /// The identity of the attempt.
    pub(super) fn uid(&self) -> &str {
        &self.document.metadata.uid
    }

    /// The providers that may have made snapshots of it.
    pub(super) fn providers(&self) -> Vec<String> {
        let known: BTreeSet<_> =
            self.volumes.iter().filter_map(|outcome| outcome.report.provider.clone()).collect();
        known.into_iter().collect()
    }

    pub(super) fn keys(&self) -> BackupKeys<'_> {
        BackupKeys(self.name())
    }
}

/// Writes the files that do not depend on the snapshots, and then the record.
pub(super) async fn write(
    run: &Run<'_>,
    collected: Collected,
    volumes: Vec<Outcome>,
) -> Result<Filed<Pending>, Cause> {
    let Collected { written, taken } = collected;
    let document = document(run, &written, taken.count());
    let keys = BackupKeys(&run.request.name);
    let Taken { names, volumes: persistent_volumes, .. } = taken;
    let files = side_files(run, keys, &written, names).await?;
    files::take_notices(&run.context.store, run.journal);
    let (warnings, errors) = run.journal.problems();
    let log = run.journal.lines()?;
    let pending = Pending {
        version: VERSION,
        document,
        files,
        volumes,
        persistent_volumes,
        warnings,
        errors,
        log,
    };
    let file = SideFile::json(keys.pending(), &pending)?;
    let (store, attempt) = (&run.context.store, run.attempt);
    still_ours(store, &attempt.name, &attempt.uid).await?;
    let digest = files::write(store, &file).await?;
    if let Err(cause) = still_ours(store, &attempt.name, &attempt.uid).await {
        take_back(store, &pending).await;
        return Err(cause);
    }
    Ok(Filed { document: pending, digest })
}

/// Removes the record that was written into what is another's directory by now.
async fn take_back(store: &BackupStore, pending: &Pending) {
    if let Ok(Some(found)) = read(store, pending.name()).await
        && found.document.uid() == pending.uid()
    {
        // The run ends as replaced, whether that works or not.
        drop(store.withdraw_pending(pending.name()).await);
    }
}

/// Reads the record of a backup; none if its archive is not whole.
pub(super) async fn read(
    store: &BackupStore,
    name: &str,
) -> Result<Option<Filed<Pending>>, store::Error> {
    let key = BackupKeys(name).pending();
    let Some(content) = store.bytes_if_there(&key).await? else { return Ok(None) };
    let malformed = |source| store::Error::Malformed { key: key.clone(), source };
    let document: Pending =
        serde_json::from_slice(&content).map_err(|error| malformed(error.into()))?;
    if document.version != VERSION {
        let reason = format!("its version is {}; this program knows {VERSION}", document.version);
        return Err(malformed(reason.into()));
    }
    if let Err(reason) = document.document.validate(name) {
        return Err(malformed(reason.into()));
    }
    Ok(Some(Filed { document, digest: Digest::of(&content) }))
}

async fn side_files(
    run: &Run<'_>,
    keys: BackupKeys<'_>,
    written: &Written,
    names: ResourceList,
) -> Result<BTreeMap<String, Digest>, Cause> {
    let attempt = SideFile::json(keys.attempt(), run.attempt)?;
    let archive = Digest { size: written.size, sha256: written.sha256.clone() };
    let mut digests = BTreeMap::from([
        (attempt.file_name().to_owned(), Digest::of(&attempt.content)),
        (format!("{}.tar.gz", run.request.name), archive),
    ]);
    digests.extend(run.asked.files(keys).await);
    for file in [
        SideFile { key: keys.index(), content: written.index.clone().into() },
        SideFile::json_gz(keys.resource_list(), &names)?,
        // Go writes an empty slice as null; so do we, where Velero does.
        SideFile::json_gz(keys.pod_volume_backups(), &None::<()>)?,
        SideFile::json_gz(keys.item_operations(), &Vec::<()>::new())?,
    ] {
        let digest = files::write(&run.context.store, &file).await?;
        digests.insert(file.file_name().to_owned(), digest);
    }
    Ok(digests)
}

/// The backup's document, without what the snapshots decide.
fn document(run: &Run<'_>, written: &Written, items: u64) -> Backup {
    let Run { request, attempt, ready, .. } = run;
    let mut labels = request.labels.clone();
    labels.insert("velero.io/storage-location".to_owned(), LOCATION.to_owned());
    let mut spec = ready.spec.clone().with_defaults_of_velero();
    spec.ttl = request.ttl.map(|ttl| GoDuration::from_std(ttl).to_string());
    LOCATION.clone_into(&mut spec.storage_location);
    if spec.volume_snapshot_locations.is_empty() {
        spec.volume_snapshot_locations.push(LOCATION.to_owned());
    }
    Backup {
        api_version: "velero.io/v1".to_owned(),
        kind: "Backup".to_owned(),
        metadata: BackupMeta {
            name: request.name.clone(),
            namespace: "velero".to_owned(),
            uid: attempt.uid.clone(),
            creation_timestamp: Some(attempt.start_timestamp),
            labels,
            annotations: annotations(run, written),
            ..BackupMeta::default()
        },
        spec,
        status: BackupStatus {
            version: 1,
            format_version: FORMAT_VERSION.to_owned(),
            expiration: expiration(attempt.start_timestamp, request.ttl),
            start_timestamp: Some(attempt.start_timestamp),
            hook_status: hook_status(run.tally.counts()),
            progress: Some(Progress { total_items: items, items_backed_up: items }),
            ..BackupStatus::default()
        },
    }
}

fn annotations(run: &Run<'_>, written: &Written) -> BTreeMap<String, String> {
    let version = &run.ready.version;
    let policies = run.ready.policies.as_ref().map(|policies| policies.origin().to_string());
    let mut all = run.request.annotations.clone();
    let ours = [
        (annotations::ARCHIVE_SHA256, written.sha256.clone()),
        (annotations::ARCHIVE_SIZE, written.size.to_string()),
        (annotations::CLUSTER_UID, run.ready.cluster_uid.clone()),
        (annotations::VERSION, run.attempt.version.clone()),
        ("velero.io/source-cluster-k8s-gitversion", version.git_version.clone()),
        ("velero.io/source-cluster-k8s-major-version", version.major.to_string()),
        ("velero.io/source-cluster-k8s-minor-version", version.minor.to_string()),
    ];
    all.extend(ours.map(|(key, value)| (key.to_owned(), value)));
    all.extend(policies.map(|origin| (annotations::VOLUME_POLICIES.to_owned(), origin)));
    all
}
