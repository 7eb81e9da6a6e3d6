//! One call for many questions that come at the same time.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use super::fault::Fault;

/// How long the first question waits for others.
const WINDOW: Duration = Duration::from_millis(100);

/// EC2 takes no more values in a filter.
const MOST_KEYS: usize = 200;

/// Who waits for the answer to one key.
type Waiting<K, V> = Vec<(K, oneshot::Sender<Result<Option<V>, Fault>>)>;

/// Gathers questions by key and asks them together.
///
/// Nothing runs in the background: the first of a group waits for the others and asks for all. If it
/// is cancelled, the others ask again, one of them first.
#[derive(Debug)]
pub(super) struct Batch<K, V> {
    gathering: Mutex<Waiting<K, V>>,
}

impl<K: Clone + Ord + Send + Sync, V: Clone + Send + Sync> Batch<K, V> {
    pub(super) const fn new() -> Self {
        Self { gathering: Mutex::new(Vec::new()) }
    }

    /// Asks for one key; `fetch` answers many, and leaves out what does not exist.
    pub(super) async fn ask<A, F>(&self, key: K, fetch: A) -> Result<Option<V>, Fault>
    where
        A: Fn(Vec<K>) -> F + Send + Sync,
        F: Future<Output = Result<BTreeMap<K, V>, Fault>> + Send,
    {
        loop {
            let (sender, answer) = oneshot::channel();
            if self.join(key.clone(), sender) {
                self.lead(&fetch).await;
            }
            if let Ok(answer) = answer.await {
                return answer;
            }
        }
    }

    /// Joins the group that is gathering; true if there was none, and this one has to ask.
    fn join(&self, key: K, sender: oneshot::Sender<Result<Option<V>, Fault>>) -> bool {
        let mut gathering = self.gathering();
        gathering.push((key, sender));
        gathering.len() == 1
    }

    async fn lead<A, F>(&self, fetch: &A)
    where
        A: Fn(Vec<K>) -> F + Send + Sync,
        F: Future<Output = Result<BTreeMap<K, V>, Fault>> + Send,
    {
        let group = Group(self);
        sleep_until(Instant::now() + WINDOW).await;
        let mut waiting = group.close();
        while !waiting.is_empty() {
            let rest = waiting.split_off(waiting.len().min(MOST_KEYS));
            let asked = mem::replace(&mut waiting, rest);
            let found = fetch(asked.iter().map(|(key, _)| key.clone()).collect()).await;
            answer(asked, &found);
        }
    }

    fn gathering(&self) -> MutexGuard<'_, Waiting<K, V>> {
        self.gathering.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answer<K: Ord, V: Clone>(asked: Waiting<K, V>, found: &Result<BTreeMap<K, V>, Fault>) {
    for (key, sender) in asked {
        let own = found.as_ref().map(|found| found.get(&key).cloned()).map_err(Clone::clone);
        // Who was cancelled does not listen any more.
        drop(sender.send(own));
    }
}

/// A group that is gathering. Dropped early, it lets go of all who joined it.
struct Group<'a, K: Clone + Ord + Send + Sync, V: Clone + Send + Sync>(&'a Batch<K, V>);

impl<K: Clone + Ord + Send + Sync, V: Clone + Send + Sync> Group<'_, K, V> {
    fn close(self) -> Waiting<K, V> {
        let waiting = mem::take(&mut *self.0.gathering());
        mem::forget(self);
        waiting
    }
}

impl<K: Clone + Ord + Send + Sync, V: Clone + Send + Sync> Drop for Group<'_, K, V> {
    fn drop(&mut self) {
        self.0.gathering().clear();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;
    use tokio::time::timeout;

    use super::*;

    /// Knows the even numbers, and counts how often it is asked.
    #[derive(Default)]
    struct Evens {
        calls: AtomicUsize,
        largest: AtomicUsize,
    }

    impl Evens {
        async fn fetch(&self, keys: Vec<u32>) -> Result<BTreeMap<u32, u32>, Fault> {
            self.calls.fetch_add(1, Ordering::Relaxed);
            self.largest.fetch_max(keys.len(), Ordering::Relaxed);
            sleep_until(Instant::now() + Duration::from_secs(1)).await;
            Ok(keys.into_iter().filter(|key| key % 2 == 0).map(|key| (key, key * 10)).collect())
        }

        fn calls(&self) -> usize {
            self.calls.load(Ordering::Relaxed)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn questions_at_the_same_time_share_a_call() {
        let (batch, evens) = (Batch::new(), Evens::default());
        let answers = join_all((0..150).map(|key| batch.ask(key, |keys| evens.fetch(keys)))).await;
        assert_eq!(evens.calls(), 1);
        for (key, answer) in (0..).zip(answers) {
            assert_eq!(answer.unwrap(), (key % 2 == 0).then_some(key * 10));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_call_asks_for_more_than_a_filter_takes() {
        let (batch, evens) = (Batch::new(), Evens::default());
        let answers = join_all((0..450).map(|key| batch.ask(key, |keys| evens.fetch(keys)))).await;
        assert_eq!(answers.iter().filter(|answer| matches!(answer, Ok(Some(_)))).count(), 225);
        assert_eq!(evens.calls(), 3);
        assert_eq!(evens.largest.load(Ordering::Relaxed), MOST_KEYS);
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_after_the_window_is_asked_by_itself() {
        let (batch, evens) = (Batch::new(), Evens::default());
        let late = async {
            sleep_until(Instant::now() + WINDOW * 2).await;
            batch.ask(4, |keys| evens.fetch(keys)).await
        };
        let (early, late) = tokio::join!(batch.ask(2, |keys| evens.fetch(keys)), late);
        assert_eq!((early.unwrap(), late.unwrap()), (Some(20), Some(40)));
        assert_eq!(evens.calls(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancelled_leader_leaves_nobody_waiting() {
        // Cancelled while it gathers, and while it asks.
        for patience in [WINDOW / 2, WINDOW * 3] {
            let (batch, evens) = (Batch::new(), Evens::default());
            let leader = timeout(patience, batch.ask(2, |keys| evens.fetch(keys)));
            let others = join_all([4, 6, 8].map(|key| batch.ask(key, |keys| evens.fetch(keys))));
            let others = timeout(Duration::from_mins(1), others);
            let (leader, others) = tokio::join!(leader, others);
            assert!(leader.is_err());
            let answers: Vec<_> = others.unwrap().into_iter().map(Result::unwrap).collect();
            assert_eq!(answers, [Some(40), Some(60), Some(80)]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_fault_is_everybodys() {
        let batch: Batch<u32, u32> = Batch::new();
        let fail = |_| async { Err(Fault::refused("no")) };
        for answer in join_all([1, 2].map(|key| batch.ask(key, fail))).await {
            assert_eq!(answer, Err(Fault::refused("no")));
        }
    }
}
