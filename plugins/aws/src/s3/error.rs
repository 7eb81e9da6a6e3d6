//! What a failed call to S3 means.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::RequestId as _;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use bowline_api::StoreError;

use super::options::S3Options;
use super::retry::Failure;

/// What came of one attempt that failed.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) kind: Kind,
    /// What happened, for people: code, message, request id.
    words: String,
    /// How long the server asks to be left alone.
    pub(super) retry_after: Option<Duration>,
    /// The region that the bucket is in, if the server told.
    pub(super) bucket_region: Option<String>,
    /// Whether there was a reply at all.
    pub(super) answered: bool,
}

/// A failure by meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// No credentials, or not enough of them.
    Denied,
    /// There is no such object; on a HEAD, which has no body to tell, perhaps no such bucket.
    NoObject,
    NoBucket,
    NoUpload,
    /// The condition of a write was not met.
    Precondition,
    /// Another write of the key was under way.
    Conflict,
    /// The server can't do what a header asked for.
    Unsupported,
    /// A header or argument was refused.
    Invalid,
    /// The method is not for this.
    NotAllowed,
    /// What was asked for is not set.
    NoSetting,
    /// The range lies outside of the object.
    Range,
    Full,
    /// The server asks for fewer requests; nothing was done.
    Throttled,
    /// Something that may be gone with the next attempt, or never: a body that did not arrive
    /// whole, clocks that differ, a conflict of an unknown kind.
    Doubtful,
    /// No connection came about; nothing was done.
    Unsent,
    /// The reply is missing or tells of the server's own failure: it may have been done.
    Lost,
    /// The reply says that it was done, in words that only this service knows.
    Unreadable,
    Other,
}

impl Fault {
    /// Sorts what the SDK tells.
    pub(super) fn of<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + StdError + 'static,
    {
        match error {
            SdkError::ServiceError(service) => {
                let raw = service.raw();
                let meta = service.err().meta();
                Self::from_reply(raw, meta.code(), meta.message())
            }
            SdkError::ResponseError(response) => Self {
                words: format!("the reply makes no sense: {}", innermost(error)),
                ..Self::from_reply(response.raw(), Some("InternalError"), None)
            },
            SdkError::TimeoutError(_) => Self::new(Kind::Lost, "no answer in time".to_owned()),
            SdkError::DispatchFailure(_) => match credentials_error(error) {
                Some(words) => Self::new(Kind::Denied, words),
                None if is_unsent(error) => Self::new(Kind::Unsent, innermost(error)),
                None => Self::new(Kind::Lost, innermost(error)),
            },
            _ => match credentials_error(error) {
                Some(words) => Self::new(Kind::Denied, words),
                None => Self::new(Kind::Other, innermost(error)),
            },
        }
    }

    pub(super) fn new(kind: Kind, words: String) -> Self {
        Self { kind, words, retry_after: None, bucket_region: None, answered: false }
    }

