//! Keeps what an operation has to say: its problems for the report, its lines for the log.

use std::io::{Read as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use bowline_api::ItemId;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use super::clock::Clock;
use super::event::{Event, Observer, Stage};
use super::report::Problem;

/// Passes events on to the observer and keeps what the records need.
pub struct Journal {
    observer: Arc<dyn Observer>,
    clock: Clock,
    subject: String,
    kept: Mutex<Kept>,
}

/// What an operation had to say before another process took it up.
#[derive(Clone, Debug, Default)]
pub struct Earlier {
    /// What was odd.
    pub warnings: Vec<Problem>,
    /// What was asked and not done.
    pub errors: Vec<Problem>,
    /// The log, by line.
    pub log: Vec<String>,
}

struct Kept {
    warnings: Vec<Problem>,
    errors: Vec<Problem>,
    log: GzEncoder<Vec<u8>>,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal").field("subject", &self.subject).finish_non_exhaustive()
    }
}

impl Journal {
    /// Opens a journal; `subject` names the operation in the log: `backup=velero/nightly`.
    pub fn new(observer: Arc<dyn Observer>, clock: Clock, subject: String) -> Self {
        let log = encoder(Vec::new());
        let kept = Mutex::new(Kept { warnings: Vec::new(), errors: Vec::new(), log });
        Self { observer, clock, subject, kept }
    }

    /// Goes on with the journal of an operation that broke off; its problems are told again.
    pub fn resume(
        observer: Arc<dyn Observer>,
        clock: Clock,
        subject: String,
        earlier: Earlier,
    ) -> Self {
        let journal = Self::new(observer, clock, subject);
        for problem in &earlier.warnings {
            journal.observer.observe(&Event::Warning(problem));
        }
        for problem in &earlier.errors {
            journal.observer.observe(&Event::Error(problem));
        }
        let mut kept = journal.kept();
        for line in &earlier.log {
            kept.write(line);
        }
        (kept.warnings, kept.errors) = (earlier.warnings, earlier.errors);
        drop(kept);
        journal
    }

    /// A stage begins.
    pub fn stage(&self, stage: Stage) {
        self.note_line(stage.title());
        self.observer.observe(&Event::Stage(stage));
    }

    /// So many more items are to be done.
    pub fn expect(&self, items: u64) {
        self.observer.observe(&Event::Expect(items));
    }

    /// An item is done.
    pub fn item(&self, id: &ItemId) {
        self.observer.observe(&Event::Item(id));
    }

    /// So many more bytes were moved.
    pub fn bytes(&self, bytes: u64) {
        self.observer.observe(&Event::Bytes(bytes));
    }

    /// A volume got further.
    pub fn volume(&self, claim: &str, state: &str) {
        self.note_line(&format!("volume of {claim}: {state}"));
        self.observer.observe(&Event::Volume { claim, state });
    }

    /// Something worth a line in the log.
    pub fn note(&self, text: &str) {
        self.note_line(text);
        self.observer.observe(&Event::Note(text));
    }

    /// Something is odd, but nothing is lost.
    pub fn warn(&self, problem: Problem) {
        self.line("warning", &problem.to_string());
        self.observer.observe(&Event::Warning(&problem));
        self.kept().warnings.push(problem);
    }

    /// Something was asked and not done.
    pub fn error(&self, problem: Problem) {
        self.line("error", &problem.to_string());
        self.observer.observe(&Event::Error(&problem));
        self.kept().errors.push(problem);
    }

    /// The warnings and errors so far.
    pub fn problems(&self) -> (Vec<Problem>, Vec<Problem>) {
        let kept = self.kept();
        (kept.warnings.clone(), kept.errors.clone())
    }

    /// The log so far, packed. What comes later is in the next log only, as one more gzip member.
    pub fn log(&self) -> std::io::Result<Vec<u8>> {
        let mut kept = self.kept();
        // A finished encoder panics when it is written to.
        let finished = std::mem::replace(&mut kept.log, encoder(Vec::new()));
        let packed = finished.finish()?;
        kept.log = encoder(packed.clone());
        drop(kept);
        Ok(packed)
    }

    /// The log so far, by line.
    pub fn lines(&self) -> std::io::Result<Vec<String>> {
        let mut text = String::new();
        MultiGzDecoder::new(self.log()?.as_slice()).read_to_string(&mut text)?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    fn note_line(&self, text: &str) {
        self.line("info", text);
    }

    /// A line as Velero's log has them.
    fn line(&self, level: &str, message: &str) {
        let (time, subject) = (self.clock.now(), &self.subject);
        self.kept().write(&format!("time=\"{time}\" level={level} msg={message:?} {subject}"));
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn write(&mut self, line: &str) {
        // Writing to memory does not fail.
        drop(writeln!(self.log, "{line}"));
    }
}

/// Packs what comes, after what is packed already.
fn encoder(packed: Vec<u8>) -> GzEncoder<Vec<u8>> {
    GzEncoder::new(packed, Compression::default())
}

#[cfg(test)]
mod tests {
    use flate2::read::GzDecoder;

    use super::*;
    use crate::engine::event::Silent;

    #[test]
    fn the_log_has_lines_like_veleros_and_each_problem_is_kept_once() {
        let clock = Clock::Fixed("2026-03-01T02:00:00Z".parse().unwrap());
        let journal = Journal::new(Arc::new(Silent), clock, "backup=velero/nightly".to_owned());
        journal.note("said \"hello\"");
        journal.error(Problem::of_run("list", "refused"));
        let mut log = String::new();
        GzDecoder::new(journal.log().unwrap().as_slice()).read_to_string(&mut log).unwrap();
        assert_eq!(
            log,
            "time=\"2026-03-01T02:00:00Z\" level=info msg=\"said \\\"hello\\\"\" backup=velero/nightly\n\
             time=\"2026-03-01T02:00:00Z\" level=error msg=\"refused\" backup=velero/nightly\n"
        );
        let (warnings, errors) = journal.problems();
        assert_eq!((warnings.len(), errors.len()), (0, 1));
    }

    #[test]
    fn a_journal_that_is_taken_up_again_goes_on_with_all_that_was_said() {
        let clock = Clock::Fixed("2026-03-01T02:00:00Z".parse().unwrap());
        let subject = "backup=velero/nightly".to_owned();
        let first = Journal::new(Arc::new(Silent), clock, subject.clone());
        first.warn(Problem::of_run("store", "odd\nthing"));
        first.error(Problem::of_run("list", "refused"));
        let ((warnings, errors), log) = (first.problems(), first.lines().unwrap());
        assert_eq!(log.len(), 2);
        let earlier = Earlier { warnings, errors, log };
        let second = Journal::resume(Arc::new(Silent), clock, subject, earlier);
        assert_eq!(second.problems(), first.problems());
        for journal in [&first, &second] {
            journal.note("done");
        }
        assert_eq!(second.lines().unwrap(), first.lines().unwrap());
    }

    #[test]
    fn what_is_said_after_the_log_was_packed_is_in_the_next_one() {
        let journal = Journal::new(Arc::new(Silent), Clock::System, "restore=velero/r".to_owned());
        journal.note("before");
        journal.log().unwrap();
        journal.warn(Problem::of_run("record", "after"));
        let mut log = String::new();
        MultiGzDecoder::new(journal.log().unwrap().as_slice()).read_to_string(&mut log).unwrap();
        assert!(log.contains("msg=\"before\"") && log.contains("msg=\"after\""), "{log}");
        assert_eq!(log.lines().count(), 2);
    }
}
