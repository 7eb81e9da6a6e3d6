//! Objects that are written at once.

use bowline_api::StoreError;
use bytes::Bytes;

use super::checksum::{Confirmation, Digest};
use super::client::{Client, with_customer_key, with_properties};
use super::error::{Fault, Kind};
use super::read;
use super::retry::Failure;
use super::terms::Terms;

/// On what condition an object is written.
#[derive(Clone, Copy, Debug)]
enum Condition<'a> {
    /// There is none of its key.
    Absent,
    /// There is one, of this version.
    Version(&'a str),
}

/// An object to be written.
#[derive(Debug)]
struct Put<'a> {
    client: &'a Client,
    key: &'a str,
    body: Bytes,
    condition: Condition<'a>,
}

/// Writes an object whose key does not exist yet.
pub(super) async fn create(client: &Client, key: &str, body: Bytes) -> Result<(), StoreError> {
    let put = Put { client, key, body, condition: Condition::Absent };
    match put.send().await {
        Ok(_) => Ok(()),
        Err(failure) if failure.kind() == Kind::Precondition => {
            Err(StoreError::AlreadyExists { key: key.to_owned() })
        }
        Err(failure) => Err(client.refused("write", key, failure)),
    }
}

/// Writes an object anew if it is still of `version`; gives back the version that it has then.
pub(super) async fn replace(
    client: &Client,
    key: &str,
    body: Bytes,
    version: &str,
) -> Result<String, StoreError> {
    let put = Put { client, key, body, condition: Condition::Version(version) };
    // No object is of version "", and S3 takes an empty condition for none.
    let sent = if version.is_empty() { Err(Failure::not_met(false)) } else { put.send().await };
    match sent {
        Ok(version) => Ok(version),
        Err(failure) if matches!(failure.kind(), Kind::Precondition | Kind::NoObject) => {
            Err(StoreError::Changed { key: key.to_owned() })
        }
        Err(failure) => Err(client.refused("replace", key, failure)),
    }
}

/// Removes an object; one that does not exist is removed already.
pub(super) async fn delete(client: &Client, key: &str) -> Result<(), Failure> {
    let request = client.sdk.delete_object();
    let request = request.bucket(&client.options.bucket).key(client.options.full_key(key));
    match client.call(0, || request.clone().send()).await {
        Err(failure) if failure.kind() != Kind::NoObject => Err(failure),
        _ => Ok(()),
    }
}

impl Put<'_> {
    /// Writes by the best terms that the store takes; gives back the version.
    async fn send(&self) -> Result<String, Failure> {
        let known = self.client.knowledge.terms();
        let mut terms = known;
        let mut ambiguous = false;
        loop {
            match self.send_by(terms, ambiguous).await {
                Ok(version) => {
                    self.client.knowledge.settle(terms);
                    return Ok(version);
                }
                Err(failure) => {
                    ambiguous |= failure.ambiguous;
                    match terms.weaker(known, &failure.fault) {
                        Some(weaker) => terms = weaker,
                        None => return Err(Failure { ambiguous, ..failure }),
                    }
                }
            }
        }
    }

    /// `ambiguous` says whether an earlier attempt may have had its effect.
    async fn send_by(&self, terms: Terms, ambiguous: bool) -> Result<String, Failure> {
        if !terms.conditional && !self.condition_holds().await? {
            return self.unless_written(Failure::not_met(ambiguous)).await;
        }
        let digest = Digest::of(terms.algorithm, &self.body).await;
        let reply = self.request(terms, &digest).await;
        let reply = match reply {
            Ok(reply) => reply,
            Err(failure) => {
                let ambiguous = ambiguous || failure.ambiguous;
                return self.unless_written(Failure { ambiguous, ..failure }).await;
            }
        };
        let version = reply.e_tag().unwrap_or_default().to_owned();
        match digest.confirmed_by(reply.checksum_sha256(), reply.e_tag()) {
            Confirmation::Same => Ok(version),
            confirmation => self.confirm(confirmation, version).await,
        }
    }

    async fn request(
        &self,
        terms: Terms,
        digest: &Digest,
    ) -> Result<aws_sdk_s3::operation::put_object::PutObjectOutput, Failure> {
        let client = self.client;
        let (absent, version) = match self.condition {
            _ if !terms.conditional => (None, None),
            Condition::Absent => (Some("*".to_owned()), None),
            Condition::Version(version) => (None, Some(version.to_owned())),
        };
        let call = || {
            let request = client
                .sdk
                .put_object()
                .bucket(&client.options.bucket)
                .key(client.options.full_key(self.key))
                .set_if_none_match(absent.clone())
                .set_if_match(version.clone())
                .set_checksum_sha256(digest.sha256())
                .set_content_md5(digest.md5())
                .body(self.body.clone().into());
            with_properties!(request, client).send()
        };
        client.call(self.body.len() as u64, call).await
    }

    /// Looks before the write, where the store does not do it itself.
    async fn condition_holds(&self) -> Result<bool, Failure> {
        let found = match read::head(self.client, self.key).await {
            Ok(found) => Some(found.version),
            Err(failure) if failure.kind() == Kind::NoObject => None,
            Err(failure) => return Err(failure),
        };
        Ok(match self.condition {
            Condition::Absent => found.is_none(),
            Condition::Version(version) => found.as_deref() == Some(version),
        })
    }

    /// Where an attempt whose reply was lost may be what the condition fails on, our own bytes
    /// below the key are success.
    async fn unless_written(&self, failure: Failure) -> Result<String, Failure> {
        let own = matches!(failure.kind(), Kind::Precondition | Kind::NoObject);
        if !(own && failure.ambiguous) {
            return Err(failure);
        }
        match self.version_if_same().await {
            Ok(Some(version)) => Ok(version),
            Ok(None) => Err(failure),
            Err(unread) => Err(unread),
        }
    }

    /// Reads back what the store did not confirm.
    async fn confirm(&self, reply: Confirmation, version: String) -> Result<String, Failure> {
        let same = self.version_if_same().await?.is_some();
        if same && reply == Confirmation::Silent {
            self.client.knowledge.give_up_sha256();
        }
        if same {
            return Ok(version);
        }
        let words = "the store has other bytes than were sent".to_owned();
        Err(Failure { fault: Fault::new(Kind::Other, words), ambiguous: true })
    }

    async fn version_if_same(&self) -> Result<Option<String>, Failure> {
        match read::compare(self.client, self.key, &self.body).await {
            Err(failure) if failure.kind() == Kind::NoObject => Ok(None),
            result => result,
        }
    }
}
