//! Writes whose replies are lost, late or strange.

use std::error::Error as _;

use bowline_api::{ObjectStore as _, StoreError};

use super::wire::{Reply, confirmed, object, refusal, reply, store};

fn not_met() -> Reply {
    refusal(412, "PreconditionFailed", "it exists")
}

#[tokio::test]
async fn a_write_whose_reply_was_lost_is_found_written() {
    for lost in [Reply::Lost, Reply::Silence, refusal(500, "InternalError", "oops")] {
        let (store, wire) = store([lost, not_met(), object("mine")]);
        store.create("a", "mine".into()).await.unwrap();
        assert_eq!(wire.requests(), ["PUT /bucket/a", "PUT /bucket/a", "GET /bucket/a"]);
    }
}

#[tokio::test]
async fn what_another_wrote_meanwhile_is_not_taken_for_ours() {
    for other in ["your", "yours"] {
        let (store, _) = store([Reply::Lost, not_met(), object(other)]);
        let created = store.create("a", "mine".into()).await;
        assert!(matches!(created, Err(StoreError::AlreadyExists { .. })), "{created:?}");
    }
}

/// Not even if it is the same: it was there before.
#[tokio::test]
async fn what_was_there_before_is_not_taken_for_ours() {
    let conflict = refusal(409, "ConditionalRequestConflict", "another write");
    for before in [vec![], vec![conflict], vec![refusal(503, "SlowDown", "slow down")]] {
        let attempts = before.len() + 1;
        let (store, wire) = store(before.into_iter().chain([not_met(), object("mine")]));
        let created = store.create("a", "mine".into()).await;
        assert!(matches!(created, Err(StoreError::AlreadyExists { .. })), "{created:?}");
        assert_eq!(wire.requests().len(), attempts);
    }
}

#[tokio::test]
async fn a_busy_store_is_asked_again() {
    let busy = [
        refusal(503, "SlowDown", "slow down"),
        refusal(429, "TooManyRequests", "slow down"),
        refusal(409, "OperationAborted", "another operation"),
        reply(502, &[], "<html>"),
        refusal(400, "BadDigest", "garbled on the way"),
    ];
    let (store, wire) = store(busy.into_iter().chain([confirmed(b"x")]));
    store.create("a", "x".into()).await.unwrap();
    assert_eq!(wire.requests().len(), 6);
    assert_eq!(wire.header(0, "if-none-match").as_deref(), Some("*"));
}

#[tokio::test]
async fn a_store_that_stays_silent_is_given_up() {
    let (store, _) = store([]);
    let error = store.create("a", "x".into()).await.unwrap_err();
    assert!(matches!(&error, StoreError::Failed { operation: "write", .. }), "{error:?}");
    let reason = error.source().unwrap().to_string();
    assert_eq!(reason, "no answer in time, for s3://bucket/a");
}

#[tokio::test]
async fn what_the_store_has_is_compared_with_what_was_sent() {
    let (other, _) = store([confirmed(b"other"), object("other")]);
    let error = other.create("a", "x".into()).await.unwrap_err();
    assert_eq!(
        error.source().unwrap().to_string(),
        "the store has other bytes than were sent, for s3://bucket/a"
    );
}

#[tokio::test]
async fn a_replacement_whose_reply_was_lost_is_found_written() {
    let (store, wire) = store([Reply::Lost, not_met(), object("new")]);
    let version = store.replace("a", "new".into(), "\"old\"").await.unwrap();
    assert_eq!(version, "\"version\"");
    assert_eq!(wire.header(1, "if-match").as_deref(), Some("\"old\""));
}

#[tokio::test]
async fn what_is_gone_was_changed() {
    let (store, _) = store([refusal(404, "NoSuchKey", "gone")]);
    let replaced = store.replace("a", "new".into(), "\"old\"").await;
    assert!(matches!(replaced, Err(StoreError::Changed { .. })), "{replaced:?}");
}

#[tokio::test]
async fn refusals_are_sorted_by_meaning() {
    let (full, _) = store([refusal(403, "QuotaExceeded", "no more")]);
    let error = full.create("a", "x".into()).await.unwrap_err();
    assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
    let (denied, _) = store([refusal(400, "ExpiredToken", "too old")]);
    let error = denied.create("a", "x".into()).await.unwrap_err();
    assert!(matches!(error, StoreError::Denied { .. }), "{error:?}");
}

#[tokio::test]
async fn the_right_region_is_told() {
    let elsewhere = [("x-amz-bucket-region", "eu-west-1")];
    let (store, _) = store([reply(301, &elsewhere, "")]);
    let error = store.head("a").await.unwrap_err();
    let reason = error.source().unwrap().to_string();
    let expected = "the bucket is in region \"eu-west-1\", not in \"us-east-1\"";
    assert!(reason.starts_with(expected), "{reason}");
}
