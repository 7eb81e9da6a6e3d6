//! Whether a snapshot is what a backup made, not merely what a file says, and what its volume is like.

use bowline_api::{Snapshot, SnapshotState, Tags, VolumeSpec};

use super::backup::Backup;
use super::volume::{NativeSnapshot, tags};

/// Checks a snapshot against its record; fails with what is wrong with it.
///
/// The tags of a snapshot that another, trusted account shares cannot be seen. That account's word
/// is taken for them.
pub fn check(found: &Snapshot, record: &NativeSnapshot, backup: &Backup) -> Result<(), String> {
    let id = &found.id;
    match &found.state {
        SnapshotState::Completed => {}
        SnapshotState::Pending(percent) => {
            let percent = percent.map(|percent| format!(" ({percent} %)")).unwrap_or_default();
            return Err(format!(
                "snapshot {id} is still pending{percent}; it can be restored once it is complete"
            ));
        }
        SnapshotState::Failed(reason) => return Err(format!("snapshot {id} failed: {reason}")),
    }
    let volume = &record.spec.provider_volume_id;
    if !volume.is_empty() && found.volume_id != *volume {
        let of = &found.volume_id;
        return Err(format!("snapshot {id} is of volume {of}, not of {volume}; it is not used"));
    }
    if found.shared_by.is_some() {
        return Ok(());
    }
    match expected_tags(record, backup)
        .into_iter()
        .find(|(key, it)| found.tags.get(*key) != Some(it))
    {
        Some((key, value)) => {
            Err(format!("snapshot {id} is not tagged {key}={value}; it is not used"))
        }
        None => Ok(()),
    }
}

fn expected_tags(record: &NativeSnapshot, backup: &Backup) -> Vec<(&'static str, String)> {
    let mut expected = vec![
        (tags::BACKUP, backup.metadata.name.clone()),
        (tags::PERSISTENT_VOLUME, record.spec.persistent_volume_name.clone()),
    ];
    if backup.is_ours() {
        expected.push((tags::BACKUP_UID, backup.metadata.uid.clone()));
    }
    expected
}

