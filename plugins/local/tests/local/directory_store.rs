//! What a directory store does beyond the suite: files, modes, links and what crashes leave.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use bowline_api::{ObjectStore as _, StoreError};
use bowline_local::{DirectoryStore, MemoryStore};
use futures::TryStreamExt as _;
use proptest::prelude::*;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;

fn temp_store() -> (TempDir, PathBuf, DirectoryStore) {
    let temp = tempfile::tempdir().unwrap();
    let root = temp.path().join("root");
    let store = DirectoryStore::new(root.clone());
    (temp, root, store)
}

async fn keys(store: &dyn bowline_api::ObjectStore, prefix: &str) -> Vec<String> {
    store.list(prefix).map_ok(|object| object.key).try_collect().await.unwrap()
}

/// Every file and directory below `root`, relative to it.
fn tree(root: &Path) -> Vec<String> {
    let mut paths = Vec::new();
    let mut left = vec![root.to_owned()];
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            paths.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            if path.is_dir() && !path.is_symlink() {
                left.push(path);
            }
        }
    }
    paths.sort();
    paths
}

#[tokio::test]
async fn reading_does_not_make_the_root() {
    let (_temp, root, store) = temp_store();
    assert_eq!(keys(&store, "").await, [""; 0]);
    assert!(store.list_directories("").await.unwrap().is_empty());
    assert!(matches!(store.head("a").await, Err(StoreError::NotFound { .. })));
    store.delete("a").await.unwrap();
    store.abort_uploads("").await.unwrap();
    assert!(!root.exists());
    store.create("a", "x".into()).await.unwrap();
    assert!(root.join("a").is_file());
}

#[tokio::test]
async fn a_root_that_is_a_file_is_an_error_and_not_an_empty_store() {
    let (_temp, root, _) = temp_store();
    fs::write(&root, "not a directory").unwrap();
    assert_every_call_names_the_root(&root).await;
    assert_every_call_names_the_root(&root.join("below")).await;
}

async fn assert_every_call_names_the_root(root: &Path) {
    let store = DirectoryStore::new(root.to_owned());
    let errors = [
        store.create("a", "x".into()).await.unwrap_err(),
        store.start_upload("a").await.map(drop).unwrap_err(),
        store.get("a").await.map(drop).unwrap_err(),
        store.get_range("a", 0..1).await.unwrap_err(),
        store.head("a").await.unwrap_err(),
        store.delete("a").await.unwrap_err(),
        store.list("").try_collect::<Vec<_>>().await.unwrap_err(),
        store.list_directories("").await.unwrap_err(),
        store.abort_uploads("").await.unwrap_err(),
    ];
    for error in errors {
        let named = match &error {
            StoreError::Failed { source, .. } => source.to_string(),
            _ => String::new(),
        };
        assert!(named.contains(root.to_str().unwrap()), "{error:?}");
    }
}

#[tokio::test]
async fn a_directory_that_takes_no_files_denies_access() {
    // Not even root makes directories here.
    let store = DirectoryStore::new(PathBuf::from("/sys/bowline"));
    let created = store.create("a", "x".into()).await;
    assert!(matches!(created, Err(StoreError::Denied { .. })), "{created:?}");
    let started = store.start_upload("a").await.map(drop);
    assert!(matches!(started, Err(StoreError::Denied { .. })), "{started:?}");
}

#[tokio::test]
async fn files_and_directories_are_for_their_owner_only() {
    let (_temp, root, store) = temp_store();
    store.create("a/b/c", "x".into()).await.unwrap();
    let mut upload = store.start_upload("a/d").await.unwrap();
    upload.write("x".into()).await.unwrap();
    let mode = |path: &str| fs::metadata(root.join(path)).unwrap().permissions().mode() & 0o7777;
    for path in tree(&root).iter().map(String::as_str).chain([""]) {
        let expected = if root.join(path).is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(path), expected, "{path:?}");
    }
    upload.finish().await.unwrap();
    assert_eq!(mode("a/d"), 0o600);
}

