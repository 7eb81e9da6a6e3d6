//! Where a bucket is found to be.

use std::error::Error as _;

use bowline_api::StoreError;

use super::wire::{Reply, Wire, refusal, reply, sdk_config_with};
use crate::Connection;
use crate::s3::error::refusal as store_error;
use crate::s3::options::S3Options;
use crate::s3::region;

async fn find(replies: Vec<Reply>) -> (Result<Option<String>, StoreError>, Wire) {
    let (config, wire) = sdk_config_with(None, replies);
    let options = S3Options { bucket: "bucket".to_owned(), ..S3Options::default() };
    let found = region::of(&config, &options, super::wire::PATIENCE).await;
    let found = found.map(|region| region.map(|region| region.to_string()));
    (found.map_err(|failure| store_error("read", "a", failure, &options, None)), wire)
}

/// S3 tells it whoever asks, and however it answers.
#[tokio::test]
async fn a_bucket_is_where_s3_says() {
    for status in [200, 301, 400, 403] {
        let told = [("x-amz-bucket-region", "eu-west-1")];
        let (found, wire) = find(vec![reply(503, &[], ""), reply(status, &told, "")]).await;
        assert_eq!(found.unwrap().as_deref(), Some("eu-west-1"), "{status}");
        let asked = "HEAD https://bucket.s3.us-east-1.amazonaws.com/";
        assert_eq!(wire.requests(), [asked, asked]);
        assert_eq!(wire.header(1, "authorization"), None);
    }
}

#[tokio::test]
async fn a_bucket_that_is_nowhere_is_named() {
    let (found, _) = find(vec![refusal(404, "", "")]).await;
    let error = found.unwrap_err();
    assert!(matches!(error, StoreError::Failed { .. }), "{error:?}");
    let reason = error.source().unwrap().to_string();
    assert!(reason.starts_with("the bucket \"bucket\" does not exist"), "{reason}");
}

#[tokio::test]
async fn a_region_that_is_given_is_not_asked_for() {
    let (config, wire) = sdk_config_with(None, []);
    let config = config.into_builder().region(aws_config::Region::new("us-west-2")).build();
    let connection = Connection { region: Some("us-west-2".to_owned()), ..Connection::default() };
    let options = S3Options { connection, ..S3Options::default() };
    let found = region::of(&config, &options, super::wire::PATIENCE).await.unwrap();
    assert_eq!(found.unwrap().as_ref(), "us-west-2");
    let bucket = "arn:aws:s3:eu-north-1:123456789012:accesspoint/ours".to_owned();
    let options = S3Options { bucket, ..S3Options::default() };
    let found = region::of(&config, &options, super::wire::PATIENCE).await.unwrap();
    assert_eq!(found.unwrap().as_ref(), "eu-north-1");
    assert!(wire.requests().is_empty());
}
