//! What the present stage has done so far, in one line.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::style::printable;
use super::timings::Timings;
use super::units;
use crate::engine::event::Stage;

/// Tells the time. Passed in, so that tests can fix it.
pub type Clock = Arc<dyn Fn() -> Instant + Send + Sync>;

/// Counters that many tasks add to without waiting for one another.
pub(super) struct Tally {
    clock: Clock,
    stage: Mutex<Option<(Stage, Instant)>>,
    /// What is awaited, in words.
    awaiting: Mutex<String>,
    items: AtomicU64,
    expected: AtomicU64,
    bytes: AtomicU64,
}

impl Tally {
    pub(super) fn new(clock: Clock) -> Self {
        let zero = AtomicU64::default;
        let (stage, awaiting) = (Mutex::default(), Mutex::default());
        Self { clock, stage, awaiting, items: zero(), expected: zero(), bytes: zero() }
    }

    pub(super) fn now(&self) -> Instant {
        (self.clock)()
    }

    /// Starts again from zero.
    pub(super) fn begin(&self, stage: Option<Stage>) {
        let stage = stage.map(|stage| (stage, self.now()));
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = stage;
        self.await_now("");
        for counter in [&self.items, &self.expected, &self.bytes] {
            counter.store(0, Relaxed);
        }
    }

    /// Something else is awaited than before.
    pub(super) fn await_now(&self, what: &str) {
        what.clone_into(&mut self.awaiting.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn expect(&self, items: u64) {
        self.expected.fetch_add(items, Relaxed);
    }

    pub(super) fn add_item(&self) {
        self.items.fetch_add(1, Relaxed);
    }

    pub(super) fn add_bytes(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Relaxed);
    }

    /// How long the stage has been going on; none between stages.
    pub(super) fn elapsed(&self) -> Option<Duration> {
        self.current().map(|(_, began)| self.now().saturating_duration_since(began))
    }

    /// Tells what the stage took.
    pub(super) fn note(&self, timings: &Timings) {
        if let Some((stage, began)) = self.current() {
            let wall = self.now().saturating_duration_since(began);
            timings.note(stage, wall, self.items.load(Relaxed), self.bytes.load(Relaxed));
        }
    }

    /// Whether the stage has counted anything.
    pub(super) fn has_counts(&self) -> bool {
        self.items.load(Relaxed) + self.expected.load(Relaxed) + self.bytes.load(Relaxed) > 0
    }

    /// The line: `collecting objects: 1200 items, 3.4 MiB, 5s`. Empty between stages.
    pub(super) fn line(&self) -> String {
        let (Some((stage, _)), Some(elapsed)) = (self.current(), self.elapsed()) else {
            return String::new();
        };
        let (items, expected) = (self.items.load(Relaxed), self.expected.load(Relaxed));
        let items = match (items, expected) {
            (0, 0) => None,
            (items, 0) => Some(format!("{items} items")),
            (items, expected) => Some(format!("{items}/{expected} items")),
        };
        let bytes = Some(self.bytes.load(Relaxed)).filter(|&bytes| bytes > 0).map(units::bytes);
        let time = Some(units::span(elapsed.as_secs()));
        let awaiting = self.awaiting.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let awaiting =
            Some(printable(&awaiting).into_owned()).filter(|awaiting| !awaiting.is_empty());
        let parts: Vec<_> = [items, bytes, time, awaiting].into_iter().flatten().collect();
        format!("{}: {}", stage.title(), parts.join(", "))
    }

    fn current(&self) -> Option<(Stage, Instant)> {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
