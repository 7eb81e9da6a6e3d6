//! Objects are listed, in byte order of their keys.

use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use super::{assert_invalid, create, directories, keys};
use crate::ObjectStore;

/// In byte order. Sorted by directories, or as a dictionary does, they come out differently.
const ORDER: [&str; 12] =
    ["a-b/x", "a.b", "a/0", "a/B", "a/b", "a/b-c", "a/c/d", "a0", "aB", "b/c/d/e/f", "ü/x", "日本"];

pub(super) async fn check_empty(store: &dyn ObjectStore) {
    for prefix in ["", "a", "a/", "a/b/"] {
        assert_eq!(keys(store, prefix).await, [""; 0], "{prefix:?} of an empty store");
    }
    for prefix in ["", "a/", "a/b/"] {
        assert_eq!(directories(store, prefix).await, [""; 0], "{prefix:?} of an empty store");
    }
    for prefix in ["/", "../", "a/../", "./", "a//", "a\0", ".a"] {
        let listed = store.list(prefix).try_collect::<Vec<_>>().await;
        assert_invalid(listed, prefix);
        assert_invalid(store.list_directories(prefix).await, prefix);
    }
    assert_invalid(store.list_directories("a").await, "a");
}

pub(super) async fn check_order(store: &dyn ObjectStore) {
    for key in ORDER.iter().rev() {
        create(store, key, "x").await;
    }
    for prefix in [
        "",
        "a",
        "a-",
        "a/",
        "a/b",
        "a/c/",
        "b/c/d/",
        "b/c/d/e/f",
        "a0x",
        "a/bc",
        "c",
        "ü/",
        "日本",
    ] {
        let expected: Vec<&str> = ORDER.into_iter().filter(|key| key.starts_with(prefix)).collect();
        assert_eq!(keys(store, prefix).await, expected, "list {prefix:?}");
    }
}

pub(super) async fn check_directories(store: &dyn ObjectStore) {
    for key in ["top", "a/1", "a/2", "a-b/1", "a0/1", "b/c/1", "b/d/e/1", "b/f", "ü/x"] {
        create(store, key, "x").await;
    }
    assert_eq!(directories(store, "").await, ["a", "a-b", "a0", "b", "ü"]);
    assert_eq!(directories(store, "b/").await, ["c", "d"]);
    assert_eq!(directories(store, "b/d/").await, ["e"]);
    assert_eq!(directories(store, "a/").await, [""; 0]);
    assert_eq!(directories(store, "nowhere/").await, [""; 0]);
    for key in ["b/d/e/1", "a-b/1"] {
        assert!(store.delete(key).await.is_ok());
    }
    assert_eq!(directories(store, "").await, ["a", "a0", "b", "ü"], "after a-b/ became empty");
    assert_eq!(directories(store, "b/").await, ["c"], "after b/d/ became empty");
}

/// S3 lists 1,000 at a time.
pub(super) async fn check_paging(store: &dyn ObjectStore) {
    let mut expected: Vec<String> = (0..1105).map(|i| format!("pages/{}/{i}", i % 3)).collect();
    let creates = expected.iter().map(|key| store.create(key, "x".into()));
    let all = stream::iter(creates).buffer_unordered(64).try_collect::<Vec<()>>().await;
    assert!(all.is_ok(), "{all:?}");
    expected.sort();
    assert!(keys(store, "").await == expected, "all pages together are not all keys in order");
    assert!(keys(store, "pages/").await == expected, "all pages are not all keys below a prefix");
    let below: Vec<String> =
        expected.iter().filter(|key| key.starts_with("pages/1/")).cloned().collect();
    assert_eq!(keys(store, "pages/1/").await, below);
    assert_eq!(directories(store, "pages/").await, ["0", "1", "2"]);
    let first = store.list("pages/").map_ok(|object| object.key).next().await;
    assert!(matches!(&first, Some(Ok(key)) if *key == expected[0]), "{first:?}");
}
