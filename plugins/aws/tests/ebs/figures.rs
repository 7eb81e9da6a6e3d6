//! A restored volume has the figures of its source.

use bowline_api::contract::SnapshotterFixture as _;
use bowline_api::{Operation, Snapshot, SnapshotRequest, VolumeRequest, VolumeSnapshotter as _};
use bowline_aws::{EbsOptions, EbsSnapshotter};
use bowline_testkit::cloud::{NewVolume, Volume};

use crate::fixture::EbsFixture;

async fn snapshot(fixture: &EbsFixture, volume: &Volume, token: &str) -> Snapshot {
    let tags = [("velero.io/backup".to_owned(), "nightly".to_owned())].into();
    let request = SnapshotRequest { volume_id: volume.id.clone(), token: token.to_owned(), tags };
    fixture.snapshotter().create_snapshot(&request).await.unwrap()
}

fn request(snapshot: Snapshot, token: &str) -> VolumeRequest {
    VolumeRequest {
        same_cluster: true,
        snapshot_id: snapshot.id,
        source_volume_id: snapshot.volume_id,
        persistent_volume: "bowline-1".to_owned(),
        claim: "shop/data".to_owned(),
        token: token.to_owned(),
        tags: [("bowline.io/restore-uid".to_owned(), "uid".to_owned())].into(),
        spec: snapshot.volume,
        nodes: [].into(),
    }
}

/// <https://github.com/vmware-tanzu/velero/issues/5816>: gp3 volumes came back at baseline.
#[tokio::test]
async fn volumes_come_back_as_fast_as_large_and_as_encrypted_as_they_were() {
    let fixture = EbsFixture::start().await;
    let key = "arn:aws:kms:us-east-1:123456789012:key/11112222-3333-4444-5555-666677778888";
    let gp3 = NewVolume {
        size: 100,
        iops: Some(4000),
        throughput: Some(250),
        zone: "us-east-1b".to_owned(),
        tags: [("Name".to_owned(), "db".to_owned())].into(),
        ..NewVolume::default()
    };
    let encrypted = NewVolume { encrypted: true, kms_key: Some(key.to_owned()), ..gp3.clone() };
    let io2 = NewVolume { kind: "io2".to_owned(), throughput: None, ..gp3.clone() };
    let gp2 = NewVolume { kind: "gp2".to_owned(), iops: None, ..io2.clone() };
    for (number, volume) in [gp3, encrypted, io2, gp2].iter().enumerate() {
        let source = fixture.add_volume(volume).await;
        let snapshot = snapshot(&fixture, &source, &format!("figures-{number}")).await;
        let request = request(snapshot, &format!("made-{number}"));
        let made = fixture.snapshotter().create_volume(&request).await.unwrap();
        let made = fixture.ec2().volume(&made.id).await.unwrap();
        assert_ne!(made.id, source.id);
        assert_eq!(made.snapshot.as_deref(), Some(request.snapshot_id.as_str()));
        assert_eq!(made.tags["Name"], "db");
        assert_eq!(made.tags["ebs.csi.aws.com/cluster"], "true");
        let figures = Volume { id: made.id, snapshot: made.snapshot, tags: made.tags, ..source };
        assert_eq!(figures, fixture.ec2().volume(&figures.id).await.unwrap());
    }
}

#[tokio::test]
async fn a_backup_tools_marks_do_not_go_from_one_backup_to_the_next() {
    let fixture = EbsFixture::start().await;
    let source = fixture.add_volume(&NewVolume::default()).await;
    let first = snapshot(&fixture, &source, "marks-1").await;
    let made = fixture.snapshotter().create_volume(&request(first, "marks-2")).await.unwrap();
    let made = fixture.ec2().volume(&made.id).await.unwrap();
    let second = snapshot(&fixture, &made, "marks-3").await;
    assert_eq!(second.tags["bowline.io/token"], "marks-3");
    assert!(!second.tags.contains_key("bowline.io/restore-uid"));
    assert!(second.volume.tags.contains_key("ebs.csi.aws.com/cluster"));
    assert!(second.volume.tags.keys().all(|key| !key.starts_with("bowline.io/")));
}

/// Another process goes on with nothing but the token.
#[tokio::test]
async fn what_one_process_made_another_finds() {
    let fixture = EbsFixture::start().await;
    let source = fixture.add_volume(&NewVolume::default()).await;
    let first = snapshot(&fixture, &source, "process-1").await;
    let other = EbsSnapshotter::new(fixture.options());
    let tags = first.tags.clone();
    let again = SnapshotRequest { volume_id: source.id, token: "process-1".to_owned(), tags };
    assert_eq!(other.create_snapshot(&again).await.unwrap(), first);
    let order = request(first, "process-2");
    let made = fixture.snapshotter().create_volume(&order).await.unwrap();
    let again = other.create_volume(&order).await.unwrap();
    assert_eq!(again.id, made.id);
    other.delete_volume(&made.id).await.unwrap();
    assert!(fixture.ec2().volume(&made.id).await.is_err());
}

#[tokio::test]
async fn zones_and_rights_are_those_of_the_region() {
    let fixture = EbsFixture::start().await;
    let snapshotter = EbsSnapshotter::new(EbsOptions {
        cluster_name: Some("west".to_owned()),
        ..fixture.options()
    });
    let zones = snapshotter.zones().await.unwrap();
    assert!(zones.iter().all(|zone| zone.starts_with("us-east-1")), "{zones:?}");
    assert!(zones.is_sorted() && zones.len() > 1);
    let source = fixture.add_volume(&NewVolume::default()).await;
    for operation in [Operation::Backup, Operation::Restore, Operation::Delete] {
        let rights = snapshotter.rights(operation, Some(&source.id)).await.unwrap();
        assert!(rights.iter().all(|right| right.refusal.is_none()), "{rights:?}");
    }
    assert!(fixture.ec2().snapshots().await.unwrap().is_empty());
    assert_eq!(fixture.ec2().volumes().await.unwrap(), [source]);
}
