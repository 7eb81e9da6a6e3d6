//! What it will not do.

use std::fs;
use std::path::Path;

use bowline_api::contract::SnapshotterFixture as _;
use bowline_api::{SnapshotterError, VolumeSnapshotter as _};
use bowline_local::DirectorySnapshotter;
use serde_json::json;

use crate::snapshotter_fixture::{HOST, LocalFixture};

fn assert_refused<T: std::fmt::Debug>(result: Result<T, SnapshotterError>, reason: &str) {
    match result {
        Err(SnapshotterError::Refused { what, reason: told }) => {
            assert!(told.contains(reason), "{what}: {told}");
        }
        other => panic!("{reason}: {other:?}"),
    }
}

#[tokio::test]
async fn ids_that_climb_are_refused() {
    let fixture = LocalFixture::new();
    let source = fixture.make_directory();
    fixture.make_snapshot(&source, "some").await;
    let canary = fixture.snapshots().join("../canary");
    fs::create_dir_all(&canary).unwrap();
    for id in ["../canary", "local-../canary", "..", "", "/etc", "canary", ".partial-local-some"] {
        let snapshotter = fixture.snapshotter();
        assert_refused(snapshotter.snapshot(id).await, "not an id");
        assert_refused(snapshotter.delete_snapshot(id).await, "not an id");
        let request = LocalFixture::volume_request(&source, id, "restored");
        assert_refused(snapshotter.create_volume(&request).await, "not an id");
    }
    for token in ["", "../canary", "a/b", "a.b", "a b", &"a".repeat(65)] {
        let request = LocalFixture::snapshot_request(&source, token);
        let made = fixture.snapshotter().create_snapshot(&request).await;
        assert_refused(made, "a-z");
    }
    assert!(canary.exists());
    assert!(fixture.snapshotter().snapshot("local-some").await.is_ok());
}

