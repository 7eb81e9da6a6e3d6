//! What lies in the bucket, read without any help from bowline.

use std::io::Read as _;

use bowline_testkit::Cloud;
use flate2::read::MultiGzDecoder;
use http::{HeaderMap, Method};
use serde_json::Value;

/// The keys of a location below a prefix, without what they have in common.
pub(super) async fn keys(cloud: &Cloud, prefix: &str) -> Vec<String> {
    let prefix = format!("lab/{prefix}");
    let keys = cloud.s3().keys(cloud.bucket()).await.unwrap();
    keys.iter().filter_map(|key| Some(key.strip_prefix(&prefix)?.to_owned())).collect()
}

/// A document, unpacked if its name says that it is packed.
pub(super) async fn json(cloud: &Cloud, key: &str) -> Value {
    let path = format!("/{}/lab/{key}", cloud.bucket());
    let response = cloud.s3().request(&Method::GET, &path, &[], "").await.unwrap();
    assert!(response.status().is_success(), "{key}: {response:?}");
    let body = response.into_body();
    let mut text = Vec::new();
    match key.strip_suffix(".gz") {
        Some(_) => drop(MultiGzDecoder::new(&body[..]).read_to_end(&mut text).unwrap()),
        None => text.extend_from_slice(&body),
    }
    serde_json::from_slice(&text).unwrap()
}

/// What is told of an object beside its content.
pub(super) async fn headers(cloud: &Cloud, key: &str) -> HeaderMap {
    let path = format!("/{}/lab/{key}", cloud.bucket());
    let response = cloud.s3().request(&Method::HEAD, &path, &[], "").await.unwrap();
    assert!(response.status().is_success(), "{key}: {response:?}");
    response.headers().clone()
}
