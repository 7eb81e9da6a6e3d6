use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use tokio::time::Instant;

use super::super::client::{Cluster, Options};
use super::super::error::Error;
use super::super::exec::Exec;
use super::super::fake::{Log, Reply};
use super::super::wire::Call;
use crate::engine::clock::pause;

fn get() -> Call {
    Call::get("/x".to_owned(), "read x".to_owned())
}

fn post() -> Call {
    Call::post("/x".to_owned(), "create x".to_owned(), "{}".into())
}

fn good() -> Reply {
    Reply::json(200, &json!({}))
}

fn count(log: &Log) -> usize {
    super::requests(log).len()
}

/// How many requests are made when the first reply is `bad`, and whether it went well.
async fn attempts(call: Call, bad: Reply) -> (usize, bool) {
    let (cluster, log) = Cluster::scripted(vec![bad, good()]);
    let outcome = cluster.call(&call).await;
    (count(&log), outcome.is_ok())
}

#[tokio::test(start_paused = true)]
async fn a_read_is_made_again_after_whatever_passes() {
    for code in [429, 500, 502, 503, 504] {
        assert_eq!(attempts(get(), Reply::text(code, "")).await, (2, true), "{code}");
    }
    for bad in [Reply::Silence, Reply::HalfABody, Reply::Lost, Reply::Refused] {
        assert_eq!(attempts(get(), bad.clone()).await, (2, true), "{bad:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_create_is_made_again_only_if_it_was_certainly_not_carried_out() {
    for bad in [Reply::text(429, ""), Reply::Refused] {
        assert_eq!(attempts(post(), bad.clone()).await, (2, true), "{bad:?}");
    }
    for code in [500, 502, 503, 504] {
        assert_eq!(attempts(post(), Reply::text(code, "")).await, (1, false), "{code}");
    }
    for bad in [Reply::Silence, Reply::HalfABody, Reply::Lost, Reply::text(503, "").after(1)] {
        assert_eq!(attempts(post(), bad.clone()).await, (1, false), "{bad:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_plain_refusal_is_final() {
    for code in [400, 401, 403, 404, 405, 409, 410, 422] {
        assert_eq!(attempts(get(), Reply::text(code, "")).await, (1, false), "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_server_is_left_alone_for_as_long_as_it_asks() {
    let advice = json!({"kind": "Status", "details": {"retryAfterSeconds": 7}});
    for busy in [Reply::text(429, "").after(7), Reply::json(429, &advice)] {
        let (cluster, log) = Cluster::scripted(vec![busy, good()]);
        let started = Instant::now();
        assert!(cluster.call(&post()).await.is_ok());
        assert_eq!(count(&log), 2);
        let waited = started.elapsed();
        assert!((7..8).contains(&waited.as_secs()), "{waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_wants_to_be_left_alone_for_too_long_is_not_waited_for() {
    let (cluster, log) = Cluster::scripted(vec![Reply::text(429, "").after(3600)]);
    let started = Instant::now();
    let error: Error = cluster.call(&get()).await.unwrap_err().into();
    assert_eq!((error.status(), count(&log)), (Some(429), 1));
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn the_deadline_holds_for_the_body_too() {
    for silent in [Reply::Silence, Reply::HalfABody] {
        let options = Options { request_timeout: Duration::from_secs(20), ..Options::default() };
        let (cluster, _) = Cluster::fake_with(&options, move |_| silent.clone());
        let started = Instant::now();
        let error: Error = cluster.call(&post()).await.unwrap_err().into();
        assert!(matches!(error, Error::Timeout { .. }), "{error}");
        assert_eq!(started.elapsed().as_secs(), 20);
    }
}

#[tokio::test(start_paused = true)]
async fn all_attempts_together_end_after_two_minutes() {
    for bad in [Reply::text(504, ""), Reply::Silence, Reply::Lost] {
        let (cluster, _) = Cluster::scripted(vec![bad]);
        let started = Instant::now();
        assert!(cluster.call(&get()).await.is_err());
        let tried = started.elapsed().as_secs();
        assert!((110..=181).contains(&tried), "{tried}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answered_is_given_up_early_and_a_known_one_late() {
    let (cluster, _) = Cluster::scripted(vec![Reply::Refused]);
    let started = Instant::now();
    let error: Error = cluster.call(&get()).await.unwrap_err().into();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    assert!(started.elapsed().as_secs() < 4);

    let (cluster, _) = Cluster::scripted(vec![good(), Reply::Refused]);
    assert!(cluster.call(&get()).await.is_ok());
    let started = Instant::now();
    assert!(cluster.call(&get()).await.is_err());
    assert!(started.elapsed().as_secs() > 100);
}

#[tokio::test(start_paused = true)]
async fn no_more_requests_than_allowed_are_on_their_way_and_queueing_costs_no_time() {
    static NOW: AtomicUsize = AtomicUsize::new(0);
    static MOST: AtomicUsize = AtomicUsize::new(0);
    let options = Options {
        max_in_flight: 3,
        request_timeout: Duration::from_secs(10),
        ..Options::default()
    };
    let service = tower::service_fn(|_| async {
        MOST.fetch_max(NOW.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        pause(Duration::from_secs(6)).await;
        NOW.fetch_sub(1, Ordering::SeqCst);
        Ok::<_, std::io::Error>(http::Response::new(kube::client::Body::from(b"{}".to_vec())))
    });
    let cluster = Cluster::from_service(service, &options);
    let call = post();
    let outcomes = join_all((0..12).map(|_| cluster.call(&call))).await;
    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!(MOST.load(Ordering::SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn refusals_say_what_the_server_said() {
    let cases = [
        (
            Reply::status(401, "Unauthorized", "who?"),
            "failed to read x: the API server does not accept the credentials: who?",
        ),
        (
            Reply::status(403, "Forbidden", "pods is forbidden"),
            "failed to read x: pods is forbidden",
        ),
        (Reply::status(422, "Invalid", "spec.x: required"), "failed to read x: spec.x: required"),
        (
            Reply::status(404, "NotFound", "namespaces \"x\" not found"),
            "failed to read x: namespaces \"x\" not found",
        ),
        (
            Reply::text(404, "404 page not found\n"),
            "failed to read x: the cluster does not serve this kind",
        ),
        (Reply::text(400, "<html>\n<body>"), "failed to read x: <html>"),
        (Reply::text(400, ""), "failed to read x: 400 Bad Request"),
    ];
    for (reply, message) in cases {
        let (cluster, _) = Cluster::scripted(vec![reply]);
        let error: Error = cluster.call(&get()).await.unwrap_err().into();
        assert_eq!(error.to_string(), message);
    }
}

#[tokio::test(start_paused = true)]
async fn status_and_reason_stay_accessible() {
    let (cluster, _) = Cluster::scripted(vec![Reply::status(409, "Conflict", "changed")]);
    let error: Error = cluster.call(&get()).await.unwrap_err().into();
    assert_eq!((error.status(), error.reason()), (Some(409), Some("Conflict")));
    assert!(error.is_conflict() && !error.is_unreachable());
}

#[tokio::test(start_paused = true)]
async fn only_the_opening_of_a_channel_that_was_refused_is_tried_again() {
    let command = ["thaw".to_owned()];
    let (timeout, patience) = (Duration::from_secs(1), Duration::from_mins(2));
    let (namespace, pod, container) = ("shop", "db-0", "db");
    let exec = Exec { namespace, pod, container, command: &command, timeout, patience };
    let rolling = vec![
        Reply::Refused,
        Reply::text(503, "no healthy upstream"),
        Reply::text(429, "too many requests"),
        Reply::Lost,
        Reply::Refused,
    ];
    let (cluster, log) = Cluster::scripted(rolling);
    let error = cluster.exec(&exec).await.unwrap_err();
    assert!(matches!(error, Error::ConnectionLost { .. }), "{error:?}");
    assert_eq!(count(&log), 4);
    let (cluster, log) = Cluster::scripted(vec![Reply::status(403, "Forbidden", "no")]);
    assert!(matches!(cluster.exec(&exec).await, Err(Error::Forbidden { .. })));
    assert_eq!(count(&log), 1);
}
