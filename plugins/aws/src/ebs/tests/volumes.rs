//! Volumes made from snapshots, up to what becomes of them.

use std::time::Duration;

use bowline_api::{SnapshotterError, VolumeSnapshotter as _, VolumeState};
use tokio::time::advance;

use super::super::fake::{ACCOUNT, FakeEc2, Trouble};
use super::super::options::EbsOptions;
use super::volume_request;

fn ec2() -> FakeEc2 {
    let ec2 = FakeEc2::default();
    ec2.add_snapshot("snap-1", ACCOUNT);
    ec2
}

/// An account that is trusted.
const FRIEND: &str = "999900001111";

fn trusting() -> EbsOptions {
    EbsOptions { trusted_accounts: vec![FRIEND.to_owned()], ..EbsOptions::default() }
}

fn add_volume(ec2: &FakeEc2, status: &str) {
    let fields = [
        ("volumeId", "vol-2"),
        ("snapshotId", "snap-1"),
        ("availabilityZone", "eu-west-1a"),
        ("status", status),
    ];
    ec2.add(&fields, &[("bowline.io/token", "t-0"), ("bowline.io/made-from", "snap-1")]);
}

#[tokio::test(start_paused = true)]
async fn a_volume_is_made_as_ordered_and_tagged() {
    let ec2 = ec2();
    let options = EbsOptions { cluster_name: Some("west".to_owned()), ..EbsOptions::default() };
    let snapshotter = ec2.snapshotter(options);
    let mut request = volume_request("snap-1", "t-1");
    (request.spec.iops, request.spec.throughput) = (Some(4000), Some(250));
    let made = snapshotter.create_volume(&request).await.unwrap();
    assert_eq!((made.state, made.zone.as_deref()), (VolumeState::Creating, Some("eu-west-1a")));
    let calls = ec2.state().calls.clone();
    let call = calls.iter().find(|form| form["Action"] == "CreateVolume").unwrap();
    for (name, value) in [
        ("ClientToken", "t-1"),
        ("SnapshotId", "snap-1"),
        ("VolumeType", "gp3"),
        ("Iops", "4000"),
        ("Throughput", "250"),
        ("AvailabilityZone", "eu-west-1a"),
    ] {
        assert_eq!(call.get(name).map(String::as_str), Some(value), "{name}");
    }
    let tags = &ec2.made_volumes()[0].tags;
    assert_eq!(tags["kubernetes.io/cluster/west"], "owned");
    assert_eq!(tags["bowline.io/restore-uid"], "uid");
}

#[tokio::test(start_paused = true)]
async fn the_states_of_a_volume_mean_what_they_say() {
    for (status, expected) in [
        ("creating", Some(VolumeState::Creating)),
        ("available", Some(VolumeState::Available)),
        ("in-use", Some(VolumeState::Available)),
        ("deleting", None),
        ("deleted", None),
    ] {
        let ec2 = ec2();
        add_volume(&ec2, status);
        let found = ec2.snapshotter(EbsOptions::default()).volume("vol-2").await;
        match expected {
            Some(state) => assert_eq!(found.unwrap().state, state, "{status}"),
            None => assert!(matches!(found, Err(SnapshotterError::NotFound { .. })), "{found:?}"),
        }
    }
}

