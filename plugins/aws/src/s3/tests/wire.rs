//! A wire on which every reply is written down before.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;

use crate::s3::checksum::{Algorithm, Digest};
use crate::s3::client::{Client, CustomerKey, sdk_config};
use crate::s3::options::S3Options;
use crate::s3::retry::Patience;
use crate::s3::store::S3Store;

/// Long enough for a few attempts on a busy machine.
pub(super) const PATIENCE: Patience = Patience {
    first_contact: Duration::from_secs(1),
    call: Duration::from_secs(20),
    attempt: Duration::from_millis(250),
    first_delay: Duration::from_millis(1),
    longest_delay: Duration::from_millis(2),
};

/// What comes of a request.
#[derive(Debug)]
pub(super) enum Reply {
    /// An answer.
    Is(Box<HttpResponse>),
    /// The connection breaks.
    Lost,
    /// Nothing ever comes.
    Silence,
}

/// The other end of a store's connection.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    replies: Arc<Mutex<VecDeque<Reply>>>,
    seen: Arc<Mutex<Vec<HttpRequest>>>,
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.seen.lock().unwrap().push(request);
        match self.replies.lock().unwrap().pop_front() {
            Some(Reply::Is(response)) => HttpConnectorFuture::ready(Ok(*response)),
            Some(Reply::Lost) => {
                HttpConnectorFuture::ready(Err(ConnectorError::io("connection reset".into())))
            }
            Some(Reply::Silence) | None => HttpConnectorFuture::new(std::future::pending()),
        }
    }
}

impl Wire {
    /// The requests so far, as `GET /bucket/key`.
    pub(super) fn requests(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        let line = |request: &HttpRequest| {
            let path = request.uri().trim_start_matches("http://store");
            format!("{} {}", request.method(), path.split("?x-id=").next().unwrap())
        };
        seen.iter().map(line).collect()
    }

    /// A header of a request.
    pub(super) fn header(&self, request: usize, name: &str) -> Option<String> {
        self.seen.lock().unwrap()[request].headers().get(name).map(str::to_owned)
    }
}

/// A store whose requests get these replies, in order.
pub(super) fn store(replies: impl IntoIterator<Item = Reply>) -> (S3Store, Wire) {
    store_with(S3Options::default(), None, replies)
}

pub(super) fn store_with(
    options: S3Options,
    customer_key: Option<CustomerKey>,
    replies: impl IntoIterator<Item = Reply>,
) -> (S3Store, Wire) {
    let options = S3Options { bucket: "bucket".to_owned(), force_path_style: true, ..options };
    let (config, wire) = sdk_config_with(Some("http://store"), replies);
    let region = Some(Region::from_static("us-east-1"));
    let sdk = aws_sdk_s3::Client::from_conf(sdk_config(&config, &options, region));
    (S3Store::over(Client::new(sdk, options, customer_key, PATIENCE)), wire)
}

pub(super) fn sdk_config_with(
    endpoint: Option<&str>,
    replies: impl IntoIterator<Item = Reply>,
) -> (SdkConfig, Wire) {
    let replies = Arc::new(Mutex::new(replies.into_iter().collect()));
    let wire = Wire { replies, seen: Arc::default() };
    let connector = SharedHttpConnector::new(wire.clone());
    let credentials = Credentials::new("key", "secret", None, None, "test");
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(http_client_fn(move |_, _| connector.clone()));
    config.set_endpoint_url(endpoint.map(str::to_owned));
    (config.build(), wire)
}

/// An answer.
pub(super) fn reply(status: u16, headers: &[(&'static str, &str)], body: &str) -> Reply {
    let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
    for (name, value) in headers {
        response.headers_mut().insert(*name, (*value).to_owned());
    }
    Reply::Is(Box::new(response))
}

/// An error as S3 words it.
pub(super) fn refusal(status: u16, code: &str, message: &str) -> Reply {
    let body = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    reply(status, &[], &body)
}

/// An object, as GET gives it.
pub(super) fn object(body: &str) -> Reply {
    let length = body.len().to_string();
    reply(200, &[("content-length", &length), ("etag", "\"version\"")], body)
}

/// An object, as HEAD describes it.
pub(super) fn described(size: u64) -> Reply {
    let size = size.to_string();
    let modified = "Sat, 21 Nov 2026 16:00:00 GMT";
    reply(
        200,
        &[("content-length", &size), ("etag", "\"version\""), ("last-modified", modified)],
        "",
    )
}

/// An answer that confirms the checksum of what was sent.
pub(super) fn confirmed(body: &[u8]) -> Reply {
    let sha256 = Digest::compute(Algorithm::Sha256, body).sha256().unwrap();
    reply(200, &[("x-amz-checksum-sha256", &sha256), ("etag", "\"version\"")], "")
}

/// An answer of a store that knows MD5 only.
pub(super) fn stored(body: &[u8]) -> Reply {
    let hex = Digest::compute(Algorithm::Md5, body).hex();
    reply(200, &[("etag", &format!("\"{hex}\""))], "")
}

/// Bytes for parts.
pub(super) fn megabytes(count: usize) -> Bytes {
    vec![7; count << 20].into()
}
