//! The time of day, passed in, so that a test can fix it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// By how much two clocks may differ without a word.
pub const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// Tells the time.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// Always the same time.
    Fixed(Timestamp),
    /// A time that was read elsewhere, and goes on as the runtime's does, which a test can hold.
    Counted {
        /// What time it was.
        from: Timestamp,
        /// When that was.
        since: Instant,
    },
}

impl Clock {
    /// A clock that is set to this time now, whatever the machine's says.
    pub fn set_to(time: Timestamp) -> Self {
        Self::Counted { from: time, since: Instant::now() }
    }

    /// The time now, in whole seconds, as Kubernetes writes it.
    pub fn now(self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
        let now = match self {
            Self::System => Timestamp::now(),
            Self::Fixed(time) => time,
            Self::Counted { from, since } => from + since.elapsed(),
        };
        Timestamp::from_second(now.as_second()).unwrap_or(now)
    }
}

/// Waits before something is looked at again.
#[expect(clippy::disallowed_methods, reason = "the one place that sleeps")]
pub async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}
