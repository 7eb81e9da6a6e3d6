//! What EC2 does not show yet.
//!
//! EC2 is eventually consistent: what was just made may be missing from descriptions for some
//! seconds. Within one process that is bridged from memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use tokio::time::Instant;

/// How long something may be missing from descriptions after it was made.
const GRACE: Duration = Duration::from_mins(1);

/// What this process made, by token and by name.
#[derive(Debug)]
pub(super) struct Made<T>(Mutex<Vec<Entry<T>>>);

#[derive(Debug)]
struct Entry<T> {
    token: String,
    id: String,
    made: Instant,
    what: T,
}

/// Why something is not described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Missing<T> {
    /// It was just made, and will show.
    NotYet(T),
    /// This process made it, and it is gone.
    Gone,
    /// This process did not make it.
    Unknown,
}

impl<T: Clone> Made<T> {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    pub(super) fn remember(&self, token: &str, id: &str, what: T) {
        let (token, id) = (token.to_owned(), id.to_owned());
        self.with(|entries| entries.push(Entry { token, id, made: Instant::now(), what }));
    }

    pub(super) fn forget(&self, id: &str) {
        self.with(|entries| entries.retain(|entry| entry.id != id));
    }

    /// What a token just made, if it was so lately that it may not show yet.
    pub(super) fn by_token(&self, token: &str) -> Option<T> {
        self.with(|entries| {
            let entry = entries.iter().find(|entry| entry.token == token)?;
            (entry.made.elapsed() < GRACE).then(|| entry.what.clone())
        })
    }

    /// What was just made, so lately that it may not show yet.
    pub(super) fn lately(&self) -> Vec<T> {
        self.with(|entries| {
            let lately = entries.iter().filter(|entry| entry.made.elapsed() < GRACE);
            lately.map(|entry| entry.what.clone()).collect()
        })
    }

    pub(super) fn missing(&self, id: &str) -> Missing<T> {
        self.with(|entries| match entries.iter().find(|entry| entry.id == id) {
            Some(entry) if entry.made.elapsed() < GRACE => Missing::NotYet(entry.what.clone()),
            Some(_) => Missing::Gone,
            None => Missing::Unknown,
        })
    }

    fn with<R>(&self, work: impl FnOnce(&mut Vec<Entry<T>>) -> R) -> R {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Lets requests with one token go one after the other.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<BTreeMap<String, Arc<AsyncMutex<()>>>>);

impl Turns {
    pub(super) async fn of(&self, token: &str) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            Arc::clone(turns.entry(token.to_owned()).or_default())
        };
        turn.lock_owned().await
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{advance, timeout};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_just_made_is_remembered_until_it_must_show() {
        let made = Made::new();
        made.remember("token", "vol-1", "it");
        assert_eq!(made.by_token("token"), Some("it"));
        assert_eq!(made.lately(), ["it"]);
        assert_eq!(made.missing("vol-1"), Missing::NotYet("it"));
        assert_eq!(made.missing("vol-2"), Missing::Unknown);
        advance(GRACE).await;
        assert_eq!(made.by_token("token"), None);
        assert_eq!(made.lately(), [""; 0]);
        assert_eq!(made.missing("vol-1"), Missing::Gone);
        made.forget("vol-1");
        assert_eq!(made.missing("vol-1"), Missing::Unknown);
    }

    #[tokio::test(start_paused = true)]
    async fn one_token_waits_for_itself_and_for_no_other() {
        let turns = Turns::default();
        let first = turns.of("a").await;
        assert!(timeout(GRACE, turns.of("a")).await.is_err());
        assert!(timeout(GRACE, turns.of("b")).await.is_ok());
        drop(first);
        assert!(timeout(GRACE, turns.of("a")).await.is_ok());
    }

    #[tokio::test]
    async fn turns_that_are_over_take_no_room() {
        let turns = Turns::default();
        for number in 0..100 {
            drop(turns.of(&number.to_string()).await);
        }
        assert_eq!(turns.0.lock().unwrap().len(), 1);
    }
}
