//! Work with files, off the threads that serve everything else.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::{JoinError, spawn_blocking};

/// Runs `work` where it may block.
pub(crate) async fn run<T, F>(work: F) -> Result<T, JoinError>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    spawn_blocking(work).await
}

/// Runs long `work` where it may block, and tells it when nobody waits for it any more.
pub(crate) async fn run_cancellable<T, F>(work: F) -> Result<T, JoinError>
where
    T: Send + 'static,
    F: FnOnce(&Cancel) -> T + Send + 'static,
{
    let guard = CancelOnDrop(Cancel::default());
    let cancel = guard.0.clone();
    spawn_blocking(move || work(&cancel)).await
}

/// Tells blocking work that its result is no longer wanted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cancel(Arc<AtomicBool>);

impl Cancel {
    pub(crate) fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Fails once the result is no longer wanted.
    pub(crate) fn check(&self) -> io::Result<()> {
        if self.0.load(Ordering::Relaxed) { Err(io::Error::other("cancelled")) } else { Ok(()) }
    }
}

struct CancelOnDrop(Cancel);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn work_whose_future_is_dropped_is_told_so() {
        let (ended, end) = mpsc::channel();
        let mut work = Box::pin(run_cancellable(move |cancel| {
            std::iter::from_fn(|| cancel.check().ok()).for_each(|()| std::thread::yield_now());
            ended.send(()).unwrap();
        }));
        assert!(work.as_mut().now_or_never().is_none());
        drop(work);
        end.recv().unwrap();
    }

    #[tokio::test]
    async fn awaited_work_is_not_cancelled() {
        assert!(run_cancellable(Cancel::check).await.unwrap().is_ok());
    }
}
