//! Uploads that nobody finishes are discarded.

use std::time::Duration;

use aws_sdk_s3::types::MultipartUpload;

use super::client::Client;
use super::error::Kind;
use super::retry::{Failure, sleep};

/// How often an upload is aborted whose parts were still on their way.
const ROUNDS: usize = 5;
/// How long a part that was on its way may take to arrive.
const ARRIVAL: Duration = Duration::from_millis(300);

/// Discards one upload; one that is gone is discarded already.
///
/// A part that arrives at the same moment may outlive it, so that S3 has one look and abort again
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html>). A look that
/// comes before the part sees nothing: only the second one that does counts.
pub(super) async fn one(client: &Client, full_key: &str, id: &str) -> Result<(), Failure> {
    let mut seen_gone = false;
    for _ in 0..ROUNDS {
        let request = client.sdk.abort_multipart_upload();
        let request = request.bucket(&client.options.bucket).key(full_key).upload_id(id);
        unless_gone(client.call(0, || request.clone().send()).await.map(drop))?;
        match (has_parts(client, full_key, id).await?, seen_gone) {
            (true, _) => seen_gone = false,
            (false, true) => return Ok(()),
            (false, false) => {
                seen_gone = true;
                sleep(ARRIVAL).await;
            }
        }
    }
    Err(Failure::other("the upload still has parts after it was aborted"))
}

async fn has_parts(client: &Client, full_key: &str, id: &str) -> Result<bool, Failure> {
    let request = client.sdk.list_parts().max_parts(1);
    let request = request.bucket(&client.options.bucket).key(full_key).upload_id(id);
    match client.call(0, || request.clone().send()).await {
        Ok(_) => Ok(true),
        // It is a right of its own, and only a second look.
        Err(failure) if failure.kind() == Kind::Denied => Ok(false),
        Err(failure) => unless_gone(Err(failure)).map(|()| false),
    }
}

fn unless_gone(result: Result<(), Failure>) -> Result<(), Failure> {
    match result {
        Err(failure) if !matches!(failure.kind(), Kind::NoUpload | Kind::NoObject) => Err(failure),
        _ => Ok(()),
    }
}

/// Discards all uploads of keys that start with `prefix`.
pub(super) async fn below(client: &Client, prefix: &str) -> Result<(), Failure> {
    let mut after: Option<(String, String)> = None;
    loop {
        let request = client
            .sdk
            .list_multipart_uploads()
            .bucket(&client.options.bucket)
            .prefix(client.options.full_key(prefix))
            .set_key_marker(after.as_ref().map(|(key, _)| key.clone()))
            .set_upload_id_marker(after.as_ref().map(|(_, id)| id.clone()));
        let page = client.call(0, || request.clone().send()).await?;
        for upload in page.uploads() {
            discard(client, upload).await?;
        }
        if !page.is_truncated.unwrap_or_default() {
            return Ok(());
        }
        let next = page.next_key_marker.zip(page.next_upload_id_marker);
        if next.is_none() || next == after {
            return Err(Failure::other(
                "the store does not tell where its list of uploads goes on",
            ));
        }
        after = next;
    }
}

async fn discard(client: &Client, upload: &MultipartUpload) -> Result<(), Failure> {
    match (upload.key(), upload.upload_id()) {
        (Some(key), Some(id)) => one(client, key, id).await,
        _ => Err(Failure::other("the list of uploads is incomplete")),
    }
}
