//! Whether the records of a backup's volumes can be believed. They come from a bucket.

use std::collections::{BTreeMap, BTreeSet};

use bowline_api::{GroupResource, ItemId};

use super::backup::Backup;
use super::names::{self, check_label, check_subdomain};
use super::volume::{NativeSnapshot, SnapshotPhase, VolumeInfo};

/// The first thing that is wrong with the list of snapshots; none if it is sound.
///
/// Names are those of Kubernetes, records are of this backup, and no volume or snapshot is there
/// twice: which of two would be restored?
pub fn snapshots_fault(backup: &Backup, snapshots: &[NativeSnapshot]) -> Option<String> {
    let (mut volumes, mut ids) = (BTreeSet::new(), BTreeSet::new());
    first(snapshots, |record| {
        let volume = record.spec.persistent_volume_name.as_str();
        check_subdomain(volume).map_err(not_a("persistent volume"))?;
        check_backup(backup, record)?;
        if !volumes.insert(volume) {
            return Err(format!("persistent volume {volume} is recorded twice"));
        }
        match record.snapshot_id() {
            None if is_completed(record) => {
                Err(format!("the snapshot of {volume} is Completed and has no id"))
            }
            Some(id) if !ids.insert(id) => Err(format!("snapshot {id} is recorded twice")),
            _ => Ok(()),
        }
    })
}

/// The first thing that is wrong with the list of what became of volumes; none if it is sound.
///
/// Velero has entries without a persistent volume (of an `emptyDir`), and several of one; the last
/// counts.
pub fn volumes_fault(backup: &Backup, volumes: &[VolumeInfo]) -> Option<String> {
    let mut known = BTreeSet::new();
    first(volumes, |record| {
        let volume = record.pv_name.as_str();
        if !volume.is_empty() || backup.is_ours() {
            check_subdomain(volume).map_err(not_a("persistent volume"))?;
        }
        if let Some(claim) = given(record.pvc_name.as_deref()) {
            check_subdomain(claim).map_err(not_a("claim"))?;
        }
        if let Some(namespace) = given(record.pvc_namespace.as_deref()) {
            check_label(namespace).map_err(not_a("namespace"))?;
        }
        if !known.insert(volume) && backup.is_ours() {
            return Err(format!("persistent volume {volume} is recorded twice"));
        }
        Ok(())
    })
}

/// What the records promise and the archive does not hold, with the words of the promise.
///
/// A volume whose backup failed promises nothing. A claim is promised by records of ours only:
/// Velero names the claim of every volume, also where claims were left out.
pub fn lacking(
    backup: &Backup,
    snapshots: &[NativeSnapshot],
    volumes: &[VolumeInfo],
    holds: impl Fn(&ItemId) -> bool,
) -> BTreeMap<ItemId, String> {
    let mut promised = BTreeMap::new();
    for record in volumes.iter().filter(|record| record.is_kept()) {
        let method = record.backup_method.as_deref().unwrap_or_default();
        let claim = record.claim();
        let of = claim.as_ref().map(|claim| format!(" of {claim}")).unwrap_or_default();
        let promise = format!("the data{of} was kept by {method}");
        let volume = given(Some(&record.pv_name)).map(persistent_volume);
        let claim = claim.filter(|_| backup.is_ours());
        promised.extend(volume.into_iter().chain(claim).map(|id| (id, promise.clone())));
    }
    for record in snapshots.iter().filter(|record| is_completed(record)) {
        let id = record.snapshot_id().unwrap_or_default();
        let volume = persistent_volume(&record.spec.persistent_volume_name);
        promised.insert(volume, format!("snapshot {id} was taken of it"));
    }
    promised.retain(|id, _| !holds(id));
    promised
}

/// The persistent volume of this name.
pub fn persistent_volume(name: &str) -> ItemId {
    ItemId::cluster(GroupResource::core("persistentvolumes"), name)
}

