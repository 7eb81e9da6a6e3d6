//! A sign that what was begun shall be ended, and nothing more begun.

use tokio::sync::watch;

/// A sign that what was begun shall be ended, and nothing more begun.
#[derive(Debug, Default)]
pub(super) struct Halt(watch::Sender<bool>);

impl Halt {
    /// Gives the sign.
    pub(super) fn call(&self) {
        self.0.send_replace(true);
    }

    /// Whether it was given.
    pub(super) fn is_called(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is given.
    pub(super) async fn called(&self) {
        let mut sign = self.0.subscribe();
        // The sender lives as long as this borrow.
        drop(sign.wait_for(|called| *called).await);
    }
}
