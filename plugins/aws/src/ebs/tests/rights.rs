//! Rights are asked for by dry runs.

use bowline_api::{Operation, Right, SnapshotterError, VolumeSnapshotter as _};

use super::super::fake::{ACCOUNT, FakeEc2, Trouble};
use super::super::options::EbsOptions;

const NO: Trouble = Trouble::Refused(403, "UnauthorizedOperation", "You may not.");

async fn asked(
    ec2: &FakeEc2,
    operation: Operation,
    volume_id: Option<&str>,
) -> Vec<(String, bool)> {
    let rights = ec2.snapshotter(EbsOptions::default()).rights(operation, volume_id).await;
    let granted = |right: Right| (right.action, right.refusal.is_none());
    rights.unwrap().into_iter().map(granted).collect()
}

fn expected(rights: &[(&str, bool)]) -> Vec<(String, bool)> {
    rights.iter().map(|(action, granted)| ((*action).to_owned(), *granted)).collect()
}

#[tokio::test(start_paused = true)]
async fn every_right_is_asked_for_and_nothing_is_done() {
    let ec2 = FakeEc2::default();
    let describe = [("ec2:DescribeSnapshots", true), ("ec2:DescribeVolumes", true)];
    let mut backup = describe.to_vec();
    assert_eq!(asked(&ec2, Operation::Backup, None).await, expected(&backup));
    backup.extend([("ec2:CreateSnapshot", true), ("ec2:CreateTags", true)]);
    assert_eq!(asked(&ec2, Operation::Backup, Some("vol-1")).await, expected(&backup));
    let mut restore = describe.to_vec();
    restore.extend([
        ("ec2:DescribeAvailabilityZones", true),
        ("ec2:CreateVolume", true),
        ("ec2:CreateTags", true),
    ]);
    assert_eq!(asked(&ec2, Operation::Restore, None).await, expected(&restore));
    assert!(ec2.state().resources.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_right_to_delete_is_tried_on_a_snapshot_of_ours() {
    let ec2 = FakeEc2::default();
    ec2.add_snapshot("snap-1", ACCOUNT);
    ec2.state().resources[0].tags = super::tags(&[("bowline.io/token", "t")]);
    ec2.trouble("DeleteSnapshot", NO);
    let expected = expected(&[("ec2:DescribeSnapshots", true), ("ec2:DeleteSnapshot", false)]);
    assert_eq!(asked(&ec2, Operation::Delete, None).await, expected);
    assert_eq!(ec2.snapshots().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_right_to_delete_is_tried_on_the_snapshot_that_is_named() {
    let ec2 = FakeEc2::default();
    ec2.trouble("DeleteSnapshot", NO);
    let named = "snap-0123456789abcdef0";
    let expected = expected(&[("ec2:DescribeSnapshots", true), ("ec2:DeleteSnapshot", false)]);
    assert_eq!(asked(&ec2, Operation::Delete, Some(named)).await, expected);
}

#[tokio::test(start_paused = true)]
async fn the_right_to_remove_a_volume_is_tried_on_one_that_bowline_made_or_not_at_all() {
    let ec2 = FakeEc2::default();
    ec2.add_volume("vol-1");
    assert_eq!(asked(&ec2, Operation::TakeDown, None).await, []);
    let marks = [("bowline.io/token", "t"), ("bowline.io/made-from", "snap-1")];
    ec2.add(&[("volumeId", "vol-2"), ("availabilityZone", "eu-west-1a")], &marks);
    let delete = |granted| expected(&[("ec2:DeleteVolume", granted)]);
    assert_eq!(asked(&ec2, Operation::TakeDown, None).await, delete(true));
    ec2.trouble("DeleteVolume", NO);
    assert_eq!(asked(&ec2, Operation::TakeDown, None).await, delete(false));
    assert_eq!(ec2.state().resources.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_missing_right_to_tag_is_told_from_one_to_create() {
    let ec2 = FakeEc2::default();
    ec2.trouble("CreateSnapshot", NO);
    let asked_once = asked(&ec2, Operation::Backup, Some("vol-1")).await;
    let tags = expected(&[("ec2:CreateSnapshot", true), ("ec2:CreateTags", false)]);
    assert_eq!(asked_once[2..], tags);
    ec2.trouble("CreateSnapshot", NO);
    ec2.trouble("CreateSnapshot", NO);
    let asked_again = asked(&ec2, Operation::Backup, Some("vol-1")).await;
    assert_eq!(asked_again[2..], expected(&[("ec2:CreateSnapshot", false)]));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_about_rights_tells_nothing() {
    let ec2 = FakeEc2::default();
    let not_found = Trouble::Refused(400, "InvalidVolume.NotFound", "no such volume");
    ec2.trouble("CreateSnapshot", not_found);
    assert_eq!(asked(&ec2, Operation::Backup, Some("vol-1")).await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn credentials_that_aws_does_not_take_are_an_error_and_no_answer() {
    let ec2 = FakeEc2::default();
    ec2.trouble("DescribeVolumes", Trouble::Refused(401, "AuthFailure", "not validated"));
    let rights = ec2.snapshotter(EbsOptions::default()).rights(Operation::Backup, None).await;
    assert!(matches!(rights, Err(SnapshotterError::Refused { .. })), "{rights:?}");
}
