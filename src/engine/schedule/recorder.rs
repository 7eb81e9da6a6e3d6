//! What a run has to say, kept for the case that it makes no backup, which would have its log.

use std::sync::Arc;

use crate::engine::clock::Clock;
use crate::engine::event::{Event, Observer};
use crate::engine::journal::Journal;

/// Passes on what happens, and keeps what is worth a line in a log.
#[derive(Debug)]
pub(super) struct Recorder(Journal);

impl Recorder {
    /// Records the run that makes this backup.
    pub(super) fn new(observer: &Arc<dyn Observer>, clock: Clock, backup: &str) -> Self {
        Self(Journal::of_backup(Arc::clone(observer), clock, backup))
    }

    /// The log, packed, with the reason why it ends.
    pub(super) fn log(&self, cause: &str) -> std::io::Result<Vec<u8>> {
        self.0.last_word(cause);
        self.0.log()
    }
}

impl Observer for Recorder {
    fn observe(&self, event: &Event<'_>) {
        match event {
            Event::Stage(stage) => self.0.stage(*stage),
            Event::Expect(items) => self.0.expect(*items),
            Event::Item(id) => self.0.item(id),
            Event::Bytes(bytes) => self.0.bytes(*bytes),
            Event::Volume { claim, state } => self.0.volume(claim, state),
            Event::Awaiting(what) => self.0.awaiting(what),
            Event::Note(text) => self.0.note(text),
            Event::Warning(problem) => self.0.warn((*problem).clone()),
            Event::Error(problem) => self.0.error((*problem).clone()),
        }
    }
}
