use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::super::client::Cluster;
use super::super::error::Error;
use super::super::fake::Reply;
use super::super::objects::Object;
use super::{lines, pods};

const MINUTE: Duration = Duration::from_mins(1);

fn pod(phase: &str) -> Reply {
    Reply::json(200, &json!({"status": {"phase": phase}}))
}

fn absent() -> Reply {
    Reply::status(404, "NotFound", "no such pod")
}

fn running(pod: Option<&Object>) -> Option<String> {
    let phase = pod?.get("status")?.get("phase")?.as_str()?;
    (phase == "Running").then(|| phase.to_owned())
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_when_the_condition_holds() {
    let (cluster, log) = Cluster::scripted(vec![absent(), pod("Pending"), pod("Running")]);
    let started = Instant::now();
    let seen = cluster.wait_for(&pods(), Some("shop"), "web", MINUTE, running).await;
    assert_eq!(seen.unwrap().as_deref(), Some("Running"));
    assert_eq!(lines(&log).len(), 3);
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn absence_can_be_waited_for() {
    let (cluster, _) = Cluster::scripted(vec![pod("Running"), absent()]);
    let gone = |pod: Option<&Object>| pod.is_none().then_some(());
    let seen = cluster.wait_for(&pods(), Some("shop"), "web", MINUTE, gone).await;
    assert_eq!(seen.unwrap(), Some(()));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_away_for_a_while_is_waited_for() {
    let away = [Reply::Lost, Reply::HalfABody, Reply::Refused, Reply::text(503, "")];
    let script = away.into_iter().chain([pod("Running")]).collect();
    let (cluster, log) = Cluster::scripted(script);
    let deadline = 3 * MINUTE;
    let seen = cluster.wait_for(&pods(), Some("shop"), "web", deadline, running).await;
    assert_eq!(seen.unwrap().as_deref(), Some("Running"));
    assert_eq!(lines(&log).len(), 5);
}

#[tokio::test(start_paused = true)]
async fn at_the_deadline_nothing_is_found() {
    let (cluster, log) = Cluster::scripted(vec![pod("Pending")]);
    let started = Instant::now();
    let seen = cluster.wait_for(&pods(), Some("shop"), "web", MINUTE, running).await;
    assert_eq!(seen.unwrap(), None);
    assert_eq!(started.elapsed().as_secs(), 60);
    let asked = lines(&log).len();
    assert!((55..70).contains(&asked), "{asked}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_away_at_the_deadline_is_an_error() {
    for away in [Reply::Silence, Reply::Refused] {
        let (cluster, _) = Cluster::scripted(vec![pod("Pending"), away]);
        let started = Instant::now();
        let seen = cluster.wait_for(&pods(), Some("shop"), "web", MINUTE, running).await;
        assert!(seen.unwrap_err().is_unreachable());
        assert!(started.elapsed().as_secs() <= 66, "{:?}", started.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_ends_the_waiting() {
    let (cluster, log) = Cluster::scripted(vec![Reply::status(403, "Forbidden", "no")]);
    let seen = cluster.wait_for(&pods(), Some("shop"), "web", MINUTE, running).await;
    assert!(matches!(seen, Err(Error::Forbidden { .. })), "{seen:?}");
    assert_eq!(lines(&log).len(), 1);
}
