//! A small HTTP server for probes and Prometheus: `/healthz`, `/readyz`, `/metrics`.

#![expect(clippy::future_not_send, reason = "it is polled in the task of the runner")]

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::net::sockopt::set_ipv6_v6only;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

use super::error::CliError;
use super::exit::Exit;

/// How many connections wait to be accepted.
const BACKLOG: u32 = 128;
/// How many are answered at once; others wait.
const AT_ONCE: usize = 16;
/// How long one connection may take, in all.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a request may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(5);

/// What is served.
pub(super) trait Site {
    /// Whether the schedules are being run, or why not.
    fn readiness(&self) -> Result<(), String>;

    /// The metrics, in Prometheus' text format.
    async fn metrics(&self) -> Result<String, String>;
}

/// A server that is bound to its address.
#[derive(Debug)]
pub(super) struct Endpoint(TcpListener);

impl Endpoint {
    /// Binds an address; port 0 is any that is free.
    pub(super) async fn bind(address: SocketAddr) -> Result<Self, CliError> {
        let listener = listen(address).await.map_err(|error| {
            CliError::of(&error)
                .within(format!("failed to listen on {address} (--listen)"))
                .with_exit(Exit::Usage)
                .with_hint("name another address, such as 127.0.0.1:0, or none")
        })?;
        Ok(Self(listener))
    }

    /// Where it is reached.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.0.local_addr().ok()
    }

    /// Answers until it is dropped.
    pub(super) async fn serve(&self, site: &impl Site) {
        let mut connections = FuturesUnordered::new();
        loop {
            let has_room = connections.len() < AT_ONCE;
            tokio::select! {
                accepted = self.0.accept(), if has_room => match accepted {
                    Ok((stream, _)) => connections.push(answer(stream, site)),
                    Err(error) => tracing::debug!("a connection was not accepted: {error}"),
                },
                Some(()) = connections.next() => {}
            }
        }
    }
}

/// Listens on an address. `[::]` is every address of the machine, of both versions of IP, and those of
/// IPv4 where it knows no other; so it is in Go.
async fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    if address.ip() != Ipv6Addr::UNSPECIFIED {
        return TcpListener::bind(address).await;
    }
    match listen_on_both(address) {
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port())).await
        }
        other => other,
    }
}

fn listen_on_both(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v6()?;
    set_ipv6_v6only(&socket, false)?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves a site if there is an endpoint; never comes to an end.
pub(super) async fn serve(endpoint: Option<&Endpoint>, site: &impl Site) {
    match endpoint {
        Some(endpoint) => endpoint.serve(site).await,
        None => pending().await,
    }
}

async fn answer(stream: TcpStream, site: &impl Site) {
    // Whoever asked notices what went wrong.
    let Err(trouble) = converse(stream, site).await else { return };
    tracing::debug!("a connection broke: {trouble}");
}

async fn converse(stream: TcpStream, site: &impl Site) -> Result<(), String> {
    let service = service_fn(async |request: Request<Incoming>| {
        Ok::<_, Infallible>(reply(request.method(), request.uri().path(), site).await)
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(ARRIVAL)
        .serve_connection(TokioIo::new(stream), service);
    let ended = timeout(PATIENCE, connection).await.map_err(|_| "it took too long".to_owned())?;
    ended.map_err(|error| error.to_string())
}

async fn reply(method: &Method, path: &str, site: &impl Site) -> Response<Full<Bytes>> {
    let (status, text) = match (method, path) {
        (&Method::GET | &Method::HEAD, "/healthz") => (StatusCode::OK, "ok\n".to_owned()),
        (&Method::GET | &Method::HEAD, "/readyz") => match site.readiness() {
            Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
            Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
        },
        (&Method::GET | &Method::HEAD, "/metrics") => match site.metrics().await {
            Ok(text) => (StatusCode::OK, text),
            Err(reason) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{reason}\n")),
        },
        (&Method::GET | &Method::HEAD, _) => (StatusCode::NOT_FOUND, "not found\n".to_owned()),
        _ => (StatusCode::METHOD_NOT_ALLOWED, "only GET\n".to_owned()),
    };
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    let kind = header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[tokio::test]
    async fn every_address_is_one_of_either_version_of_ip() {
        let listener = listen((Ipv6Addr::UNSPECIFIED, 0).into()).await.unwrap();
        let address = listener.local_addr().unwrap();
        TcpStream::connect((Ipv4Addr::LOCALHOST, address.port())).await.unwrap();
        // Where the machine has it.
        if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await.is_ok() {
            assert_eq!(address.ip(), IpAddr::V6(Ipv6Addr::UNSPECIFIED));
            TcpStream::connect((Ipv6Addr::LOCALHOST, address.port())).await.unwrap();
        }
        let error = listen((Ipv6Addr::UNSPECIFIED, address.port()).into()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
