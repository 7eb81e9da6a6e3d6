//! What is missing before EC2 is ever reached.

use std::fs;

use bowline_api::{SnapshotterError, VolumeSnapshotter as _};
use bowline_aws::{Connection, EbsOptions, EbsSnapshotter};

/// Nobody listens there, nor has to.
const NOWHERE: &str = "http://127.0.0.1:1";

async fn look(connection: Connection) -> SnapshotterError {
    let options = EbsOptions { connection, ..EbsOptions::default() };
    EbsSnapshotter::new(options).volume("vol-1").await.unwrap_err()
}

#[tokio::test]
async fn without_credentials_the_refusal_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("credentials");
    fs::write(&path, "[empty]\nregion = us-east-1\n").unwrap();
    let error = look(Connection {
        region: Some("us-east-1".to_owned()),
        profile: Some("empty".to_owned()),
        credentials_file: Some(path),
        endpoint: Some(NOWHERE.to_owned()),
        ..Connection::default()
    })
    .await;
    let SnapshotterError::Refused { what, reason } = error else { panic!("{error:?}") };
    assert_eq!(what, "volume vol-1 in us-east-1");
    assert!(reason.starts_with("no usable AWS credentials: "), "{reason}");
}

#[tokio::test]
async fn a_credentials_file_that_is_missing_is_named() {
    let credentials_file = Some("/nowhere/credentials".into());
    let error = look(Connection { credentials_file, ..Connection::default() }).await;
    assert!(matches!(error, SnapshotterError::Refused { .. }), "{error:?}");
    assert!(error.to_string().contains("/nowhere/credentials"), "{error}");
}
