//! Snapshots are made once per token, found by tag, and removed.

use futures::future::join_all;

use super::{
    SnapshotterFixture, assert_not_found, assert_volume_holds, completed, files, make_volume,
    snapshot, snapshot_request,
};
use crate::{Snapshot, SnapshotState, SnapshotterError, Tags};

const BACKUP: &str = "bowline.example.com/backup";

pub(super) async fn check(fixture: &dyn SnapshotterFixture) {
    a_snapshot_says_what_it_is(fixture).await;
    one_token_makes_one_snapshot(fixture).await;
    tokens_at_the_same_time_make_one_snapshot(fixture).await;
    snapshots_are_found_by_tag(fixture).await;
    a_deleted_snapshot_is_gone(fixture).await;
    a_volume_that_is_not_there_is_not_found(fixture).await;
    a_snapshot_is_found_though_its_volume_is_gone(fixture).await;
}

async fn a_snapshot_says_what_it_is(fixture: &dyn SnapshotterFixture) {
    let volume = make_volume(fixture, &files(1)).await;
    let made = snapshot(fixture, &volume, "contract-describe").await;
    let found = fixture.snapshotter().snapshot(&made.id).await;
    let found = found.unwrap_or_else(|error| panic!("describe: {error:?}"));
    assert!(fixture.snapshotter().is_snapshot_id(&made.id), "{} is an id", made.id);
    assert!(!fixture.snapshotter().is_snapshot_id("of another/provider"));
    for snapshot in [made, found] {
        assert_eq!(snapshot.volume_id, volume);
        assert_eq!(snapshot.state, SnapshotState::Completed);
        assert_carries(&snapshot, &super::tags("contract-describe"));
        assert!(!snapshot.volume.volume_type.is_empty());
    }
    assert_volume_holds(fixture, &volume, &files(1)).await;
}

/// A provider may add tags of its own.
fn assert_carries(snapshot: &Snapshot, tags: &Tags) {
    for (key, value) in tags {
        assert_eq!(snapshot.tags.get(key), Some(value), "tag {key} of {snapshot:?}");
    }
}

async fn one_token_makes_one_snapshot(fixture: &dyn SnapshotterFixture) {
    let volume = make_volume(fixture, &files(2)).await;
    let first = snapshot(fixture, &volume, "contract-once").await;
    fixture.fill_volume(&volume, &files(3)).await;
    let again = snapshot(fixture, &volume, "contract-once").await;
    assert_eq!(first, again);
    let other = snapshot(fixture, &volume, "contract-other").await;
    assert_ne!(first.id, other.id);
    assert_eq!(tagged(fixture, "contract-once").await, [first]);
}

async fn tokens_at_the_same_time_make_one_snapshot(fixture: &dyn SnapshotterFixture) {
    let volume = make_volume(fixture, &files(4)).await;
    let request = snapshot_request(&volume, "contract-race");
    let made = join_all((0..4).map(|_| fixture.snapshotter().create_snapshot(&request))).await;
    let mut ids = Vec::new();
    for made in made {
        ids.push(completed(fixture, made).await.id);
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert_eq!(tagged(fixture, "contract-race").await.len(), 1);
}

async fn tagged(fixture: &dyn SnapshotterFixture, backup: &str) -> Vec<Snapshot> {
    let found = fixture.snapshotter().snapshots_tagged(BACKUP, backup).await;
    found.unwrap_or_else(|error| panic!("find by tag: {error:?}"))
}

async fn snapshots_are_found_by_tag(fixture: &dyn SnapshotterFixture) {
    let volume = make_volume(fixture, &files(5)).await;
    let made = snapshot(fixture, &volume, "contract-tag").await;
    assert_eq!(tagged(fixture, "contract-tag").await, [made]);
    for nobodys in ["contract-ta", "contract-tagg", "", "*", "contract-*"] {
        assert_eq!(tagged(fixture, nobodys).await, [], "{nobodys:?}");
    }
    let other_key = fixture.snapshotter().snapshots_tagged("other", "contract-tag").await;
    assert!(other_key.is_ok_and(|found| found.is_empty()));
}

async fn a_deleted_snapshot_is_gone(fixture: &dyn SnapshotterFixture) {
    let volume = make_volume(fixture, &files(6)).await;
    let made = snapshot(fixture, &volume, "contract-delete").await;
    let kept = snapshot(fixture, &volume, "contract-keep").await;
    for attempt in 1..=2 {
        let deleted = fixture.snapshotter().delete_snapshot(&made.id).await;
        assert!(deleted.is_ok(), "delete number {attempt}: {deleted:?}");
        assert_not_found(fixture.snapshotter().snapshot(&made.id).await);
        assert_eq!(tagged(fixture, "contract-delete").await, []);
    }
    assert_eq!(tagged(fixture, "contract-keep").await, [kept]);
    let request = super::volume_request(fixture, &made, "contract-of-deleted");
    assert_not_found(fixture.snapshotter().create_volume(&request).await);
    assert_volume_holds(fixture, &volume, &files(6)).await;
}

async fn a_volume_that_is_not_there_is_not_found(fixture: &dyn SnapshotterFixture) {
    let volume = make_volume(fixture, &files(7)).await;
    let source = snapshot(fixture, &volume, "contract-lost").await;
    let request = super::volume_request(fixture, &source, "contract-lost");
    let lost = super::volume(fixture, &request).await;
    assert!(fixture.snapshotter().delete_volume(&lost.id).await.is_ok());
    let request = snapshot_request(&lost.id, "contract-of-lost");
    let made = fixture.snapshotter().create_snapshot(&request).await;
    assert!(matches!(made, Err(SnapshotterError::NotFound { .. })), "{made:?}");
    assert_eq!(tagged(fixture, "contract-of-lost").await, []);
}

/// A reply may be lost, and the volume be gone when the request comes again.
async fn a_snapshot_is_found_though_its_volume_is_gone(fixture: &dyn SnapshotterFixture) {
    let volume = make_volume(fixture, &files(8)).await;
    let source = snapshot(fixture, &volume, "contract-outlive").await;
    let copy = super::volume_request(fixture, &source, "contract-outlive");
    let copy = super::volume(fixture, &copy).await;
    let first = snapshot(fixture, &copy.id, "contract-outlived").await;
    assert!(fixture.snapshotter().delete_volume(&copy.id).await.is_ok());
    assert_eq!(snapshot(fixture, &copy.id, "contract-outlived").await, first);
}
