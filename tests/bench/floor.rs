//! What the API server itself can do: raw lists, raw creates.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bowline_testkit::wait;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use http::{Method, Request, header};
use http_body_util::BodyExt as _;
use kube::Client;
use kube::client::Body;
use kube::discovery::{Discovery, Scope, verbs};
use serde_json::Value;

use crate::load::{Load, Object};

const PAGE: usize = 500;
/// How long a definition may take until its objects can be made.
const ESTABLISHED: Duration = Duration::from_mins(1);

/// How long it takes to list everything that a backup lists, over one connection, in pages of 500,
/// the bytes thrown away; in seconds.
pub(crate) async fn list(client: &Client) -> Result<f64> {
    let kinds = collections(client).await?;
    let started = Instant::now();
    for collection in &kinds {
        let mut next = String::new();
        loop {
            let path = format!("{collection}?limit={PAGE}&continue={next}");
            next = page(client, &path).await?;
            if next.is_empty() {
                break;
            }
        }
    }
    Ok(started.elapsed().as_secs_f64())
}

/// What can be listed, but events: no backup holds those.
async fn collections(client: &Client) -> Result<Vec<String>> {
    let discovery = Discovery::new(client.clone()).run().await?;
    let groups = discovery.groups().flat_map(kube::discovery::ApiGroup::recommended_resources);
    let listed = groups.filter(|(resource, capabilities)| {
        capabilities.supports_operation(verbs::LIST) && resource.plural != "events"
    });
    Ok(listed
        .map(|(resource, capabilities)| {
            debug_assert!(matches!(capabilities.scope, Scope::Cluster | Scope::Namespaced));
            match resource.group.as_str() {
                "" => format!("/api/{}/{}", resource.version, resource.plural),
                group => format!("/apis/{group}/{}/{}", resource.version, resource.plural),
            }
        })
        .collect())
}

/// Reads a page and throws it away but for the token of the next one.
async fn page(client: &Client, path: &str) -> Result<String> {
    let request =
        Request::builder().method(Method::GET).uri(path).header(header::ACCEPT, "application/json");
    let response = client.send(request.body(Body::empty())?).await?;
    let status = response.status();
    let mut body = response.into_body();
    let mut start = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        // The list's own metadata comes before its items.
        if start.len() < 4096 {
            start.extend_from_slice(&data[..data.len().min(4096)]);
        }
    }
    // What cannot be listed, a backup does not list, either.
    ensure!(status.is_success() || status.as_u16() == 405, "{path}: {status}");
    Ok(token(&String::from_utf8_lossy(&start)))
}

/// The token of the next page, from the beginning of a list.
fn token(start: &str) -> String {
    let head = start.split("\"items\":").next().unwrap_or_default();
    let rest = head.split_once("\"continue\":\"").map(|(_, rest)| rest);
    rest.and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned()
}

/// How long it takes to make everything, so many at once; in seconds.
pub(crate) async fn create(client: &Client, load: &Load, in_flight: usize) -> Result<f64> {
    let objects = load.objects();
    let started = Instant::now();
    make(client, load.first(), in_flight).await?;
    served(client).await?;
    make(client, objects, in_flight).await?;
    Ok(started.elapsed().as_secs_f64())
}

async fn make(
    client: &Client,
    objects: impl Iterator<Item = Object>,
    in_flight: usize,
) -> Result<()> {
    let posts = stream::iter(objects).map(|object| post(client, object));
    posts.buffer_unordered(in_flight).try_collect().await
}

async fn post(client: &Client, object: Object) -> Result<()> {
    let request = Request::builder()
        .method(Method::POST)
        .uri(&object.collection)
        .header(header::CONTENT_TYPE, "application/json");
    let response =
        client.send(request.body(Body::from(serde_json::to_vec(&object.body)?))?).await?;
    let status = response.status();
    let reply = response.into_body().collect().await?.to_bytes();
    let failed = || format!("{}: {status}: {}", object.collection, String::from_utf8_lossy(&reply));
    ensure!(status.is_success(), failed());
    Ok(())
}

/// Waits until custom resources can be made.
async fn served(client: &Client) -> Result<()> {
    let path = "/apis/scale.example.com/v1/widgets?limit=1";
    let served = wait::until("the definition is established", ESTABLISHED, async || {
        let request = Request::builder().uri(path).body(Vec::new())?;
        Ok(client.request::<Value>(request).await.ok())
    });
    served.await.map(drop).context("no custom resource can be made")
}
