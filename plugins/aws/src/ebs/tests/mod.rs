//! The snapshotter against a small EC2 that fails as it is told.

mod creations;
mod descriptions;
mod rights;
mod volumes;

use bowline_api::{SnapshotRequest, Tags, VolumeRequest, VolumeSpec};

fn tags(pairs: &[(&str, &str)]) -> Tags {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn snapshot_request(volume_id: &str, token: &str) -> SnapshotRequest {
    let tags = tags(&[("velero.io/backup", "nightly"), ("bowline.io/claim", "shop/data")]);
    SnapshotRequest { volume_id: volume_id.to_owned(), token: token.to_owned(), tags }
}

fn volume_request(snapshot_id: &str, token: &str) -> VolumeRequest {
    VolumeRequest {
        same_cluster: true,
        snapshot_id: snapshot_id.to_owned(),
        source_volume_id: "vol-1".to_owned(),
        persistent_volume: "bowline-1".to_owned(),
        claim: "shop/data".to_owned(),
        token: token.to_owned(),
        tags: tags(&[("bowline.io/restore-uid", "uid")]),
        spec: VolumeSpec {
            volume_type: "gp3".to_owned(),
            zone: Some("eu-west-1a".to_owned()),
            ..VolumeSpec::default()
        },
        nodes: [].into(),
    }
}
