//! What killed processes leave behind is told from what living ones do, and cleared.

use std::fs::{self, File};
use std::path::Path;

use bowline_api::contract::SnapshotterFixture as _;
use bowline_api::{SnapshotState, SnapshotterError, VolumeState};
use futures::FutureExt as _;

use crate::snapshotter_fixture::LocalFixture;

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Leaves what a process leaves that is killed while it copies.
fn leave_partial_snapshot(fixture: &LocalFixture, volume: &Path, token: &str) {
    let partial = fixture.snapshots().join(format!(".partial-local-{token}"));
    fs::create_dir_all(partial.join("data/dir")).unwrap();
    fs::write(partial.join("data/dir/half"), "half of").unwrap();
    fs::write(partial.join("files.jsonl"), "{\"path\":\"dir/ha").unwrap();
    let record = serde_json::json!({
        "id": format!("local-{token}"), "volumeId": volume, "tags": {"attempt": token},
        "createdAt": "2026-01-01T00:00:00Z",
    });
    fs::write(partial.join("snapshot.json"), record.to_string()).unwrap();
    fs::write(fixture.snapshots().join(format!(".lock-local-{token}")), "").unwrap();
}

#[tokio::test]
async fn a_partial_snapshot_of_a_dead_process_has_failed_and_can_be_found() {
    let fixture = LocalFixture::new();
    let volume = fixture.make_directory();
    leave_partial_snapshot(&fixture, &volume, "killed");
    let snapshotter = fixture.snapshotter();
    let found = snapshotter.snapshot("local-killed").await.unwrap();
    assert!(matches!(found.state, SnapshotState::Failed(_)), "{found:?}");
    assert_eq!(snapshotter.snapshots_tagged("attempt", "killed").await.unwrap(), [found]);
    let request = LocalFixture::volume_request(&volume, "local-killed", "restored");
    let made = snapshotter.create_volume(&request).await;
    assert!(matches!(made, Err(SnapshotterError::Refused { .. })), "{made:?}");

    snapshotter.delete_snapshot("local-killed").await.unwrap();
    assert_eq!(names(&fixture.snapshots()), [""; 0]);
    let found = snapshotter.snapshot("local-killed").await;
    assert!(matches!(found, Err(SnapshotterError::NotFound { .. })), "{found:?}");
}

#[tokio::test]
async fn a_snapshot_is_made_anew_after_a_kill() {
    let fixture = LocalFixture::new();
    let volume = fixture.make_directory();
    fs::write(volume.join("file"), "whole").unwrap();
    leave_partial_snapshot(&fixture, &volume, "killed");
    fs::create_dir_all(fixture.snapshots().join(".deleting-local-killed/data/old")).unwrap();
    let id = fixture.make_snapshot(&volume, "killed").await;
    assert_eq!(names(&fixture.snapshots()), [id.as_str()]);
    assert_eq!(names(&fixture.snapshots().join(id).join("data")), ["file"]);
}

/// It carries no tags any more by which anybody would find it.
#[tokio::test]
async fn what_is_part_of_no_snapshot_is_cleared_by_whoever_comes_next() {
    let fixture = LocalFixture::new();
    let volume = fixture.make_directory();
    let litter = || {
        let snapshots = fixture.snapshots();
        fs::create_dir_all(snapshots.join(".deleting-local-removed/data/old")).unwrap();
        fs::create_dir_all(snapshots.join(".partial-local-early")).unwrap();
        fs::write(snapshots.join(".lock-local-earlier"), "").unwrap();
    };
    leave_partial_snapshot(&fixture, &volume, "killed");
    let kept = names(&fixture.snapshots()).into_iter().filter(|name| name.contains(".partial"));
    let kept: Vec<_> = kept.collect();
    litter();
    fixture.snapshotter().snapshots_tagged("attempt", "other").await.unwrap();
    assert_eq!(names(&fixture.snapshots()), kept, "a copy that can be found by its tags stays");
    litter();
    let id = fixture.make_snapshot(&volume, "other").await;
    assert_eq!(names(&fixture.snapshots()), [kept, vec![id]].concat());
}

#[tokio::test]
async fn what_a_living_process_makes_or_removes_is_left_to_it() {
    let fixture = LocalFixture::new();
    let names_before = [".deleting-local-a", ".lock-local-a", ".partial-local-a"];
    for directory in [names_before[0], names_before[2]] {
        fs::create_dir_all(fixture.snapshots().join(directory)).unwrap();
    }
    let lock = File::create(fixture.snapshots().join(names_before[1])).unwrap();
    lock.lock().unwrap();
    fixture.snapshotter().snapshots_tagged("attempt", "a").await.unwrap();
    assert_eq!(names(&fixture.snapshots()), names_before);
}

#[tokio::test]
async fn a_kill_before_the_record_was_written_is_no_obstacle() {
    let fixture = LocalFixture::new();
    let volume = fixture.make_directory();
    let partial = fixture.snapshots().join(".partial-local-early");
    fs::create_dir_all(&partial).unwrap();
    let tagged = fixture.snapshotter().snapshots_tagged("attempt", "early").await.unwrap();
    assert_eq!(tagged, []);
    let found = fixture.snapshotter().snapshot("local-early").await;
    assert!(matches!(found, Err(SnapshotterError::NotFound { .. })), "{found:?}");
    fs::create_dir_all(&partial).unwrap();
    fs::write(partial.join("snapshot.json.new"), "{").unwrap();
    fixture.make_snapshot(&volume, "early").await;
    assert_eq!(names(&fixture.snapshots()), ["local-early"]);
}

