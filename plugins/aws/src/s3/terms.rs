//! What a store takes: SHA-256 checksums, conditional writes.
//!
//! S3 takes both; clones answer `501 NotImplemented`, or call a header invalid. What is weaker is
//! found out by trying, in the order of what is lost least, remembered, and told once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::checksum::Algorithm;
use super::error::{Fault, Kind};

/// How a write is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) algorithm: Algorithm,
    /// Whether the store checks the condition itself, or we look before we write.
    pub(super) conditional: bool,
}

impl Terms {
    /// The next best, after this was refused; none if the refusal is about something else.
    ///
    /// `known` is what was known before this write.
    pub(super) fn weaker(self, known: Self, fault: &Fault) -> Option<Self> {
        let without_sha256 = Self { algorithm: Algorithm::Md5, ..self };
        let unconditional = Self { conditional: false, ..self };
        let checked = self.algorithm == Algorithm::Sha256;
        match fault.kind {
            Kind::Unsupported | Kind::Invalid if fault.mentions("checksum") => {
                checked.then_some(without_sha256)
            }
            Kind::Unsupported if fault.mentions("match") || fault.mentions("condition") => {
                self.conditional.then_some(unconditional)
            }
            // It does not say which of them: each alone, then both.
            Kind::Unsupported => match (checked, self.conditional) {
                (true, _) => Some(without_sha256),
                (false, true) => Some(Self { algorithm: known.algorithm, conditional: false }),
                (false, false) => None,
            },
            _ => None,
        }
    }
}

/// What is known of the store by now.
#[derive(Debug)]
pub(super) struct Knowledge {
    md5: AtomicBool,
    unconditional: AtomicBool,
    notices: Mutex<Vec<String>>,
}

impl Knowledge {
    /// Knows nothing yet but what was said: whether to do without SHA-256.
    pub(super) fn new(without_checksums: bool) -> Self {
        Self {
            md5: AtomicBool::new(without_checksums),
            unconditional: AtomicBool::new(false),
            notices: Mutex::default(),
        }
    }

    pub(super) fn terms(&self) -> Terms {
        Terms {
            algorithm: self.algorithm(),
            conditional: !self.unconditional.load(Ordering::Relaxed),
        }
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        if self.md5.load(Ordering::Relaxed) { Algorithm::Md5 } else { Algorithm::Sha256 }
    }

    /// Remembers by what terms a write succeeded.
    pub(super) fn settle(&self, terms: Terms) {
        if terms.algorithm == Algorithm::Md5 {
            self.give_up_sha256();
        }
        if !terms.conditional && !self.unconditional.swap(true, Ordering::Relaxed) {
            self.notice(
                "the store takes no conditional writes: whether a key is free is looked up before \
                 each write, and two writers at the same moment are not told apart",
            );
        }
    }

    /// Remembers that the store takes no SHA-256, or takes it and ignores it.
    pub(super) fn give_up_sha256(&self) {
        if !self.md5.swap(true, Ordering::Relaxed) {
            self.notice("the store takes no SHA-256 checksums: writes are checked by MD5");
        }
    }

    fn notice(&self, text: &str) {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner).push(text.to_owned());
    }

    pub(super) fn take_notices(&self) -> Vec<String> {
        std::mem::take(&mut self.notices.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEST: Terms = Terms { algorithm: Algorithm::Sha256, conditional: true };

    fn tried(known: Terms, words: &str) -> Vec<(bool, bool)> {
        let fault = Fault::new(Kind::Unsupported, words.to_owned());
        std::iter::successors(Some(known), |terms| terms.weaker(known, &fault))
            .map(|terms| (terms.algorithm == Algorithm::Sha256, terms.conditional))
            .collect()
    }

    #[test]
    fn a_header_that_is_named_is_left_out() {
        assert_eq!(tried(BEST, "x-amz-checksum-sha256"), [(true, true), (false, true)]);
        assert_eq!(tried(BEST, "If-None-Match is unknown"), [(true, true), (true, false)]);
    }

    #[test]
    fn one_that_is_not_named_is_found_by_trying() {
        let all = [(true, true), (false, true), (true, false), (false, false)];
        assert_eq!(tried(BEST, "not implemented"), all);
        let md5 = Terms { algorithm: Algorithm::Md5, conditional: true };
        assert_eq!(tried(md5, "not implemented"), [(false, true), (false, false)]);
    }

    #[test]
    fn an_invalid_argument_is_no_reason_unless_it_is_a_checksum() {
        let weaker = |words: &str| BEST.weaker(BEST, &Fault::new(Kind::Invalid, words.to_owned()));
        assert!(weaker("InvalidArgument: x-amz-checksum-sha256").is_some());
        assert!(weaker("InvalidArgument: the storage class").is_none());
    }

    #[test]
    fn each_lack_is_told_once() {
        let known = Knowledge::new(false);
        let worst = Terms { algorithm: Algorithm::Md5, conditional: false };
        known.settle(BEST);
        assert_eq!(known.take_notices(), [""; 0]);
        known.settle(worst);
        known.settle(worst);
        assert_eq!(known.take_notices().len(), 2);
        assert_eq!(known.take_notices(), [""; 0]);
        assert_eq!(known.terms(), worst);
        assert_eq!(Knowledge::new(true).terms().algorithm, Algorithm::Md5);
    }
}
