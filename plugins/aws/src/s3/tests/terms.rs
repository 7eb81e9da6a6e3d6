//! Stores that take less than S3 does.

use bowline_api::{ObjectStore as _, StoreError};

use super::wire::{described, object, refusal, reply, store, stored};

#[tokio::test]
async fn without_conditional_writes_a_key_is_looked_up_first() {
    let refused = refusal(501, "NotImplemented", "If-None-Match is not implemented");
    let absent = || reply(404, &[], "");
    let replies = [
        refused,
        absent(),
        reply(200, &[], ""),
        super::wire::confirmed(b"x"),
        described(1),
        absent(),
        super::wire::confirmed(b"y"),
    ];
    let (store, wire) = store(replies);
    store.create("a", "x".into()).await.unwrap();
    let created = store.create("a", "x".into()).await;
    assert!(matches!(created, Err(StoreError::AlreadyExists { .. })), "{created:?}");
    store.create("b", "y".into()).await.unwrap();
    let expected = [
        "PUT /bucket/a",
        "HEAD /bucket/a",
        "HEAD /bucket/",
        "PUT /bucket/a",
        "HEAD /bucket/a",
        "HEAD /bucket/b",
        "PUT /bucket/b",
    ];
    assert_eq!(wire.requests(), expected);
    assert_eq!(wire.header(3, "if-none-match"), None);
    assert!(wire.header(3, "x-amz-checksum-sha256").is_some());
    let notices = store.take_notices();
    assert!(notices.len() == 1 && notices[0].contains("conditional"), "{notices:?}");
}

#[tokio::test]
async fn without_sha256_what_was_written_is_checked_by_md5() {
    let refused = refusal(400, "InvalidArgument", "x-amz-checksum-sha256 is unknown");
    let (store, wire) = store([refused, stored(b"x"), stored(b"y")]);
    store.create("a", "x".into()).await.unwrap();
    store.create("b", "y".into()).await.unwrap();
    assert_eq!(wire.requests().len(), 3);
    for request in [1, 2] {
        assert_eq!(wire.header(request, "x-amz-checksum-sha256"), None);
        assert!(wire.header(request, "content-md5").is_some());
        assert!(wire.header(request, "if-none-match").is_some());
    }
    let notices = store.take_notices();
    assert!(notices.len() == 1 && notices[0].contains("MD5"), "{notices:?}");
}

#[tokio::test]
async fn a_checksum_that_is_ignored_is_made_up_for_by_reading_back() {
    let (store, wire) = store([stored(b"x"), object("x"), stored(b"y")]);
    store.create("a", "x".into()).await.unwrap();
    store.create("b", "y".into()).await.unwrap();
    assert_eq!(wire.requests(), ["PUT /bucket/a", "GET /bucket/a", "PUT /bucket/b"]);
    assert_eq!(store.take_notices().len(), 1);
}

#[tokio::test]
async fn another_lack_is_an_error() {
    let (store, wire) = store([refusal(400, "InvalidArgument", "no such storage class")]);
    let created = store.create("a", "x".into()).await;
    assert!(matches!(created, Err(StoreError::Failed { .. })), "{created:?}");
    assert_eq!(wire.requests().len(), 1);
    assert_eq!(store.take_notices(), [""; 0]);
}
