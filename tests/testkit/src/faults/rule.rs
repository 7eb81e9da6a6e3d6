//! What is to go wrong, and with which calls.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::sync::watch;
use tokio::time::timeout;

use super::call::Call;

/// How long a test waits for its rule to strike.
const LIMIT: Duration = Duration::from_mins(2);

/// What happens to a call.
#[derive(Debug, Clone)]
pub enum Fault {
    /// It is passed on later.
    Delay(Duration),
    /// It is refused as one too many: 503 `SlowDown` in S3, 503 `RequestLimitExceeded` in EC2.
    Throttle {
        /// When to come back, in whole seconds, if that is said.
        retry_after: Option<Duration>,
    },
    /// It has its effect, then the connection ends without a reply.
    LoseReply,
    /// It is refused for want of rights: 403 `AccessDenied`, or `UnauthorizedOperation` in EC2.
    Refuse,
    /// It has its effect, then the connection ends in the middle of the reply's body.
    Truncate,
    /// It is refused with an error of the service's form, and has no effect.
    Error {
        /// The status of HTTP.
        status: u16,
        /// The error's code.
        code: String,
    },
    /// It is kept until [`Injected::release`]; it has no effect if the client ends before.
    Hold,
    /// It has its effect, and the reply is kept until [`Injected::release`].
    HoldReply,
}

impl Fault {
    /// An error of the service's form.
    pub fn error(status: u16, code: &str) -> Self {
        Self::Error { status, code: code.to_owned() }
    }
}

/// A fault, and the calls that it strikes.
#[derive(Debug, Clone)]
pub struct Rule {
    kind: String,
    key: Option<String>,
    occurrences: RangeInclusive<usize>,
    dry_runs: bool,
    pub(super) fault: Fault,
}

impl Rule {
    /// Strikes every call of a kind, as in `PutObject`; `*` is all kinds.
    pub fn new(kind: &str, fault: Fault) -> Self {
        let (key, occurrences) = (None, 1..=usize::MAX);
        Self { kind: kind.to_owned(), key, occurrences, dry_runs: true, fault }
    }

    /// Only calls whose subject (`bucket/key`, or ids) has this in it.
    #[must_use]
    pub fn with_key(mut self, part: &str) -> Self {
        self.key = Some(part.to_owned());
        self
    }

    /// Only one of the calls that match, counted from 1.
    #[must_use]
    pub fn nth(mut self, number: usize) -> Self {
        self.occurrences = number..=number;
        self
    }

    /// Only so many of the calls that match.
    #[must_use]
    pub fn first(mut self, count: usize) -> Self {
        self.occurrences = 1..=count;
        self
    }

    /// All calls that match but so many at first.
    #[must_use]
    pub fn after(mut self, count: usize) -> Self {
        self.occurrences = count.saturating_add(1)..=usize::MAX;
        self
    }

    /// Not those calls that only ask whether they may.
    #[must_use]
    pub fn except_dry_runs(mut self) -> Self {
        self.dry_runs = false;
        self
    }

    fn matches(&self, call: &Call) -> bool {
        let kind = self.kind == "*" || self.kind == call.kind;
        let key = self.key.as_ref().is_none_or(|part| call.subject.contains(part));
        kind && key && (self.dry_runs || !call.is_dry_run())
    }
}

/// A rule in force, to be watched and released.
#[derive(Debug, Clone)]
pub struct Injected {
    pub(super) rule: Arc<Rule>,
    seen: Arc<AtomicUsize>,
    hits: watch::Sender<usize>,
    released: watch::Sender<bool>,
}

impl Injected {
    pub(super) fn new(rule: Rule) -> Self {
        Self {
            rule: Arc::new(rule),
            seen: Arc::default(),
            hits: watch::Sender::new(0),
            released: watch::Sender::new(false),
        }
    }

    /// How many calls it has struck.
    pub fn hits(&self) -> usize {
        *self.hits.borrow()
    }

    /// Waits until it has struck a call.
    pub async fn wait_for_hit(&self) -> Result<()> {
        let mut hits = self.hits.subscribe();
        let hit = timeout(LIMIT, hits.wait_for(|hits| *hits > 0)).await;
        hit.with_context(|| format!("no call met {:?} within {LIMIT:?}", self.rule))??;
        Ok(())
    }

    /// Lets held calls go on, and all later ones pass.
    pub fn release(&self) {
        self.released.send_replace(true);
    }

    /// Whether it strikes this call, which it counts.
    pub(super) fn strikes(&self, call: &Call) -> bool {
        if *self.released.borrow() || !self.rule.matches(call) {
            return false;
        }
        let number = self.seen.fetch_add(1, Ordering::Relaxed) + 1;
        let strikes = self.rule.occurrences.contains(&number);
        if strikes {
            self.hits.send_modify(|hits| *hits += 1);
        }
        strikes
    }

    pub(super) async fn released(&self) {
        self.released.subscribe().wait_for(|released| *released).await.ok();
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Request;

    use super::super::Service;
    use super::*;

    fn put(path: &str) -> Call {
        let request = Request::put(path).body(()).unwrap().into_parts().0;
        Call::new(Service::S3, &request, &Bytes::new())
    }

    fn struck(rule: Rule, paths: &[&str]) -> Vec<bool> {
        let rule = Injected::new(rule);
        paths.iter().map(|path| rule.strikes(&put(path))).collect()
    }

    #[test]
    fn a_rule_counts_the_calls_that_match() {
        let rule = || Rule::new("PutObject", Fault::Refuse);
        let paths = ["/b/x", "/b/y", "/b/x", "/b/x"];
        assert_eq!(struck(rule(), &paths), [true; 4]);
        assert_eq!(struck(rule().nth(2), &paths), [false, true, false, false]);
        assert_eq!(struck(rule().first(3), &paths), [true, true, true, false]);
        assert_eq!(struck(rule().after(1).with_key("x"), &paths), [false, false, true, true]);
        assert_eq!(struck(Rule::new("GetObject", Fault::Refuse), &paths), [false; 4]);
    }

    #[test]
    fn a_released_rule_strikes_no_more() {
        let rule = Injected::new(Rule::new("*", Fault::Hold));
        assert!(rule.strikes(&put("/b/x")));
        rule.release();
        assert!(!rule.strikes(&put("/b/x")));
        assert_eq!(rule.hits(), 1);
    }
}
