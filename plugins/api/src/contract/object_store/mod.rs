//! What every object store must do.

mod keys;
mod list;
mod read;
mod upload;
mod write;

use bytes::{Bytes, BytesMut};
use futures::TryStreamExt as _;

use crate::{ObjectStore, StoreError};

/// Checks an object store against its trait.
///
/// `fresh` makes an empty store, a new one for each group of promises.
pub async fn object_store<F, R, S>(fresh: F)
where
    F: Fn() -> R + Send + Sync,
    R: Future<Output = S> + Send,
    S: ObjectStore,
{
    write::check(&fresh().await).await;
    write::check_races(&fresh().await).await;
    read::check(&fresh().await).await;
    list::check_empty(&fresh().await).await;
    list::check_order(&fresh().await).await;
    list::check_directories(&fresh().await).await;
    list::check_paging(&fresh().await).await;
    upload::check(&fresh().await).await;
    upload::check_unfinished(&fresh().await).await;
    upload::check_races(&fresh().await).await;
    keys::check(&fresh().await).await;
}

/// Bytes of which no two pieces are alike, so that one in a wrong place is noticed.
fn noise(length: usize, seed: u32) -> Bytes {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut block: Vec<u8> = (0..4096)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        })
        .collect();
    let mut bytes = BytesMut::with_capacity(length + block.len());
    for number in 0..=length / block.len() {
        block[..8].copy_from_slice(&number.to_le_bytes());
        bytes.extend_from_slice(&block);
    }
    bytes.truncate(length);
    bytes.freeze()
}

async fn create(store: &dyn ObjectStore, key: &str, body: &'static str) {
    let created = store.create(key, Bytes::from_static(body.as_bytes())).await;
    assert!(created.is_ok(), "create {key:?}: {created:?}");
}

async fn read(store: &dyn ObjectStore, key: &str) -> Result<Bytes, StoreError> {
    let pieces = store.get(key).await?;
    Ok(pieces.try_collect::<Vec<_>>().await?.concat().into())
}

async fn assert_holds(store: &dyn ObjectStore, key: &str, expected: &[u8]) {
    let read = read(store, key).await;
    let read = read.unwrap_or_else(|error| panic!("get {key:?}: {error:?}"));
    assert!(
        read == expected,
        "get {key:?} gave {} bytes, not the {} that were written",
        read.len(),
        expected.len()
    );
    let meta = store.head(key).await;
    let meta = meta.unwrap_or_else(|error| panic!("head {key:?}: {error:?}"));
    assert_eq!((meta.key.as_str(), meta.size), (key, expected.len() as u64), "head {key:?}");
}

async fn keys(store: &dyn ObjectStore, prefix: &str) -> Vec<String> {
    let listed: Result<Vec<_>, _> =
        store.list(prefix).map_ok(|object| object.key).try_collect().await;
    listed.unwrap_or_else(|error| panic!("list {prefix:?}: {error:?}"))
}

async fn directories(store: &dyn ObjectStore, prefix: &str) -> Vec<String> {
    let listed = store.list_directories(prefix).await;
    listed.unwrap_or_else(|error| panic!("list directories in {prefix:?}: {error:?}"))
}

/// Nobody can tell that there ever was such a key.
async fn assert_absent(store: &dyn ObjectStore, key: &str) {
    assert_not_found(store.get(key).await.map(drop), key);
    assert_not_found(store.head(key).await, key);
    assert_not_found(store.get_range(key, 0..1).await, key);
    assert!(!keys(store, "").await.iter().any(|listed| listed == key), "{key:?} is listed");
    let (directory, _) = key.split_once('/').unwrap_or_default();
    let others = keys(store, &format!("{directory}/")).await;
    if !directory.is_empty() && others.is_empty() {
        let listed = directories(store, "").await;
        assert!(!listed.iter().any(|name| name == directory), "{directory:?} is listed");
    }
}

fn assert_not_found<T: std::fmt::Debug>(result: Result<T, StoreError>, key: &str) {
    assert!(
        matches!(&result, Err(StoreError::NotFound { key: named }) if named == key),
        "{key:?} should not be found, but: {result:?}"
    );
}

fn assert_exists<T: std::fmt::Debug>(result: Result<T, StoreError>, key: &str) {
    assert!(
        matches!(&result, Err(StoreError::AlreadyExists { key: named }) if named == key),
        "{key:?} should be taken, but: {result:?}"
    );
}

fn assert_invalid<T: std::fmt::Debug>(result: Result<T, StoreError>, key: &str) {
    assert!(
        matches!(&result, Err(StoreError::InvalidKey { key: named }) if named == key),
        "{key:?} should be invalid, but: {result:?}"
    );
}
