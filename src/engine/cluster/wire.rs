//! One request and its reply: the bound on requests in flight, the deadline, the retries.

use std::error::Error as StdError;
use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Method, Request, Response, header};
use http_body_util::BodyExt as _;
use kube::client::{AuthError, Body};
use serde::de::DeserializeOwned;

use super::client::Cluster;
use super::error::{Cause, Error};
use super::flow::Load;
use super::refusal::Failure;
use super::retry::{Repeat, Retries};
use crate::engine::clock::pause;

const JSON: &str = "application/json";
pub(super) const USER_AGENT: &str = concat!("bowline/", env!("CARGO_PKG_VERSION"));
/// No single reply is larger; etcd takes no object above a few MiB.
pub(super) const LARGEST_REPLY: usize = 256 << 20;

/// A request, as often as it takes.
#[derive(Clone, Debug)]
pub(super) struct Call {
    method: Method,
    path: String,
    /// What it does, in words: `list pods in namespace shop`.
    request: String,
    body: Bytes,
    content_type: &'static str,
    accept: &'static str,
    repeat: Repeat,
    /// How long it is tried again; the cluster's option where none is given.
    patience: Option<Duration>,
    /// How long one attempt may take; the cluster's option where none is given.
    timeout: Option<Duration>,
    /// How many bytes of a reply are taken.
    limit: usize,
}

impl Call {
    /// Reads what is at `path` (with its query).
    pub(super) fn get(path: String, request: String) -> Self {
        Self {
            method: Method::GET,
            path,
            request,
            body: Bytes::new(),
            content_type: JSON,
            accept: JSON,
            repeat: Repeat::Freely,
            patience: None,
            timeout: None,
            limit: LARGEST_REPLY,
        }
    }

    /// Sends `body` to `path`; repeated only if it was certainly not carried out.
    pub(super) fn post(path: String, request: String, body: Bytes) -> Self {
        let method = Method::POST;
        Self { method, body, repeat: Repeat::IfRefused, ..Self::get(path, request) }
    }

    /// Merges `body` into the object at `path` (RFC 7386).
    pub(super) fn merge_patch(path: String, request: String, body: Bytes) -> Self {
        let content_type = "application/merge-patch+json";
        Self { method: Method::PATCH, body, content_type, ..Self::get(path, request) }
    }

    /// Makes the object at `path` as `body` has it, or changes what of it is ours.
    pub(super) fn apply(path: String, request: String, body: Bytes) -> Self {
        let content_type = "application/apply-patch+yaml";
        Self { method: Method::PATCH, body, content_type, ..Self::get(path, request) }
    }

    /// Deletes the object at `path`, with the options in `body`.
    pub(super) fn delete(path: String, request: String, body: Bytes) -> Self {
        Self { method: Method::DELETE, body, ..Self::get(path, request) }
    }

    /// Asks for another representation than plain JSON.
    pub(super) fn accepting(self, accept: &'static str) -> Self {
        Self { accept, ..self }
    }

    /// May be carried out twice.
    pub(super) fn repeated_freely(self) -> Self {
        Self { repeat: Repeat::Freely, ..self }
    }

    /// Is tried once, for so long at most.
    pub(super) fn once_within(self, timeout: Duration) -> Self {
        Self { patience: Some(Duration::ZERO), timeout: Some(timeout), ..self }
    }

    /// Fails if the reply has more bytes.
    pub(super) fn limited_to(self, limit: usize) -> Self {
        Self { limit, ..self }
    }

    /// Where it goes, with its query.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The request in words.
    pub(super) fn request(&self) -> String {
        self.request.clone()
    }

    /// Understands a reply to this request.
    pub(super) fn parse<T: DeserializeOwned>(&self, reply: &[u8]) -> Result<T, Error> {
        serde_json::from_slice(reply)
            .map_err(|source| Error::Decode { request: self.request(), source: source.into() })
    }

