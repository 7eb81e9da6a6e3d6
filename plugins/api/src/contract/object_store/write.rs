//! Objects are written once, and removed.

use bytes::Bytes;
use futures::future::join_all;

use super::{assert_absent, assert_exists, assert_holds, create, keys, noise};
use crate::{ObjectStore, StoreError};

pub(super) async fn check(store: &dyn ObjectStore) {
    what_is_created_reads_back(store).await;
    an_object_is_never_replaced(store).await;
    only_the_version_that_was_read_is_replaced(store).await;
    what_is_deleted_is_gone(store).await;
}

async fn what_is_created_reads_back(store: &dyn ObjectStore) {
    for length in [0, 1, 1000, 65_536, (1 << 20) - 1, 1 << 20, (3 << 20) + 1] {
        let key = format!("sizes/{length}");
        let body = noise(length, 1);
        let created = store.create(&key, body.clone()).await;
        assert!(created.is_ok(), "create {length} bytes: {created:?}");
        assert_holds(store, &key, &body).await;
    }
}

async fn an_object_is_never_replaced(store: &dyn ObjectStore) {
    create(store, "once/a", "first").await;
    for body in ["second", "first", ""] {
        assert_exists(store.create("once/a", body.into()).await, "once/a");
    }
    assert_holds(store, "once/a", b"first").await;
}

async fn only_the_version_that_was_read_is_replaced(store: &dyn ObjectStore) {
    let key = "replace/a";
    assert_changed(store.replace(key, "x".into(), "").await, key);
    assert_absent(store, key).await;
    create(store, key, "first").await;
    let first = version(store, key).await;
    let second = store.replace(key, "second".into(), &first).await;
    let second = second.unwrap_or_else(|error| panic!("replace {key:?}: {error:?}"));
    assert_eq!(version(store, key).await, second);
    assert_ne!(first, second);
    for stale in [first.as_str(), "", "other"] {
        assert_changed(store.replace(key, "third".into(), stale).await, key);
    }
    assert_holds(store, key, b"second").await;
    let deleted = store.delete(key).await;
    assert!(deleted.is_ok(), "{deleted:?}");
    assert_changed(store.replace(key, "fourth".into(), &second).await, key);
    create(store, key, "first").await;
    assert_holds(store, key, b"first").await;
}

async fn version(store: &dyn ObjectStore, key: &str) -> String {
    let meta = store.head(key).await;
    meta.unwrap_or_else(|error| panic!("head {key:?}: {error:?}")).version
}

fn assert_changed<T: std::fmt::Debug>(result: Result<T, StoreError>, key: &str) {
    assert!(
        matches!(&result, Err(StoreError::Changed { key: named }) if named == key),
        "{key:?} should be found changed, but: {result:?}"
    );
}

async fn what_is_deleted_is_gone(store: &dyn ObjectStore) {
    for key in ["delete/a", "delete/ab", "delete/a-b", "delete/b/c"] {
        create(store, key, "x").await;
    }
    for attempt in 1..=2 {
        let deleted = store.delete("delete/a").await;
        assert!(deleted.is_ok(), "delete number {attempt}: {deleted:?}");
        assert_absent(store, "delete/a").await;
    }
    assert_eq!(keys(store, "delete/").await, ["delete/a-b", "delete/ab", "delete/b/c"]);
    let deleted = store.delete("delete/b/c").await;
    assert!(deleted.is_ok(), "{deleted:?}");
    let deleted = store.delete("never/was").await;
    assert!(deleted.is_ok(), "{deleted:?}");
    create(store, "delete/a", "anew").await;
    assert_holds(store, "delete/a", b"anew").await;
    assert_eq!(super::directories(store, "delete/").await, [""; 0]);
}

pub(super) async fn check_races(store: &dyn ObjectStore) {
    for round in 0..8 {
        of_many_creates_one_wins(store, &format!("race/{round}/object")).await;
    }
    of_many_replacements_one_wins(store).await;
    creates_and_deletes_do_not_disturb_each_other(store).await;
}

async fn of_many_replacements_one_wins(store: &dyn ObjectStore) {
    for round in 0..8 {
        let key = format!("race/{round}/replaced");
        create(store, &key, "first").await;
        let read = version(store, &key).await;
        let bodies: Vec<Bytes> = (0..8).map(|seed| noise(1000, seed)).collect();
        let replace = |body: &Bytes| store.replace(&key, body.clone(), &read);
        let results = join_all(bodies.iter().map(replace)).await;
        let winners: Vec<usize> = (0..results.len()).filter(|i| results[*i].is_ok()).collect();
        assert_eq!(winners.len(), 1, "winners of {key:?}: {results:?}");
        for lost in results.into_iter().filter(Result::is_err) {
            assert_changed(lost, &key);
        }
        assert_holds(store, &key, &bodies[winners[0]]).await;
    }
}

async fn of_many_creates_one_wins(store: &dyn ObjectStore, key: &str) {
    let bodies: Vec<Bytes> = (0..16).map(|seed| noise(20_000, seed)).collect();
    let results = join_all(bodies.iter().map(|body| store.create(key, body.clone()))).await;
    assert_one_won(store, key, &results, &bodies).await;
}

/// One result is good, all others say that the key is taken, and the object is the winner's.
pub(super) async fn assert_one_won(
    store: &dyn ObjectStore,
    key: &str,
    results: &[Result<(), StoreError>],
    bodies: &[Bytes],
) {
    let winners: Vec<usize> = (0..results.len()).filter(|i| results[*i].is_ok()).collect();
    assert_eq!(winners.len(), 1, "winners of {key:?}: {results:?}");
    for result in results.iter().filter(|result| result.is_err()) {
        assert!(matches!(result, Err(StoreError::AlreadyExists { .. })), "{result:?}");
    }
    assert_holds(store, key, &bodies[winners[0]]).await;
}

/// The last object of a directory may go just when the next one comes.
async fn creates_and_deletes_do_not_disturb_each_other(store: &dyn ObjectStore) {
    let churn = |number: u32| async move {
        let key = format!("busy/directory/{number}");
        for _ in 0..25 {
            store.create(&key, "x".into()).await?;
            store.delete(&key).await?;
        }
        Ok::<(), StoreError>(())
    };
    for done in join_all((0..8).map(churn)).await {
        assert!(done.is_ok(), "{done:?}");
    }
    assert_eq!(keys(store, "busy/").await, [""; 0]);
}
