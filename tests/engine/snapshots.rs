//! What is asked of a provider for a snapshot, told of it, and recorded.

use std::collections::BTreeMap;

use bowline::engine::backup;
use bowline::engine::report::Phase;
use bowline::engine::store::BackupKeys;
use bowline_api::{Tags, VolumeSpec};

use crate::application::{backup, source};
use crate::faults::Script;
use crate::records;

#[tokio::test(start_paused = true)]
async fn progress_is_told_in_percent_and_only_when_it_has_gone_on() {
    let world = source();
    world.cloud.be_slow(40);
    let process = world.start(Script::Sound);
    process.back_up(&backup()).await.unwrap().unwrap();
    let of_files = |line: &String| line.strip_prefix("shop/files: ").map(str::to_owned);
    let told: Vec<_> = process.told().iter().filter_map(of_files).collect();
    assert_eq!(told.first().unwrap(), "snapshot started");
    assert_eq!(told.last().unwrap(), "snapshot completed");
    let percents: Vec<u8> = told[1..told.len() - 1]
        .iter()
        .map(|it| it.strip_prefix("snapshot ").unwrap().strip_suffix(" %").unwrap())
        .map(|percent| percent.parse().unwrap())
        .collect();
    assert!((5..=10).contains(&percents.len()), "{percents:?}");
    assert!(percents.windows(2).all(|it| it[1] >= it[0] + 10), "{percents:?}");
}

#[tokio::test(start_paused = true)]
async fn all_that_a_volume_was_is_recorded_with_its_snapshot() {
    let world = source();
    let mut request = backup();
    request.spec.volume_snapshot_locations = vec!["east".to_owned(), "west".to_owned()];
    world.back_up(&request).await.unwrap();
    let snapshots = records::snapshots(&world).await;
    assert_eq!(snapshots.len(), 2);
    for snapshot in snapshots {
        assert_eq!(snapshot.spec.location, "east");
        assert_eq!(snapshot.spec.bowline_provider.as_deref(), Some("fake"));
        let expected = VolumeSpec {
            volume_type: "fast".to_owned(),
            zone: Some("zone-a".to_owned()),
            iops: Some(3000),
            throughput: Some(250),
            size_gib: Some(20),
            encrypted: Some(true),
            kms_key_id: Some("key-1".to_owned()),
            multi_attach: Some(false),
            tags: Tags::from([("team".to_owned(), "shop".to_owned())]),
        };
        assert_eq!(snapshot.spec.volume_spec(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_carries_the_backups_labels_and_ours_whatever_the_labels_say() {
    let world = source();
    let labels = [("team", "shop"), ("velero.io/backup", "other"), ("bowline.io/claim", "x")];
    let labels: BTreeMap<_, _> =
        labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let report = world.back_up(&backup::Request { labels, ..backup() }).await.unwrap();
    for snapshot in world.cloud.snapshots() {
        let of_snapshot = |it: &&_| snapshot_id(it) == Some(&snapshot.id);
        let volume = report.volumes.iter().find(of_snapshot).unwrap();
        let claim = format!("shop/{}", volume.claim.as_ref().unwrap());
        let expected = [
            ("bowline.io/backup-uid", report.uid.as_str()),
            ("bowline.io/claim", &claim),
            ("bowline.io/cluster-uid", &report.cluster_uid),
            ("bowline.io/location", "memory://bucket"),
            ("team", "shop"),
            ("velero.io/backup", "nightly"),
            ("velero.io/pv", volume.persistent_volume.as_ref().unwrap()),
        ];
        let found: Vec<_> =
            snapshot.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(found, expected);
    }
}

fn snapshot_id(report: &bowline::engine::report::SnapshotReport) -> Option<&String> {
    report.snapshot_id.as_ref()
}

#[tokio::test(start_paused = true)]
async fn what_the_store_could_not_do_is_a_warning_once_whoever_finishes() {
    let world = source();
    world.bucket.add_notice("checksums are not compared");
    world.cloud.be_silent(true);
    world.cloud.be_slow(2);
    assert!(world.back_up(&backup()).await.is_err());
    world.cloud.be_silent(false);
    let report = world.finish().await.unwrap().report;
    let told: Vec<_> = report.warnings.iter().map(|it| it.message.as_str()).collect();
    assert_eq!((report.phase, told), (Phase::Completed, vec!["checksums are not compared"]));
    assert_eq!(report.warnings[0].operation.as_deref(), Some("store"));
    let key = BackupKeys("nightly").results();
    let results: bowline::engine::model::results::BackupResults =
        world.backups().json_gz(&key).await.unwrap();
    assert_eq!(results.warnings.velero, [" message: /checksums are not compared"]);
}
