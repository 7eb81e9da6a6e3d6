//! Keeps what an operation has to say: its problems for the report, its lines for the log.

use std::io::{Read as _, Write as _};
use std::panic::Location;
use std::sync::{Arc, Mutex, PoisonError};

use bowline_api::ItemId;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use super::clock::Clock;
use super::event::{Event, Observer, Stage};
use super::model::log_line::{Fields, line};
use super::report::Problem;

/// The resource that volumes are told of by.
const CLAIMS: &str = "persistentvolumeclaims";

/// Passes events on to the observer and keeps what the records need.
pub struct Journal {
    observer: Arc<dyn Observer>,
    clock: Clock,
    /// What the log calls the operation: `backup`, `velero/nightly`.
    subject: (&'static str, String),
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
    /// The log up to when it was last asked for, packed: one gzip member after the other.
    packed: Vec<u8>,
    /// The member that is being written.
    log: GzEncoder<Vec<u8>>,
    /// Whether that one holds a line.
    has_more: bool,
    /// How much of what is packed was taken by who writes the log while it grows.
    taken: usize,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal").field("subject", &self.subject).finish_non_exhaustive()
    }
}

impl Journal {
    /// Opens the journal of a backup, or of what is done to it later.
    pub fn of_backup(observer: Arc<dyn Observer>, clock: Clock, name: &str) -> Self {
        Self::new(observer, clock, ("backup", name))
    }

    /// Opens the journal of a restore.
    pub fn of_restore(observer: Arc<dyn Observer>, clock: Clock, name: &str) -> Self {
        Self::new(observer, clock, ("restore", name))
    }

