//! Which request is tried again, when, and for how long.
//!
//! Pure but for the clock. A request that may not be carried out twice is repeated only when it was
//! certainly not carried out: kube's own policy repeats every verb, so that a create whose reply was
//! lost ends in a false `AlreadyExists` (<https://github.com/kube-rs/kube/issues/2082>).

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

use tokio::time::Instant;

use super::error::Error;
use super::refusal::Failure;

/// How long a server is tried that never answered yet: its address may be wrong.
const FIRST_CONTACT: Duration = Duration::from_secs(3);
const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(5);
/// How often a server's own fault is tried again that may well be permanent: a conversion webhook
/// or an aggregated API without its backend.
const DOUBTFUL_ATTEMPTS: u32 = 4;

/// Whether a request may be carried out twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Twice is as good as once: it reads, or states what shall be.
    Freely,
    /// Only when it was certainly not carried out.
    IfRefused,
    /// Until a channel is open: a server that refuses to open it has carried nothing out.
    UntilOpen,
}

/// The attempts at one request.
#[derive(Debug)]
pub(super) struct Retries {
    started: Instant,
    patience: Duration,
    failed: u32,
}

impl Retries {
    /// Begins to count, now.
    pub(super) fn new(patience: Duration) -> Self {
        Self { started: Instant::now(), patience, failed: 0 }
    }

    /// How long to wait before the next attempt; none if this failure is final.
    ///
    /// `reached` tells whether this server has ever answered.
    pub(super) fn next(
        &mut self,
        repeat: Repeat,
        failure: &Failure,
        reached: bool,
    ) -> Option<Duration> {
        self.failed += 1;
        if !is_worthwhile(repeat, failure, self.failed) {
            return None;
        }
        let patience = match failure.error {
            Error::Unreachable { .. } if !reached => self.patience.min(FIRST_CONTACT),
            _ => self.patience,
        };
        let delay = backoff(self.failed).max(failure.retry_after.unwrap_or_default());
        (self.started.elapsed() + delay < patience).then_some(delay)
    }
}

fn is_worthwhile(repeat: Repeat, failure: &Failure, failed: u32) -> bool {
    let freely = repeat == Repeat::Freely;
    match &failure.error {
        Error::Unreachable { .. } => true,
        Error::ConnectionLost { .. } | Error::Timeout { .. } => freely,
        error => match error.status() {
            Some(429) => true,
            Some(503) if repeat == Repeat::UntilOpen => true,
            Some(504) => freely,
            Some(503) if failure.retry_after.is_some() => freely,
            Some(500 | 502 | 503) => freely && failed < DOUBTFUL_ATTEMPTS,
            _ => false,
        },
    }
}

/// The delay after so many failures: it doubles, is capped, and is drawn from its upper half, so
/// that many clients do not come back at the same moment.
pub(super) fn backoff(failed: u32) -> Duration {
    let full = FIRST_DELAY.saturating_mul(1 << failed.saturating_sub(1).min(10)).min(LONGEST_DELAY);
    let drawn = RandomState::new().build_hasher().finish() % 512;
    // Below 512 there is nothing to lose.
    full.mul_f64(0.5 + u32::try_from(drawn).map_or(0.5, f64::from) / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(code: u16) -> Failure {
        Failure::from(Error::Api {
            request: "try".to_owned(),
            code,
            reason: String::new(),
            message: String::new(),
        })
    }

    fn attempts(repeat: Repeat, failure: &Failure) -> u32 {
        (1..100).find(|failed| !is_worthwhile(repeat, failure, *failed)).unwrap_or(u32::MAX)
    }

    #[test]
    fn only_what_was_certainly_not_carried_out_is_repeated_for_a_create() {
        let timeout = || Error::Timeout { request: "try".to_owned(), after: Duration::ZERO };
        for code in [500, 502, 503, 504, 409, 400] {
            assert_eq!(attempts(Repeat::IfRefused, &failure(code)), 1, "{code}");
        }
        assert_eq!(attempts(Repeat::IfRefused, &timeout().into()), 1);
        assert_eq!(attempts(Repeat::IfRefused, &failure(429)), u32::MAX);
        assert_eq!(attempts(Repeat::Freely, &timeout().into()), u32::MAX);
    }

    #[test]
    fn a_channel_is_asked_for_until_a_server_that_is_not_up_opens_it() {
        for code in [429, 503] {
            assert_eq!(attempts(Repeat::UntilOpen, &failure(code)), u32::MAX, "{code}");
        }
        for code in [500, 502, 504, 403, 404] {
            assert_eq!(attempts(Repeat::UntilOpen, &failure(code)), 1, "{code}");
        }
        let lost = Error::Timeout { request: "try".to_owned(), after: Duration::ZERO };
        assert_eq!(attempts(Repeat::UntilOpen, &lost.into()), 1);
    }

    #[test]
    fn a_read_is_repeated_for_a_busy_server_but_not_long_for_a_faulty_one() {
        for code in [429, 504] {
            assert_eq!(attempts(Repeat::Freely, &failure(code)), u32::MAX, "{code}");
        }
        for code in [500, 502, 503] {
            assert_eq!(attempts(Repeat::Freely, &failure(code)), 4, "{code}");
        }
        for code in [400, 403, 404, 409, 410, 422] {
            assert_eq!(attempts(Repeat::Freely, &failure(code)), 1, "{code}");
        }
        let starting = Failure { retry_after: Some(Duration::from_secs(1)), ..failure(503) };
        assert_eq!(attempts(Repeat::Freely, &starting), u32::MAX);
    }

    #[test]
    fn the_delay_grows_and_is_capped() {
        for (failed, least, most) in
            [(1, 50, 100), (3, 200, 400), (7, 2500, 5000), (40, 2500, 5000)]
        {
            let delay = backoff(failed).as_millis();
            assert!((least..=most).contains(&delay), "{failed}: {delay}");
        }
    }
}
