//! Plain HTTP requests to servers on this machine.

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Body;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Sends a request over a connection of its own and reads the whole response.
pub(crate) async fn send<B>(authority: &str, request: Request<B>) -> Result<Response<Bytes>>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: std::error::Error + Send + Sync,
{
    let stream = TcpStream::connect(authority).await;
    let stream = stream.with_context(|| format!("failed to connect to {authority}"))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let exchange = async move {
        let response = sender.send_request(request).await?;
        let (parts, body) = response.into_parts();
        anyhow::Ok(Response::from_parts(parts, body.collect().await?.to_bytes()))
    };
    tokio::pin!(exchange);
    tokio::select! {
        response = &mut exchange => response,
        // What the connection has read before its end is still to be taken.
        _ = connection => exchange.await,
    }
}
