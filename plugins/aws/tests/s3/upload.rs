//! Objects that are written in parts.

use std::time::Duration;

use bowline_api::{ObjectStore as _, StoreError};
use bowline_aws::{S3Options, S3Store};
use bytes::Bytes;
use futures::TryStreamExt as _;
use sha2::{Digest as _, Sha256};

use crate::server::Server;

/// The ids of the uploads that a bucket knows of.
async fn unfinished(server: &Server, bucket: &str) -> usize {
    let listed = server.sdk().list_multipart_uploads().bucket(bucket).send().await.unwrap();
    listed.uploads().len()
}

/// The bytes of the `number`th megabyte.
fn megabyte(number: u32) -> Bytes {
    let bytes = (0..1 << 20_u32).map(|i| (i / 9 + number).to_le_bytes()[(i % 3) as usize]);
    bytes.collect::<Vec<u8>>().into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_of_many_parts_is_what_was_written() {
    let server = Server::start().await;
    let bucket = server.new_bucket().await;
    let store = S3Store::new(bucket.clone());
    let mut upload = store.start_upload("large").await.unwrap();
    let mut written = Sha256::new();
    for number in 0..45 {
        written.update(megabyte(number));
        upload.write(megabyte(number)).await.unwrap();
    }
    upload.finish().await.unwrap();

    let read = store.get("large").await.unwrap();
    let read: Sha256 = read
        .try_fold(Sha256::new(), async |digest, piece| Ok(digest.chain_update(piece)))
        .await
        .unwrap();
    assert_eq!(read.finalize(), written.finalize());
    let head = server.sdk().head_object().bucket(&bucket.bucket).key("large");
    let parts = head.part_number(1).send().await.unwrap().parts_count();
    assert_eq!(parts, Some(6));
    assert_eq!(unfinished(&server, &bucket.bucket).await, 0);
    assert_eq!(store.take_notices(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_is_given_up_leaves_no_parts() {
    let server = Server::start().await;
    let bucket = server.new_bucket().await;
    let store = S3Store::new(bucket.clone());
    let mut aborted = store.start_upload("aborted").await.unwrap();
    aborted.write(vec![1; 30 << 20].into()).await.unwrap();
    assert_eq!(unfinished(&server, &bucket.bucket).await, 1);
    aborted.abort().await.unwrap();
    assert_eq!(unfinished(&server, &bucket.bucket).await, 0);

    let mut late = store.start_upload("late").await.unwrap();
    late.write(vec![1; 30 << 20].into()).await.unwrap();
    store.create("late", "first".into()).await.unwrap();
    let finished = late.finish().await;
    assert!(matches!(finished, Err(StoreError::AlreadyExists { .. })), "{finished:?}");
    assert_eq!(unfinished(&server, &bucket.bucket).await, 0);
}

/// As the program ends: the runtime stops, and waits a little for work that clears up.
#[test]
fn an_upload_that_is_dropped_as_the_runtime_ends_leaves_no_parts() {
    let observer = tokio::runtime::Runtime::new().unwrap();
    let server = observer.block_on(Server::start());
    let bucket = observer.block_on(server.new_bucket());
    let ending = tokio::runtime::Runtime::new().unwrap();
    let upload = ending.block_on(async {
        let store = S3Store::new(bucket.clone());
        let mut upload = store.start_upload("dropped").await.unwrap();
        upload.write(vec![1; 30 << 20].into()).await.unwrap();
        upload
    });
    assert_eq!(observer.block_on(unfinished(&server, &bucket.bucket)), 1);
    ending.block_on(async { drop(upload) });
    ending.shutdown_timeout(Duration::from_secs(5));
    assert_eq!(observer.block_on(unfinished(&server, &bucket.bucket)), 0);
}

/// What a killed process left is cleared by another, below the prefix that it names.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_of_others_are_aborted_by_prefix() {
    let server = Server::start().await;
    let bucket = server.new_bucket().await;
    for key in ["ours/backups/a/tar", "ours/backups/a/log", "ours/backups/b/tar", "other/x"] {
        let start = server.sdk().create_multipart_upload().bucket(&bucket.bucket);
        start.key(key).send().await.unwrap();
    }
    let store = S3Store::new(S3Options { prefix: "ours".to_owned(), ..bucket.clone() });
    store.abort_uploads("backups/a/").await.unwrap();
    assert_eq!(unfinished(&server, &bucket.bucket).await, 2);
    store.abort_uploads("").await.unwrap();
    assert_eq!(unfinished(&server, &bucket.bucket).await, 1);
}
