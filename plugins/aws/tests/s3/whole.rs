//! Objects that are written and read at once, and how they are guarded.

use std::time::Duration;

use aws_sdk_s3::types::{
    DefaultRetention, ObjectLockConfiguration, ObjectLockEnabled, ObjectLockLegalHold,
    ObjectLockLegalHoldStatus, ObjectLockRetention, ObjectLockRetentionMode, ObjectLockRule,
};
use bowline_api::{ObjectStore as _, Retention, Setting};
use bowline_aws::{S3Options, S3Store};
use jiff::Timestamp;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::server::Server;

#[tokio::test]
async fn an_object_carries_its_tags_and_no_content_encoding() {
    let server = Server::start().await;
    let bucket = server.new_bucket().await;
    let tags =
        vec![("team".to_owned(), "a b+c=d/e".to_owned()), ("app".to_owned(), "ü".to_owned())];
    let store = S3Store::new(S3Options { tags: tags.clone(), ..bucket.clone() });
    store.create("a", "x".into()).await.unwrap();

    let sdk = server.sdk();
    let tagging = sdk.get_object_tagging().bucket(&bucket.bucket).key("a").send().await.unwrap();
    let mut found: Vec<_> = tagging
        .tag_set()
        .iter()
        .map(|tag| (tag.key().to_owned(), tag.value().to_owned()))
        .collect();
    found.sort_by(|a, b| b.cmp(a));
    assert_eq!(found, tags);
    let head = sdk.head_object().bucket(&bucket.bucket).key("a").send().await.unwrap();
    assert_eq!(head.content_encoding(), None);
}

#[tokio::test]
async fn a_signed_url_is_read_without_credentials() {
    let server = Server::start().await;
    let store = server.new_store().await;
    store.create("a/b c", "content".into()).await.unwrap();
    let url = store.presigned_url("a/b c", Duration::from_mins(1)).await.unwrap().unwrap();
    let (status, body) = get(&url).await;
    assert_eq!((status, body.as_str()), (200, "content"));
    let (status, _) = get(url.split('?').next().unwrap()).await;
    assert_eq!(status, 403);
}

/// Reads a URL as curl would.
async fn get(url: &str) -> (u16, String) {
    let (authority, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut connection = TcpStream::connect(authority).await.unwrap();
    let request = format!("GET /{path} HTTP/1.0\r\nHost: {authority}\r\n\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut reply = String::new();
    connection.read_to_string(&mut reply).await.unwrap();
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[tokio::test]
async fn a_signed_url_begins_with_the_public_one() {
    let server = Server::start().await;
    let public_url = Some("https://files.example.com".to_owned());
    let store = S3Store::new(S3Options { public_url, ..server.new_bucket().await });
    let url = store.presigned_url("a", Duration::from_mins(1)).await.unwrap().unwrap();
    assert!(url.starts_with("https://files.example.com/bucket-0/a?"), "{url}");
    assert!(store.presigned_url("a", Duration::from_hours(24 * 8)).await.is_err());
}

#[tokio::test]
async fn a_retained_object_tells_until_when() {
    let server = Server::start().await;
    let bucket = server.new_locked_bucket().await;
    let store = S3Store::new(bucket.clone());
    for key in ["free", "retained", "held"] {
        store.create(key, "x".into()).await.unwrap();
    }
    let until = Timestamp::new(4_102_444_800, 0).unwrap();
    let retention = ObjectLockRetention::builder()
        .mode(ObjectLockRetentionMode::Compliance)
        .retain_until_date(aws_sdk_s3::primitives::DateTime::from_secs(until.as_second()));
    let sdk = server.sdk();
    let put = sdk.put_object_retention().bucket(&bucket.bucket).key("retained");
    put.retention(retention.build()).send().await.unwrap();
    let hold = ObjectLockLegalHold::builder().status(ObjectLockLegalHoldStatus::On).build();
    let put = sdk.put_object_legal_hold().bucket(&bucket.bucket).key("held");
    put.legal_hold(hold).send().await.unwrap();

    assert_eq!(store.retention("free").await.unwrap(), None);
    assert_eq!(store.retention("retained").await.unwrap(), Some(Retention { until: Some(until) }));
    assert_eq!(store.retention("held").await.unwrap(), Some(Retention { until: None }));
    assert!(store.retention("nothing").await.is_err());
}

#[tokio::test]
async fn an_object_locked_bucket_takes_objects_of_all_sizes() {
    let server = Server::start().await;
    let store = S3Store::new(server.new_locked_bucket().await);
    store.create("small", "x".into()).await.unwrap();
    let mut upload = store.start_upload("large").await.unwrap();
    upload.write(vec![7; 20 << 20].into()).await.unwrap();
    upload.finish().await.unwrap();
    assert_eq!(store.head("large").await.unwrap().size, 20 << 20);
}

#[tokio::test]
async fn the_settings_of_a_bucket_are_told() {
    let server = Server::start().await;
    let plain = server.new_store().await.protection().await.unwrap();
    assert_eq!((plain.versioning, plain.object_lock), (Setting::Off, Setting::Off));

    let bucket = server.new_locked_bucket().await;
    let store = S3Store::new(bucket.clone());
    let locked = store.protection().await.unwrap();
    assert_eq!(locked.versioning, Setting::On("enabled".to_owned()));
    assert_eq!(locked.object_lock, Setting::On("no default period".to_owned()));
    let days = DefaultRetention::builder().mode(ObjectLockRetentionMode::Compliance).days(30);
    let lock = ObjectLockConfiguration::builder()
        .object_lock_enabled(ObjectLockEnabled::Enabled)
        .rule(ObjectLockRule::builder().default_retention(days.build()).build());
    let put = server.sdk().put_object_lock_configuration().bucket(&bucket.bucket);
    put.object_lock_configuration(lock.build()).send().await.unwrap();
    let locked = store.protection().await.unwrap();
    assert_eq!(locked.object_lock, Setting::On("COMPLIANCE for 30 days".to_owned()));
}

#[tokio::test]
async fn what_others_keep_under_odd_names_is_no_object() {
    let server = Server::start().await;
    let bucket = server.new_bucket().await;
    let store = S3Store::new(S3Options { prefix: "ours".to_owned(), ..bucket.clone() });
    store.create("backups/a", "x".into()).await.unwrap();
    for key in ["ours/", "ours/backups/", "oursandmore/a", "ours/.hidden"] {
        server.sdk().put_object().bucket(&bucket.bucket).key(key).send().await.unwrap();
    }
    let listed = store.list("");
    let listed: Vec<_> = futures::TryStreamExt::try_collect(listed).await.unwrap();
    let keys: Vec<&str> = listed.iter().map(|object| object.key.as_str()).collect();
    assert_eq!(keys, ["backups/a"]);
    assert_eq!(store.list_directories("").await.unwrap(), ["backups"]);
}
