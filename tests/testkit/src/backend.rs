//! What an API server calls: the backend of a webhook, of conversion or of an aggregated API.
//!
//! Pods here have no network, so a registration names it by URL ([`Backend::url`]), or through a
//! Service of type `ExternalName` that leads to `localhost`, with [`Backend::port`] as its port.

use std::net::{Ipv4Addr, TcpListener as StdTcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::background::Background;
use crate::certificates::Identity;

/// A request that a backend got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The path, without a query.
    pub path: String,
    /// The body; null where it is no JSON.
    pub body: Value,
}

type Answer = dyn Fn(&Received) -> (u16, Value) + Send + Sync;

/// An HTTPS server on 127.0.0.1 that answers with what a function says; dropping it ends it.
#[derive(Debug)]
pub struct Backend {
    _background: Background,
    authority: String,
    port: u16,
    received: Arc<Mutex<Vec<Received>>>,
}

struct Serving {
    answer: Box<Answer>,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Backend {
    /// Starts one whose certificate is good for `127.0.0.1`, `localhost` and these names:
    /// `SERVICE.NAMESPACE.svc` where a registration names a Service.
    pub fn start(
        names: &[&str],
        answer: impl Fn(&Received) -> (u16, Value) + Send + Sync + 'static,
    ) -> Result<Self> {
        let identity = Identity::generate(names)?;
        let listener = StdTcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let received = Arc::default();
        let serving =
            Arc::new(Serving { answer: Box::new(answer), received: Arc::clone(&received) });
        let config = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![identity.certificate], identity.key)?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let work = move || serve(listener, acceptor, serving);
        let background = Background::start("backend", work)?;
        Ok(Self { _background: background, authority: identity.authority, port, received })
    }

    /// Where it listens, for a registration that names a URL.
    pub fn url(&self, path: &str) -> String {
        format!("https://127.0.0.1:{}{path}", self.port)
    }

    /// The port, for a registration that names a Service.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The authority to trust, as a registration's `caBundle` has it.
    pub fn ca_bundle(&self) -> String {
        BASE64.encode(&self.authority)
    }

    /// All requests so far, in the order of their coming.
    pub fn received(&self) -> Vec<Received> {
        lock(&self.received).clone()
    }
}

/// The answer to an `AdmissionReview` that lets the request pass, changed by a JSON patch if there
/// is one.
pub fn admitted(review: &Value, patch: Option<&Value>) -> Value {
    let mut response = json!({"uid": review["request"]["uid"], "allowed": true});
    if let Some(patch) = patch {
        response["patchType"] = json!("JSONPatch");
        response["patch"] = json!(BASE64.encode(patch.to_string()));
    }
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})
}

/// The answer to an `AdmissionReview` that refuses the request in these words.
pub fn denied(review: &Value, message: &str) -> Value {
    let response = json!({"uid": review["request"]["uid"], "allowed": false,
        "status": {"message": message}});
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})
}

/// The answer to a `ConversionReview`, made of each of its objects by `convert`.
pub fn converted(review: &Value, convert: impl Fn(&Value, &str) -> Value) -> Value {
    let wanted = review["request"]["desiredAPIVersion"].as_str().unwrap_or_default();
    let objects = review["request"]["objects"].as_array().into_iter().flatten();
    let objects: Vec<Value> = objects.map(|object| convert(object, wanted)).collect();
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview", "response":
        {"uid": review["request"]["uid"], "result": {"status": "Success"},
            "convertedObjects": objects}})
}

async fn serve(
    listener: StdTcpListener,
    acceptor: TlsAcceptor,
    serving: Arc<Serving>,
) -> Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                connections.spawn(serve_connection(stream, acceptor.clone(), Arc::clone(&serving)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Serves a connection until the client ends it; one that does not trust it is its own affair.
async fn serve_connection(stream: TcpStream, acceptor: TlsAcceptor, serving: Arc<Serving>) {
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let service = service_fn(move |request| {
        let serving = Arc::clone(&serving);
        async move { serving.answer(request).await }
    });
    http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok();
}

impl Serving {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
        let path = request.uri().path().to_owned();
        let body = request.into_body().collect().await?.to_bytes();
        let received = Received { path, body: serde_json::from_slice(&body).unwrap_or_default() };
        let (status, answer) = (self.answer)(&received);
        lock(&self.received).push(received);
        Ok(Response::builder()
            .status(status)
            .header("Content-Type", "application/json")
            .body(Full::new(answer.to_string().into()))?)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
