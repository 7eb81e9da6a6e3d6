//! How long to wait before something is asked again, and when to give up.

use std::time::Duration;

use tokio::time::Instant;

use super::fault::Kind;

/// How patient to be with one kind of fault. Each wait is up to half as long again, at random.
struct Patience {
    /// The first wait; each further one is twice as long.
    first: Duration,
    /// No wait is longer.
    longest: Duration,
    /// How long to go on, from the first fault.
    until: Duration,
}

const fn patience(first: u64, longest: u64, until: u64) -> Patience {
    let (first, longest) = (Duration::from_secs(first), Duration::from_secs(longest));
    Patience { first, longest, until: Duration::from_secs(until) }
}

const fn patience_with(kind: Kind) -> Option<Patience> {
    match kind {
        Kind::NotFound | Kind::Refused => None,
        Kind::Unsent | Kind::Lost => Some(patience(1, 10, 60)),
        Kind::Throttled => Some(patience(1, 20, 5 * 60)),
        // EC2 wants at least 15 seconds between two snapshots of a volume.
        Kind::PerVolumeRate => Some(patience(15, 60, 10 * 60)),
        // Others' snapshots, which take as long as they take.
        Kind::Busy => Some(patience(15, 60, 30 * 60)),
    }
}

/// The waits of one call.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    first_fault: Option<Instant>,
    faults: u32,
}

impl Backoff {
    /// Tells until when to wait after a fault; nothing where asking again is of no use.
    ///
    /// `luck` is from 0 to 1 and spreads those who were thrown back together.
    pub(super) fn after(&mut self, kind: Kind, now: Instant, luck: f64) -> Option<Instant> {
        let patience = patience_with(kind)?;
        let doubled =
            patience.first.saturating_mul(1_u32.checked_shl(self.faults).unwrap_or(u32::MAX));
        let wait = doubled.min(patience.longest).mul_f64(1.0 + luck / 2.0);
        self.faults = self.faults.saturating_add(1);
        let deadline = *self.first_fault.get_or_insert(now) + patience.until;
        Some(now + wait).filter(|next| *next <= deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(kind: Kind, luck: f64) -> Vec<u64> {
        let mut backoff = Backoff::default();
        let mut now = Instant::now();
        let mut waits = Vec::new();
        while let Some(next) = backoff.after(kind, now, luck) {
            waits.push((next - now).as_secs());
            now = next;
        }
        waits
    }

    #[test]
    fn waits_double_up_to_the_longest_and_end() {
        let throttled = waits(Kind::Throttled, 0.0);
        assert_eq!(throttled[..7], [1, 2, 4, 8, 16, 20, 20]);
        assert!((280..=300).contains(&throttled.iter().sum::<u64>()), "{throttled:?}");
    }

    #[test]
    fn a_quota_is_waited_for_longest() {
        let busy: u64 = waits(Kind::Busy, 0.5).iter().sum();
        assert!((25 * 60..=30 * 60).contains(&busy), "{busy}");
    }

    #[test]
    fn snapshots_of_one_volume_keep_their_distance_whatever_the_luck() {
        for luck in [0.0, 0.3, 1.0] {
            assert!(waits(Kind::PerVolumeRate, luck).iter().all(|wait| *wait >= 15));
        }
    }

    #[test]
    fn what_is_refused_is_not_asked_again() {
        assert_eq!(waits(Kind::Refused, 0.0), [0_u64; 0]);
        assert_eq!(waits(Kind::NotFound, 0.0), [0_u64; 0]);
    }

    #[test]
    fn those_thrown_back_together_come_back_apart() {
        assert_ne!(waits(Kind::Busy, 0.1), waits(Kind::Busy, 0.9));
    }
}
