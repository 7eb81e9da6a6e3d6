//! Volumes are made from snapshots once per token, and only those are removed.

use futures::future::join_all;

use super::{
    SnapshotterFixture, assert_not_found, assert_refused, assert_volume_holds, available, files,
    id_of, make_volume, snapshot, volume, volume_request,
};
use crate::{VolumeOrigin, VolumeState};

pub(super) async fn check(fixture: &dyn SnapshotterFixture) {
    a_volume_is_as_the_source_was(fixture).await;
    one_token_makes_one_volume(fixture).await;
    tokens_at_the_same_time_make_one_volume(fixture).await;
    a_made_volume_serves_a_persistent_volume(fixture).await;
    a_deleted_volume_is_gone(fixture).await;
    a_made_volume_is_found_by_its_token_alone(fixture).await;
    a_volume_of_others_is_not_deleted(fixture).await;
}

async fn a_volume_is_as_the_source_was(fixture: &dyn SnapshotterFixture) {
    for (token, contents) in [("contract-full", files(1)), ("contract-empty", super::Files::new())]
    {
        let source = make_volume(fixture, &contents).await;
        let snapshot = snapshot(fixture, &source, token).await;
        fixture.fill_volume(&source, &files(2)).await;
        let made = volume(fixture, &volume_request(fixture, &snapshot, token)).await;
        assert_ne!(made.id, source);
        assert_volume_holds(fixture, &made.id, &contents).await;
        assert_volume_holds(fixture, &source, &files(2)).await;
    }
}

async fn one_token_makes_one_volume(fixture: &dyn SnapshotterFixture) {
    let source = make_volume(fixture, &files(3)).await;
    let snapshot = snapshot(fixture, &source, "contract-volumes").await;
    let request = volume_request(fixture, &snapshot, "contract-volume-1");
    let first = volume(fixture, &request).await;
    fixture.fill_volume(&first.id, &files(4)).await;
    let again = volume(fixture, &request).await;
    assert_eq!(first, again);
    // What its pods have written since is theirs.
    assert_volume_holds(fixture, &first.id, &files(4)).await;
    let other = volume(fixture, &volume_request(fixture, &snapshot, "contract-volume-2")).await;
    assert_ne!(first.id, other.id);
    assert_volume_holds(fixture, &other.id, &files(3)).await;
}

async fn tokens_at_the_same_time_make_one_volume(fixture: &dyn SnapshotterFixture) {
    let source = make_volume(fixture, &files(5)).await;
    let snapshot = snapshot(fixture, &source, "contract-volume-race").await;
    let request = volume_request(fixture, &snapshot, "contract-volume-race");
    let made = join_all((0..4).map(|_| fixture.snapshotter().create_volume(&request))).await;
    let mut ids = Vec::new();
    for made in made {
        ids.push(available(fixture, made).await.id);
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert_volume_holds(fixture, &ids[0], &files(5)).await;
}

async fn a_made_volume_serves_a_persistent_volume(fixture: &dyn SnapshotterFixture) {
    let mut persistent_volume = fixture.make_volume().await;
    let source = id_of(fixture, &persistent_volume);
    let first = snapshot(fixture, &source, "contract-serve").await;
    let made = volume(fixture, &volume_request(fixture, &first, "contract-serve")).await;
    let set = fixture.snapshotter().set_volume(&mut persistent_volume, &made);
    assert!(set.is_ok(), "{set:?}");
    assert_eq!(id_of(fixture, &persistent_volume), made.id);
    // And it is backed up like any other.
    let second = snapshot(fixture, &made.id, "contract-serve-again").await;
    assert_eq!(second.volume_id, made.id);
}

async fn a_deleted_volume_is_gone(fixture: &dyn SnapshotterFixture) {
    let snapshotter = fixture.snapshotter();
    let source = make_volume(fixture, &files(6)).await;
    let snapshot = snapshot(fixture, &source, "contract-delete-volume").await;
    let request = volume_request(fixture, &snapshot, "contract-delete-volume");
    let made = volume(fixture, &request).await;
    let found = snapshotter.volume(&made.id).await;
    assert!(found.is_ok_and(|found| found == made && found.state == VolumeState::Available));
    for attempt in 1..=2 {
        let deleted = snapshotter.delete_volume(&made.id).await;
        assert!(deleted.is_ok(), "delete number {attempt}: {deleted:?}");
        assert_not_found(snapshotter.volume(&made.id).await);
    }
    assert_volume_holds(fixture, &source, &files(6)).await;
    // The snapshot is none the worse for it.
    let other = volume_request(fixture, &snapshot, "contract-delete-volume-2");
    assert_volume_holds(fixture, &volume(fixture, &other).await.id, &files(6)).await;
}

async fn a_made_volume_is_found_by_its_token_alone(fixture: &dyn SnapshotterFixture) {
    let snapshotter = fixture.snapshotter();
    let source = make_volume(fixture, &files(8)).await;
    let snapshot = snapshot(fixture, &source, "contract-found").await;
    let request = volume_request(fixture, &snapshot, "contract-found");
    let found = snapshotter.volume_made_by(&request.origin()).await;
    assert!(matches!(found, Ok(None)), "before it is made: {found:?}");
    let made = volume(fixture, &request).await;
    let found = snapshotter.volume_made_by(&request.origin()).await;
    assert!(matches!(&found, Ok(Some(found)) if *found == made), "{found:?}");
    let other = VolumeOrigin { token: "contract-other".to_owned(), ..request.origin() };
    let found = snapshotter.volume_made_by(&other).await;
    assert!(matches!(found, Ok(None)), "by another token: {found:?}");
    assert!(snapshotter.delete_volume(&made.id).await.is_ok());
    let found = snapshotter.volume_made_by(&request.origin()).await;
    assert!(matches!(found, Ok(None)), "after its end: {found:?}");
}

async fn a_volume_of_others_is_not_deleted(fixture: &dyn SnapshotterFixture) {
    let source = make_volume(fixture, &files(7)).await;
    assert_refused(fixture.snapshotter().delete_volume(&source).await);
    assert_volume_holds(fixture, &source, &files(7)).await;
    // Nor does its snapshot make it ours.
    let snapshot = snapshot(fixture, &source, "contract-others").await;
    assert_eq!(snapshot.volume_id, source);
    assert_refused(fixture.snapshotter().delete_volume(&source).await);
    assert_volume_holds(fixture, &source, &files(7)).await;
}
