//! Servers that lose connections, turn requests away, forget lists; and how much they are asked.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use bowline::engine::report::Phase;
use http::Method;
use tokio::time::{Instant, timeout};

use crate::ALONE;
use crate::archive::Location;
use crate::objects::Served;
use crate::server::{Asked, Fate, Server};

const IN_FLIGHT: usize = 30;

fn secrets(count: usize) -> Server {
    let kinds = vec![
        Served::namespaced("secrets", "Secret", count, count / 10),
        Served::namespaced("blobs.example.com", "Blob", count, count / 10),
    ];
    Server::new(10, kinds)
}

/// Backs up and restores, with this fate of every request.
async fn there_and_back(decide: impl Fn(Asked<'_>) -> Fate + Clone + Send + Sync + 'static) {
    let _alone = ALONE.lock().await;
    let server = secrets(2000).deciding(decide.clone());
    let location = Location::new();
    location.back_up_whole(&server, server.connect(IN_FLIGHT, None)).await;
    let target = server.empty().deciding(decide);
    location.restore_whole(&target, target.connect(IN_FLIGHT, None)).await;
}

#[tokio::test(start_paused = true)]
async fn connections_that_break_lose_nothing_and_make_nothing_twice() {
    there_and_back(|asked| match asked.number % 100 {
        7 | 20 => Fate::Lost,
        33 | 58 => Fate::ReplyLost,
        91 => Fate::ReplyCut,
        _ => Fate::Answered,
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn requests_that_are_turned_away_come_again() {
    there_and_back(|asked| match asked.number % 50 {
        3 => Fate::Refused(429, Some(1)),
        17 => Fate::Refused(429, None),
        31 => Fate::Refused(503, Some(2)),
        44 if asked.method == Method::GET => Fate::Refused(500, None),
        _ => Fate::Answered,
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn lists_that_expire_again_and_again_while_objects_come_and_go_lose_none_that_stay() {
    let _alone = ALONE.lock().await;
    for resumes in [true, false] {
        let expires = move |asked: Asked<'_>| match asked.number {
            number if resumes && number % 3 == 0 => Fate::Expired { resumes },
            // Where the server does not say how to go on, all of a list is read again.
            20 | 27 | 35 | 50 if !resumes => Fate::Expired { resumes },
            _ => Fate::Answered,
        };
        let server = secrets(10_000).deciding(expires).changing();
        let location = Location::new();
        let (report, _) = location.back_up(server.connect(IN_FLIGHT, None)).await;
        assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
        assert!(server.expired() >= 3, "{}", server.expired());
        location.holds_each_once(&server);
    }
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_cannot_be_listed_is_told_and_keeps_nobody_waiting() {
    let _alone = ALONE.lock().await;
    let definitions = "customresourcedefinitions.apiextensions.k8s.io";
    let mut kinds = vec![Served::cluster(definitions, "CustomResourceDefinition", 1)];
    for number in 0..10 {
        let kind = Served::namespaced(&format!("blobs.g{number}.example.com"), "Blob", 200, 20);
        kinds.push(kind);
    }
    let server = Server::new(10, kinds).slow(Duration::from_millis(500)).deciding(|asked| {
        match asked.path {
            path if path.contains("/g5.example.com/") => Fate::Refused(403, None),
            _ => Fate::Answered,
        }
    });
    for at_once in [1, IN_FLIGHT] {
        let location = Location::new();
        let backup = location.back_up(server.connect(at_once, None));
        let (report, _) =
            timeout(Duration::from_hours(1), backup).await.expect("it comes to an end");
        assert_eq!(report.phase, Phase::PartiallyFailed);
        let about: Vec<_> = report.errors.iter().map(|it| it.resource.as_deref()).collect();
        assert_eq!(about, [Some("blobs.g5.example.com")]);
        assert_eq!(location.archived().len(), 9 * 200 + 10 + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_requests_are_on_their_way_at_once_than_asked_for() {
    let _alone = ALONE.lock().await;
    let server = secrets(1000).slow(Duration::from_millis(20));
    let location = Location::new();
    location.back_up_whole(&server, server.connect(2, None)).await;
    assert_eq!(server.most_at_once(), 2);
    let target = server.empty().slow(Duration::from_millis(20));
    location.restore_whole(&target, target.connect(5, None)).await;
    assert_eq!(target.most_at_once(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_turns_many_away_has_fewer_on_their_way_for_a_while() {
    let _alone = ALONE.lock().await;
    let server = secrets(1000);
    let location = Location::new();
    location.back_up_whole(&server, server.connect(IN_FLIGHT, None)).await;
    let seen: Arc<[AtomicUsize; 3]> = Arc::default();
    let count = Arc::clone(&seen);
    let target = server.empty().slow(Duration::from_millis(20)).deciding(move |asked| {
        // Full at first; then too much for three seconds' worth of requests; then well again.
        let (phase, fate) = match asked.number {
            0..500 => (0, Fate::Answered),
            500..600 => (1, Fate::Refused(429, Some(1))),
            600..650 => (1, Fate::Answered),
            650..700 => (2, Fate::Answered),
            _ => return Fate::Answered,
        };
        count[phase].fetch_max(asked.at_once, Relaxed);
        fate
    });
    location.restore_whole(&target, target.connect(20, None)).await;
    let [before, _, after] = [0, 1, 2].map(|phase| seen[phase].load(Relaxed));
    assert_eq!(before, 20);
    assert!(after <= 14, "{after} on their way");
}

#[tokio::test(start_paused = true)]
async fn no_more_requests_follow_in_a_second_than_asked_for() {
    let _alone = ALONE.lock().await;
    let server = secrets(500);
    let location = Location::new();
    location.back_up_whole(&server, server.connect(IN_FLIGHT, None)).await;
    let (target, started) = (server.empty(), Instant::now());
    location.restore_whole(&target, target.connect(IN_FLIGHT, NonZeroU16::new(50))).await;
    let (asked, seconds) = (target.asked(), started.elapsed().as_secs());
    assert!((asked / 50 - 1..asked / 50 + 3).contains(&seconds), "{asked} in {seconds} s");
}

#[tokio::test(start_paused = true)]
async fn lists_are_read_on_while_the_store_is_slower_than_a_request_may_be() {
    let _alone = ALONE.lock().await;
    let kinds = [("secrets", "Secret"), ("configmaps", "ConfigMap")]
        .map(|(path, kind)| Served::namespaced(path, kind, 300, 30).sized(|_| 40_000));
    let server = Server::new(10, kinds.to_vec()).slow(Duration::from_secs(2));
    let location = Location::new().slow();
    location.back_up_whole(&server, server.connect(IN_FLIGHT, None)).await;
}
