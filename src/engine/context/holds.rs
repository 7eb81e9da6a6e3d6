//! Work that is not broken off in the middle: an application that was frozen is released first.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bowline_api::ItemId;
use tokio::sync::watch;
use tokio::time::timeout;

/// How long those who have something to say about the end may take.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// What is being done that must come to its end, however the operation ends.
///
/// Who wants to end an operation closes them first: nothing is begun any more then, and what was
/// begun is waited for. A process that is killed has no time for that.
#[derive(Clone, Debug, Default)]
pub struct Holds(Arc<watch::Sender<State>>);

#[derive(Clone, Debug, Default)]
struct State {
    held: usize,
    closed: bool,
    /// How many operations say something once all is released.
    witnesses: usize,
    /// The pods in which something was begun that is not released yet.
    frozen: BTreeSet<ItemId>,
}

/// A piece of such work, until it is dropped.
#[derive(Debug)]
pub struct Hold(Holds);

/// An operation that has a last word to say, until this is dropped.
#[derive(Debug)]
#[must_use]
pub struct Witness<'a>(&'a Holds);

impl Holds {
    /// From here on somebody is waited for, for a while, once all is released.
    pub fn witness(&self) -> Witness<'_> {
        self.0.send_modify(|state| state.witnesses += 1);
        Witness(self)
    }

    /// Waits until they are closed, and all that was begun is over.
    pub async fn over(&self) {
        let mut states = self.0.subscribe();
        // The sender lives as long as this borrow.
        drop(states.wait_for(|state| state.closed && state.held == 0).await);
    }

    /// Begins such work; none if they are closed.
    pub fn begin(&self) -> Option<Hold> {
        let begun = self.0.send_if_modified(|state| {
            state.held += usize::from(!state.closed);
            !state.closed
        });
        begun.then(|| Hold(self.clone()))
    }

    /// Whether there is any.
    pub fn any(&self) -> bool {
        self.0.borrow().held > 0
    }

    /// Whether nothing more may begin, not even as a part of what was begun.
    pub fn is_closed(&self) -> bool {
        self.0.borrow().closed
    }

    /// The pods that are not released yet.
    pub fn frozen(&self) -> Vec<ItemId> {
        self.0.borrow().frozen.iter().cloned().collect()
    }

    /// Lets nothing more begin, and waits for what was begun, and for what is said about that.
    pub async fn close(&self) {
        self.0.send_modify(|state| state.closed = true);
        let mut states = self.0.subscribe();
        // The sender lives as long as this borrow.
        drop(states.wait_for(|state| state.held == 0).await);
        drop(timeout(LAST_WORDS, states.wait_for(|state| state.witnesses == 0)).await);
    }
}

impl Hold {
    /// From here on something in this pod must be released again.
    pub fn freeze(&self, pod: &ItemId) {
        self.0.0.send_modify(|state| state.frozen.extend([pod.clone()]));
    }

    /// It was released, as far as that can be done.
    pub fn release(&self, pod: &ItemId) {
        self.0.0.send_modify(|state| state.frozen.retain(|it| it != pod));
    }

    /// Whether this pod is to be released.
    pub fn holds(&self, pod: &ItemId) -> bool {
        self.0.0.borrow().frozen.contains(pod)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.0.send_modify(|state| state.held -= 1);
    }
}

impl Drop for Witness<'_> {
    fn drop(&mut self) {
        self.0.0.send_modify(|state| state.witnesses -= 1);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn what_was_begun_is_waited_for_and_nothing_more_begins() {
        let holds = Holds::default();
        let hold = holds.begin().unwrap();
        assert!(holds.any());
        assert!(holds.close().now_or_never().is_none(), "it is not over");
        assert!(holds.begin().is_none() && holds.is_closed());
        let pod: ItemId = "pods/shop/db-0".parse().unwrap();
        hold.freeze(&pod);
        assert!(hold.holds(&pod));
        assert_eq!(holds.frozen(), std::slice::from_ref(&pod));
        hold.release(&pod);
        assert_eq!(holds.frozen(), []);
        drop(hold);
        assert!(!holds.any());
        holds.close().await;
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_a_last_word_is_waited_for_though_not_for_ever() {
        let holds = Holds::default();
        let witness = holds.witness();
        assert!(holds.over().now_or_never().is_none(), "nobody ended it");
        assert!(holds.close().now_or_never().is_none(), "it has not been said");
        assert!(holds.over().now_or_never().is_some());
        holds.close().await;
        drop(witness);
        assert!(holds.close().now_or_never().is_some());
    }
}