/// <https://github.com/vmware-tanzu/velero/issues/3145>: accepted, and then it never comes to be.
#[tokio::test(start_paused = true)]
async fn a_volume_that_fails_or_vanishes_is_failed_with_the_likely_cause() {
    let ec2 = ec2();
    add_volume(&ec2, "error");
    let snapshotter = ec2.snapshotter(EbsOptions::default());
    let errored = snapshotter.volume("vol-2").await.unwrap();
    let made = snapshotter.create_volume(&volume_request("snap-1", "t-1")).await.unwrap();
    ec2.state()
        .resources
        .retain(|one| one.tags.get("bowline.io/token").is_none_or(|it| it != "t-1"));
    assert_eq!(snapshotter.volume(&made.id).await.unwrap().state, VolumeState::Creating);
    advance(Duration::from_mins(1)).await;
    let vanished = snapshotter.volume(&made.id).await.unwrap();
    for volume in [errored, vanished] {
        let VolumeState::Failed(reason) = volume.state else { panic!("it is not there") };
        assert!(reason.contains("KMS key"), "{reason}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_is_not_complete_makes_no_volume() {
    let ec2 = ec2();
    ec2.state().resources[0].fields.insert("status", "pending".to_owned());
    let made =
        ec2.snapshotter(EbsOptions::default()).create_volume(&volume_request("snap-1", "t")).await;
    assert!(made.unwrap_err().to_string().ends_with("it is not complete"));
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_was_found_complete_is_not_looked_at_again() {
    let ec2 = ec2();
    ec2.add_snapshot("snap-2", FRIEND);
    let snapshotter = ec2.snapshotter(trusting());
    for (id, looks) in [("snap-1", 1), ("snap-2", 3)] {
        snapshotter.snapshot(id).await.unwrap();
        for number in 0..3 {
            let request = volume_request(id, &format!("of-{id}-{number}"));
            snapshotter.create_volume(&request).await.unwrap();
        }
        assert_eq!(ec2.count("DescribeSnapshots"), looks, "{id}");
    }
    assert_eq!(ec2.made_volumes().len(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_was_pending_or_is_deleted_is_looked_at_again() {
    let ec2 = ec2();
    let set = |status: &str| {
        ec2.state().resources[0].fields.insert("status", status.to_owned());
    };
    let snapshotter = ec2.snapshotter(EbsOptions::default());
    set("pending");
    snapshotter.snapshot("snap-1").await.unwrap();
    set("completed");
    snapshotter.create_volume(&volume_request("snap-1", "t-1")).await.unwrap();
    assert_eq!(ec2.count("DescribeSnapshots"), 2);
    snapshotter.delete_snapshot("snap-1").await.unwrap();
    let made = snapshotter.create_volume(&volume_request("snap-1", "t-2")).await;
    assert!(matches!(made, Err(SnapshotterError::NotFound { .. })), "{made:?}");
}

#[tokio::test(start_paused = true)]
async fn the_key_of_who_shares_a_snapshot_is_not_ordered() {
    let ec2 = FakeEc2::default();
    ec2.add_snapshot("snap-1", FRIEND);
    let snapshotter = ec2.snapshotter(trusting());
    let mut request = volume_request("snap-1", "t-1");
    request.spec.encrypted = Some(true);
    request.spec.kms_key_id = Some(format!("arn:aws:kms:eu-west-1:{FRIEND}:key/k-1"));
    // Looked at for the volume, and remembered.
    for token in ["t-1", "t-2"] {
        request.token = token.to_owned();
        snapshotter.create_volume(&request).await.unwrap();
    }
    let calls = ec2.state().calls.clone();
    let orders = calls.iter().filter(|form| form["Action"] == "CreateVolume");
    let keys: Vec<_> = orders.map(|form| form.get("KmsKeyId")).collect();
    assert_eq!(keys, [None, None]);
}

#[tokio::test(start_paused = true)]
async fn only_what_bowline_made_is_deleted() {
    let (token, from) = (("bowline.io/token", "t"), ("bowline.io/made-from", "snap-1"));
    for marks in [&[][..], &[token], &[from], &[token, ("bowline.io/made-from", "snap-2")]] {
        let ec2 = ec2();
        let fields = [
            ("volumeId", "vol-2"),
            ("snapshotId", "snap-1"),
            ("availabilityZone", "eu-west-1a"),
            ("status", "available"),
        ];
        ec2.add(&fields, marks);
        let deleted = ec2.snapshotter(EbsOptions::default()).delete_volume("vol-2").await;
        assert!(matches!(deleted, Err(SnapshotterError::Refused { .. })), "{marks:?}: {deleted:?}");
        assert_eq!(ec2.count("DeleteVolume"), 0);
    }
    let ec2 = ec2();
    add_volume(&ec2, "available");
    ec2.snapshotter(EbsOptions::default()).delete_volume("vol-2").await.unwrap();
    assert!(ec2.made_volumes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_volume_in_use_is_not_deleted() {
    let ec2 = ec2();
    add_volume(&ec2, "in-use");
    let in_use = "Volume vol-2 is currently attached to i-1";
    ec2.trouble("DeleteVolume", Trouble::Refused(400, "VolumeInUse", in_use));
    let deleted = ec2.snapshotter(EbsOptions::default()).delete_volume("vol-2").await;
    assert!(deleted.unwrap_err().to_string().contains("attached to i-1"));
}
