//! Threads of the harness that outlive a test's runtime.

use std::thread::{self, JoinHandle};

use anyhow::Result;
use tokio::sync::oneshot;

/// A thread with a runtime of its own, so that what it serves may be shared by several tests.
///
/// Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Background {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    /// Starts work that goes on until it fails, which is told on stderr, or is stopped.
    pub(crate) fn start<Work>(
        name: &'static str,
        work: impl FnOnce() -> Work + Send + 'static,
    ) -> Result<Self>
    where
        Work: Future<Output = Result<()>>,
    {
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    result = work() => {
                        result.unwrap_or_else(|error| eprintln!("{name}: {error:#}"));
                    }
                }
            });
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}
