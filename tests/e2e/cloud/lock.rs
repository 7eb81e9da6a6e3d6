//! Buckets that let nothing be removed for a while.

use std::time::Duration;

use bowline_testkit::cloud::S3Options;
use bowline_testkit::control_plane::Options;
use bowline_testkit::{Bowline, Cloud, ControlPlane, S3, S3Server, lab};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::application::completed;
use crate::remains::listed;

const BUCKET: &str = "locked";
const LOCATION: &str = "s3://locked/lab";

#[tokio::test]
async fn a_locked_bucket_takes_backups_and_says_until_when_it_keeps_them() {
    let cloud = Cloud::start().await.unwrap();
    let options = Options { storage: cloud.storage(), ..Options::new("east") };
    let east = ControlPlane::start_with(options).await.unwrap();
    lab::deploy(&east).await.unwrap();
    let bowline = Bowline::new(env!("CARGO_BIN_EXE_bowline")).unwrap();
    let bowline = bowline.with_cloud(&cloud).on(&east).env("BOWLINE_LOCATION", LOCATION);
    cloud.s3().create_locked_bucket(BUCKET, Some(1)).await.unwrap();
    with_versions(&bowline, &cloud).await;
    without_versions(&bowline, &cloud).await;
}

async fn with_versions(bowline: &Bowline, cloud: &Cloud) {
    let check = bowline.run(&["location", "check", "-o=json"]).await.unwrap();
    assert_eq!(check.code, Some(0), "{}{}", check.stdout, check.stderr);
    let guard = &check.json()["guard"];
    assert_eq!(guard["objectLock"], "COMPLIANCE for 1 day");
    assert_eq!(guard["versioning"], "enabled");

    back_up(bowline).await;
    let told = refused(bowline, cloud, &cloud.s3()).await;
    is_about(&until(&told), Duration::from_hours(24));

    let key = "lab/backups/kept/kept.tar.gz";
    cloud.s3().retain(BUCKET, key, 3).await.unwrap();
    let told = refused(bowline, cloud, &cloud.s3()).await;
    assert!(told.contains("backups/kept/kept.tar.gz"), "{told}");
    is_about(&until(&told), Duration::from_hours(3 * 24));
}

/// Nothing can be overwritten or removed there, not even by a marker.
async fn without_versions(bowline: &Bowline, cloud: &Cloud) {
    let server = S3Server::start_with(S3Options { versions: false }).await.unwrap();
    let s3 = server.client();
    s3.create_locked_bucket(BUCKET, Some(1)).await.unwrap();
    let bowline = bowline
        .clone()
        .env("AWS_ACCESS_KEY_ID", server.access_key())
        .env("AWS_SECRET_ACCESS_KEY", server.secret_key())
        .env("AWS_ENDPOINT_URL_S3", &server.endpoint());
    back_up(&bowline).await;
    let told = refused(&bowline, cloud, &s3).await;
    is_about(&until(&told), Duration::from_hours(24));
}

async fn back_up(bowline: &Bowline) {
    let create = ["backup", "create", "kept", "--include-namespaces=shop", "-o=json"];
    let report = completed(&bowline.run(&create).await.unwrap());
    assert_eq!(report["warnings"], json!([]));
}

/// Tries to delete the backup; nothing of it may be touched. Gives what is said.
async fn refused(bowline: &Bowline, cloud: &Cloud, s3: &S3) -> String {
    let snapshots = cloud.ec2().snapshots().await.unwrap();
    let keys = s3.keys(BUCKET).await.unwrap();
    let delete = ["backup", "delete", "kept", "--confirm", "-o=json"];
    let output = bowline.run(&delete).await.unwrap();
    assert_eq!(output.code, Some(1), "{}{}", output.stdout, output.stderr);
    assert!(output.stdout.contains("nothing was touched"), "{}", output.stdout);
    assert_eq!(cloud.ec2().snapshots().await.unwrap(), snapshots);
    assert_eq!(s3.keys(BUCKET).await.unwrap(), keys);
    assert_eq!(cloud.ec2_faults().calls_of("DeleteSnapshot").len(), 0);
    assert_eq!(listed(bowline, "backup", "kept").await.as_deref(), Some("Completed"));
    let error: Value = output.json();
    error["error"]["message"].as_str().unwrap().to_owned()
}

/// The time until which something is retained, as it is told.
fn until(told: &str) -> Timestamp {
    let (_, time) = told.split_once("is retained until ").unwrap();
    time.split_once(": ").unwrap().0.parse().unwrap()
}

/// Checks that a time is so long from now, but for what the test took.
#[track_caller]
fn is_about(time: &Timestamp, period: Duration) {
    let period = SignedDuration::try_from(period).unwrap();
    let early = time.duration_since(Timestamp::now()) - period;
    assert!(early.abs() < SignedDuration::from_mins(5), "{time}");
}