    fn from_reply(raw: &HttpResponse, code: Option<&str>, message: Option<&str>) -> Self {
        let status = raw.status().as_u16();
        let header = |name| raw.headers().get(name).map(str::to_owned);
        let mut words = match (code, message) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(code), None) => format!("{code} (HTTP {status})"),
            (None, _) if is_success(status) => {
                format!("a reply that cannot be read (HTTP {status})")
            }
            (None, _) => format!("HTTP {status}"),
        };
        if let Some(id) = raw.request_id() {
            words = format!("{words} (request {id})");
        }
        Self {
            kind: kind_of(status, code.unwrap_or_default()),
            words,
            retry_after: header("retry-after").and_then(|value| seconds(&value)),
            bucket_region: header("x-amz-bucket-region"),
            answered: true,
        }
    }

    /// A reply about a bucket that says "not found" speaks of the bucket.
    pub(super) fn about_a_bucket(mut self) -> Self {
        if self.kind == Kind::NoObject {
            self.kind = Kind::NoBucket;
        }
        self
    }

    /// Whether the server's words name something, in any case.
    pub(super) fn mentions(&self, what: &str) -> bool {
        self.words.to_ascii_lowercase().contains(what)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

/// What the store said, and about what.
#[derive(Debug, thiserror::Error)]
#[error("{words}, for s3://{bucket}/{key}")]
struct Refusal {
    words: String,
    bucket: String,
    key: String,
}

/// Says in the store's terms why a call about `key` failed.
///
/// `region` is where the bucket was looked for.
pub(super) fn refusal(
    operation: &'static str,
    key: &str,
    failure: Failure,
    options: &S3Options,
    region: Option<&str>,
) -> StoreError {
    let Fault { kind, words, bucket_region, .. } = failure.fault;
    let bucket = options.bucket.clone();
    let words = match (bucket_region, region) {
        (Some(right), Some(wrong)) if right != wrong => {
            format!("the bucket is in region \"{right}\", not in \"{wrong}\" ({words})")
        }
        _ if kind == Kind::NoBucket => format!("the bucket \"{bucket}\" does not exist ({words})"),
        _ => words,
    };
    let source = Box::new(Refusal { words, bucket, key: options.full_key(key) });
    let key = key.to_owned();
    match kind {
        Kind::NoObject => StoreError::NotFound { key },
        Kind::Denied => StoreError::Denied { key, source },
        Kind::Full => StoreError::Full { key, source },
        _ => StoreError::Failed { operation, key, source },
    }
}

/// By the code where there is one, else by the status: a HEAD has no body, and clones of S3 have
/// statuses and codes of their own.
fn kind_of(status: u16, code: &str) -> Kind {
    match code {
        "NoSuchKey" => Kind::NoObject,
        "NoSuchBucket" => Kind::NoBucket,
        "NoSuchUpload" => Kind::NoUpload,
        "PreconditionFailed" => Kind::Precondition,
        "ConditionalRequestConflict" | "OperationAborted" => Kind::Conflict,
        "ObjectLockConfigurationNotFoundError"
        | "ServerSideEncryptionConfigurationNotFoundError"
        | "NoSuchObjectLockConfiguration" => Kind::NoSetting,
        "NotImplemented" => Kind::Unsupported,
        "InvalidRange" => Kind::Range,
        "QuotaExceeded"
        | "InsufficientStorage"
        | "XMinioStorageFull"
        | "XMinioAdminBucketQuotaExceeded" => Kind::Full,
        "SlowDown"
        | "SlowDownRead"
        | "SlowDownWrite"
        | "TooManyRequests"
        | "Throttling"
        | "ThrottlingException"
        | "RequestLimitExceeded" => Kind::Throttled,
        "BadDigest"
        | "IncompleteBody"
        | "RequestTimeTooSkewed"
        | "XAmzContentChecksumMismatch"
        | "XAmzContentSHA256Mismatch" => Kind::Doubtful,
        "InternalError" | "RequestTimeout" => Kind::Lost,
        "ExpiredToken"
        | "InvalidToken"
        | "TokenRefreshRequired"
        | "InvalidAccessKeyId"
        | "XAdminUserNotFound" => Kind::Denied,
        // What is missing is not the object, or the code would say so: nothing follows from it.
        _ if status == 404 && !is_of_an_object(code) => Kind::Other,
        _ => kind_of_status(status),
    }
}

/// Whether a "not found" with this code may be that of an object: `NotFound` is what the SDK makes of
/// a HEAD, which tells no code.
fn is_of_an_object(code: &str) -> bool {
    matches!(code, "" | "NotFound" | "NoSuchVersion")
}

fn kind_of_status(status: u16) -> Kind {
    match status {
        _ if is_success(status) => Kind::Unreadable,
        401 | 403 => Kind::Denied,
        404 => Kind::NoObject,
        405 => Kind::NotAllowed,
        409 => Kind::Doubtful,
        412 => Kind::Precondition,
        416 => Kind::Range,
        429 => Kind::Throttled,
        400 => Kind::Invalid,
        501 => Kind::Unsupported,
        507 => Kind::Full,
        408 | 500.. => Kind::Lost,
        _ => Kind::Other,
    }
}

fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

fn seconds(value: &str) -> Option<Duration> {
    value.trim().parse().ok().map(Duration::from_secs)
}

fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |cause| (*cause).source())
}

/// An error with its causes, in one line.
pub(super) fn full_text(error: &(dyn StdError + 'static)) -> String {
    causes(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// The SDK wraps what happened in layers that say nothing of it.
fn innermost(error: &(dyn StdError + 'static)) -> String {
    let last = causes(error).last();
    last.map_or_else(String::new, ToString::to_string)
}

/// Whether it never came to a connection: an unknown name, a closed port, a certificate.
///
/// The SDK tells it by its words only.
fn is_unsent(error: &(dyn StdError + 'static)) -> bool {
    causes(error).any(|cause| {
        let words = cause.to_string();
        words.contains("(Connect)") || words.contains("HTTP connect timeout")
    })
}

fn credentials_error(error: &(dyn StdError + 'static)) -> Option<String> {
    let found = causes(error).find(|cause| cause.is::<CredentialsError>())?;
    Some(match found.downcast_ref::<CredentialsError>() {
        Some(CredentialsError::CredentialsNotLoaded(_)) => {
            format!("no usable AWS credentials: {}", innermost(found))
        }
        _ => format!("the credentials could not be loaded: {}", innermost(found)),
    })
}
