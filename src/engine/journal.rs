//! Keeps what an operation has to say: its problems for the report, its lines for the log.

use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use bowline_api::ItemId;
use flate2::Compression;
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

    fn note_line(&self, text: &str) {
        self.line("info", text);
    }

    /// A line as Velero's log has them.
    fn line(&self, level: &str, message: &str) {
        let (time, subject) = (self.clock.now(), &self.subject);
        let line = format!("time=\"{time}\" level={level} msg={message:?} {subject}\n");
        // Writing to memory does not fail.
        drop(self.kept().log.write_all(line.as_bytes()));
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Packs what comes, after what is packed already.
fn encoder(packed: Vec<u8>) -> GzEncoder<Vec<u8>> {
    GzEncoder::new(packed, Compression::default())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::{GzDecoder, MultiGzDecoder};

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