    fn new(observer: Arc<dyn Observer>, clock: Clock, (noun, name): (&'static str, &str)) -> Self {
        let kept = Mutex::new(Kept {
            warnings: Vec::new(),
            errors: Vec::new(),
            packed: Vec::new(),
            log: encoder(),
            has_more: false,
            taken: 0,
        });
        let subject = (noun, format!("velero/{name}"));
        Self { observer, clock, subject, kept }
    }

    /// Goes on with the journal of a backup that broke off; its problems are told again.
    pub fn resume(observer: Arc<dyn Observer>, clock: Clock, name: &str, earlier: Earlier) -> Self {
        let journal = Self::of_backup(observer, clock, name);
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
        // The run that said so has told it. Packing in memory does not fail.
        drop(kept.recent());
        (kept.warnings, kept.errors) = (earlier.warnings, earlier.errors);
        drop(kept);
        journal
    }

    /// A stage begins.
    #[track_caller]
    pub fn stage(&self, stage: Stage) {
        self.line("info", stage.title(), Fields::new());
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
    #[track_caller]
    pub fn volume(&self, claim: &str, state: &str) {
        let (namespace, name) = claim.split_once('/').unwrap_or(("", claim));
        let fields = [("resource", CLAIMS), ("namespace", namespace), ("name", name)];
        self.line("info", state, fields.into());
        self.observer.observe(&Event::Volume { claim, state });
    }

    /// So much is awaited now.
    pub fn awaiting(&self, what: &str) {
        self.observer.observe(&Event::Awaiting(what));
    }

    /// Something worth a line in the log.
    #[track_caller]
    pub fn note(&self, text: &str) {
        self.line("info", text, Fields::new());
        self.observer.observe(&Event::Note(text));
    }

    /// Something about an object that is worth a line in the log.
    #[track_caller]
    pub fn about(&self, id: &ItemId, text: &str) {
        self.log_about(id, text);
        self.observer.observe(&Event::Note(text));
    }

    /// The same, for the log alone: it may be long.
    #[track_caller]
    pub fn log_about(&self, id: &ItemId, text: &str) {
        let resource = id.resource.to_string();
        let namespace = id.namespace.as_deref().unwrap_or_default();
        let fields =
            [("resource", resource.as_str()), ("namespace", namespace), ("name", &id.name)];
        let fields = fields.into_iter().filter(|(_, value)| !value.is_empty());
        self.line("info", text, fields.collect());
    }

    /// Something is odd, but nothing is lost.
    #[track_caller]
    pub fn warn(&self, problem: Problem) {
        self.line("warning", &problem.message, object(&problem));
        self.observer.observe(&Event::Warning(&problem));
        self.kept().warnings.push(problem);
    }

    /// Something was asked and not done.
    #[track_caller]
    pub fn error(&self, problem: Problem) {
        let mut fields = object(&problem);
        fields.insert("error", &problem.message);
        self.line("error", &problem.failure(), fields);
        self.observer.observe(&Event::Error(&problem));
        self.kept().errors.push(problem);
    }

    /// Why the operation ends here, for its log; who started it is told by the error itself.
    #[track_caller]
    pub fn last_word(&self, cause: &str) {
        self.line("error", "broke off", Fields::from([("error", cause)]));
    }

    /// The warnings and errors so far.
    pub fn problems(&self) -> (Vec<Problem>, Vec<Problem>) {
        let kept = self.kept();
        (kept.warnings.clone(), kept.errors.clone())
    }

    /// The log so far, packed. What comes later is in the next log only, as one more gzip member.
    pub fn log(&self) -> std::io::Result<Vec<u8>> {
        let mut kept = self.kept();
        kept.pack()?;
        Ok(kept.packed.clone())
    }

    /// The log so far, by line.
    pub fn lines(&self) -> std::io::Result<Vec<String>> {
        let mut text = String::new();
        MultiGzDecoder::new(self.log()?.as_slice()).read_to_string(&mut text)?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// What was logged since this was last asked, packed; empty if nothing was.
    pub fn take_recent(&self) -> Vec<u8> {
        // Packing in memory does not fail.
        self.kept().recent().unwrap_or_default()
    }

    /// A line as Velero's log has them, with what it is about and where it was said.
    #[track_caller]
    fn line<'a>(&'a self, level: &str, message: &str, fields: Fields<'a>) {
        let source = source(Location::caller());
        let mut fields: Fields<'_> = fields;
        fields.insert(self.subject.0, &self.subject.1);
        fields.insert("logSource", &source);
        self.kept().write(&line(self.clock.now(), level, message, &fields));
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn write(&mut self, line: &str) {
        // Writing to memory does not fail.
        drop(writeln!(self.log, "{line}"));
        self.has_more = true;
    }

    /// Ends the member that is being written, if it holds anything.
    fn pack(&mut self) -> std::io::Result<()> {
        if std::mem::take(&mut self.has_more) {
            // A finished encoder panics when it is written to.
            let finished = std::mem::replace(&mut self.log, encoder());
            self.packed.extend(finished.finish()?);
        }
        Ok(())
    }

    /// What was packed since this was last asked.
    fn recent(&mut self) -> std::io::Result<Vec<u8>> {
        self.pack()?;
        let recent = self.packed.get(self.taken..).unwrap_or_default().to_vec();
        self.taken = self.packed.len();
        Ok(recent)
    }
}

/// The object that a problem is about, if it is about one.
fn object(problem: &Problem) -> Fields<'_> {
    let parts = [
        ("resource", &problem.resource),
        ("namespace", &problem.namespace),
        ("name", &problem.name),
    ];
    parts.into_iter().filter_map(|(key, value)| Some((key, value.as_deref()?))).collect()
}

/// A place in this program's source, whatever machine it was built on: `src/engine/run.rs:7`.
fn source(place: &Location<'_>) -> String {
    let file = place.file();
    let below = file.rfind("src/").map_or(file, |start| &file[start..]);
    format!("{below}:{}", place.line())
}

/// Packs what comes.
fn encoder() -> GzEncoder<Vec<u8>> {
    GzEncoder::new(Vec::new(), Compression::default())
}

#[cfg(test)]
mod tests {
    use flate2::read::GzDecoder;

    use super::*;
    use crate::engine::event::Silent;

    const HERE: &str = "src/engine/journal.rs:";

    fn journal() -> Journal {
        let clock = Clock::Fixed("2026-03-01T02:00:00Z".parse().unwrap());
        Journal::of_backup(Arc::new(Silent), clock, "nightly")
    }

    /// The lines without the numbers in the source, which change with it.
    fn without_numbers(text: &str) -> String {
        let pieces = text.split(HERE).enumerate();
        let tail = |(at, piece): (usize, &str)| match at {
            0 => piece.to_owned(),
            _ => format!("HERE{}", piece.trim_start_matches(|c: char| c.is_ascii_digit())),
        };
        pieces.map(tail).collect()
    }

    #[test]
    fn the_log_has_lines_like_veleros_and_each_problem_is_kept_once() {
        let journal = journal();
        journal.stage(Stage::Committing);
        journal.note("said \"hello\"");
        journal.volume("shop/data-0", "snapshot 42 %");
        journal.warn(Problem::of_run("store", "odd\nthing"));
        let pod = "pods/shop/db-0".parse().unwrap();
        journal.error(Problem::of_item(&pod, "archive", "too large"));
        let mut log = String::new();
        GzDecoder::new(journal.log().unwrap().as_slice()).read_to_string(&mut log).unwrap();
        let begin = |level: &str| format!("time=\"2026-03-01T02:00:00Z\" level={level} msg=");
        let (info, warning, error) = (begin("info"), begin("warning"), begin("error"));
        let (subject, source) = ("backup=velero/nightly", "logSource=\"HERE\"");
        assert_eq!(
            without_numbers(&log),
            format!(
                "{info}committing {subject} {source}\n\
                 {info}\"said \\\"hello\\\"\" {subject} {source}\n\
                 {info}\"snapshot 42 %\" {subject} {source} name=data-0 namespace=shop \
                 resource=persistentvolumeclaims\n\
                 {warning}\"odd\\nthing\" {subject} {source}\n\
                 {error}\"failed to archive\" {subject} error=\"too large\" {source} name=db-0 \
                 namespace=shop resource=pods\n"
            )
        );
        let (warnings, errors) = journal.problems();
        assert_eq!((warnings.len(), errors.len()), (1, 1));
    }

    fn recent(journal: &Journal) -> String {
        let mut text = String::new();
        let packed = journal.take_recent();
        if !packed.is_empty() {
            MultiGzDecoder::new(packed.as_slice()).read_to_string(&mut text).unwrap();
        }
        text
    }

    #[test]
    fn what_was_logged_is_taken_once() {
        let journal = journal();
        journal.note("one");
        assert!(recent(&journal).contains("msg=one"));
        assert_eq!(recent(&journal), "");
        journal.note("two");
        journal.note("three");
        let text = recent(&journal);
        assert_eq!((text.lines().count(), text.contains("one")), (2, false), "{text}");
        assert_eq!(journal.lines().unwrap().len(), 3, "the log itself has all of it");
    }

    #[test]
    fn what_nobody_takes_is_kept_packed() {
        let journal = journal();
        for number in 0..20_000 {
            let id = format!("configmaps/shop/settings-{number}").parse().unwrap();
            journal.log_about(&id, "created");
        }
        let kept = journal.kept();
        let held = kept.packed.capacity() + kept.log.get_ref().capacity();
        drop(kept);
        let text = recent(&journal);
        assert!(text.len() > 3_000_000 && held * 10 < text.len(), "{held} of {}", text.len());
        assert_eq!(text.lines().count(), 20_000);
        assert_eq!(journal.lines().unwrap().len(), 20_000, "the log itself has all of it");
    }

    #[test]
    fn a_journal_that_is_taken_up_again_goes_on_with_all_that_was_said() {
        let first = journal();
        first.warn(Problem::of_run("store", "odd\nthing"));
        first.error(Problem::of_run("list", "refused"));
        let ((warnings, errors), log) = (first.problems(), first.lines().unwrap());
        assert_eq!(log.len(), 2);
        let earlier = Earlier { warnings, errors, log };
        let second = Journal::resume(Arc::new(Silent), first.clock, "nightly", earlier);
        assert_eq!(second.problems(), first.problems());
        assert_eq!(recent(&second), "", "the first one told it");
        for journal in [&first, &second] {
            journal.note("done");
        }
        assert_eq!(second.lines().unwrap(), first.lines().unwrap());
    }

    #[test]
    fn what_is_said_after_the_log_was_packed_is_in_the_next_one() {
        let journal = Journal::of_restore(Arc::new(Silent), Clock::System, "r");
        journal.note("before");
        journal.log().unwrap();
        journal.warn(Problem::of_run("record", "after"));
        let mut log = String::new();
        MultiGzDecoder::new(journal.log().unwrap().as_slice()).read_to_string(&mut log).unwrap();
        assert!(log.contains("msg=before") && log.contains("msg=after"), "{log}");
        assert!(log.contains(" restore=velero/r\n"), "{log}");
        assert_eq!(log.lines().count(), 2);
    }

    #[test]
    fn a_place_in_the_source_does_not_tell_where_it_was_built() {
        let place = source(Location::caller());
        assert!(place.starts_with(HERE) && place.len() > HERE.len(), "{place}");
    }
}
