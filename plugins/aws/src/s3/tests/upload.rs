//! Uploads whose end is uncertain.

use bowline_api::{ObjectStore as _, StoreError};

use super::wire::{Reply, Wire, confirmed, described, megabytes, refusal, reply, store, stored};
use crate::s3::S3Store;

const STARTED: &str = "<InitiateMultipartUploadResult><UploadId>id</UploadId>\
                       </InitiateMultipartUploadResult>";
const COMPLETE: &str = "<CompleteMultipartUploadResult><ETag>\"all\"</ETag>\
                        </CompleteMultipartUploadResult>";

/// A store that has taken a part of 8 MiB, and then replies like this.
fn store_with_a_part(then: impl IntoIterator<Item = Reply>) -> (S3Store, Wire) {
    let begin = [
        reply(404, &[], ""),
        reply(200, &[], ""),
        reply(200, &[], STARTED),
        confirmed(&megabytes(8)),
    ];
    store(begin.into_iter().chain(then))
}

async fn upload(store: &S3Store) -> Result<(), StoreError> {
    let mut upload = store.start_upload("a").await?;
    upload.write(megabytes(8)).await?;
    upload.finish().await
}

/// The object as it is read back, 8 MiB of it.
fn read_back(body: &[u8]) -> [Reply; 2] {
    let body = std::str::from_utf8(body).unwrap();
    let part = [("content-length", "8388608"), ("content-range", "bytes 0-8388607/8388608")];
    [described(8 << 20), reply(206, &part, body)]
}

#[tokio::test]
async fn an_upload_whose_completion_was_lost_is_found_complete() {
    for then in [
        refusal(404, "NoSuchUpload", "it is complete"),
        refusal(412, "PreconditionFailed", "it exists"),
    ] {
        let replies = [Reply::Lost, then].into_iter().chain(read_back(&megabytes(8)));
        let (store, wire) = store_with_a_part(replies);
        upload(&store).await.unwrap();
        assert_eq!(wire.header(5, "if-none-match").as_deref(), Some("*"));
    }
}

#[tokio::test]
async fn an_object_that_another_uploaded_is_not_taken_for_ours() {
    let mut other = megabytes(8).to_vec();
    other[5 << 20] = 8;
    let gone = [refusal(404, "NoSuchUpload", "no such"), refusal(404, "NoSuchUpload", "no such")];
    let then = [Reply::Lost, refusal(412, "PreconditionFailed", "it exists")];
    let then = then.into_iter().chain(read_back(&other)).chain([described(8 << 20)]);
    let (store, wire) = store_with_a_part(then.chain(gone));
    let uploaded = upload(&store).await;
    assert!(matches!(uploaded, Err(StoreError::AlreadyExists { .. })), "{uploaded:?}");
    assert!(wire.requests().contains(&"DELETE /bucket/a".to_owned()), "{:?}", wire.requests());
}

#[tokio::test]
async fn an_upload_that_somebody_aborted_fails() {
    let gone = || refusal(404, "NoSuchUpload", "no such");
    let then = [gone(), reply(404, &[], ""), gone(), gone()];
    let (store, _) = store_with_a_part(then);
    let uploaded = upload(&store).await;
    assert!(matches!(uploaded, Err(StoreError::Failed { .. })), "{uploaded:?}");
}

#[tokio::test]
async fn parts_that_are_not_confirmed_are_read_back() {
    let begin = [
        reply(404, &[], ""),
        reply(200, &[], ""),
        reply(200, &[], STARTED),
        stored(&megabytes(8)),
        reply(200, &[], COMPLETE),
    ];
    let (store, wire) = store(begin.into_iter().chain(read_back(&megabytes(8))));
    upload(&store).await.unwrap();
    assert_eq!(wire.requests().len(), 7);
    assert_eq!(store.take_notices().len(), 1);
}

#[tokio::test]
async fn an_upload_is_aborted_where_a_part_is_refused() {
    let gone = || refusal(404, "NoSuchUpload", "no such");
    let begin = [
        reply(404, &[], ""),
        reply(200, &[], ""),
        reply(200, &[], STARTED),
        refusal(403, "AccessDenied", "no more"),
        reply(204, &[], ""),
        gone(),
    ];
    let (store, wire) = store(begin);
    let uploaded = upload(&store).await;
    assert!(matches!(uploaded, Err(StoreError::Denied { .. })), "{uploaded:?}");
    assert_eq!(wire.requests()[4], "DELETE /bucket/a");
}

/// Without checksums, and looked up before it is completed.
#[tokio::test]
async fn an_upload_makes_do_with_less() {
    let absent = || reply(404, &[], "");
    let begin = [
        absent(),
        reply(200, &[], ""),
        refusal(501, "NotImplemented", "x-amz-checksum-algorithm"),
        reply(200, &[], STARTED),
        stored(&megabytes(8)),
        refusal(501, "NotImplemented", "If-None-Match"),
        absent(),
        reply(200, &[], COMPLETE),
    ];
    let (store, wire) = store(begin);
    upload(&store).await.unwrap();
    assert!(wire.header(4, "content-md5").is_some());
    assert_eq!(wire.header(7, "if-none-match"), None);
    assert_eq!(store.take_notices().len(), 2);
}
