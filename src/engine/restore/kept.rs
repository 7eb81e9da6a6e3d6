//! How a backup keeps the data of a volume, by all that its records say.
//!
//! Velero keeps data in five ways, of which one is a snapshot that a volume can be made from here.
//! Its `volumeinfo` says which; older versions wrote none, and left it to be found out: a native
//! snapshot goes first, then the copy of files through a pod, then what a CSI driver made.

use std::collections::BTreeSet;

use bowline_api::{GroupResource, ItemId};

use super::open::Opened;
use crate::engine::model::Object;
use crate::engine::model::fields::{map_at, text_at};
use crate::engine::model::results::Subject;
use crate::engine::model::volume::{
    CSI_SNAPSHOT, NATIVE_SNAPSHOT, NativeSnapshot, POD_VOLUME_BACKUP, SnapshotPhase, VolumeInfo,
};

/// A claim that was bound, and the volume that it was bound to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound<'c> {
    pub claim: &'c ItemId,
    pub object: &'c Object,
    pub volume: &'c str,
}

/// Why a claim cannot have its data back, and what would help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub reason: String,
    pub hint: &'static str,
}

/// Velero has the data, but not in a form that is read here.
const WITH_VELERO: &str = "bowline makes volumes from EBS and local snapshots only: restore this claim \
     with Velero, or bring it back without its data with --allow-empty-volumes";
/// Nobody has the data.
pub(super) const WITHOUT: &str =
    "another backup may hold it; --allow-empty-volumes brings the claim back without its data";

impl Refusal {
    fn with_velero(reason: String) -> Self {
        Self { reason, hint: WITH_VELERO }
    }

    fn without(reason: String) -> Self {
        Self { reason, hint: WITHOUT }
    }
}

/// The snapshot that a claim's volume can be made from.
pub(super) fn snapshot<'a>(
    opened: &'a Opened,
    bound: Bound<'_>,
) -> Result<&'a NativeSnapshot, Refusal> {
    let volume = bound.volume;
    let info = opened.volumes.get(volume);
    match info.and_then(|info| Some((info, info.backup_method.as_deref()?))) {
        None | Some((_, NATIVE_SNAPSHOT)) => {}
        Some((info, method)) => return Err(other_method(opened, bound, info, method)),
    }
    let Some(snapshot) = opened.snapshots.get(volume) else {
        return Err(no_snapshot(opened, bound, info));
    };
    match (snapshot.status.phase, snapshot.snapshot_id()) {
        (Some(SnapshotPhase::Completed), Some(_)) => Ok(snapshot),
        (Some(SnapshotPhase::New), _) => Err(Refusal::without(format!(
            "the snapshot of its volume {volume} was asked for, and nothing is known of its end"
        ))),
        _ => {
            let failed = format!("the snapshot of its volume {volume} failed");
            Err(Refusal::without(with_reason(opened, bound, failed)))
        }
    }
}

/// Adds what was recorded of a failure.
fn with_reason(opened: &Opened, bound: Bound<'_>, failed: String) -> String {
    let snapshot = opened.snapshots.get(bound.volume);
    let disk = snapshot.map_or("", |snapshot| snapshot.spec.provider_volume_id.as_str());
    let claim = bound.claim.to_string();
    let subject = Subject {
        namespace: bound.claim.namespace.as_deref(),
        names: BTreeSet::from([bound.claim.name.as_str(), bound.volume]),
        marks: vec![&claim, bound.volume, disk],
    };
    match opened.others.results.errors_about(&subject).as_slice() {
        [] => failed,
        reasons => format!("{failed}: {}", reasons.join("; ")),
    }
}

fn no_snapshot(opened: &Opened, bound: Bound<'_>, info: Option<&VolumeInfo>) -> Refusal {
    let volume = bound.volume;
    let handle =
        info.and_then(|info| Some(info.native_snapshot_info.as_ref()?.snapshot_handle.as_str()));
    if let Some(handle) = handle.filter(|handle| !handle.is_empty()) {
        return Refusal::without(format!(
            "its volume {volume} is said to be kept as snapshot {handle}, which the backup's list of \
             snapshots does not hold"
        ));
    }
    if info.is_some_and(|info| info.backup_method.is_some()) {
        let failed = format!("the snapshot of its volume {volume} failed");
        return Refusal::without(with_reason(opened, bound, failed));
    }
    if let Some(reason) = info.and_then(|info| info.skipped_reason.as_deref()) {
        let reason = reason.trim_end_matches(';');
        return Refusal::without(format!("its volume {volume} was not backed up: {reason}"));
    }
    legacy(opened, bound).unwrap_or_else(|| {
        Refusal::without(format!("the backup holds no snapshot of its volume {volume}"))
    })
}

