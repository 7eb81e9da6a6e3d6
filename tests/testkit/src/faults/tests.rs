//! The proxy in front of a server that answers everything alike.

use std::net::TcpListener as StdTcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::{Fate, Fault, FaultProxy, Rule, Service};
use crate::background::Background;
use crate::http_client;

const REPLY: &str = "<R><snapshotId>snap-1</snapshotId><status>completed</status>\
    <progress>100%</progress></R>";

/// A server, and what it was sent: head and body.
struct Upstream {
    seen: Arc<Mutex<Vec<(String, Bytes)>>>,
    endpoint: String,
    _background: Background,
}

impl Upstream {
    fn start() -> Self {
        let listener = StdTcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Vec<_>>> = Arc::default();
        let noted = Arc::clone(&seen);
        let work = move || async move {
            let listener = TcpListener::from_std(listener)?;
            loop {
                let (stream, _) = listener.accept().await?;
                let service = service_fn(|request| answer(&noted, request));
                http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok();
            }
        };
        let background = Background::start("upstream", work).unwrap();
        Self { seen, endpoint, _background: background }
    }

    fn seen(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

async fn answer(
    noted: &Mutex<Vec<(String, Bytes)>>,
    request: Request<Incoming>,
) -> hyper::Result<Response<Full<Bytes>>> {
    let head = format!("{} {} {:?}", request.method(), request.uri(), request.headers());
    let body = request.into_body().collect().await?.to_bytes();
    noted.lock().unwrap().push((head, body));
    Ok(Response::new(Full::new(Bytes::from_static(REPLY.as_bytes()))))
}

fn proxy(service: Service) -> (Upstream, FaultProxy) {
    let upstream = Upstream::start();
    let proxy = FaultProxy::start(service, &upstream.endpoint).unwrap();
    (upstream, proxy)
}

async fn put(proxy: &FaultProxy) -> anyhow::Result<Response<Bytes>> {
    let request = Request::put("/bucket/a%20b?x-id=PutObject").header("host", "s3.example:99");
    send(proxy, request.body(Full::new(Bytes::from_static(b"content")))?).await
}

async fn form(proxy: &FaultProxy, form: &'static str) -> anyhow::Result<Response<Bytes>> {
    let request = Request::post("/").header("host", "ec2.example");
    send(proxy, request.body(Full::new(Bytes::from_static(form.as_bytes())))?).await
}

async fn send(
    proxy: &FaultProxy,
    request: Request<Full<Bytes>>,
) -> anyhow::Result<Response<Bytes>> {
    http_client::send(proxy.endpoint().trim_start_matches("http://"), request).await
}

#[tokio::test]
async fn a_request_passes_unchanged_and_is_noted() {
    let (upstream, proxy) = proxy(Service::S3);
    let response = put(&proxy).await.unwrap();
    assert_eq!((response.status(), &response.body()[..]), (StatusCode::OK, REPLY.as_bytes()));
    let (head, body) = upstream.seen.lock().unwrap()[0].clone();
    assert!(head.starts_with("PUT /bucket/a%20b?x-id=PutObject "), "{head}");
    assert!(head.contains(r#""host": "s3.example:99""#), "{head}");
    assert_eq!(body, "content");
    let calls = proxy.calls_of("PutObject");
    assert_eq!((calls[0].subject.as_str(), calls[0].status), ("bucket/a b", Some(200)));
}

#[tokio::test]
async fn a_refused_call_never_arrives() {
    let (upstream, proxy) = proxy(Service::S3);
    let retry_after = Some(Duration::from_secs(3));
    proxy.inject(Rule::new("PutObject", Fault::Throttle { retry_after }).nth(1));
    proxy.inject(Rule::new("PutObject", Fault::Refuse).nth(1));
    proxy.inject(Rule::new("PutObject", Fault::error(409, "ConditionalRequestConflict")).nth(1));
    for (status, code) in
        [(503, "SlowDown"), (403, "AccessDenied"), (409, "ConditionalRequestConflict")]
    {
        let response = put(&proxy).await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(response.headers().contains_key("retry-after"), status == 503);
        let text = String::from_utf8_lossy(response.body()).into_owned();
        assert!(text.contains(&format!("<Error><Code>{code}</Code>")), "{text}");
    }
    assert_eq!(upstream.seen(), 0);
    assert_eq!(put(&proxy).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_lost_or_truncated_reply_is_that_of_a_call_that_had_its_effect() {
    let (upstream, proxy) = proxy(Service::S3);
    proxy.inject(Rule::new("*", Fault::LoseReply).nth(1));
    proxy.inject(Rule::new("*", Fault::Truncate).nth(1));
    assert!(put(&proxy).await.is_err());
    assert!(put(&proxy).await.is_err());
    assert_eq!(upstream.seen(), 2);
    let calls = proxy.calls();
    assert_eq!((calls[0].status, calls[1].status), (None, Some(200)));
}

#[tokio::test]
async fn a_delayed_call_takes_its_time() {
    let (_upstream, proxy) = proxy(Service::S3);
    proxy.inject(Rule::new("PutObject", Fault::Delay(Duration::from_millis(200))));
    let start = Instant::now();
    assert_eq!(put(&proxy).await.unwrap().status(), StatusCode::OK);
    assert!(start.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn a_held_call_waits_for_its_release_or_dies_with_its_client() {
    let (upstream, proxy) = proxy(Service::S3);
    let hold = proxy.inject(Rule::new("PutObject", Fault::Hold));
    tokio::select! {
        _ = put(&proxy) => unreachable!("it is held"),
        hit = hold.wait_for_hit() => hit.unwrap(),
    }
    assert_eq!(upstream.seen(), 0);
    let release = async {
        hold.wait_for_hit().await.unwrap();
        hold.release();
    };
    let (response, ()) = tokio::join!(put(&proxy), release);
    assert_eq!(response.unwrap().status(), StatusCode::OK);
    assert_eq!(upstream.seen(), 1, "the call whose client had gone was passed on");
}

#[tokio::test]
async fn a_held_reply_is_that_of_a_call_that_had_its_effect() {
    let (upstream, proxy) = proxy(Service::S3);
    let hold = proxy.inject(Rule::new("PutObject", Fault::HoldReply));
    let effect = async {
        hold.wait_for_hit().await?;
        let seen = async || Ok((upstream.seen() == 1).then_some(()));
        crate::wait::until("the effect", Duration::from_secs(10), seen).await
    };
    tokio::select! {
        _ = put(&proxy) => unreachable!("the reply is held"),
        effect = effect => effect.unwrap(),
    }
}

#[tokio::test]
async fn ec2_says_its_errors_in_its_own_way_and_has_quotas() {
    let (upstream, proxy) = proxy(Service::Ec2);
    proxy.quota("CreateSnapshot", 1);
    proxy.inject(Rule::new("CreateVolume", Fault::Refuse));
    proxy.inject(Rule::new("GetCallerIdentity", Fault::Refuse));
    let ask = async |text| {
        let response = form(&proxy, text).await.unwrap();
        (response.status().as_u16(), String::from_utf8_lossy(response.body()).into_owned())
    };
    assert_eq!(ask("Action=CreateSnapshot&DryRun=true").await.0, 200);
    assert_eq!(ask("Action=CreateSnapshot").await.0, 200);
    let (status, text) = ask("Action=CreateSnapshot").await;
    assert!(text.starts_with("<Response><Errors><Error><Code>SnapshotLimitExceeded<"), "{text}");
    assert_eq!(status, 400);
    let (status, text) = ask("Action=CreateVolume").await;
    assert!(text.contains("<Code>UnauthorizedOperation</Code>"), "{text}");
    assert_eq!(status, 403);
    let (_, text) = ask("Action=GetCallerIdentity&Version=2011-06-15").await;
    assert!(text.starts_with("<ErrorResponse><Error>"), "{text}");
    assert_eq!(upstream.seen(), 2);
}

#[tokio::test]
async fn healing_ends_all_faults() {
    let (_upstream, proxy) = proxy(Service::Ec2);
    proxy.inject(Rule::new("*", Fault::Refuse));
    proxy.heal();
    proxy.let_snapshots_be(Fate::Held);
    let reply = form(&proxy, "Action=CreateSnapshot").await.unwrap();
    assert!(String::from_utf8_lossy(reply.body()).contains("<status>pending</status>"));
    proxy.heal();
    let reply = form(&proxy, "Action=DescribeSnapshots").await.unwrap();
    assert_eq!(reply.body(), REPLY);
}
