//! A wire without a server, for tests.

use std::io;
use std::sync::{Arc, Mutex};

use bowline_api::GroupResource;
use bytes::Bytes;
use futures::future::{self, BoxFuture, FutureExt as _};
use http::{HeaderMap, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use kube::client::Body;
use serde_json::{Value, json};

use super::client::{Cluster, Options};
use crate::engine::model::Kind;

/// A kind with the verbs of most kinds.
pub(crate) fn kind(
    group: &str,
    version: &str,
    resource: &str,
    kind: &str,
    namespaced: bool,
) -> Kind {
    let verbs = ["create", "delete", "get", "list", "patch", "update", "watch"];
    Kind {
        resource: GroupResource::new(group, resource),
        version: version.to_owned(),
        kind: kind.to_owned(),
        singular: kind.to_lowercase(),
        short_names: Vec::new(),
        namespaced,
        verbs: verbs.map(str::to_owned).to_vec(),
    }
}

/// A request that came in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Request {
    /// `GET`, `POST`.
    pub(crate) method: String,
    /// The path with its query, as it was sent.
    pub(crate) path: String,
    /// The media type of the body.
    pub(crate) content_type: String,
    /// The media types that it takes in reply.
    pub(crate) accept: String,
    /// The body; null where it is empty.
    pub(crate) body: Value,
}

impl Request {
    /// The value of a query parameter.
    pub(crate) fn query(&self, name: &str) -> Option<String> {
        let (_, query) = self.path.split_once('?')?;
        url::form_urlencoded::parse(query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }
}

/// What comes back.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// A complete reply.
    Body { code: u16, retry_after: Option<u64>, body: Bytes },
    /// Nothing, for ever.
    Silence,
    /// A status and half of a body, and then nothing, for ever.
    HalfABody,
    /// The connection breaks before anything comes back.
    Lost,
    /// No connection.
    Refused,
}

impl Reply {
    pub(crate) fn json(code: u16, body: &Value) -> Self {
        Self::text(code, &body.to_string())
    }

    pub(crate) fn text(code: u16, body: &str) -> Self {
        Self::Body { code, retry_after: None, body: Bytes::from(body.to_owned()) }
    }

    /// A refusal in the API's own form, about an object called `x`.
    pub(crate) fn status(code: u16, reason: &str, message: &str) -> Self {
        let details = json!({"name": "x"});
        let body = json!({"kind": "Status", "code": code, "reason": reason, "message": message, "details": details});
        Self::json(code, &body)
    }

    /// The same with a `Retry-After` of so many seconds.
    pub(crate) fn after(self, seconds: u64) -> Self {
        match self {
            Self::Body { code, body, .. } => Self::Body { code, retry_after: Some(seconds), body },
            other => other,
        }
    }
}

/// What came in so far.
pub(crate) type Log = Arc<Mutex<Vec<Request>>>;

impl Cluster {
    /// A cluster whose every reply `answer` makes up.
    pub(crate) fn fake(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::fake_with(&Options::default(), answer).0
    }

    /// The same, with a log of the requests that it got.
    pub(crate) fn fake_with(
        options: &Options,
        answer: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> (Self, Log) {
        let (answer, log) = (Arc::new(answer), Log::default());
        let seen = Arc::clone(&log);
        let service = tower::service_fn(move |request| {
            let (answer, log) = (Arc::clone(&answer), Arc::clone(&log));
            async move {
                let request = received(request).await;
                log.lock().unwrap().push(request.clone());
                respond(answer(&request)).await
            }
        });
        (Self::from_service(service, options), seen)
    }

    /// A cluster that gives these replies in order, and the last one for ever.
    pub(crate) fn scripted(replies: Vec<Reply>) -> (Self, Log) {
        let next = Mutex::new(0);
        Self::fake_with(&Options::default(), move |_| {
            let mut next = next.lock().unwrap();
            let reply = replies[(*next).min(replies.len() - 1)].clone();
            *next += 1;
            reply
        })
    }
}

async fn received(request: http::Request<Body>) -> Request {
    let (head, body) = request.into_parts();
    let body = body.collect_bytes().await.unwrap();
    let header = |name| {
        let value = head.headers.get(name).map(|value| value.to_str().unwrap());
        value.unwrap_or_default().to_owned()
    };
    Request {
        method: head.method.to_string(),
        path: head.uri.to_string(),
        content_type: header("content-type"),
        accept: header("accept"),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    }
}

type AnyBody = UnsyncBoxBody<Bytes, io::Error>;

async fn respond(reply: Reply) -> Result<Response<AnyBody>, io::Error> {
    match reply {
        Reply::Silence => future::pending().await,
        Reply::Lost => Err(io::ErrorKind::ConnectionReset.into()),
        Reply::Refused => Err(io::ErrorKind::ConnectionRefused.into()),
        Reply::HalfABody => Ok(Response::new(body(Bytes::from("{"), future::pending().boxed()))),
        Reply::Body { code, retry_after, body: bytes } => {
            let mut response = Response::builder().status(code);
            if let Some(seconds) = retry_after {
                response = response.header("retry-after", seconds);
            }
            Ok(response.body(body(bytes, future::ready(None).boxed())).unwrap())
        }
    }
}

/// A body that ends when `end` does.
fn body(bytes: Bytes, end: BoxFuture<'static, Option<Result<HeaderMap, io::Error>>>) -> AnyBody {
    Full::new(bytes).map_err(|never| match never {}).with_trailers(end).boxed_unsync()
}
