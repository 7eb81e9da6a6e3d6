//! A multipart upload, from its start to its end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use aws_sdk_s3::operation::upload_part::UploadPartOutput;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use bowline_api::StoreError;
use bytes::Bytes;
use tokio::runtime;
use tokio::time::timeout;

use super::checksum::{Algorithm, Confirmation, Digest, composite};
use super::client::{Client, with_customer_key, with_properties};
use super::error::{Fault, Kind};
use super::retry::{Failure, Retries};
use super::terms::Terms;
use super::{abort, read};

/// How long a thread may take to begin.
const BEGIN: Duration = Duration::from_secs(1);
/// How long a dropped upload may take to be aborted.
const LAST_CALL: Duration = Duration::from_secs(4);

/// A multipart upload that was started.
///
/// One whose process was killed, or of whose start the reply was lost, stays until all uploads below
/// its key are aborted.
#[derive(Debug)]
pub(super) struct Session {
    client: Arc<Client>,
    key: String,
    id: String,
    ended: AtomicBool,
}

/// A part that S3 has.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) number: i32,
    etag: String,
    pub(super) digest: Digest,
    pub(super) size: u64,
    /// Whether the reply confirmed the digest.
    confirmed: bool,
}

impl Session {
    pub(super) async fn start(client: Arc<Client>, key: &str) -> Result<Self, Failure> {
        let known = Terms { conditional: false, ..client.knowledge.terms() };
        let mut terms = known;
        let id = loop {
            match create(&client, key, terms.algorithm).await {
                Ok(id) => break id,
                Err(failure) => match terms.weaker(known, &failure.fault) {
                    Some(weaker) => terms = weaker,
                    None => return Err(failure),
                },
            }
        };
        if terms.algorithm == Algorithm::Md5 {
            client.knowledge.give_up_sha256();
        }
        Ok(Self { client, key: key.to_owned(), id, ended: AtomicBool::new(false) })
    }

    /// Sends a part; sent twice, the second replaces the first.
    pub(super) async fn send(&self, number: i32, body: Bytes) -> Result<Part, Failure> {
        let knowledge = &self.client.knowledge;
        let mut retries = Retries::new(self.client.patience, body.len() as u64);
        loop {
            let digest = Digest::of(knowledge.algorithm(), &body).await;
            let terms = Terms { algorithm: digest.algorithm(), conditional: false };
            let reply = match self.send_part(number, &body, &digest).await {
                Err(failure) if terms.weaker(terms, &failure.fault).is_some() => {
                    knowledge.give_up_sha256();
                    continue;
                }
                reply => reply?,
            };
            let confirmation = digest.confirmed_by(reply.checksum_sha256(), reply.e_tag());
            match (terms.algorithm, confirmation) {
                (Algorithm::Sha256, Confirmation::Other) => {
                    let words = format!("part {number} has another checksum than was sent");
                    retries.pause(Fault::new(Kind::Doubtful, words), true).await?;
                    continue;
                }
                (_, Confirmation::Silent) => knowledge.give_up_sha256(),
                _ => {}
            }
            let etag = reply.e_tag.ok_or_else(|| Failure::other("the reply tells no ETag"))?;
            let (size, confirmed) = (body.len() as u64, confirmation == Confirmation::Same);
            return Ok(Part { number, etag, digest, size, confirmed });
        }
    }

    async fn send_part(
        &self,
        number: i32,
        body: &Bytes,
        digest: &Digest,
    ) -> Result<UploadPartOutput, Failure> {
        let client = &self.client;
        let call = || {
            let request = client
                .sdk
                .upload_part()
                .bucket(&client.options.bucket)
                .key(client.options.full_key(&self.key))
                .upload_id(&self.id)
                .part_number(number)
                .set_checksum_sha256(digest.sha256())
                .set_content_md5(digest.md5())
                .body(body.clone().into());
            with_customer_key!(request, client).send()
        };
        client.call(body.len() as u64, call).await
    }

    /// Makes an object of the parts, if its key still does not exist.
    pub(super) async fn complete(&self, mut parts: Vec<Part>) -> Result<(), StoreError> {
        parts.sort_by_key(|part| part.number);
        let completed = match self.request_completion(&parts).await {
            Ok(told) => self.check(&parts, told.as_deref()).await,
            Err(failure) => self.look_for(&parts, failure).await,
        };
        match completed {
            Ok(()) => {
                self.ended.store(true, Ordering::Relaxed);
                Ok(())
            }
            Err(failure) => {
                drop(self.abort().await);
                Err(match failure.kind() {
                    Kind::Precondition => StoreError::AlreadyExists { key: self.key.clone() },
                    _ => self.client.refused("write", &self.key, failure),
                })
            }
        }
    }

    /// Gives back the checksum that S3 tells.
    async fn request_completion(&self, parts: &[Part]) -> Result<Option<String>, Failure> {
        let knowledge = &self.client.knowledge;
        let known = Terms { algorithm: Algorithm::Md5, ..knowledge.terms() };
        let mut terms = known;
        let mut ambiguous = false;
        loop {
            let failure = match self.request_by(terms, parts).await {
                Ok(told) => {
                    knowledge.settle(Terms { algorithm: knowledge.algorithm(), ..terms });
                    return Ok(told);
                }
                Err(failure) => failure,
            };
            ambiguous |= failure.ambiguous;
            match terms.weaker(known, &failure.fault) {
                Some(weaker) => terms = weaker,
                None => return Err(Failure { ambiguous, ..failure }),
            }
        }
    }

