//! Which call is made again, when, and for how long.

use std::time::Duration;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use tokio::time::{Instant, timeout};

use super::error::{Fault, Kind};

/// How often a call is made that may well fail for ever.
const DOUBTFUL_ATTEMPTS: u32 = 3;

/// How slow a connection may be: bytes of a body per second.
const SLOWEST: u64 = 50 << 10;

/// How long one waits for a store.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// For a store that never answered yet: its address may be wrong.
    pub(super) first_contact: Duration,
    /// For all attempts at one call. A backup should outlive the restart of a store.
    pub(super) call: Duration,
    /// For one attempt, besides the time that its body takes.
    pub(super) attempt: Duration,
    /// For the first repetition.
    pub(super) first_delay: Duration,
    /// For any repetition.
    pub(super) longest_delay: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            first_contact: Duration::from_secs(10),
            call: Duration::from_mins(5),
            attempt: Duration::from_secs(30),
            first_delay: Duration::from_millis(200),
            longest_delay: Duration::from_secs(20),
        }
    }
}

impl Patience {
    /// For one attempt at a call that carries `bytes`.
    fn attempt_with(&self, bytes: u64) -> Duration {
        self.attempt + Duration::from_secs(bytes / SLOWEST)
    }

    /// Full jitter: anything up to a bound that doubles, so that many clients spread out
    /// (<https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>).
    fn delay(&self, failed: u32) -> Duration {
        let bound = self.first_delay.saturating_mul(1 << failed.saturating_sub(1).min(16));
        bound.min(self.longest_delay).mul_f64(fastrand::f64())
    }
}

/// A call that failed for good.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) fault: Fault,
    /// Whether an attempt may have been carried out all the same.
    pub(super) ambiguous: bool,
}

impl Failure {
    /// A condition that we looked up ourselves.
    pub(super) fn not_met(ambiguous: bool) -> Self {
        let words = "the condition is not met".to_owned();
        Self { fault: Fault::new(Kind::Precondition, words), ambiguous }
    }

    /// Whatever is not the store's refusal.
    pub(super) fn other(words: impl Into<String>) -> Self {
        Self { fault: Fault::new(Kind::Other, words.into()), ambiguous: false }
    }

    pub(super) fn kind(&self) -> Kind {
        self.fault.kind
    }
}

/// The attempts at one call.
#[derive(Debug)]
pub(super) struct Retries {
    patience: Patience,
    started: Instant,
    bytes: u64,
    failed: u32,
    doubtful: u32,
    ambiguous: bool,
}

impl Retries {
    /// Begins to count, now, for a call that carries `bytes`.
    pub(super) fn new(patience: Patience, bytes: u64) -> Self {
        let started = Instant::now();
        Self { patience, started, bytes, failed: 0, doubtful: 0, ambiguous: false }
    }

    /// Makes one attempt; none within its time is one whose reply was lost.
    pub(super) async fn attempt<T, E>(
        &self,
        reached: bool,
        call: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, Fault>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let patience = self.patience.attempt_with(self.bytes);
        let patience = if reached { patience } else { patience.min(self.patience.first_contact) };
        match timeout(patience, call).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(error)) => Err(Fault::of(&error)),
            Err(_) => Err(Fault::new(Kind::Lost, "no answer in time".to_owned())),
        }
    }

    /// Waits until the call may be made again; fails if this fault is final.
    ///
    /// `reached` tells whether this store has ever answered.
    pub(super) async fn pause(&mut self, fault: Fault, reached: bool) -> Result<(), Failure> {
        self.failed += 1;
        self.doubtful += u32::from(fault.kind == Kind::Doubtful);
        // versitygw publishes an object and then answers 409 if a neighbour is deleted meanwhile.
        self.ambiguous |= matches!(fault.kind, Kind::Lost | Kind::Doubtful);
        let Some(delay) = self.next(&fault, reached) else {
            return Err(Failure { fault, ambiguous: self.ambiguous });
        };
        sleep(delay).await;
        Ok(())
    }

    fn next(&self, fault: &Fault, reached: bool) -> Option<Duration> {
        let worthwhile = match fault.kind {
            Kind::Throttled | Kind::Lost | Kind::Unsent | Kind::Conflict => true,
            Kind::Doubtful => self.doubtful < DOUBTFUL_ATTEMPTS,
            _ => false,
        };
        let patience = if reached {
            self.patience.call.max(self.patience.attempt_with(self.bytes) * 2)
        } else {
            self.patience.first_contact
        };
        let delay = self.patience.delay(self.failed).max(fault.retry_after.unwrap_or_default());
        (worthwhile && self.started.elapsed() + delay < patience).then_some(delay)
    }
}

#[expect(clippy::disallowed_methods, reason = "nothing tells when a store is ready")]
pub(super) async fn sleep(delay: Duration) {
    tokio::time::sleep(delay).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(fault: &Fault, reached: bool) -> Option<Duration> {
        let mut retries = Retries::new(Patience::default(), 0);
        retries.failed = 1;
        retries.next(fault, reached)
    }

    fn asks_for_rest(kind: Kind, seconds: u64) -> Fault {
        let mut fault = Fault::new(kind, String::new());
        fault.retry_after = Some(Duration::from_secs(seconds));
        fault
    }

    #[test]
    fn a_store_that_asks_for_rest_gets_it() {
        let rest = next(&asks_for_rest(Kind::Throttled, 7), true);
        assert_eq!(rest, Some(Duration::from_secs(7)));
        // Longer than anybody wants to wait.
        assert_eq!(next(&asks_for_rest(Kind::Throttled, 3600), true), None);
    }

    #[test]
    fn a_store_that_never_answered_is_given_less_time() {
        assert_eq!(next(&asks_for_rest(Kind::Unsent, 11), false), None);
        assert!(next(&asks_for_rest(Kind::Unsent, 11), true).is_some());
    }

    #[test]
    fn delays_grow_up_to_a_bound_and_differ() {
        let patience = Patience::default();
        assert!((0..100).all(|_| patience.delay(1) <= patience.first_delay));
        assert!((0..100).all(|_| patience.delay(60) <= patience.longest_delay));
        assert!((0..100).any(|_| patience.delay(60) > patience.longest_delay / 2));
        assert!((0..100).any(|_| patience.delay(60) < patience.longest_delay / 2));
    }

    #[test]
    fn large_bodies_get_more_time() {
        let patience = Patience::default();
        assert!(patience.attempt_with(8 << 20) > patience.attempt * 3);
    }

    #[test]
    fn what_is_final_is_not_repeated() {
        for kind in [Kind::Denied, Kind::NoObject, Kind::Precondition, Kind::Full, Kind::Other] {
            assert_eq!(next(&Fault::new(kind, String::new()), true), None, "{kind:?}");
        }
    }
}