/// The tags that the volume had which a snapshot is of.
///
/// Velero does not record them, but copies them to the snapshot, among its own.
pub fn volume_tags(found: &Snapshot, record: &NativeSnapshot, backup: &Backup) -> Tags {
    if backup.is_ours() {
        return record.spec.volume_tags.clone();
    }
    let own = |key: &str| key.starts_with("velero.io/") || key.starts_with("bowline.io/");
    let tags = found.tags.iter().filter(|(key, _)| !own(key));
    tags.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// What the volume of a snapshot was like: as recorded, but for its key.
///
/// A record comes from a bucket, and may name the key of a stranger who can take it away later. What
/// the provider tells of a snapshot of our own goes first.
pub fn volume_spec(found: &Snapshot, record: &NativeSnapshot) -> VolumeSpec {
    let recorded = record.spec.volume_spec();
    match &found.volume {
        VolumeSpec { encrypted: Some(encrypted), kms_key_id, .. } if found.shared_by.is_none() => {
            let (encrypted, kms_key_id) = (Some(*encrypted), kms_key_id.clone());
            VolumeSpec { encrypted, kms_key_id, ..recorded }
        }
        _ => recorded,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::engine::model::backup::annotations;

    fn backup(annotations: &serde_json::Value) -> Backup {
        let metadata = json!({"name": "nightly", "uid": "uid-1", "annotations": annotations});
        let document =
            json!({"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": metadata});
        serde_json::from_value(document).unwrap()
    }

    fn ours() -> Backup {
        backup(&json!({annotations::VERSION: "0.1.0"}))
    }

    fn record(tags: &serde_json::Value) -> NativeSnapshot {
        let spec = json!({"persistentVolumeName": "pv-1", "providerVolumeID": "vol-1", "volumeTags": tags});
        serde_json::from_value(json!({"spec": spec})).unwrap()
    }

    fn snapshot() -> Snapshot {
        let tags = [
            ("velero.io/backup", "nightly"),
            ("velero.io/pv", "pv-1"),
            ("bowline.io/backup-uid", "uid-1"),
            ("team", "shop"),
        ];
        Snapshot {
            id: "snap-1".to_owned(),
            volume_id: "vol-1".to_owned(),
            state: SnapshotState::Completed,
            tags: tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            volume: VolumeSpec::default(),
            shared_by: None,
        }
    }

    fn fault(change: impl FnOnce(&mut Snapshot)) -> String {
        let mut snapshot = snapshot();
        change(&mut snapshot);
        check(&snapshot, &record(&json!({})), &ours()).err().unwrap_or_default()
    }

    #[test]
    fn a_snapshot_is_used_only_if_it_is_complete_and_of_this_volume_and_backup() {
        assert_eq!(fault(|_| {}), "");
        for (fault, expected) in [
            (
                fault(|it| it.state = SnapshotState::Pending(Some(40))),
                "snapshot snap-1 is still pending (40 %); it can be restored once it is complete",
            ),
            (
                fault(|it| it.state = SnapshotState::Failed("no disk".to_owned())),
                "snapshot snap-1 failed: no disk",
            ),
            (
                fault(|it| it.volume_id = "vol-2".to_owned()),
                "snapshot snap-1 is of volume vol-2, not of vol-1; it is not used",
            ),
            (
                fault(|it| drop(it.tags.remove("velero.io/pv"))),
                "snapshot snap-1 is not tagged velero.io/pv=pv-1; it is not used",
            ),
            (
                fault(|it| drop(it.tags.insert("bowline.io/backup-uid".into(), "2".into()))),
                "snapshot snap-1 is not tagged bowline.io/backup-uid=uid-1; it is not used",
            ),
        ] {
            assert_eq!(fault, expected);
        }
    }

    #[test]
    fn a_shared_snapshot_shows_no_tags_but_must_be_of_the_volume() {
        let share = |it: &mut Snapshot| {
            it.tags.clear();
            it.shared_by = Some("123456789012".to_owned());
        };
        assert_eq!(fault(share), "");
        let other = fault(|it| {
            share(it);
            it.volume_id = "vol-2".to_owned();
        });
        assert!(other.contains("of volume vol-2"), "{other}");
    }

    #[test]
    fn a_key_is_the_one_of_the_snapshot_and_not_what_a_file_says() {
        let spec = json!({"volumeType": "gp3", "volumeIOPS": 4000, "volumeEncrypted": true,
            "volumeKMSKeyID": "theirs"});
        let record = serde_json::from_value(json!({"spec": spec})).unwrap();
        let mut found = snapshot();
        assert_eq!(volume_spec(&found, &record).kms_key_id.as_deref(), Some("theirs"));
        found.volume.encrypted = Some(true);
        found.volume.kms_key_id = Some("ours".to_owned());
        let restored = volume_spec(&found, &record);
        assert_eq!((restored.kms_key_id.as_deref(), restored.iops), (Some("ours"), Some(4000)));
        found.shared_by = Some("123456789012".to_owned());
        assert_eq!(volume_spec(&found, &record).kms_key_id.as_deref(), Some("theirs"));
    }

    #[test]
    fn the_tags_of_the_volume_are_those_recorded_or_in_veleros_backups_the_snapshots() {
        let recorded = record(&json!({"owner": "db"}));
        let tags = volume_tags(&snapshot(), &recorded, &ours());
        assert_eq!(tags, Tags::from([("owner".to_owned(), "db".to_owned())]));
        assert_eq!(volume_tags(&snapshot(), &record(&json!({})), &ours()), Tags::new());
        let tags = volume_tags(&snapshot(), &record(&json!({})), &backup(&json!({})));
        assert_eq!(tags, Tags::from([("team".to_owned(), "shop".to_owned())]));
    }
}