impl NativeSnapshot {
    /// The provider's name of the snapshot, if there is one.
    pub fn snapshot_id(&self) -> Option<&str> {
        given(self.status.provider_snapshot_id.as_deref())
    }
}

impl VolumeInfo {
    /// The claim of the volume, as far as it is recorded.
    pub fn claim(&self) -> Option<ItemId> {
        let namespace = given(self.pvc_namespace.as_deref())?;
        let name = given(self.pvc_name.as_deref())?;
        let claims = GroupResource::core("persistentvolumeclaims");
        Some(ItemId::namespaced(claims, namespace, name))
    }

    /// Whether its data was kept, by whatever method.
    pub fn is_kept(&self) -> bool {
        let failed = self.result.as_deref() == Some("failed");
        !self.skipped && !failed && self.backup_method.is_some()
    }
}

fn is_completed(record: &NativeSnapshot) -> bool {
    record.status.phase == Some(SnapshotPhase::Completed)
}

fn check_backup(backup: &Backup, record: &NativeSnapshot) -> Result<(), String> {
    let (meta, spec) = (&backup.metadata, &record.spec);
    for (field, found, expected) in
        [("backupName", &spec.backup_name, &meta.name), ("backupUID", &spec.backup_uid, &meta.uid)]
    {
        if found != expected && (backup.is_ours() || !found.is_empty()) {
            return Err(format!("it is of another backup: its {field} is \"{found}\""));
        }
    }
    Ok(())
}

fn first<'a, T>(
    records: &'a [T],
    mut check: impl FnMut(&'a T) -> Result<(), String>,
) -> Option<String> {
    let mut faults = records.iter().enumerate();
    faults
        .find_map(|(at, it)| Some((at + 1, check(it).err()?)))
        .map(|(number, fault)| format!("record {number}: {fault}"))
}

fn not_a(what: &str) -> impl Fn(names::Invalid) -> String {
    move |invalid| format!("no {what} can have that name: {invalid}")
}

