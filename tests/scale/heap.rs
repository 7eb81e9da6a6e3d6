//! What is allocated, and how much of it at once.

use std::alloc::System;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How often it is looked at what is held: what comes and goes between two looks is missed.
const INTERVAL: Duration = Duration::from_micros(500);

/// What was needed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Needed {
    /// How often something was allocated, or moved to where there is more room.
    pub allocations: u64,
    /// The most that was held at once, in bytes.
    pub peak: u64,
}

/// Counts from now on.
#[derive(Debug)]
pub(crate) struct Count {
    allocations: u64,
    held: u64,
    peak: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
    watcher: JoinHandle<()>,
}

impl Count {
    pub(crate) fn start() -> Self {
        let (peak, is_over) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let (seen, stop) = (Arc::clone(&peak), Arc::clone(&is_over));
        let watcher = thread::spawn(move || {
            while !stop.load(Relaxed) {
                seen.fetch_max(held(), Relaxed);
                thread::sleep(INTERVAL);
            }
        });
        Self { allocations: allocations(), held: held(), peak, is_over, watcher }
    }

    pub(crate) fn stop(self) -> Needed {
        let allocations = allocations() - self.allocations;
        self.is_over.store(true, Relaxed);
        self.watcher.join().unwrap();
        let peak = self.peak.load(Relaxed).saturating_sub(self.held);
        Needed { allocations, peak }
    }
}

fn allocations() -> u64 {
    let stats = HEAP.stats();
    (stats.allocations + stats.reallocations) as u64
}

/// How many bytes are held.
fn held() -> u64 {
    let stats = HEAP.stats();
    stats.bytes_allocated.saturating_sub(stats.bytes_deallocated) as u64
}
