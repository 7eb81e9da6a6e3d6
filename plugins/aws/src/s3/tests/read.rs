//! Reads that break off.

use bowline_api::{ObjectStore as _, StoreError};
use futures::TryStreamExt as _;

use super::wire::{Reply, refusal, reply, store};

/// Ten bytes of which only the first four come.
fn cut_off() -> Reply {
    reply(200, &[("content-length", "10"), ("etag", "\"version\"")], "0123")
}

#[tokio::test]
async fn a_read_that_breaks_off_goes_on_from_there() {
    let rest = reply(
        206,
        &[("content-length", "6"), ("content-range", "bytes 4-9/10"), ("etag", "\"version\"")],
        "456789",
    );
    let (store, wire) = store([cut_off(), refusal(503, "SlowDown", "slow down"), rest]);
    let read: Vec<_> = store.get("a").await.unwrap().try_collect().await.unwrap();
    assert_eq!(read.concat(), b"0123456789");
    assert_eq!(wire.header(2, "range").as_deref(), Some("bytes=4-9"));
    assert_eq!(wire.header(2, "if-match").as_deref(), Some("\"version\""));
}

#[tokio::test]
async fn a_read_never_goes_on_in_another_object() {
    let changed = refusal(412, "PreconditionFailed", "another by now");
    let gone = refusal(404, "NoSuchKey", "gone");
    let whole = reply(200, &[("content-length", "10"), ("etag", "\"version\"")], "0123456789");
    for then in [changed, gone, whole] {
        let (store, _) = store([cut_off(), then]);
        let read = store.get("a").await.unwrap().try_collect::<Vec<_>>().await;
        let refused = matches!(&read, Err(StoreError::Changed { .. } | StoreError::Failed { .. }));
        assert!(refused, "{read:?}");
    }
}

#[tokio::test]
async fn a_range_that_comes_short_is_read_again() {
    let part =
        |body| reply(206, &[("content-length", "4"), ("content-range", "bytes 2-5/10")], body);
    let (store, _) = store([part("23"), part("2345")]);
    assert_eq!(store.get_range("a", 2..6).await.unwrap(), "2345");
}

#[tokio::test]
async fn a_missing_object_is_told_from_a_missing_bucket() {
    let missing = || reply(404, &[], "");
    let (object, _) = store([missing(), reply(200, &[], "")]);
    let found = object.head("a").await;
    assert!(matches!(found, Err(StoreError::NotFound { .. })), "{found:?}");
    let (bucket, _) = store([missing(), missing()]);
    let found = bucket.head("a").await;
    assert!(matches!(found, Err(StoreError::Failed { .. })), "{found:?}");
}

/// An S3 server answers 404 to a key of an unknown user, too.
#[tokio::test]
async fn a_not_found_that_is_not_about_the_object_does_not_say_that_it_is_missing() {
    for (code, denied) in [("XAdminUserNotFound", true), ("NoSuchVault", false)] {
        let (store, _) = store([refusal(404, code, "no such thing")]);
        let error = store.list_directories("backups/").await.unwrap_err();
        match &error {
            StoreError::Denied { source, .. } if denied => {
                assert!(source.to_string().contains(code));
            }
            StoreError::Failed { source, .. } if !denied => {
                assert!(source.to_string().contains(code));
            }
            _ => panic!("{code}: {error:?}"),
        }
    }
}