    fn to_http(&self) -> Result<Request<Body>, Error> {
        Request::builder()
            .method(self.method.clone())
            .uri(&self.path)
            .header(header::USER_AGENT, USER_AGENT)
            .header(header::ACCEPT, self.accept)
            .header(header::CONTENT_TYPE, self.content_type)
            .body(Body::from(self.body.clone()))
            .map_err(|source| Error::Decode { request: self.request(), source: source.into() })
    }
}

impl Cluster {
    /// Makes a request until it succeeds, fails for good, or was tried for long enough.
    pub(super) async fn call(&self, call: &Call) -> Result<Bytes, Failure> {
        let mut retries = Retries::new(call.patience.unwrap_or(self.shared.patience));
        loop {
            let failure = match self.attempt(call).await {
                Ok(reply) => return Ok(reply),
                Err(failure) => failure,
            };
            match retries.next(call.repeat, &failure, self.was_reached()) {
                Some(delay) => pause(delay).await,
                None => return Err(failure),
            }
        }
    }

    /// Makes a request and understands its reply.
    pub(super) async fn ask<T: DeserializeOwned>(&self, call: &Call) -> Result<T, Error> {
        call.parse(&self.call(call).await?)
    }

    pub(super) fn was_reached(&self) -> bool {
        self.shared.reached.load(Ordering::Relaxed)
    }

    /// The time spent in the queue does not count towards the deadline, reading the body does: a
    /// stopped server keeps its connections open and says nothing.
    async fn attempt(&self, call: &Call) -> Result<Bytes, Failure> {
        let _underway = match call.method {
            Method::GET => None,
            _ => Some(self.stop.begin().await),
        };
        let underway = self.shared.flow.enter().await;
        let after = call.timeout.unwrap_or(self.shared.request_timeout);
        let outcome = match tokio::time::timeout(after, self.exchange(call)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Error::Timeout { request: call.request(), after }.into()),
        };
        let load = load(call, &outcome, underway.elapsed());
        underway.end(load);
        outcome
    }

    async fn exchange(&self, call: &Call) -> Result<Bytes, Failure> {
        let sent = self.shared.client.send(call.to_http()?).await;
        let response = sent.map_err(|error| self.not_answered(call, error))?;
        self.shared.reached.store(true, Ordering::Relaxed);
        let (head, body) = response.into_parts();
        let body = read(call, body).await?;
        if head.status.is_success() {
            return Ok(body);
        }
        Err(Failure::refused(call.request(), &Response::from_parts(head, body)))
    }

    pub(super) fn not_answered(&self, call: &Call, error: kube::Error) -> Error {
        let source = match error {
            kube::Error::Service(source) => source,
            other => Cause::from(other),
        };
        let url = self.shared.url.clone();
        if causes(&*source).any(<dyn StdError>::is::<AuthError>) {
            Error::Credentials { url, source }
        } else if causes(&*source).any(is_failed_connection) {
            Error::Unreachable { url, source }
        } else {
            Error::ConnectionLost { request: call.request(), source }
        }
    }
}

/// What the outcome of a request tells of the server's load.
fn load(call: &Call, outcome: &Result<Bytes, Failure>, took: Duration) -> Load {
    match outcome {
        // How long a list takes is a matter of its size.
        Ok(_) => Load::Answered((call.method != Method::GET).then_some(took)),
        Err(failure) if failure.error.status() == Some(429) => Load::TurnedAway,
        Err(failure) if failure.retry_after.is_some() => Load::TurnedAway,
        Err(_) => Load::Unknown,
    }
}

async fn read(call: &Call, mut body: Body) -> Result<Bytes, Error> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Error::ConnectionLost {
            request: call.request(),
            source: error.into(),
        })?;
        if let Ok(data) = frame.into_data() {
            if bytes.len() + data.len() > call.limit {
                return Err(Error::TooLarge { request: call.request(), limit: call.limit });
            }
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes.freeze())
}

/// Whether the connection never came about: look-up, connecting or the TLS handshake failed.
///
/// The HTTP client's error type belongs to a crate that kube does not re-export, so it is known by
/// its words. Tests with real sockets notice when they change.
fn is_failed_connection(cause: &(dyn StdError + 'static)) -> bool {
    let refused = cause
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    refused || cause.to_string() == "client error (Connect)"
}

fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}
