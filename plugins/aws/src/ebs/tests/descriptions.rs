//! What is looked at, and whose it is.

use bowline_api::{SnapshotState, SnapshotterError, VolumeSnapshotter as _};
use futures::future::join_all;

use super::super::fake::{ACCOUNT, FakeEc2, Trouble};
use super::super::options::EbsOptions;
use super::volume_request;

const STRANGER: &str = "999900001111";

#[tokio::test(start_paused = true)]
async fn a_strangers_snapshot_is_refused_and_makes_no_volume() {
    let ec2 = FakeEc2::default();
    ec2.add_snapshot("snap-bad", STRANGER);
    let snapshotter = ec2.snapshotter(EbsOptions::default());
    let described = snapshotter.snapshot("snap-bad").await.unwrap_err();
    let made = snapshotter.create_volume(&volume_request("snap-bad", "t-1")).await.unwrap_err();
    for error in [described, made] {
        assert_eq!(
            error.to_string(),
            "snapshot snap-bad in eu-west-1 was refused: it belongs to account 999900001111; name \
             that in --trusted-accounts to use its snapshots"
        );
    }
    assert_eq!(ec2.count("CreateVolume"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_trusted_accounts_snapshot_is_used_and_shows_no_tags() {
    let ec2 = FakeEc2::default();
    ec2.add_snapshot("snap-1", STRANGER);
    ec2.state().resources[0].tags = super::tags(&[("bowline.io/volume", "type=io2")]);
    let trusted_accounts = vec!["222233334444".to_owned(), STRANGER.to_owned()];
    let options = EbsOptions { trusted_accounts, ..EbsOptions::default() };
    let snapshotter = ec2.snapshotter(options);
    let snapshot = snapshotter.snapshot("snap-1").await.unwrap();
    assert_eq!(snapshot.shared_by.as_deref(), Some(STRANGER));
    assert_eq!(snapshot.state, SnapshotState::Completed);
    assert!(snapshot.tags.is_empty() && snapshot.volume.volume_type.is_empty());
    snapshotter.create_volume(&volume_request("snap-1", "t-1")).await.unwrap();
    assert_eq!(ec2.made_volumes().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_nowhere_is_not_found_and_the_region_is_named() {
    let ec2 = FakeEc2::default();
    let snapshotter = ec2.snapshotter(EbsOptions::default());
    let snapshot = snapshotter.snapshot("snap-1").await.unwrap_err();
    assert_eq!(snapshot.to_string(), "snapshot snap-1 in eu-west-1 does not exist");
    let volume = snapshotter.volume("vol-1").await.unwrap_err();
    assert_eq!(volume.to_string(), "volume vol-1 in eu-west-1 does not exist");
}

#[tokio::test(start_paused = true)]
async fn a_question_that_is_refused_says_nothing_about_whose_the_snapshot_is() {
    let ec2 = FakeEc2::default();
    ec2.add_snapshot("snap-1", ACCOUNT);
    ec2.trouble(
        "DescribeSnapshots",
        Trouble::Refused(403, "UnauthorizedOperation", "You may not."),
    );
    let unanswered = ec2.snapshotter(EbsOptions::default()).snapshot("snap-1").await.unwrap_err();
    assert_eq!(unanswered.to_string(), "failed to describe snapshot snap-1 in eu-west-1");
}

#[tokio::test(start_paused = true)]
async fn one_unknown_name_does_not_spoil_the_others() {
    let ec2 = FakeEc2::default();
    ec2.add_snapshot("snap-1", ACCOUNT);
    let snapshotter = ec2.snapshotter(EbsOptions::default());
    let found = join_all(["snap-1", "snap-2"].map(|id| snapshotter.snapshot(id))).await;
    assert!(found[0].is_ok());
    assert!(matches!(found[1], Err(SnapshotterError::NotFound { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_name_from_a_hostile_record_never_gets_to_ec2() {
    let ec2 = FakeEc2::default();
    let snapshotter = ec2.snapshotter(EbsOptions::default());
    for id in ["*", "snap-*", "vol-1", ""] {
        let described = snapshotter.snapshot(id).await;
        assert!(matches!(described, Err(SnapshotterError::Refused { .. })), "{described:?}");
        let deleted = snapshotter.delete_snapshot(id).await;
        assert!(matches!(deleted, Err(SnapshotterError::Refused { .. })), "{deleted:?}");
        let made = snapshotter.create_volume(&volume_request(id, "t-1")).await;
        assert!(matches!(made, Err(SnapshotterError::Refused { .. })), "{made:?}");
    }
    assert!(ec2.state().calls.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_look_outlasts_a_connection_that_breaks_and_a_service_that_throttles() {
    let ec2 = FakeEc2::default();
    ec2.add_snapshot("snap-1", ACCOUNT);
    ec2.trouble("DescribeSnapshots", Trouble::ReplyLost);
    ec2.trouble("DescribeSnapshots", Trouble::Refused(503, "RequestLimitExceeded", ""));
    ec2.trouble("DescribeSnapshots", Trouble::Refused(503, "Unavailable", ""));
    let snapshotter = ec2.snapshotter(EbsOptions::default());
    assert!(snapshotter.snapshot("snap-1").await.is_ok());
    assert_eq!(ec2.count("DescribeSnapshots"), 4);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_an_image_uses_is_not_deleted() {
    let ec2 = FakeEc2::default();
    ec2.add_snapshot("snap-1", ACCOUNT);
    let in_use = "The snapshot snap-1 is currently in use by ami-1";
    ec2.trouble("DeleteSnapshot", Trouble::Refused(400, "InvalidSnapshot.InUse", in_use));
    let snapshotter = ec2.snapshotter(EbsOptions::default());
    assert_eq!(
        snapshotter.delete_snapshot("snap-1").await.unwrap_err().to_string(),
        "snapshot snap-1 in eu-west-1 was refused: InvalidSnapshot.InUse: The snapshot snap-1 is \
         currently in use by ami-1 (request r-1)"
    );
}

#[tokio::test(start_paused = true)]
async fn a_deletion_whose_reply_is_lost_is_a_deletion() {
    let ec2 = FakeEc2::default();
    ec2.add_snapshot("snap-1", ACCOUNT);
    ec2.trouble("DeleteSnapshot", Trouble::ReplyLost);
    let gone = Trouble::Refused(400, "InvalidSnapshot.NotFound", "no such snapshot");
    ec2.trouble("DeleteSnapshot", gone);
    ec2.snapshotter(EbsOptions::default()).delete_snapshot("snap-1").await.unwrap();
    assert!(ec2.snapshots().is_empty());
}

#[tokio::test(start_paused = true)]
async fn zones_are_named_in_order() {
    let snapshotter = FakeEc2::default().snapshotter(EbsOptions::default());
    assert_eq!(snapshotter.zones().await.unwrap(), ["eu-west-1a", "eu-west-1b"]);
}
