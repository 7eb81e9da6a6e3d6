//! Objects are read, whole and in part.

use std::ops::Range;
use std::sync::Arc;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::{ByteStream as Body, DateTime};
use bowline_api::{ByteStream, ObjectMeta, StoreError};
use bytes::{Bytes, BytesMut};
use futures::stream::{self, StreamExt as _};
use jiff::Timestamp;
use tokio::time::timeout;

use super::checksum::Digest;
use super::client::{Client, with_customer_key};
use super::error::{Fault, Kind, full_text};
use super::retry::{Failure, Retries};

/// Describes an object.
pub(super) async fn head(client: &Client, key: &str) -> Result<ObjectMeta, Failure> {
    let head = head_object(client, key).await?;
    let size = head.content_length().and_then(|length| u64::try_from(length).ok());
    let size = size.ok_or_else(|| Failure::other("the reply tells no length"))?;
    Ok(ObjectMeta {
        key: key.to_owned(),
        size,
        modified: timestamp(head.last_modified())?,
        version: head.e_tag.ok_or_else(|| Failure::other("the reply tells no ETag"))?,
    })
}

/// Asks for all that S3 tells of an object.
pub(super) async fn head_object(client: &Client, key: &str) -> Result<HeadObjectOutput, Failure> {
    let request = client.sdk.head_object();
    let request = request.bucket(&client.options.bucket).key(client.options.full_key(key));
    let request = with_customer_key!(request, client);
    match client.call(0, || request.clone().send()).await {
        Err(failure) => Err(client.name_what_is_missing(failure).await),
        found => found,
    }
}

pub(super) fn timestamp(time: Option<&DateTime>) -> Result<Timestamp, Failure> {
    let time = time.ok_or_else(|| Failure::other("the reply tells no time"))?;
    let nanos = i32::try_from(time.subsec_nanos()).unwrap_or_default();
    Timestamp::new(time.secs(), nanos)
        .map_err(|_| Failure::other("the reply tells an impossible time"))
}

/// Reads the bytes of `range`, all of them.
pub(super) async fn range(client: &Client, key: &str, range: Range<u64>) -> Result<Bytes, Failure> {
    let outside = |of: &str| Failure::other(format!("bytes {range:?} are not all there{of}"));
    let length = match range.end.checked_sub(range.start) {
        None => return Err(outside("")),
        Some(0) if head(client, key).await?.size >= range.start => return Ok(Bytes::new()),
        Some(length) => length,
    };
    let mut retries = Retries::new(client.patience, length);
    loop {
        let part = match open(client, key, Some(range.clone()), None).await {
            Err(failure) if failure.kind() == Kind::Range => return Err(outside("")),
            opened => opened?,
        };
        if part.content_length() != i64::try_from(length).ok() {
            let size = part.content_range().and_then(|range| range.rsplit('/').next());
            return Err(outside(&size.map(|size| format!(", of {size}")).unwrap_or_default()));
        }
        match collect(client, part.body, length).await {
            Ok(bytes) => return Ok(bytes),
            Err(fault) => retries.pause(fault, true).await?,
        }
    }
}

async fn collect(client: &Client, mut body: Body, length: u64) -> Result<Bytes, Fault> {
    let mut bytes = BytesMut::with_capacity(usize::try_from(length).unwrap_or_default());
    while let Some(piece) = next_piece(client, &mut body).await? {
        bytes.extend_from_slice(&piece);
    }
    if bytes.len() as u64 == length { Ok(bytes.freeze()) } else { Err(cut_off()) }
}

fn cut_off() -> Fault {
    Fault::new(Kind::Lost, "the reply ended early".to_owned())
}

async fn next_piece(client: &Client, body: &mut Body) -> Result<Option<Bytes>, Fault> {
    match timeout(client.patience.attempt, body.next()).await {
        Ok(None) => Ok(None),
        Ok(Some(Ok(piece))) => Ok(Some(piece)),
        Ok(Some(Err(error))) => {
            Err(Fault::new(Kind::Lost, format!("the reply was cut off: {}", full_text(&error))))
        }
        Err(_) => Err(Fault::new(Kind::Lost, "the reply came to a halt".to_owned())),
    }
}

/// Starts to read an object, or a range of it, if it is still of `version`.
async fn open(
    client: &Client,
    key: &str,
    range: Option<Range<u64>>,
    version: Option<&str>,
) -> Result<GetObjectOutput, Failure> {
    let request = client
        .sdk
        .get_object()
        .bucket(&client.options.bucket)
        .key(client.options.full_key(key))
        .set_if_match(version.map(str::to_owned))
        .set_range(range.map(|range| format!("bytes={}-{}", range.start, range.end - 1)));
    let request = with_customer_key!(request, client);
    client.call(0, || request.clone().send()).await
}

