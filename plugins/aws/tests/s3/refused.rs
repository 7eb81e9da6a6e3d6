//! A store that can't be used says why.

use std::error::Error as _;
use std::fs;

use bowline_api::{ObjectStore as _, StoreError};
use bowline_aws::{Connection, Encryption, S3Options, S3Store};
use futures::TryStreamExt as _;

use crate::server::{self, Server};

/// The reason that the store gives.
fn reason(error: &StoreError) -> String {
    error.source().map(ToString::to_string).unwrap_or_default()
}

#[tokio::test]
async fn wrong_credentials_are_denied() {
    let server = Server::start().await;
    let bucket = server.new_bucket().await;
    let wrong = server.files().join("wrong");
    fs::write(&wrong, server::credentials("wrong")).unwrap();
    let connection = Connection { credentials_file: Some(wrong), ..bucket.connection.clone() };
    let store = S3Store::new(S3Options { connection, ..bucket });
    let error = store.create("a", "x".into()).await.unwrap_err();
    assert!(matches!(&error, StoreError::Denied { key, .. } if key == "a"), "{error:?}");
    let reason = reason(&error);
    assert!(reason.starts_with("SignatureDoesNotMatch: "), "{reason}");
    assert!(reason.ends_with("for s3://bucket-0/a"), "{reason}");
    let error = store.head("a").await.unwrap_err();
    assert!(matches!(&error, StoreError::Denied { .. }), "{error:?}");
}

#[tokio::test]
async fn credentials_that_are_not_there_are_denied() {
    let server = Server::start().await;
    let bucket = server.new_bucket().await;
    let empty = server.files().join("empty");
    fs::write(&empty, "[other]\n").unwrap();
    let connection = Connection { credentials_file: Some(empty), ..bucket.connection.clone() };
    let store = S3Store::new(S3Options { connection, ..bucket });
    let error = store.create("a", "x".into()).await.unwrap_err();
    assert!(matches!(&error, StoreError::Denied { .. }), "{error:?}");
    assert!(reason(&error).contains("credentials"), "{error:?}");
}

/// Nothing of a bucket that is not there may look as if just the object were missing.
#[tokio::test]
async fn a_missing_bucket_is_not_a_missing_object() {
    let server = Server::start().await;
    let store = || S3Store::new(server.options("nowhere"));
    let errors = [
        store().head("a").await.unwrap_err(),
        store().get("a").await.map(drop).unwrap_err(),
        store().create("a", "x".into()).await.unwrap_err(),
        store().start_upload("a").await.unwrap_err(),
        store().list("").try_collect::<Vec<_>>().await.unwrap_err(),
        store().delete("a").await.unwrap_err(),
        store().protection().await.unwrap_err(),
        store().abort_uploads("").await.unwrap_err(),
        store().replace("a", "x".into(), "\"1\"").await.unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(&error, StoreError::Failed { .. }), "{error:?}");
        let reason = reason(&error);
        assert!(reason.starts_with("the bucket \"nowhere\" does not exist"), "{reason}");
    }
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_is_told_in_words() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let connection = Connection {
        endpoint: Some(format!("http://{closed}")),
        profile: None,
        ..Connection::default()
    };
    let connection = Connection { region: Some("us-east-1".to_owned()), ..connection };
    let files = tempfile::tempdir().unwrap();
    let credentials = files.path().join("credentials");
    fs::write(&credentials, server::credentials("any")).unwrap();
    let connection = Connection { credentials_file: Some(credentials), ..connection };
    let bucket = "bucket".to_owned();
    let store = S3Store::new(S3Options { connection, bucket, ..S3Options::default() });
    let error = store.head("a").await.unwrap_err();
    assert!(matches!(&error, StoreError::Failed { .. }), "{error:?}");
    assert!(reason(&error).contains("Connection refused"), "{}", reason(&error));
}

#[tokio::test]
async fn a_key_of_the_wrong_length_is_refused_before_it_is_used() {
    let server = Server::start().await;
    let short = server.files().join("short");
    fs::write(&short, [7; 31]).unwrap();
    let encryption = Encryption::Customer(short);
    let store = S3Store::new(S3Options { encryption, ..server.new_bucket().await });
    let error = store.create("a", "x".into()).await.unwrap_err();
    assert!(reason(&error).contains("it has 31 bytes, not 32"), "{}", reason(&error));
}
