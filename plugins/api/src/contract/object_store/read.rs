//! Objects are read, whole and in part.

use super::{assert_holds, assert_not_found, create, noise};
use crate::{ObjectMeta, ObjectStore};
use futures::TryStreamExt as _;

pub(super) async fn check(store: &dyn ObjectStore) {
    what_is_not_there_is_not_found(store).await;
    ranges_are_exact(store).await;
    list_and_head_agree(store).await;
    a_started_read_ends_well(store).await;
}

async fn what_is_not_there_is_not_found(store: &dyn ObjectStore) {
    create(store, "there/a", "x").await;
    for key in ["nowhere", "nowhere/a", "there", "there/b", "there/a/b", "there/a-"] {
        assert_not_found(store.get(key).await.map(drop), key);
        assert_not_found(store.head(key).await, key);
        assert_not_found(store.get_range(key, 0..1).await, key);
    }
}

async fn ranges_are_exact(store: &dyn ObjectStore) {
    const LENGTH: u64 = 100_000;
    let body = noise(100_000, 7);
    assert!(store.create("ranges/a", body.clone()).await.is_ok());
    for (start, end) in
        [(0, 1), (0, LENGTH), (1, 2), (4095, 4097), (65_535, 65_537), (99_999, LENGTH)]
    {
        let range = store.get_range("ranges/a", start..end).await;
        let range = range.unwrap_or_else(|error| panic!("range {start}..{end}: {error:?}"));
        let expected = body.iter().skip(to_usize(start)).take(to_usize(end - start));
        assert!(range.iter().eq(expected), "range {start}..{end} is not what was written there");
    }
    for (start, end) in [
        (0, LENGTH + 1),
        (99_999, LENGTH + 1),
        (LENGTH, LENGTH + 1),
        (LENGTH + 5, LENGTH + 6),
        (0, u64::MAX),
    ] {
        let range = store.get_range("ranges/a", start..end).await;
        assert!(range.is_err(), "range {start}..{end} of {LENGTH} gave {range:?}");
    }
}

fn to_usize(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

async fn list_and_head_agree(store: &dyn ObjectStore) {
    create(store, "meta/a", "12345").await;
    let head = store.head("meta/a").await;
    let head = head.unwrap_or_else(|error| panic!("head: {error:?}"));
    let listed: Result<Vec<ObjectMeta>, _> = store.list("meta/").try_collect().await;
    let listed = listed.unwrap_or_else(|error| panic!("list: {error:?}"));
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0].key, listed[0].size), (&head.key, 5));
    // S3 rounds the one to seconds and not the other.
    let apart = listed[0].modified.duration_since(head.modified).abs();
    assert!(apart.as_secs_f64() <= 1.0, "modified differs by {apart}");
}

/// What is being read is whole or fails; it never ends early.
async fn a_started_read_ends_well(store: &dyn ObjectStore) {
    let body = noise(3 << 20, 9);
    assert!(store.create("reading/a", body.clone()).await.is_ok());
    assert_holds(store, "reading/a", &body).await;
    let Ok(started) = store.get("reading/a").await else { panic!("get") };
    assert!(store.delete("reading/a").await.is_ok());
    if let Ok(pieces) = started.try_collect::<Vec<_>>().await {
        assert!(pieces.concat() == body, "a read of a deleted object ended early");
    }
}