/// What `volumeinfo` says of a method that is not ours.
fn other_method(opened: &Opened, bound: Bound<'_>, info: &VolumeInfo, method: &str) -> Refusal {
    let details = |key| map_at(&info.rest, &[key]).cloned().unwrap_or_default();
    let kept = match method {
        POD_VOLUME_BACKUP => copied(bound, &Copied::of_info(&details("pvbInfo"))),
        CSI_SNAPSHOT if info.snapshot_data_moved => {
            moved(bound, &details("snapshotDataMovementInfo"))
        }
        CSI_SNAPSHOT => {
            let text = |key| text_at(&info.rest, &["csiSnapshotInfo", key]);
            driver_made(bound, text("snapshotHandle"), text("driver"))
        }
        method => format!(
            "its volume {} was kept by method {method}, which is not known here",
            bound.volume
        ),
    };
    if info.result.as_deref() == Some("failed") {
        return Refusal::without(with_reason(opened, bound, format!("{kept}, and that failed")));
    }
    Refusal::with_velero(kept)
}

/// What the records say that were all there was before `volumeinfo`.
fn legacy(opened: &Opened, bound: Bound<'_>) -> Option<Refusal> {
    if let Some(backup) = opened.others.pod_volume_backups.iter().find(|it| is_of(it, bound.claim))
    {
        let kept = copied(bound, &Copied::of_backup(backup));
        return Some(match text_at(backup, &["status", "phase"]) {
            Some("Completed") => Refusal::with_velero(kept),
            phase => {
                let phase = phase.unwrap_or("not begun");
                let message = text_at(backup, &["status", "message"]).map(|it| format!(": {it}"));
                let message = message.unwrap_or_default();
                Refusal::without(format!("{kept}, and that is {phase}{message}"))
            }
        });
    }
    let annotation = |key| text_at(bound.object, &["metadata", "annotations", key]);
    if let Some(upload) = annotation("velero.io/data-upload-name") {
        return Some(Refusal::with_velero(uploaded(opened, bound, upload)));
    }
    let name = annotation("velero.io/volume-snapshot-name");
    let listed = opened.others.csi_snapshots.iter().find(|it| is_source(it, bound.claim));
    if let Some(snapshot) = listed {
        return Some(Refusal::with_velero(listed_snapshot(opened, bound, snapshot)));
    }
    name.map(|name| Refusal::with_velero(archived_snapshot(opened, bound, name)))
}

/// Whether a file-system backup is of this claim.
fn is_of(backup: &Object, claim: &ItemId) -> bool {
    let name = text_at(backup, &["metadata", "annotations", "velero.io/pvc-name"]);
    let namespace = text_at(backup, &["spec", "pod", "namespace"]);
    name == Some(&claim.name) && namespace == claim.namespace.as_deref()
}

/// Whether a CSI snapshot was taken of this claim.
fn is_source(snapshot: &Object, claim: &ItemId) -> bool {
    let name = text_at(snapshot, &["spec", "source", "persistentVolumeClaimName"]);
    let namespace = text_at(snapshot, &["metadata", "namespace"]);
    name == Some(&claim.name) && namespace == claim.namespace.as_deref()
}

/// A copy of files through a pod, as either record has it.
#[derive(Debug, Default)]
struct Copied<'a> {
    uploader: Option<&'a str>,
    snapshot: Option<&'a str>,
    volume: Option<&'a str>,
    pod: Option<(&'a str, &'a str)>,
}

impl<'a> Copied<'a> {
    fn of_info(info: &'a Object) -> Self {
        let text = |key| text_at(info, &[key]);
        Self {
            uploader: text("uploaderType"),
            snapshot: text("snapshotHandle"),
            volume: text("volumeName"),
            pod: text("podNamespace").zip(text("podName")),
        }
    }