#[tokio::test]
async fn links_are_not_followed() {
    let (temp, root, store) = temp_store();
    let outside = temp.path().join("outside");
    fs::create_dir_all(&outside).unwrap();
    fs::write(outside.join("secret"), "x").unwrap();
    store.create("in/side", "x".into()).await.unwrap();
    symlink(&outside, root.join("dir")).unwrap();
    symlink(outside.join("secret"), root.join("file")).unwrap();
    symlink(root.join("in"), root.join("inner")).unwrap();

    assert_eq!(keys(&store, "").await, ["in/side"]);
    assert_eq!(keys(&store, "dir/").await, [""; 0]);
    assert_eq!(store.list_directories("").await.unwrap(), ["in"]);
    for key in ["dir/secret", "file", "inner/side"] {
        assert!(matches!(store.get(key).await, Err(StoreError::NotFound { .. })), "{key}");
        assert!(matches!(store.head(key).await, Err(StoreError::NotFound { .. })), "{key}");
        store.delete(key).await.unwrap();
    }
    for key in ["dir/new", "file", "dir"] {
        let created = store.create(key, "x".into()).await;
        assert!(matches!(created, Err(StoreError::Failed { .. })), "{key}: {created:?}");
    }
    assert_eq!(tree(&outside), ["secret"]);
    assert_eq!(fs::read(outside.join("secret")).unwrap(), b"x");
}

#[tokio::test]
async fn an_object_is_no_directory_and_a_directory_no_object() {
    let (_temp, _root, store) = temp_store();
    store.create("file", "x".into()).await.unwrap();
    store.create("dir/file", "x".into()).await.unwrap();
    for key in ["file/below", "dir"] {
        let created = store.create(key, "x".into()).await;
        assert!(matches!(created, Err(StoreError::Failed { .. })), "{key}: {created:?}");
        store.delete(key).await.unwrap();
    }
    assert_eq!(keys(&store, "").await, ["dir/file", "file"]);
}

