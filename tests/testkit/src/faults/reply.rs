//! Replies that the proxy gives itself.

use std::io::{Error, ErrorKind};

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Method, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;

use super::call::{Call, Service};
use super::rule::Fault;

/// A body as the proxy gives it to the client.
pub(super) type Body = UnsyncBoxBody<Bytes, Error>;

/// What the client is told instead of passing the call on, if the fault is of that sort.
pub(super) fn refusal(service: Service, call: &Call, fault: &Fault) -> Option<Response<Bytes>> {
    let s3 = service == Service::S3;
    let reply = |status, code: &str| error(service, call, status, code);
    match fault {
        Fault::Throttle { retry_after } => {
            let code = if s3 { "SlowDown" } else { "RequestLimitExceeded" };
            let mut reply = reply(503, code);
            if let Some(after) = retry_after {
                reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from(after.as_secs()));
            }
            Some(reply)
        }
        Fault::Refuse if s3 => Some(reply(403, "AccessDenied")),
        Fault::Refuse => Some(reply(403, "UnauthorizedOperation")),
        Fault::Error { status, code } => Some(reply(*status, code)),
        _ => None,
    }
}

/// An error as the service words it. The reply to a HEAD has no body.
pub(super) fn error(service: Service, call: &Call, status: u16, code: &str) -> Response<Bytes> {
    let error = format!("<Code>{code}</Code><Message>The testkit says {code}.</Message>");
    let sts = call.actions.iter().any(|action| action.starts_with("sts:"));
    let document = match service {
        _ if call.kind.starts_with("Head") => String::new(),
        Service::S3 => format!("<Error>{error}<RequestId>testkit</RequestId></Error>"),
        Service::Ec2 if sts => {
            let error = format!("<Error><Type>Sender</Type>{error}</Error>");
            format!("<ErrorResponse>{error}<RequestId>testkit</RequestId></ErrorResponse>")
        }
        Service::Ec2 => {
            let errors = format!("<Errors><Error>{error}</Error></Errors>");
            format!("<Response>{errors}<RequestID>testkit</RequestID></Response>")
        }
    };
    let mut response = Response::new(Bytes::from(document));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}

/// A whole reply.
pub(super) fn whole(method: &Method, response: Response<Bytes>) -> Response<Body> {
    let mut response = response;
    if *method != Method::HEAD {
        let length = HeaderValue::from(response.body().len());
        response.headers_mut().insert(CONTENT_LENGTH, length);
    }
    response.map(|bytes| Full::new(bytes).map_err(|never| match never {}).boxed_unsync())
}

/// A reply that says how long it is, and ends in the middle.
pub(super) fn truncated(response: Response<Bytes>) -> Response<Body> {
    let mut response = response;
    let length = response.body().len();
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    response.map(|bytes| {
        let half = stream::iter([Ok(Frame::data(bytes.slice(..length / 2)))]);
        let end = stream::once(async {
            // In between, the first half is sent.
            tokio::task::yield_now().await;
            Err(Error::new(ErrorKind::UnexpectedEof, "truncated"))
        });
        StreamBody::new(half.chain(end)).boxed_unsync()
    })
}