    fn of_backup(backup: &'a Object) -> Self {
        let text = |path: &[&str]| text_at(backup, path);
        Self {
            uploader: text(&["spec", "uploaderType"]),
            snapshot: text(&["status", "snapshotID"]),
            volume: text(&["spec", "volume"]),
            pod: text(&["spec", "pod", "namespace"]).zip(text(&["spec", "pod", "name"])),
        }
    }
}

fn copied(bound: Bound<'_>, copied: &Copied<'_>) -> String {
    // Before there was a choice, it was restic.
    let uploader = copied.uploader.unwrap_or("restic");
    let snapshot = copied.snapshot.map(|it| format!(" as snapshot {it}")).unwrap_or_default();
    let place = match (copied.volume, copied.pod) {
        (Some(volume), Some((namespace, pod))) => {
            format!(", through volume {volume} of pod {namespace}/{pod}")
        }
        _ => String::new(),
    };
    let volume = bound.volume;
    format!(
        "the files of its volume {volume} were copied by Velero with {uploader}{snapshot}{place}"
    )
}

fn moved(bound: Bound<'_>, details: &Object) -> String {
    let text = |key| text_at(details, &[key]);
    let mover = text("dataMover").unwrap_or("velero");
    let uploader = text("uploaderType").map(|it| format!(" with {it}")).unwrap_or_default();
    let snapshot =
        text("snapshotHandle").map(|it| format!(" as snapshot {it}")).unwrap_or_default();
    let operation = text("operationID").map(|it| format!(", operation {it}")).unwrap_or_default();
    let volume = bound.volume;
    format!(
        "the data of its volume {volume} was moved out of a CSI snapshot by data mover \
         {mover}{uploader}{snapshot}{operation}"
    )
}

fn driver_made(bound: Bound<'_>, handle: Option<&str>, driver: Option<&str>) -> String {
    let handle = handle.unwrap_or("of unknown handle");
    let driver = driver.unwrap_or("of unknown name");
    let volume = bound.volume;
    format!("its volume {volume} was kept by Velero as CSI snapshot {handle} of driver {driver}")
}

/// A data mover's copy, of which older records have only the order.
fn uploaded(opened: &Opened, bound: Bound<'_>, upload: &str) -> String {
    let order = upload.split_once('/').and_then(|(namespace, name)| {
        let resource = GroupResource::new("velero.io", "datauploads");
        archived(opened, &ItemId::namespaced(resource, namespace, name))
    });
    let order = order.unwrap_or_default();
    let text = |path: &[&str]| text_at(&order, path).map(str::to_owned);
    let mut details = Object::new();
    let known = [
        ("dataMover", text(&["spec", "datamover"])),
        ("snapshotHandle", text(&["status", "snapshotID"])),
        ("operationID", Some(upload.to_owned())),
    ];
    details.extend(known.into_iter().filter_map(|(key, it)| Some((key.to_owned(), it?.into()))));
    moved(bound, &details)
}

/// A CSI snapshot in the list that was written up to Velero 1.16.
fn listed_snapshot(opened: &Opened, bound: Bound<'_>, snapshot: &Object) -> String {
    let name = text_at(snapshot, &["status", "boundVolumeSnapshotContentName"]);
    let contents = opened.others.csi_contents.iter();
    let content = contents.into_iter().find(|it| text_at(it, &["metadata", "name"]) == name);
    let content = content.filter(|_| name.is_some());
    let text = |path: &[&str]| content.and_then(|content| text_at(content, path));
    driver_made(bound, text(&["status", "snapshotHandle"]), text(&["spec", "driver"]))
}

/// A CSI snapshot among the objects of the archive.
fn archived_snapshot(opened: &Opened, bound: Bound<'_>, name: &str) -> String {
    let resource = GroupResource::new("snapshot.storage.k8s.io", "volumesnapshots");
    let namespace = bound.claim.namespace.as_deref().unwrap_or_default();
    let snapshot = archived(opened, &ItemId::namespaced(resource, namespace, name));
    let snapshot = snapshot.unwrap_or_default();
    let note = |key| text_at(&snapshot, &["metadata", "annotations", key]);
    driver_made(
        bound,
        note("velero.io/csi-volumesnapshot-handle"),
        note("velero.io/csi-driver-name"),
    )
}

fn archived(opened: &Opened, id: &ItemId) -> Option<Object> {
    let json = opened.contents.read(opened.contents.find(id)?).ok()?;
    serde_json::from_slice(&json).ok()
}
