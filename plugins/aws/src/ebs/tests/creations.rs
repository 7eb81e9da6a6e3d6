//! Snapshots and volumes are made once, whatever happens to requests and replies.

use std::collections::BTreeSet;
use std::time::Duration;

use bowline_api::{SnapshotState, SnapshotterError, VolumeSnapshotter as _};
use futures::future::join_all;
use futures::stream::{self, StreamExt as _};
use tokio::time::Instant;

use super::super::fake::{ACCOUNT, FakeEc2, Trouble};
use super::super::options::EbsOptions;
use super::{snapshot_request, volume_request};

const RATE: Trouble = Trouble::Refused(503, "RequestLimitExceeded", "Request limit exceeded.");
const PENDING: Trouble = Trouble::Refused(400, "PendingSnapshotLimitExceeded", "too many");
const PER_VOLUME: Trouble =
    Trouble::Refused(400, "SnapshotCreationPerVolumeRateExceeded", "too soon");
const BROKEN: Trouble = Trouble::Refused(500, "InternalError", "an internal error has occurred");

fn ec2() -> FakeEc2 {
    let ec2 = FakeEc2::default();
    ec2.add_volume("vol-1");
    ec2.add_snapshot("snap-1", ACCOUNT);
    ec2
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_records_what_the_volume_was_like() {
    let ec2 = ec2();
    let snapshotter = ec2.snapshotter(EbsOptions::default());
    let made = snapshotter.create_snapshot(&snapshot_request("vol-1", "t-1")).await.unwrap();
    assert_eq!(made.state, SnapshotState::Pending(Some(7)));
    assert_eq!(made.volume.volume_type, "gp3");
    assert_eq!(made.volume.zone.as_deref(), Some("eu-west-1a"));
    assert_eq!((made.volume.iops, made.volume.throughput), (Some(4000), Some(250)));
    assert_eq!((made.volume.size_gib, made.volume.encrypted), (Some(100), Some(true)));
    let key = "arn:aws:kms:eu-west-1:111122223333:key/k-1";
    assert_eq!(made.volume.kms_key_id.as_deref(), Some(key));
    assert_eq!(made.volume.tags, super::tags(&[("Name", "db")]));
    // And a later look sees the same, though only tags are left to tell it.
    assert_eq!(snapshotter.snapshot(&made.id).await.unwrap(), made);
    let call = ec2.state().calls.iter().find(|form| form["Action"] == "CreateSnapshot").cloned();
    assert_eq!(call.unwrap()["Description"], "bowline: backup nightly of shop/data");
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_makes_no_second_snapshot() {
    for lag in [0, 4] {
        let ec2 = ec2();
        ec2.state().lag = Duration::from_secs(lag);
        ec2.trouble("CreateSnapshot", Trouble::ReplyLost);
        let snapshotter = ec2.snapshotter(EbsOptions::default());
        let request = snapshot_request("vol-1", "t-1");
        let made = snapshotter.create_snapshot(&request).await.unwrap();
        assert_eq!(ec2.count("CreateSnapshot"), 1, "lag {lag}");
        assert_eq!(snapshotter.create_snapshot(&request).await.unwrap().id, made.id);
        assert_eq!(ec2.snapshots().len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_makes_no_second_volume() {
    for lag in [0, 4] {
        let ec2 = ec2();
        ec2.state().lag = Duration::from_secs(lag);
        ec2.trouble("CreateVolume", Trouble::ReplyLost);
        let snapshotter = ec2.snapshotter(EbsOptions::default());
        snapshotter.create_volume(&volume_request("snap-1", "t-1")).await.unwrap();
        assert_eq!(ec2.made_volumes().len(), 1, "lag {lag}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_got_lost_or_broke_the_service_is_made_again() {
    for trouble in [Trouble::RequestLost, BROKEN] {
        let ec2 = ec2();
        ec2.trouble("CreateSnapshot", trouble.clone());
        ec2.trouble("CreateVolume", trouble);
        let snapshotter = ec2.snapshotter(EbsOptions::default());
        snapshotter.create_snapshot(&snapshot_request("vol-1", "t-1")).await.unwrap();
        snapshotter.create_volume(&volume_request("snap-1", "t-2")).await.unwrap();
        assert_eq!((ec2.snapshots().len(), ec2.made_volumes().len()), (2, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_stays_broken_ends_in_a_failure_that_names_the_volume() {
    let ec2 = ec2();
    for _ in 0..10 {
        ec2.trouble("CreateSnapshot", BROKEN);
    }
    let snapshotter = ec2.snapshotter(EbsOptions::default());
    let made = snapshotter.create_snapshot(&snapshot_request("vol-1", "t-1")).await;
    let error = made.unwrap_err();
    assert_eq!(error.to_string(), "failed to snapshot volume vol-1 in eu-west-1");
    let SnapshotterError::Failed { source, .. } = error else { panic!("it may be passing") };
    assert_eq!(source.to_string(), "InternalError: an internal error has occurred (request r-1)");
}

/// <https://github.com/vmware-tanzu/velero/issues/4969>: backups stuck on the rate per volume.
#[tokio::test(start_paused = true)]
async fn what_ec2_throws_back_is_asked_again_in_time() {
    for (trouble, at_least, at_most) in [(RATE, 3, 10), (PER_VOLUME, 45, 80), (PENDING, 45, 80)] {
        let ec2 = ec2();
        ec2.trouble("CreateSnapshot", trouble.clone());
        ec2.trouble("CreateSnapshot", trouble.clone());
        let snapshotter = ec2.snapshotter(EbsOptions::default());
        let start = Instant::now();
        snapshotter.create_snapshot(&snapshot_request("vol-1", "t-1")).await.unwrap();
        let waited = start.elapsed().as_secs();
        assert!((at_least..=at_most).contains(&waited), "{trouble:?}: {waited} s");
        assert_eq!(ec2.snapshots().len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_quota_that_stays_full_is_given_up_after_half_an_hour() {
    let ec2 = ec2();
    for _ in 0..200 {
        ec2.trouble("CreateSnapshot", PENDING);
    }
    let snapshotter = ec2.snapshotter(EbsOptions::default());
    let start = Instant::now();
    let made = snapshotter.create_snapshot(&snapshot_request("vol-1", "t-1")).await;
    assert!(matches!(made, Err(SnapshotterError::Failed { .. })), "{made:?}");
    assert!((28..=31).contains(&(start.elapsed().as_secs() / 60)), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_taken_at_its_word() {
    let ec2 = ec2();
    ec2.trouble("CreateSnapshot", Trouble::Refused(403, "UnauthorizedOperation", "You may not."));
    let snapshotter = ec2.snapshotter(EbsOptions::default());
    let made = snapshotter.create_snapshot(&snapshot_request("vol-1", "t-1")).await;
    assert_eq!(
        made.unwrap_err().to_string(),
        "volume vol-1 in eu-west-1 was refused: UnauthorizedOperation: the IAM policy of these \
         credentials does not allow it: You may not. (request r-1)"
    );
    assert_eq!(ec2.count("CreateSnapshot"), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_described_yet_is_not_made_again() {
    let ec2 = ec2();
    ec2.state().lag = Duration::from_secs(20);
    let snapshotter = ec2.snapshotter(EbsOptions::default());
    let request = snapshot_request("vol-1", "t-1");
    let snapshot = snapshotter.create_snapshot(&request).await.unwrap();
    assert_eq!(snapshotter.create_snapshot(&request).await.unwrap(), snapshot);
    assert_eq!(snapshotter.snapshot(&snapshot.id).await.unwrap(), snapshot);
    let (key, value) = snapshot.tags.first_key_value().unwrap();
    let found = snapshotter.snapshots_tagged(key, value).await.unwrap();
    assert!(found.contains(&snapshot), "{found:?}");
    assert!(snapshotter.snapshots_tagged(key, "other").await.unwrap().is_empty());
    let request = volume_request("snap-1", "t-2");
    let volume = snapshotter.create_volume(&request).await.unwrap();
    assert_eq!(snapshotter.create_volume(&request).await.unwrap(), volume);
    assert_eq!(snapshotter.volume(&volume.id).await.unwrap(), volume);
    assert_eq!((ec2.snapshots().len(), ec2.made_volumes().len()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn another_process_finds_what_this_one_made() {
    let ec2 = ec2();
    let request = snapshot_request("vol-1", "t-1");
    let first = ec2.snapshotter(EbsOptions::default()).create_snapshot(&request).await.unwrap();
    ec2.state().resources.retain(|one| !one.fields.contains_key("size"));
    let again = ec2.snapshotter(EbsOptions::default()).create_snapshot(&request).await.unwrap();
    assert_eq!(again, first, "though the volume is gone");
    let request = volume_request("snap-1", "t-2");
    let first = ec2.snapshotter(EbsOptions::default()).create_volume(&request).await.unwrap();
    let again = ec2.snapshotter(EbsOptions::default()).create_volume(&request).await.unwrap();
    assert_eq!(again, first);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_cancelled_leaves_nothing_to_wait_for() {
    let ec2 = ec2();
    let snapshotter = ec2.snapshotter(EbsOptions::default());
    let request = snapshot_request("vol-1", "t-1");
    let cancelled =
        tokio::time::timeout(Duration::from_millis(50), snapshotter.create_snapshot(&request));
    assert!(cancelled.await.is_err());
    snapshotter.create_snapshot(&request).await.unwrap();
    assert_eq!(ec2.snapshots().len(), 2);
}

/// EC2 allows 50, then 5 a second.
#[track_caller]
fn is_within_the_rates(count: f64, since: Instant) {
    let seconds = since.elapsed().as_secs_f64();
    assert!(count <= 50.0 + 5.0 * seconds, "{seconds} s");
    assert!(seconds < 150.0, "{seconds} s");
}

#[tokio::test(start_paused = true)]
async fn five_hundred_claims_take_minutes_and_stay_within_the_rates() {
    let ec2 = ec2();
    let snapshotter = ec2.snapshotter(EbsOptions::default());
    let requests: Vec<_> =
        (0..500).map(|number| snapshot_request("vol-1", &format!("t-{number}"))).collect();
    let start = Instant::now();
    let made = join_all(requests.iter().map(|request| snapshotter.create_snapshot(request))).await;
    is_within_the_rates(500.0, start);
    assert_eq!(ec2.count("DescribeSnapshots"), 3, "one look for 200 tokens");
    assert_eq!(ec2.count("DescribeVolumes"), 3, "one look at 200 volumes");
    let ids: Vec<_> = made.into_iter().map(|made| made.unwrap().id).collect();
    let found = join_all(ids.iter().map(|id| snapshotter.snapshot(id))).await;
    assert!(found.iter().all(Result::is_ok));
    assert_eq!(ec2.count("DescribeSnapshots"), 6, "one look at 200 snapshots");
}

/// As a restore makes them: some at once, each until it can be used.
#[tokio::test(start_paused = true)]
async fn five_hundred_volumes_take_minutes_and_stay_within_the_rates() {
    let ec2 = ec2();
    let snapshotter = ec2.snapshotter(EbsOptions::default());
    let requests: Vec<_> =
        (0..500).map(|number| volume_request("snap-1", &format!("t-{number}"))).collect();
    let start = Instant::now();
    let made = stream::iter(&requests).map(async |request| {
        let made = snapshotter.create_volume(request).await.unwrap();
        snapshotter.volume(&made.id).await.unwrap().id
    });
    let made: BTreeSet<String> = made.buffer_unordered(16).collect().await;
    is_within_the_rates(500.0, start);
    assert_eq!((made.len(), ec2.made_volumes().len()), (500, 500));
    let looks = ec2.count("DescribeVolumes");
    let allowed = 100 + 20 * usize::try_from(start.elapsed().as_secs()).unwrap();
    assert!(looks <= allowed, "{looks} looks");
}