#[tokio::test]
async fn a_deletion_that_was_killed_is_finished_by_the_next() {
    let fixture = LocalFixture::new();
    let volume = fixture.make_directory();
    let id = fixture.make_snapshot(&volume, "deleted").await;
    let snapshots = fixture.snapshots();
    fs::rename(snapshots.join(&id), snapshots.join(format!(".deleting-{id}"))).unwrap();
    let found = fixture.snapshotter().snapshot(&id).await;
    assert!(matches!(found, Err(SnapshotterError::NotFound { .. })), "{found:?}");
    fixture.snapshotter().delete_snapshot(&id).await.unwrap();
    assert_eq!(names(&snapshots), [""; 0]);
}

#[tokio::test]
async fn what_a_living_process_works_on_is_left_alone() {
    let fixture = LocalFixture::new();
    let volume = fixture.make_directory();
    leave_partial_snapshot(&fixture, &volume, "alive");
    let lock = File::open(fixture.snapshots().join(".lock-local-alive")).unwrap();
    lock.try_lock().unwrap();

    let snapshotter = fixture.snapshotter();
    let request = LocalFixture::snapshot_request(&volume, "alive");
    let again = snapshotter.create_snapshot(&request).await.unwrap();
    assert_eq!(again.state, SnapshotState::Pending(None));
    let found = snapshotter.snapshot("local-alive").await.unwrap();
    assert_eq!(found.state, SnapshotState::Pending(None));
    let deleted = snapshotter.delete_snapshot("local-alive").await;
    assert!(matches!(deleted, Err(SnapshotterError::Failed { .. })), "{deleted:?}");
    assert!(fixture.snapshots().join(".partial-local-alive/data/dir/half").exists());

    drop(lock);
    let made = snapshotter.create_snapshot(&request).await.unwrap();
    assert_eq!(made.state, SnapshotState::Completed);
}

#[tokio::test]
async fn a_snapshot_that_nobody_waits_for_any_more_can_be_made_again() {
    let fixture = LocalFixture::new();
    let volume = fixture.make_directory();
    fs::write(volume.join("file"), vec![1; 4 << 20]).unwrap();
    let request = LocalFixture::snapshot_request(&volume, "dropped");
    let mut first = fixture.snapshotter().create_snapshot(&request);
    assert!(first.as_mut().now_or_never().is_none());
    drop(first);
    loop {
        let made = fixture.snapshotter().create_snapshot(&request).await.unwrap();
        if made.state == SnapshotState::Completed {
            break;
        }
        fixture.pause().await;
    }
    assert_eq!(names(&fixture.snapshots()), ["local-dropped"]);
    let request = LocalFixture::volume_request(&volume, "local-dropped", "restored");
    let made = fixture.snapshotter().create_volume(&request).await.unwrap();
    assert_eq!(fs::read(Path::new(&made.id).join("file")).unwrap(), vec![1; 4 << 20]);
}

#[tokio::test]
async fn a_volume_is_made_anew_after_a_kill() {
    let fixture = LocalFixture::new();
    let source = fixture.make_directory();
    fs::write(source.join("file"), "whole").unwrap();
    let id = fixture.make_snapshot(&source, "once").await;
    let partial = fixture.volumes().join(".restored.bowline.partial");
    fs::create_dir_all(partial.join("dir")).unwrap();
    fs::write(partial.join("dir/half"), "half of").unwrap();
    let request = LocalFixture::volume_request(&source, &id, "restored");
    let path = fixture.volumes().join("restored");
    let found = fixture.snapshotter().volume(path.to_str().unwrap()).await;
    assert!(matches!(found, Err(SnapshotterError::NotFound { .. })), "{found:?}");

    let made = fixture.snapshotter().create_volume(&request).await.unwrap();
    assert_eq!(made.state, VolumeState::Available);
    assert_eq!(names(&path), ["file"]);
    let expected = [".restored.bowline.json", "restored", "source-0"];
    assert_eq!(names(&fixture.volumes()), expected);
}

#[tokio::test]
async fn a_killed_deletion_of_a_volume_is_finished_by_the_next() {
    let fixture = LocalFixture::new();
    let source = fixture.make_directory();
    let restored = fixture.round_trip(&source).await;
    fs::rename(&restored, fixture.volumes().join(".restored.bowline.deleting")).unwrap();
    let id = restored.to_str().unwrap();
    let found = fixture.snapshotter().volume(id).await;
    assert!(matches!(found, Err(SnapshotterError::NotFound { .. })), "{found:?}");
    fixture.snapshotter().delete_volume(id).await.unwrap();
    assert_eq!(names(&fixture.volumes()), ["source-0"]);
}

#[tokio::test]
async fn a_volume_that_a_living_process_makes_is_creating() {
    let fixture = LocalFixture::new();
    let source = fixture.make_directory();
    let id = fixture.make_snapshot(&source, "once").await;
    let lock = File::create(fixture.volumes().join(".restored.bowline.lock")).unwrap();
    lock.try_lock().unwrap();
    let request = LocalFixture::volume_request(&source, &id, "restored");
    let made = fixture.snapshotter().create_volume(&request).await.unwrap();
    assert_eq!(made.state, VolumeState::Creating);
    assert_eq!(fixture.snapshotter().volume(&made.id).await.unwrap(), made);
    let deleted = fixture.snapshotter().delete_volume(&made.id).await;
    assert!(matches!(deleted, Err(SnapshotterError::Failed { .. })), "{deleted:?}");
}