/// Compares an object with `body`; gives back its version if it is the same.
pub(super) async fn compare(
    client: &Client,
    key: &str,
    body: &Bytes,
) -> Result<Option<String>, Failure> {
    let mut retries = Retries::new(client.patience, body.len() as u64);
    loop {
        let opened = open(client, key, None, None).await?;
        if opened.content_length() != i64::try_from(body.len()).ok() {
            return Ok(None);
        }
        let version = opened.e_tag.ok_or_else(|| Failure::other("the reply tells no ETag"))?;
        match starts_with(client, opened.body, body).await {
            Ok(same) => return Ok(same.then_some(version)),
            Err(fault) => retries.pause(fault, true).await?,
        }
    }
}

async fn starts_with(client: &Client, mut read: Body, expected: &Bytes) -> Result<bool, Fault> {
    let mut rest: &[u8] = expected;
    while let Some(piece) = next_piece(client, &mut read).await? {
        match rest.strip_prefix(&piece[..]) {
            Some(further) => rest = further,
            None => return Ok(false),
        }
    }
    if rest.is_empty() { Ok(true) } else { Err(cut_off()) }
}

/// Whether an object consists of parts of these sizes and digests, one after the other.
pub(super) async fn consists_of(
    client: &Client,
    key: &str,
    parts: &[(u64, &Digest)],
) -> Result<bool, Failure> {
    let size: u64 = parts.iter().map(|(size, _)| size).sum();
    if head(client, key).await?.size != size {
        return Ok(false);
    }
    let mut start = 0;
    for (size, digest) in parts {
        let part = range(client, key, start..start + size).await?;
        if Digest::of(digest.algorithm(), &part).await != **digest {
            return Ok(false);
        }
        start += size;
    }
    Ok(true)
}

/// An object that is being read.
#[derive(Debug)]
struct Reading {
    client: Arc<Client>,
    key: String,
    version: String,
    body: Body,
    offset: u64,
    size: u64,
    /// Since the last piece that came.
    retries: Option<Retries>,
}

/// Reads a whole object; where the connection breaks, from there on, if it is still the same.
pub(super) async fn get(client: Arc<Client>, key: &str) -> Result<ByteStream, StoreError> {
    let opened = open(&client, key, None, None).await;
    let reading = opened.and_then(|opened| Reading::new(Arc::clone(&client), key, opened));
    let reading = reading.map_err(|failure| client.refused("read", key, failure))?;
    Ok(stream::try_unfold(reading, Reading::next).boxed())
}

impl Reading {
    fn new(client: Arc<Client>, key: &str, opened: GetObjectOutput) -> Result<Self, Failure> {
        let size = opened.content_length().and_then(|length| u64::try_from(length).ok());
        Ok(Self {
            retries: None,
            client,
            key: key.to_owned(),
            size: size.ok_or_else(|| Failure::other("the reply tells no length"))?,
            version: opened.e_tag.ok_or_else(|| Failure::other("the reply tells no ETag"))?,
            body: opened.body,
            offset: 0,
        })
    }

    async fn next(mut self) -> Result<Option<(Bytes, Self)>, StoreError> {
        loop {
            let fault = match next_piece(&self.client, &mut self.body).await {
                Ok(None) if self.offset == self.size => return Ok(None),
                Ok(None) => cut_off(),
                Ok(Some(piece)) => {
                    self.offset += piece.len() as u64;
                    self.retries = None;
                    return Ok(Some((piece, self)));
                }
                // All bytes came: what is wrong is what they say.
                Err(fault) if self.offset >= self.size => return Err(self.failed(fault)),
                Err(fault) => fault,
            };
            self.resume(fault).await?;
        }
    }

    async fn resume(&mut self, fault: Fault) -> Result<(), StoreError> {
        let retries = self.retries.get_or_insert_with(|| Retries::new(self.client.patience, 0));
        let paused = retries.pause(fault, true).await;
        paused.map_err(|failure| self.client.refused("read", &self.key, failure))?;
        let rest = Some(self.offset..self.size);
        let opened = open(&self.client, &self.key, rest, Some(&self.version)).await;
        let opened = match opened {
            Err(failure) if matches!(failure.kind(), Kind::Precondition | Kind::NoObject) => {
                return Err(StoreError::Changed { key: self.key.clone() });
            }
            opened => opened.map_err(|failure| self.client.refused("read", &self.key, failure))?,
        };
        let begins = format!("bytes {}-", self.offset);
        if !opened.content_range().is_some_and(|range| range.starts_with(&begins)) {
            let elsewhere = Failure::other("the store does not go on where the reply broke off");
            return Err(self.client.refused("read", &self.key, elsewhere));
        }
        self.body = opened.body;
        Ok(())
    }

    fn failed(&self, fault: Fault) -> StoreError {
        self.client.refused("read", &self.key, Failure { fault, ambiguous: false })
    }
}
