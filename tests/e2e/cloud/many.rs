//! Many claims at once.

use std::collections::BTreeSet;
use std::time::Duration;

use bowline_testkit::control_plane::Options;
use bowline_testkit::faults::throttled_by_bucket;
use bowline_testkit::{Bowline, Cloud, ControlPlane, lab};
use serde_json::Value;

use super::claims;
use crate::application::completed;

const COUNT: usize = 200;

/// How long a run may take: a minute on a quiet machine, and it is not time that is tested.
const LIMIT: Duration = Duration::from_mins(15);

/// The buckets of EC2, by the start of a call's name: tokens, and new ones per second.
///
/// They are those of mutating actions, and of descriptions with a filter or in pages; some creations
/// have larger ones (<https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html>).
const BUCKETS: [(&str, u32, u32); 2] = [("Create", 50, 5), ("Describe", 100, 20)];

#[tokio::test]
async fn two_hundred_claims_are_backed_up_and_restored_below_the_rates_of_ec2() {
    let cloud = Cloud::start().await.unwrap();
    let options = Options { storage: cloud.storage(), ..Options::new("east") };
    let east = ControlPlane::start_with(options).await.unwrap();
    claims::make(&east, &cloud.ec2(), "many", COUNT).await;
    let bowline = Bowline::new(env!("CARGO_BIN_EXE_bowline")).unwrap();
    let bowline = bowline.on(&east).with_cloud(&cloud).limit(LIMIT);

    let backup = ["backup", "create", "many", "--include-namespaces=many", "--output=json"];
    let report = completed(&bowline.run(&backup).await.unwrap());
    let snapshots = cloud.ec2().snapshots().await.unwrap();
    let snapshots: BTreeSet<_> = snapshots.iter().map(|snapshot| snapshot.id.as_str()).collect();
    assert_eq!((ids(&report, "snapshotId"), snapshots.len()), (snapshots, COUNT));
    was_below_the_rates(&cloud, "CreateSnapshot");

    cloud.ec2_faults().forget_calls();
    let mapping = "--namespace-mappings=many:more";
    let restore = ["restore", "create", "many", "--from-backup=many", mapping, "--output=json"];
    let report = completed(&bowline.run(&restore).await.unwrap());
    let handles = lab::handles(&east.client().await.unwrap(), "more").await.unwrap();
    let handles: BTreeSet<_> = handles.values().map(String::as_str).collect();
    assert_eq!((ids(&report, "volumeId"), handles.len()), (handles, COUNT));
    assert_eq!(cloud.ec2().volumes().await.unwrap().len(), 2 * COUNT, "something was made twice");
    was_below_the_rates(&cloud, "CreateVolume");
}

/// The provider's names of what a report has for the claims.
fn ids<'a>(report: &'a Value, field: &str) -> BTreeSet<&'a str> {
    let volumes = report["volumes"].as_array().into_iter().flatten();
    volumes.filter_map(|volume| volume[field].as_str()).collect()
}

/// Checks that EC2 would have thrown no call back, and that descriptions are shared.
#[track_caller]
fn was_below_the_rates(cloud: &Cloud, creation: &str) {
    let calls = cloud.ec2_faults().calls();
    let kinds: BTreeSet<&str> = calls.iter().map(|call| call.kind.as_str()).collect();
    for kind in &kinds {
        let bucket = BUCKETS.iter().find(|(start, ..)| kind.starts_with(start));
        let (_, capacity, refill) = bucket.unwrap_or_else(|| panic!("{kind} has no bucket"));
        assert_eq!(throttled_by_bucket(&calls, kind, *capacity, *refill), 0, "{kind}");
        let count = calls.iter().filter(|call| call.kind == *kind && !call.is_dry_run()).count();
        let expected = if *kind == creation { COUNT..=COUNT } else { 1..=COUNT - 1 };
        assert!(expected.contains(&count), "{count} calls of {kind}");
    }
    assert!(kinds.contains(creation), "{kinds:?}");
}
