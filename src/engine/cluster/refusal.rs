//! What it means when a request is refused.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header};
use serde::Deserialize;

use super::error::Error;

/// A failed attempt, with what the server advises.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: Error,
    /// How long to leave the server alone.
    pub(super) retry_after: Option<Duration>,
    /// Where an expired list can be continued, if not as of the same moment.
    pub(super) resume: Option<String>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, retry_after: None, resume: None }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

/// What an API server says when it does not do something (`metav1.Status`).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    message: String,
    reason: String,
    details: Option<Details>,
    metadata: Option<StatusMeta>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Details {
    name: String,
    retry_after_seconds: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct StatusMeta {
    #[serde(rename = "continue")]
    resume: Option<String>,
}

impl Failure {
    /// What it means that `request` got this reply.
    pub(super) fn refused(request: String, response: &Response<Bytes>) -> Self {
        let status = Status::of(response);
        let details = status.details.unwrap_or_default();
        let advised = (details.retry_after_seconds > 0).then_some(details.retry_after_seconds);
        let message = status.message;
        let error = match response.status() {
            StatusCode::UNAUTHORIZED => Error::Unauthorized { request, message },
            StatusCode::FORBIDDEN => Error::Forbidden { request, message },
            // What does not exist is named; a path that is not served is not.
            StatusCode::NOT_FOUND if details.name.is_empty() => Error::NotServed { request },
            code => Error::Api { request, code: code.as_u16(), reason: status.reason, message },
        };
        let retry_after = retry_after(response.headers()).or(advised).map(Duration::from_secs);
        let resume = status.metadata.and_then(|meta| meta.resume).filter(|token| !token.is_empty());
        Self { error, retry_after, resume }
    }
}

impl Status {
    /// Reads it from a reply; proxies and unknown paths reply in plain text.
    fn of(response: &Response<Bytes>) -> Self {
        serde_json::from_slice(response.body()).unwrap_or_else(|_| {
            let text = String::from_utf8_lossy(response.body());
            let line: String = text.trim().lines().next().unwrap_or_default().chars().collect();
            let message = if line.is_empty() { response.status().to_string() } else { line };
            Self { message, ..Self::default() }
        })
    }
}

fn retry_after(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()
}
