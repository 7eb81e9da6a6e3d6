//! A clean stop: what is on its way is awaited, and nothing more is begun.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// How long what is on its way is awaited once a stop is asked for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks an operation to stop, and lets it do so between two changes. Clones are one.
///
/// Dropping a future in the middle of a request leaves open whether it was carried out. That is as
/// safe as a crash is, and no safer: a stop that can wait is better.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<watch::Sender<State>>);

#[derive(Clone, Copy, Debug, Default)]
struct State {
    is_asked: bool,
    /// How many operations stop when they are asked to.
    heeding: usize,
    /// How many changes are on their way.
    underway: usize,
}

/// A change that is on its way, for as long as this lives.
#[derive(Debug)]
#[must_use]
pub struct Underway<'a>(&'a Stop);

/// An operation that stops when it is asked to, for as long as this lives.
#[derive(Debug)]
#[must_use]
pub struct Heeding<'a>(&'a Stop);

impl Stop {
    /// Asks for a stop; tells whether anybody heeds it.
    pub fn ask(&self) -> bool {
        self.0.send_modify(|state| state.is_asked = true);
        self.0.borrow().heeding > 0
    }

    /// From here on somebody stops when asked to.
    pub fn heed(&self) -> Heeding<'_> {
        self.0.send_modify(|state| state.heeding += 1);
        Heeding(self)
    }

    /// Begins a change; once a stop was asked for and is heeded this never comes back.
    pub async fn begin(&self) -> Underway<'_> {
        let begun = self.0.send_if_modified(|state| {
            let may_begin = !state.is_stopping();
            state.underway += usize::from(may_begin);
            may_begin
        });
        if !begun {
            std::future::pending::<()>().await;
        }
        Underway(self)
    }

    /// Goes on with a change that was begun: what belongs to it is done although a stop was asked for.
    ///
    /// Nothing may be awaited in between.
    pub fn go_on(&self) -> Underway<'_> {
        self.0.send_modify(|state| state.underway += 1);
        Underway(self)
    }

    /// Carries out what only looks; none if a stop was asked for before it came to its end.
    pub async fn unless_asked<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let _heeding = self.heed();
        tokio::select! {
            biased;
            () = self.quiet() => None,
            done = work => Some(done),
        }
    }

    /// Waits until a stop is asked for, and then until nothing is on its way, or was for too long.
    pub async fn quiet(&self) {
        let mut state = self.0.subscribe();
        // The sender lives as long as this borrow.
        drop(state.wait_for(|state| state.is_asked).await);
        drop(timeout(PATIENCE, state.wait_for(|state| state.underway == 0)).await);
    }
}

impl State {
    fn is_stopping(self) -> bool {
        self.is_asked && self.heeding > 0
    }
}

impl Drop for Underway<'_> {
    fn drop(&mut self) {
        self.0.0.send_modify(|state| state.underway -= 1);
    }
}

impl Drop for Heeding<'_> {
    fn drop(&mut self) {
        self.0.0.send_modify(|state| state.heeding -= 1);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_on_its_way_is_awaited_and_nothing_more_begins() {
        let stop = Stop::default();
        assert!(!stop.ask(), "nobody heeds it");
        let _unheeded = stop.begin().await;
        let stop = Stop::default();
        let _heeding = stop.heed();
        let first = stop.begin().await;
        assert!(stop.quiet().now_or_never().is_none(), "nobody asked");
        assert!(stop.ask());
        assert!(stop.begin().now_or_never().is_none());
        assert!(stop.quiet().now_or_never().is_none(), "one is on its way");
        drop(first);
        assert!(stop.quiet().now_or_never().is_some());
    }

    #[tokio::test]
    async fn what_belongs_to_a_change_that_was_begun_is_awaited_with_it() {
        let stop = Stop::default();
        let _heeding = stop.heed();
        let change = stop.begin().await;
        stop.ask();
        drop(change);
        let rest = stop.go_on();
        assert!(stop.quiet().now_or_never().is_none(), "its rest is on its way");
        drop(rest);
        assert!(stop.quiet().now_or_never().is_some());
    }

    #[tokio::test]
    async fn what_only_looks_ends_as_soon_as_a_stop_is_asked_for() {
        let stop = Stop::default();
        assert_eq!(stop.unless_asked(std::future::ready(1)).await, Some(1));
        let work = async {
            assert!(stop.ask(), "it is heeded");
            std::future::pending::<()>().await;
        };
        assert_eq!(stop.unless_asked(work).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_that_does_not_end_is_not_awaited_for_ever() {
        let stop = Stop::default();
        let _heeding = stop.heed();
        let _first = stop.begin().await;
        stop.ask();
        timeout(PATIENCE * 2, stop.quiet()).await.unwrap();
    }
}
