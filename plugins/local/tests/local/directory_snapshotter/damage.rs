//! A snapshot that is not what it was makes no volume.

use std::fs;
use std::path::Path;

use bowline_api::SnapshotterError;
use bowline_api::contract::SnapshotterFixture as _;

use crate::snapshotter_fixture::LocalFixture;

/// Makes a snapshot, damages it, and sees that it is noticed and leaves nothing.
async fn assert_noticed(damage: impl Fn(&Path)) -> String {
    let fixture = LocalFixture::new();
    let source = fixture.make_directory();
    fs::create_dir_all(source.join("dir")).unwrap();
    fs::write(source.join("dir/one"), "contents").unwrap();
    fs::write(source.join("two"), vec![7; 100_000]).unwrap();
    let id = fixture.make_snapshot(&source, "damaged").await;
    let request = LocalFixture::volume_request(&source, &id, "restored");

    damage(&fixture.snapshots().join(&id));
    let made = fixture.snapshotter().create_volume(&request).await;
    let Err(SnapshotterError::Damaged { what, reason }) = made else { panic!("{made:?}") };
    assert_eq!(what, "snapshot local-damaged");
    let left: Vec<_> =
        fs::read_dir(fixture.volumes()).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(left, [source], "nothing but the source is there");
    reason
}

fn edit(path: &Path, change: impl Fn(&str) -> String) {
    fs::write(path, change(&fs::read_to_string(path).unwrap())).unwrap();
}

#[tokio::test]
async fn a_changed_byte_is_noticed() {
    let reason =
        assert_noticed(|snapshot| fs::write(snapshot.join("data/dir/one"), "Contents").unwrap());
    assert!(reason.await.contains("dir/one"));
}

#[tokio::test]
async fn a_shorter_file_is_noticed() {
    let reason = assert_noticed(|snapshot| {
        let file = fs::File::options().write(true).open(snapshot.join("data/two")).unwrap();
        file.set_len(99_999).unwrap();
    });
    assert!(reason.await.contains("two"));
}

#[tokio::test]
async fn a_missing_file_is_noticed() {
    let reason = assert_noticed(|snapshot| fs::remove_file(snapshot.join("data/two")).unwrap());
    assert!(reason.await.contains("two"));
    let reason = assert_noticed(|snapshot| fs::remove_dir_all(snapshot.join("data")).unwrap());
    assert!(reason.await.contains("missing"));
}

#[tokio::test]
async fn a_link_in_place_of_a_file_is_noticed() {
    assert_noticed(|snapshot| {
        let file = snapshot.join("data/two");
        fs::rename(&file, snapshot.join("elsewhere")).unwrap();
        std::os::unix::fs::symlink("../elsewhere", file).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_file_too_many_is_noticed() {
    let reason = assert_noticed(|snapshot| fs::write(snapshot.join("data/three"), "").unwrap());
    assert!(reason.await.contains("3 files where 2"));
}

#[tokio::test]
async fn a_manifest_that_lost_lines_is_noticed() {
    for lost in 0..4 {
        let without = |manifest: &str| {
            let mut lines: Vec<&str> = manifest.split_inclusive('\n').collect();
            lines.remove(lost);
            lines.concat()
        };
        assert_noticed(|snapshot| edit(&snapshot.join("files.jsonl"), without)).await;
    }
    assert_noticed(|snapshot| fs::remove_file(snapshot.join("files.jsonl")).unwrap()).await;
}

#[tokio::test]
async fn a_changed_manifest_is_noticed() {
    for (from, to) in [
        (r#""mode":"#, r#""mode":1"#),
        (r#""path":"dir/one""#, r#""path":"../one""#),
        (r#""path":"dir/one""#, r#""path":"/dir/one""#),
        (r#""path":"dir/one""#, r#""path":"dir/../one""#),
        (r#""path":"dir/one""#, r#""path":"""#),
        (r#""path":"dir/one""#, r#""path":"%""#),
        (r#""kind":"file""#, r#""kind":"device""#),
        ("{", "["),
    ] {
        assert_noticed(|snapshot| {
            edit(&snapshot.join("files.jsonl"), |manifest| manifest.replacen(from, to, 1));
        })
        .await;
    }
}

#[tokio::test]
async fn a_lost_or_changed_record_is_noticed() {
    assert_noticed(|snapshot| fs::remove_file(snapshot.join("snapshot.json")).unwrap()).await;
    for (from, to) in [
        ("local-damaged", "local-other"),
        ("manifestSha256\": \"", "manifestSha256\": \"0"),
        ("\"files\": 2", "\"files\": 3"),
        ("\"contents\"", "\"content\""),
        ("{", ""),
    ] {
        assert_noticed(|snapshot| {
            edit(&snapshot.join("snapshot.json"), |record| record.replacen(from, to, 1));
        })
        .await;
    }
}
