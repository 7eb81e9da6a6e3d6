//! Shares of the memory for list pages.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// Room for the pages that are being read or worked on, in KiB.
pub(super) const BUDGET_KIB: usize = 24 * 1024;

/// A share of the budget, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    budget: Arc<Semaphore>,
    kib: usize,
}

impl Share {
    /// Waits until there is room for so many bytes.
    pub(super) async fn reserve(budget: Arc<Semaphore>, bytes: usize) -> Self {
        let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX);
        // Never closed, so there always is a permit.
        let kib = budget.acquire_many(kib).await.map_or(0, |permit| {
            let kib = permit.num_permits();
            permit.forget();
            kib
        });
        Self { budget, kib }
    }

    /// Gives back what is not needed for so many bytes.
    pub(super) fn shrink(&mut self, bytes: usize) {
        let kib = self.kib.min(bytes.div_ceil(1024));
        self.budget.add_permits(self.kib - kib);
        self.kib = kib;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.add_permits(self.kib);
    }
}
