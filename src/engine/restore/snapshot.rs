//! What a volume that is made from a snapshot is like.

use bowline_api::{Snapshot, Tags, VolumeSpec};

use crate::engine::model::backup::Backup;
use crate::engine::model::volume::NativeSnapshot;

/// The tags that the volume had which a snapshot is of.
///
/// Velero does not record them, but copies them to the snapshot, among its own.
pub(super) fn volume_tags(found: &Snapshot, record: &NativeSnapshot, backup: &Backup) -> Tags {
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
pub(super) fn volume_spec(found: &Snapshot, record: &NativeSnapshot) -> VolumeSpec {
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
    use bowline_api::SnapshotState;
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