#[tokio::test]
async fn what_is_no_object_is_not_listed() {
    let (_temp, root, store) = temp_store();
    store.create("dir/object", "x".into()).await.unwrap();
    fs::write(root.join(".hidden"), "x").unwrap();
    fs::write(root.join("dir/back\\slash"), "x").unwrap();
    fs::write(root.join(OsStr::from_bytes(b"latin-\xe9")), "x").unwrap();
    fs::create_dir_all(root.join("empty/.hidden")).unwrap();
    fs::create_dir(root.join(".dir")).unwrap();
    fs::write(root.join(".dir/file"), "x").unwrap();
    fs::write(root.join("empty/.hidden/file"), "x").unwrap();
    mknodat(CWD, root.join("dir/fifo"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    assert_eq!(keys(&store, "").await, ["dir/object"]);
    assert_eq!(store.list_directories("").await.unwrap(), ["dir"]);
    assert!(matches!(store.get("dir/fifo").await, Err(StoreError::NotFound { .. })));
}

#[tokio::test]
async fn nothing_but_objects_is_left() {
    let (_temp, root, store) = temp_store();
    store.create("a/b", "x".into()).await.unwrap();
    drop(store.start_upload("a/c").await.unwrap());
    store.start_upload("a/d").await.unwrap().abort().await.unwrap();
    let mut upload = store.start_upload("a/e/f").await.unwrap();
    upload.write("x".into()).await.unwrap();
    upload.finish().await.unwrap();
    let base = ["metadata", "metadata/bowline", "metadata/bowline/.uploads"];
    assert_eq!(tree(&root), [&["a", "a/b", "a/e", "a/e/f"], &base[..]].concat());
    store.delete("a/b").await.unwrap();
    store.delete("a/e/f").await.unwrap();
    assert_eq!(tree(&root), base);
}

#[tokio::test]
async fn uploads_of_dead_processes_are_cleared_by_key_and_living_ones_are_not() {
    let (_temp, root, store) = temp_store();
    let uploads = root.join("metadata/bowline/.uploads");
    let mut living = store.start_upload("backups/a/tar").await.unwrap();
    living.write("alive".into()).await.unwrap();
    for key in ["backups/a", "backups/a/tar", "backups/ab", "restores/a"] {
        fs::create_dir_all(uploads.join(key)).unwrap();
        fs::write(uploads.join(key).join(".dead"), "x").unwrap();
    }

    store.abort_uploads("backups/a/").await.unwrap();
    assert!(!uploads.join("backups/a/tar/.dead").exists());
    assert!(uploads.join("backups/a/.dead").exists());
    assert!(uploads.join("backups/ab/.dead").exists());
    store.abort_uploads("backups/a").await.unwrap();
    assert!(!uploads.join("backups/ab").exists());
    assert!(uploads.join("restores/a/.dead").exists());
    store.abort_uploads("").await.unwrap();
    assert!(!uploads.join("restores").exists());

    living.finish().await.unwrap();
    assert_eq!(keys(&store, "").await, ["backups/a/tar"]);
    assert_eq!(fs::read(root.join("backups/a/tar")).unwrap(), b"alive");
}

/// Nobody looks for what was to be `restores/a` once another restore is made.
#[tokio::test]
async fn the_next_write_clears_what_dead_processes_left() {
    let (_temp, root, store) = temp_store();
    let uploads = root.join("metadata/bowline/.uploads");
    let living = store.start_upload("backups/a/tar").await.unwrap();
    fs::create_dir_all(uploads.join("restores/a")).unwrap();
    fs::write(uploads.join("restores/a/.dead"), "x").unwrap();
    store.create("restores/b", "x".into()).await.unwrap();
    assert!(!uploads.join("restores").exists());
    living.finish().await.unwrap();
    assert_eq!(keys(&store, "").await, ["backups/a/tar", "restores/b"]);
}

#[tokio::test]
async fn the_deepest_upload_of_a_dead_process_is_cleared() {
    let (_temp, root, store) = temp_store();
    let deepest = root.join("metadata/bowline/.uploads").join(["d"; 512].join("/"));
    fs::create_dir_all(&deepest).unwrap();
    fs::write(deepest.join(".dead"), "x").unwrap();
    store.abort_uploads("d/d/").await.unwrap();
    assert_eq!(tree(&root), ["metadata", "metadata/bowline", "metadata/bowline/.uploads"]);
}

#[tokio::test]
async fn a_taken_key_is_noticed_before_anything_is_uploaded() {
    let (_temp, _root, store) = temp_store();
    store.create("a", "x".into()).await.unwrap();
    let started = store.start_upload("a").await.map(drop);
    assert!(matches!(started, Err(StoreError::AlreadyExists { .. })), "{started:?}");
}

#[tokio::test]
async fn a_range_that_is_not_there_is_told_with_the_size() {
    let (_temp, _root, store) = temp_store();
    store.create("a", "12345".into()).await.unwrap();
    for range in [0..6, 3..u64::MAX] {
        let read = store.get_range("a", range.clone()).await;
        let Err(StoreError::Failed { source, .. }) = read else { panic!("{range:?}: {read:?}") };
        assert!(source.to_string().ends_with("of 5"), "{source}");
    }
}

#[tokio::test]
async fn an_upload_whose_file_was_taken_away_fails() {
    let (_temp, root, store) = temp_store();
    let mut upload = store.start_upload("a").await.unwrap();
    upload.write("x".into()).await.unwrap();
    fs::remove_dir_all(root.join("metadata")).unwrap();
    let finished = upload.finish().await;
    assert!(matches!(finished, Err(StoreError::Failed { .. })), "{finished:?}");
    assert_eq!(keys(&store, "").await, [""; 0]);
}

/// What is done to a store and to its model.
#[derive(Clone, Debug)]
enum Step {
    Create(String),
    Delete(String),
    List(String),
}

fn step() -> impl Strategy<Value = Step> {
    let part = prop::sample::select(vec!["a", "b", "a-", "a.", "a0", "ab", "ü"]);
    let key = prop::collection::vec(part, 1..4).prop_map(|parts| parts.join("/"));
    let prefix = (key.clone(), 0..9_usize).prop_map(|(key, cut)| {
        key.char_indices().nth(cut).map_or(key.as_str(), |(end, _)| &key[..end]).to_owned()
    });
    prop_oneof![
        3 => key.clone().prop_map(Step::Create),
        1 => key.prop_map(Step::Delete),
        2 => prefix.prop_map(Step::List),
    ]
}

async fn take(step: &Step, store: &DirectoryStore, model: &MemoryStore) {
    match step {
        Step::Create(key) => match store.create(key, "x".into()).await {
            // Where a directory has the name, or a file is on the way, only the model can.
            Err(StoreError::Failed { .. }) => {}
            created => assert_eq!(created.is_ok(), model.create(key, "x".into()).await.is_ok()),
        },
        Step::Delete(key) => {
            store.delete(key).await.unwrap();
            model.delete(key).await.unwrap();
        }
        Step::List(prefix) => {
            assert_eq!(keys(store, prefix).await, keys(model, prefix).await, "{prefix:?}");
            let directory = prefix.rfind('/').map_or("", |end| &prefix[..=end]);
            let listed = store.list_directories(directory).await.unwrap();
            assert_eq!(listed, model.list_directories(directory).await.unwrap(), "{directory:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn a_directory_store_does_what_a_map_does(steps in prop::collection::vec(step(), 1..30)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (_temp, _root, store) = temp_store();
            let model = MemoryStore::new();
            for step in steps.iter().chain([&Step::List(String::new())]) {
                take(step, &store, &model).await;
            }
        });
    }
}