fn given(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::engine::model::backup::annotations;

    fn backup(ours: bool) -> Backup {
        let annotations = if ours { json!({annotations::VERSION: "0.1.0"}) } else { json!({}) };
        let metadata = json!({"name": "nightly", "uid": "uid-1", "annotations": annotations});
        let document =
            json!({"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": metadata});
        serde_json::from_value(document).unwrap()
    }

    fn snapshot(volume: &str, id: &str) -> Value {
        json!({"spec": {"backupName": "nightly", "backupUID": "uid-1",
            "persistentVolumeName": volume}, "status": {"providerSnapshotID": id,
            "phase": "Completed"}})
    }

    fn of_snapshots(ours: bool, records: &Value) -> String {
        let records: Vec<NativeSnapshot> = serde_json::from_value(records.clone()).unwrap();
        snapshots_fault(&backup(ours), &records).unwrap_or_default()
    }

    fn of_volumes(ours: bool, records: &Value) -> String {
        let records: Vec<VolumeInfo> = serde_json::from_value(records.clone()).unwrap();
        volumes_fault(&backup(ours), &records).unwrap_or_default()
    }

    #[test]
    fn a_snapshot_is_recorded_once_for_a_volume_that_can_be_one_and_for_this_backup() {
        let good = snapshot("pv-1", "snap-1");
        assert_eq!(of_snapshots(true, &json!([good, snapshot("pv-2", "snap-2")])), "");
        let with = |field: &str, value: &str| {
            let mut record = good.clone();
            record["spec"][field] = json!(value);
            of_snapshots(true, &json!([record]))
        };
        for name in ["", "../etc", "a/b", "PV", "a b"] {
            let fault = with("persistentVolumeName", name);
            assert!(fault.starts_with("record 1: no persistent volume can have"), "{fault}");
        }
        assert!(with("backupName", "weekly").ends_with("its backupName is \"weekly\""));
        assert!(with("backupUID", "uid-2").ends_with("its backupUID is \"uid-2\""));
        assert!(with("backupUID", "").ends_with("its backupUID is \"\""));
        let twice = of_snapshots(false, &json!([good, snapshot("pv-1", "snap-2")]));
        assert_eq!(twice, "record 2: persistent volume pv-1 is recorded twice");
        let twice = of_snapshots(false, &json!([good, snapshot("pv-2", "snap-1")]));
        assert_eq!(twice, "record 2: snapshot snap-1 is recorded twice");
        let without = of_snapshots(false, &json!([snapshot("pv-1", "")]));
        assert_eq!(without, "record 1: the snapshot of pv-1 is Completed and has no id");
    }

    #[test]
    fn a_record_of_velero_may_leave_out_whose_it_is() {
        let spec = json!({"persistentVolumeName": "pv-1"});
        let failed = json!({"spec": spec, "status": {"phase": "Failed"}});
        assert_eq!(of_snapshots(false, &json!([failed])), "");
        assert_ne!(of_snapshots(true, &json!([failed])), "");
    }

    #[test]
    fn volumes_and_claims_have_names_that_they_can_have() {
        let record = |volume: &str, namespace: &str, claim: &str| json!({"pvName": volume, "pvcNamespace": namespace, "pvcName": claim});
        let good = record("pv-1", "shop", "data.0");
        assert_eq!(of_volumes(true, &json!([good])), "");
        for (record, what) in [
            (record("a/b", "shop", "data"), "persistent volume"),
            (record("pv-1", "sh.op", "data"), "namespace"),
            (record("pv-1", "shop", ".."), "claim"),
        ] {
            let fault = of_volumes(false, &json!([record]));
            assert!(fault.starts_with(&format!("record 1: no {what} can have")), "{fault}");
        }
        assert_eq!(of_volumes(false, &json!([good, good, {"pvName": ""}, {"pvName": ""}])), "");
        assert!(of_volumes(true, &json!([good, good])).ends_with("pv-1 is recorded twice"));
        assert_ne!(of_volumes(true, &json!([{"pvName": ""}])), "");
    }

    #[test]
    fn what_was_kept_is_promised_and_what_failed_or_was_skipped_is_not() {
        let snapshots = json!([snapshot("pv-1", "snap-1"),
            {"spec": {"persistentVolumeName": "pv-2"}, "status": {"phase": "Failed"}}]);
        let volume = |name: &str, skipped: bool, result: &str| {
            json!({"pvName": name, "pvcName": "data", "pvcNamespace": "shop", "skipped": skipped,
                "backupMethod": "CSISnapshot", "result": result})
        };
        let volumes = json!([
            volume("pv-3", false, "succeeded"),
            volume("pv-4", true, ""),
            volume("pv-5", false, "failed")
        ]);
        let snapshots: Vec<NativeSnapshot> = serde_json::from_value(snapshots).unwrap();
        let volumes: Vec<VolumeInfo> = serde_json::from_value(volumes).unwrap();
        let told = |ours: bool, has: &str| {
            let holds = |id: &ItemId| id.to_string() == has;
            let lacking = lacking(&backup(ours), &snapshots, &volumes, holds).into_iter();
            lacking.map(|(id, promise)| format!("{id}: {promise}")).collect::<Vec<_>>()
        };
        let kept = "the data of persistentvolumeclaims/shop/data was kept by CSISnapshot";
        let taken = "persistentvolumes/pv-1: snapshot snap-1 was taken of it";
        assert_eq!(told(false, ""), [taken, &format!("persistentvolumes/pv-3: {kept}")]);
        assert_eq!(told(false, "persistentvolumes/pv-3"), [taken]);
        let claim = format!("persistentvolumeclaims/shop/data: {kept}");
        assert_eq!(told(true, "persistentvolumes/pv-3"), [claim.as_str(), taken]);
    }
}