#[tokio::test]
async fn names_and_volumes_that_climb_are_refused() {
    let fixture = LocalFixture::new();
    let source = fixture.make_directory();
    let id = fixture.make_snapshot(&source, "some").await;
    for name in ["", ".", "..", "../x", "a/b", ".hidden", "Upper", &"a".repeat(250)] {
        let request = LocalFixture::volume_request(&source, &id, name);
        assert_refused(fixture.snapshotter().create_volume(&request).await, "its name");
    }
    for volume in ["", "relative", "/", "/a/../b"] {
        let request = LocalFixture::snapshot_request(Path::new(volume), "other");
        let made = fixture.snapshotter().create_snapshot(&request).await;
        assert_refused(made, "not an absolute path");
        assert_refused(fixture.snapshotter().delete_volume(volume).await, "not an absolute path");
    }
    assert_eq!(fs::read_dir(fixture.volumes()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_volume_that_holds_the_location_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    let volume = temp.path().join("volume");
    fs::create_dir(&volume).unwrap();
    let link = temp.path().join("link");
    std::os::unix::fs::symlink(&volume, &link).unwrap();
    for location in [volume.clone(), volume.join("new/backups"), link.join("backups")] {
        let snapshotter = DirectorySnapshotter::new(location, HOST.to_owned());
        let request = LocalFixture::snapshot_request(&volume, "inside");
        assert_refused(snapshotter.create_snapshot(&request).await, "lies in it");
    }
    assert_eq!(fs::read_dir(&volume).unwrap().count(), 0);
}

#[tokio::test]
async fn a_device_is_refused_by_name_and_leaves_nothing() {
    let fixture = LocalFixture::new();
    let request = LocalFixture::snapshot_request(Path::new("/dev"), "device");
    assert_refused(fixture.snapshotter().create_snapshot(&request).await, "it is a device");
    assert_eq!(fs::read_dir(fixture.snapshots()).unwrap().count(), 0);
}

/// Whoever can write to a volume can do this; it must not end in a stack overflow.
#[tokio::test]
async fn a_tree_without_end_fails_and_leaves_nothing() {
    let fixture = LocalFixture::new();
    let source = fixture.make_directory();
    let deep: std::path::PathBuf = std::iter::repeat_n("d", 700).collect();
    fs::create_dir_all(source.join(deep)).unwrap();
    let request = LocalFixture::snapshot_request(&source, "deep");
    let made = fixture.snapshotter().create_snapshot(&request).await;
    let Err(SnapshotterError::Failed { source, .. }) = made else { panic!("{made:?}") };
    assert!(source.to_string().contains("nested deeper"), "{source}");
    assert_eq!(fs::read_dir(fixture.snapshots()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_token_is_for_one_volume() {
    let fixture = LocalFixture::new();
    let (one, two) = (fixture.make_directory(), fixture.make_directory());
    let id = fixture.make_snapshot(&one, "token").await;
    let request = LocalFixture::snapshot_request(&two, "token");
    assert_refused(fixture.snapshotter().create_snapshot(&request).await, "is of");
    let request = LocalFixture::volume_request(&two, &id, "restored");
    assert_refused(fixture.snapshotter().create_volume(&request).await, "is not of");
}

#[tokio::test]
async fn what_others_made_is_neither_taken_nor_removed() {
    let fixture = LocalFixture::new();
    let source = fixture.make_directory();
    let id = fixture.make_snapshot(&source, "some").await;
    let foreign = fixture.volumes().join("foreign");
    fs::create_dir(&foreign).unwrap();
    let request = LocalFixture::volume_request(&source, &id, "foreign");
    let made = fixture.snapshotter().create_volume(&request).await;
    assert_refused(made, "bowline did not make it");
    let foreign_id = foreign.to_str().unwrap();
    assert_refused(fixture.snapshotter().volume(foreign_id).await, "did not make it");
    assert_refused(fixture.snapshotter().delete_volume(foreign_id).await, "did not make it");
    assert!(foreign.exists());
    assert_eq!(fs::read_dir(fixture.volumes()).unwrap().count(), 2);
}

#[tokio::test]
async fn a_directory_in_place_of_a_made_volume_is_not_ours() {
    let fixture = LocalFixture::new();
    let source = fixture.make_directory();
    let restored = fixture.round_trip(&source).await;
    fs::remove_dir(&restored).unwrap();
    fs::create_dir(&restored).unwrap();
    fs::write(restored.join("precious"), "x").unwrap();
    let id = restored.to_str().unwrap();
    assert_refused(fixture.snapshotter().delete_volume(id).await, "did not make it");
    let request = LocalFixture::volume_request(&source, "local-round-trip", "restored");
    let made = fixture.snapshotter().create_volume(&request).await;
    assert_refused(made, "bowline did not make it");
    assert!(restored.join("precious").exists());
}

#[tokio::test]
async fn the_volume_of_another_restore_is_not_taken() {
    let fixture = LocalFixture::new();
    let source = fixture.make_directory();
    fixture.round_trip(&source).await;
    let mut request = LocalFixture::volume_request(&source, "local-round-trip", "restored");
    request.token = String::from("another");
    let made = fixture.snapshotter().create_volume(&request).await;
    assert_refused(made, "another restore");
}

#[tokio::test]
async fn volumes_of_other_hosts_are_unreachable() {
    let fixture = LocalFixture::new();
    let source = fixture.make_directory();
    let id = fixture.make_snapshot(&source, "some").await;
    let volume = json!({"spec": {"hostPath": {"path": source}}});
    for nodes in [&[][..], &["other"], &[HOST, "other"]] {
        let nodes = nodes.iter().map(ToString::to_string).collect();
        let named = fixture.snapshotter().volume_id(&volume, &nodes);
        assert!(matches!(named, Err(SnapshotterError::Unreachable { .. })), "{named:?}");
        let mut request = LocalFixture::volume_request(&source, &id, "restored");
        request.nodes = nodes;
        let made = fixture.snapshotter().create_volume(&request).await;
        assert!(matches!(made, Err(SnapshotterError::Unreachable { .. })), "{made:?}");
    }
    assert_eq!(fs::read_dir(fixture.volumes()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_location_that_is_no_directory_fails_and_is_not_empty() {
    let temp = tempfile::tempdir().unwrap();
    let location = temp.path().join("file");
    fs::write(&location, "x").unwrap();
    let snapshotter = DirectorySnapshotter::new(location, HOST.to_owned());
    let found = snapshotter.snapshot("local-a").await;
    assert!(matches!(found, Err(SnapshotterError::Failed { .. })), "{found:?}");
    let tagged = snapshotter.snapshots_tagged("a", "b").await;
    assert!(matches!(tagged, Err(SnapshotterError::Failed { .. })), "{tagged:?}");
    let deleted = snapshotter.delete_snapshot("local-a").await;
    assert!(matches!(deleted, Err(SnapshotterError::Failed { .. })), "{deleted:?}");
}

#[tokio::test]
async fn one_damaged_snapshot_does_not_hide_the_others() {
    let fixture = LocalFixture::new();
    let source = fixture.make_directory();
    let damaged = fixture.make_snapshot(&source, "damaged").await;
    let good = fixture.make_snapshot(&source, "good").await;
    fs::write(fixture.snapshots().join(damaged).join("snapshot.json"), "{").unwrap();
    let found = fixture.snapshotter().snapshots_tagged("attempt", "good").await.unwrap();
    assert_eq!(found.iter().map(|snapshot| &snapshot.id).collect::<Vec<_>>(), [&good]);
}
