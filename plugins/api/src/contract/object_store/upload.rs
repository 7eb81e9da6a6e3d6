//! Large objects are written in parts.

use bytes::Bytes;
use futures::future::join_all;

use super::write::assert_one_won;
use super::{assert_absent, assert_exists, assert_holds, create, directories, keys, noise};
use crate::{ObjectStore, StoreError, Upload};

pub(super) async fn check(store: &dyn ObjectStore) {
    // S3's parts are of 5 MiB at least and of one size but the last: an upload joins and cuts.
    for (length, piece) in
        [(0, 1), (1, 1), (100_000, 999), (5 << 20, 5 << 20), ((18 << 20) + 7, (1 << 20) + 1)]
    {
        let key = format!("uploads/{length}");
        let body = noise(length, 3);
        upload(store, &key, &body, piece).await;
        assert_holds(store, &key, &body).await;
    }
    one_large_write_is_as_good(store).await;
    empty_writes_change_nothing(store).await;
    an_upload_does_not_replace(store).await;
}

async fn start(store: &dyn ObjectStore, key: &str) -> Box<dyn Upload> {
    let started = store.start_upload(key).await;
    started.unwrap_or_else(|error| panic!("start the upload of {key:?}: {error:?}"))
}

async fn write(upload: &mut Box<dyn Upload>, bytes: Bytes) {
    let written = upload.write(bytes).await;
    assert!(written.is_ok(), "write: {written:?}");
}

async fn upload(store: &dyn ObjectStore, key: &str, body: &Bytes, piece: usize) {
    let mut upload = start(store, key).await;
    let mut rest = body.clone();
    while !rest.is_empty() {
        let piece = rest.split_to(piece.min(rest.len()));
        write(&mut upload, piece).await;
    }
    let finished = upload.finish().await;
    assert!(finished.is_ok(), "finish {key:?}: {finished:?}");
}

async fn one_large_write_is_as_good(store: &dyn ObjectStore) {
    let body = noise(17 << 20, 4);
    upload(store, "uploads/at-once", &body, body.len()).await;
    assert_holds(store, "uploads/at-once", &body).await;
}

async fn empty_writes_change_nothing(store: &dyn ObjectStore) {
    let mut upload = start(store, "uploads/empty-writes").await;
    for piece in ["", "a", "", "b", ""] {
        write(&mut upload, piece.into()).await;
    }
    assert!(upload.finish().await.is_ok());
    assert_holds(store, "uploads/empty-writes", b"ab").await;
}

async fn an_upload_does_not_replace(store: &dyn ObjectStore) {
    create(store, "taken/early", "first").await;
    // A store may notice at once, or only at the end.
    match store.start_upload("taken/early").await {
        Ok(mut upload) => {
            write(&mut upload, "second".into()).await;
            assert_exists(upload.finish().await, "taken/early");
        }
        Err(error) => assert_exists(Err::<(), _>(error), "taken/early"),
    }
    assert_holds(store, "taken/early", b"first").await;

    let mut upload = start(store, "taken/late").await;
    write(&mut upload, "second".into()).await;
    create(store, "taken/late", "first").await;
    assert_exists(upload.finish().await, "taken/late");
    assert_holds(store, "taken/late", b"first").await;
}

/// What is not finished is not there, and takes no key.
pub(super) async fn check_unfinished(store: &dyn ObjectStore) {
    create(store, "bystander/a", "x").await;
    let aborted = unfinished(store, "aborted/a").await;
    assert!(aborted.abort().await.is_ok());
    assert_leaves_nothing(store, "aborted/a").await;
    drop(unfinished(store, "dropped/a").await);
    assert_leaves_nothing(store, "dropped/a").await;
    an_upload_outlives_the_abort_of_others(store).await;
    abort(store, "").await;
    assert_eq!(keys(store, "").await, ["aborted/a", "bystander/a", "dropped/a", "running/a"]);
    assert_eq!(directories(store, "").await, ["aborted", "bystander", "dropped", "running"]);
    assert_holds(store, "bystander/a", b"x").await;
}

/// Starts an upload that has written more than a part of S3 holds.
async fn unfinished(store: &dyn ObjectStore, key: &str) -> Box<dyn Upload> {
    let mut upload = start(store, key).await;
    write(&mut upload, noise(6 << 20, 5)).await;
    assert_absent(store, key).await;
    upload
}

async fn abort(store: &dyn ObjectStore, prefix: &str) {
    let cleared = store.abort_uploads(prefix).await;
    assert!(cleared.is_ok(), "abort the uploads in {prefix:?}: {cleared:?}");
}

async fn assert_leaves_nothing(store: &dyn ObjectStore, key: &str) {
    assert_absent(store, key).await;
    for prefix in ["nowhere/", "bystander/", key, key] {
        abort(store, prefix).await;
        assert_absent(store, key).await;
    }
    create(store, key, "anew").await;
    assert_holds(store, key, b"anew").await;
}

async fn an_upload_outlives_the_abort_of_others(store: &dyn ObjectStore) {
    let upload = unfinished(store, "running/a").await;
    for prefix in ["elsewhere/", "running/b", "runnin/"] {
        abort(store, prefix).await;
    }
    let finished = upload.finish().await;
    assert!(finished.is_ok(), "{finished:?}");
    assert_holds(store, "running/a", &noise(6 << 20, 5)).await;
}

pub(super) async fn check_races(store: &dyn ObjectStore) {
    for round in 0..4 {
        let key = format!("race/{round}/object");
        let bodies: Vec<Bytes> = (0..6).map(|seed| noise(10_000, seed)).collect();
        let results =
            join_all(bodies.iter().enumerate().map(|(i, body)| write_by(i, store, &key, body)));
        assert_one_won(store, &key, &results.await, &bodies).await;
    }
}

/// Writes an object, every other time as an upload.
async fn write_by(
    number: usize,
    store: &dyn ObjectStore,
    key: &str,
    body: &Bytes,
) -> Result<(), StoreError> {
    if number.is_multiple_of(2) {
        return store.create(key, body.clone()).await;
    }
    let mut upload = store.start_upload(key).await?;
    upload.write(body.clone()).await?;
    upload.finish().await
}
