//! How many requests are on their way at once, and how fast new ones follow.
//!
//! As many as allowed, until the server shows that it is too much: then fewer, and again one more
//! with every round that goes well, as TCP does it (RFC 5681).

use std::num::NonZeroU16;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until};

/// A change that takes longer waited in a queue of the server: Kubernetes' own objective for 99 of
/// 100 single changes is one second
/// (<https://github.com/kubernetes/community/blob/master/sig-scalability/slos/api_call_latency.md>).
const SLOW: Duration = Duration::from_secs(1);
/// What is left of the limit when the server is overloaded.
const CUT: f64 = 0.7;
/// One overload shows in many replies; it is answered once in this time.
const CALM: Duration = Duration::from_secs(1);
/// What slow replies alone leave of the most that is allowed: it may be an admission webhook that is
/// slow, and is so however few wait for it.
const LEAST_IF_SLOW: f64 = 0.25;

/// What a reply tells of the server's load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load {
    /// It was answered; a change in this time.
    Answered(Option<Duration>),
    /// It was turned away for now.
    TurnedAway,
    /// Nothing is known.
    Unknown,
}

/// Lets requests go.
#[derive(Debug)]
pub(super) struct Flow {
    most: usize,
    places: Semaphore,
    limit: Mutex<Limit>,
    pace: Option<Pace>,
    /// Counts what was sent.
    requests: Arc<AtomicU64>,
}

#[derive(Debug)]
struct Limit {
    /// How many requests may be on their way.
    now: f64,
    /// Places that nobody may take at present.
    withheld: usize,
    cut: Option<Instant>,
}

/// A request that is on its way.
#[derive(Debug)]
pub(super) struct Underway<'a> {
    flow: &'a Flow,
    place: Option<SemaphorePermit<'a>>,
    since: Instant,
}

impl Flow {
    /// Lets `most` requests be on their way at once, and so many follow in a second.
    pub(super) fn new(most: usize, qps: Option<NonZeroU16>, requests: Arc<AtomicU64>) -> Self {
        let most = most.max(1);
        #[expect(clippy::cast_precision_loss, reason = "a count of connections")]
        let limit = Limit { now: most as f64, withheld: 0, cut: None };
        let (places, pace) = (Semaphore::new(most), qps.map(Pace::new));
        Self { most, places, limit: Mutex::new(limit), pace, requests }
    }

    /// Waits until a request may be sent.
    pub(super) async fn enter(&self) -> Underway<'_> {
        // Never closed, so there always is a place.
        let place = self.places.acquire().await.ok();
        if let Some(pace) = &self.pace {
            pace.wait().await;
        }
        self.requests.fetch_add(1, Ordering::Relaxed);
        Underway { flow: self, place, since: Instant::now() }
    }

    fn limit(&self) -> MutexGuard<'_, Limit> {
        self.limit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Learns from a reply, and gives the place back unless it is one too many.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "counts of connections"
    )]
    fn leave(&self, place: Option<SemaphorePermit<'_>>, load: Load) {
        let mut limit = self.limit();
        limit.learn(load, self.most as f64);
        let target = (limit.now as usize).clamp(1, self.most);
        let open = self.most - limit.withheld;
        if open > target {
            if let Some(place) = place {
                place.forget();
                limit.withheld += 1;
            }
        } else {
            self.places.add_permits(target - open);
            limit.withheld -= target - open;
        }
    }
}

impl Limit {
    fn learn(&mut self, load: Load, most: f64) {
        match load {
            Load::TurnedAway => self.cut(1.0),
            Load::Answered(Some(took)) if took > SLOW => self.cut(most * LEAST_IF_SLOW),
            Load::Answered(_) => self.now = (self.now + 1.0 / self.now).min(most),
            Load::Unknown => {}
        }
    }

    fn cut(&mut self, least: f64) {
        let now = Instant::now();
        if self.cut.is_none_or(|cut| now.duration_since(cut) >= CALM) {
            self.cut = Some(now);
            self.now = (self.now * CUT).max(least.min(self.now)).max(1.0);
        }
    }
}

impl Underway<'_> {
    /// How long it has been on its way.
    pub(super) fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }

    /// The request has ended.
    pub(super) fn end(mut self, load: Load) {
        self.flow.leave(self.place.take(), load);
    }
}

/// Keeps requests apart.
#[derive(Debug)]
struct Pace {
    interval: Duration,
    next: Mutex<Option<Instant>>,
}

impl Pace {
    fn new(per_second: NonZeroU16) -> Self {
        let interval = Duration::from_secs(1) / u32::from(per_second.get());
        Self { interval, next: Mutex::default() }
    }

    async fn wait(&self) {
        let at = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let at = next.map_or_else(Instant::now, |next| next.max(Instant::now()));
            *next = Some(at + self.interval);
            at
        };
        sleep_until(at).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(most: usize) -> Flow {
        Flow::new(most, None, Arc::default())
    }

    async fn reply(flow: &Flow, load: Load) {
        flow.enter().await.end(load);
    }

    fn places(flow: &Flow) -> usize {
        flow.places.available_permits()
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_turns_requests_away_is_asked_less_at_once_and_then_more_again() {
        let flow = flow(30);
        for _ in 0..10 {
            reply(&flow, Load::TurnedAway).await;
        }
        // One overload, one cut; a place is withheld whenever a request ends.
        for _ in 0..30 {
            reply(&flow, Load::Unknown).await;
        }
        assert_eq!(places(&flow), 21);
        for _ in 0..40 {
            tokio::time::advance(CALM).await;
            reply(&flow, Load::TurnedAway).await;
        }
        assert_eq!(places(&flow), 1, "there is always one");
        for _ in 0..1000 {
            reply(&flow, Load::Answered(None)).await;
        }
        assert_eq!(places(&flow), 30, "and never more than allowed");
    }

    #[tokio::test(start_paused = true)]
    async fn changes_that_are_slow_leave_a_quarter() {
        let flow = flow(32);
        for _ in 0..100 {
            tokio::time::advance(CALM).await;
            reply(&flow, Load::Answered(Some(SLOW * 2))).await;
        }
        assert_eq!(places(&flow), 8);
        for _ in 0..100 {
            tokio::time::advance(CALM).await;
            reply(&flow, Load::TurnedAway).await;
        }
        assert_eq!(places(&flow), 1);
        tokio::time::advance(CALM).await;
        reply(&flow, Load::Answered(Some(SLOW * 2))).await;
        assert_eq!(places(&flow), 1, "what is slow is no reason for more");
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_dropped_gives_its_place_back() {
        let flow = flow(2);
        drop(flow.enter().await);
        assert_eq!(places(&flow), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_requests_follow_in_a_second_than_asked_for() {
        let flow = Flow::new(30, NonZeroU16::new(10), Arc::default());
        let started = Instant::now();
        for _ in 0..21 {
            reply(&flow, Load::Answered(None)).await;
        }
        assert_eq!(started.elapsed(), Duration::from_secs(2));
        assert_eq!(flow.requests.load(Ordering::Relaxed), 21);
    }
}
