//! How often each kind of call is made.
//!
//! EC2 takes calls from a token bucket per account, region and action. Other programs of the account
//! draw from the same buckets, and a throttled controller is somebody's outage: so these stay below.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until};

/// How many calls are on the way at once.
const AT_ONCE: usize = 16;

/// What EC2 is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    DescribeSnapshots,
    DescribeVolumes,
    DescribeAvailabilityZones,
    CreateSnapshot,
    CreateVolume,
    DeleteSnapshot,
    DeleteVolume,
}

const CALLS: usize = 7;

/// EC2's limits for paginated or filtered `Describe*` actions are 100 calls, then 20 a second.
const READS: Limit = Limit { burst: 80.0, per_second: 16.0 };

/// EC2's limits for mutating actions are 50 calls (more for a few), then 5 a second.
const WRITES: Limit = Limit { burst: 40.0, per_second: 4.0 };

/// Four fifths of what EC2 publishes.
#[derive(Clone, Copy, Debug)]
struct Limit {
    burst: f64,
    per_second: f64,
}

impl Call {
    const fn limit(self) -> Limit {
        match self {
            Self::DescribeSnapshots | Self::DescribeVolumes | Self::DescribeAvailabilityZones => {
                READS
            }
            Self::CreateSnapshot
            | Self::CreateVolume
            | Self::DeleteSnapshot
            | Self::DeleteVolume => WRITES,
        }
    }
}

/// A token bucket: it tells when a call may be made, and counts it.
#[derive(Debug)]
struct Bucket {
    limit: Limit,
    /// Below zero if calls wait for tokens that are still to come.
    tokens: f64,
    at: Instant,
}

impl Bucket {
    const fn full(limit: Limit, now: Instant) -> Self {
        Self { limit, tokens: limit.burst, at: now }
    }

    /// Takes a token, and tells from when on it may be used.
    fn take(&mut self, now: Instant) -> Instant {
        self.fill(now);
        self.tokens -= 1.0;
        if self.tokens >= 0.0 {
            return now;
        }
        now + Duration::from_secs_f64(-self.tokens / self.limit.per_second)
    }

    /// Empties the bucket: EC2 said that its own is empty.
    fn drain(&mut self, now: Instant) {
        self.fill(now);
        self.tokens = self.tokens.min(0.0);
    }

    fn fill(&mut self, now: Instant) {
        let gained = now.saturating_duration_since(self.at).as_secs_f64() * self.limit.per_second;
        self.tokens = (self.tokens + gained).min(self.limit.burst);
        self.at = now;
    }
}

/// The pace of all calls of one client.
#[derive(Debug)]
pub(super) struct Pace {
    buckets: [Mutex<Option<Bucket>>; CALLS],
    slots: Semaphore,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { buckets: Default::default(), slots: Semaphore::new(AT_ONCE) }
    }

    /// Waits until a call may be made; it is on the way while the permit is held.
    pub(super) async fn turn(&self, call: Call) -> Option<SemaphorePermit<'_>> {
        let start = self.with(call, Bucket::take);
        sleep_until(start).await;
        // It is never closed.
        self.slots.acquire().await.ok()
    }

    /// Slows down: EC2 threw a call of this kind back.
    pub(super) fn throttled(&self, call: Call) {
        self.with(call, Bucket::drain);
    }

    fn with<T>(&self, call: Call, work: impl FnOnce(&mut Bucket, Instant) -> T) -> T {
        let now = Instant::now();
        let mut bucket = self.buckets[call as usize].lock().unwrap_or_else(PoisonError::into_inner);
        work(bucket.get_or_insert_with(|| Bucket::full(call.limit(), now)), now)
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_goes_at_once_and_the_rest_at_the_rate() {
        let pace = Pace::new();
        let start = Instant::now();
        for number in 0..200_u32 {
            drop(pace.turn(Call::CreateSnapshot).await);
            let due = f64::from(number + 1).max(40.0) - 40.0;
            let waited = start.elapsed().as_secs_f64();
            assert!((waited - due / 4.0).abs() < 0.01, "call {number} after {waited} s");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn kinds_do_not_wait_for_one_another() {
        let pace = Pace::new();
        for _ in 0..40 {
            drop(pace.turn(Call::CreateSnapshot).await);
        }
        let start = Instant::now();
        drop(pace.turn(Call::CreateVolume).await);
        assert_eq!(start.elapsed(), Duration::ZERO);
        drop(pace.turn(Call::CreateSnapshot).await);
        assert!(start.elapsed() >= Duration::from_millis(250));
    }

    #[tokio::test(start_paused = true)]
    async fn a_throttled_kind_starts_from_an_empty_bucket() {
        let pace = Pace::new();
        pace.throttled(Call::DescribeVolumes);
        let start = Instant::now();
        for _ in 0..16 {
            drop(pace.turn(Call::DescribeVolumes).await);
        }
        assert!((start.elapsed().as_secs_f64() - 1.0).abs() < 0.01);
    }

    #[test]
    fn a_bucket_never_holds_more_than_its_burst() {
        let start = Instant::now();
        let mut bucket = Bucket::full(Limit { burst: 2.0, per_second: 1.0 }, start);
        let later = start + Duration::from_hours(1);
        assert_eq!([bucket.take(later), bucket.take(later)], [later, later]);
        assert_eq!(bucket.take(later), later + Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn only_so_many_calls_are_on_the_way_at_once() {
        let pace = Pace::new();
        let turn = || pace.turn(Call::DescribeVolumes);
        let mut held = join_all((0..AT_ONCE).map(|_| turn())).await;
        assert!(tokio::time::timeout(Duration::from_mins(1), turn()).await.is_err());
        held.pop();
        drop(turn().await);
    }
}