    async fn request_by(&self, terms: Terms, parts: &[Part]) -> Result<Option<String>, Failure> {
        let client = &self.client;
        if !terms.conditional {
            match read::head(client, &self.key).await {
                Err(failure) if failure.kind() == Kind::NoObject => {}
                Err(failure) => return Err(failure),
                Ok(_) => return Err(Failure::not_met(false)),
            }
        }
        let parts = parts.iter().map(Part::completed).collect();
        let request = client
            .sdk
            .complete_multipart_upload()
            .bucket(&client.options.bucket)
            .key(client.options.full_key(&self.key))
            .upload_id(&self.id)
            .set_if_none_match(terms.conditional.then(|| "*".to_owned()))
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts)).build());
        let request = with_customer_key!(request, client);
        // S3 may take minutes to join many parts.
        let weight = 64 << 20;
        let reply = client.call(weight, || request.clone().send()).await?;
        Ok(reply.checksum_sha256)
    }

    /// Checks what S3 made of the parts.
    async fn check(&self, parts: &[Part], told: Option<&str>) -> Result<(), Failure> {
        let all_confirmed = parts.iter().all(|part| part.confirmed);
        let same = match (composite(parts.iter().map(|part| &part.digest)), told) {
            (Some(expected), Some(told)) => expected == told,
            _ => all_confirmed,
        };
        if same || self.holds(parts).await? {
            return Ok(());
        }
        Err(Failure::other("the store has other bytes than were sent"))
    }

    /// Where an attempt whose reply was lost may be what the completion fails on, our own bytes
    /// below the key are success.
    async fn look_for(&self, parts: &[Part], failure: Failure) -> Result<(), Failure> {
        if !matches!(failure.kind(), Kind::Precondition | Kind::NoUpload) {
            return Err(failure);
        }
        if failure.ambiguous && self.holds(parts).await? {
            return Ok(());
        }
        match read::head(&self.client, &self.key).await {
            Ok(_) => Err(Failure::not_met(false)),
            // Somebody aborted it, or S3 did after a conflict with a delete.
            Err(missing) if missing.kind() == Kind::NoObject => Err(failure),
            Err(unread) => Err(unread),
        }
    }

    /// Whether the object consists of the parts, by their digests.
    async fn holds(&self, parts: &[Part]) -> Result<bool, Failure> {
        let expected: Vec<(u64, &Digest)> =
            parts.iter().map(|part| (part.size, &part.digest)).collect();
        match read::consists_of(&self.client, &self.key, &expected).await {
            Err(failure) if failure.kind() == Kind::NoObject => Ok(false),
            result => result,
        }
    }

    /// Discards all parts, if the upload neither is complete nor was aborted, when nobody waits for
    /// it any more.
    ///
    /// A blocking task does it, as a runtime that shuts down with a timeout waits for those only, and
    /// only if they have begun: that is waited for here.
    pub(super) fn abort_behind(self: &Arc<Self>) {
        if self.ended.swap(true, Ordering::Relaxed) {
            return;
        }
        let Ok(current) = runtime::Handle::try_current() else { return };
        let session = Arc::clone(self);
        let (begun, has_begun) = mpsc::channel();
        drop(current.spawn_blocking(move || {
            begun.send(()).ok();
            session.abort_apart();
        }));
        has_begun.recv_timeout(BEGIN).ok();
    }

    /// Aborts on a runtime of its own: the current one may be about to end, and its connections with
    /// it.
    fn abort_apart(&self) {
        let Ok(own) = runtime::Builder::new_current_thread().enable_all().build() else { return };
        let key = self.client.options.full_key(&self.key);
        let abort = async { abort::one(&self.client.apart().await, &key, &self.id).await };
        drop(own.block_on(async { timeout(LAST_CALL, abort).await }));
    }

    /// Discards all parts.
    pub(super) async fn abort(&self) -> Result<(), Failure> {
        let client = &self.client;
        abort::one(client, &client.options.full_key(&self.key), &self.id).await?;
        self.ended.store(true, Ordering::Relaxed);
        Ok(())
    }
}

async fn create(client: &Client, key: &str, algorithm: Algorithm) -> Result<String, Failure> {
    let sha256 = (algorithm == Algorithm::Sha256).then_some(ChecksumAlgorithm::Sha256);
    let request = client
        .sdk
        .create_multipart_upload()
        .bucket(&client.options.bucket)
        .key(client.options.full_key(key))
        .set_checksum_algorithm(sha256);
    let request = with_properties!(request, client);
    let reply = client.call(0, || request.clone().send()).await?;
    reply.upload_id.ok_or_else(|| Failure::other("the reply tells no upload id"))
}

impl Part {
    fn completed(&self) -> CompletedPart {
        CompletedPart::builder()
            .part_number(self.number)
            .e_tag(&self.etag)
            .set_checksum_sha256(self.digest.sha256())
            .build()
    }
}
