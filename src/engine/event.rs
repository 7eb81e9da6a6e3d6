//! What the engine tells while it works.

use bowline_api::ItemId;

use super::report::Problem;

/// Something that happened. Told once, in order, to the [`Observer`] of the operation.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// A stage begins; the one before it has ended.
    Stage(Stage),
    /// So many more items are to be done in this stage.
    Expect(u64),
    /// One item of this stage is done.
    Item(&'a ItemId),
    /// So many more bytes were moved.
    Bytes(u64),
    /// A volume got further.
    Volume {
        /// The claim, as `namespace/name`.
        claim: &'a str,
        /// What happened: `snapshot started`, `snapshot 42 %`, `volume available`.
        state: &'a str,
    },
    /// What is awaited now, in words; empty where nothing is.
    Awaiting(&'a str),
    /// Something that a reader of the log may want to know.
    Note(&'a str),
    /// Something is odd, but nothing is lost.
    Warning(&'a Problem),
    /// Something was asked and not done.
    Error(&'a Problem),
}

/// A stage of an operation, in the order in which they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Rights, names and places are checked; nothing is written.
    Preflight,
    /// Objects are listed and written to the archive.
    Collecting,
    /// All is uploaded but the commit; snapshots are awaited.
    Snapshots,
    /// The last file, which makes it a backup, is written.
    Committing,
    /// The archive is read and checked.
    Opening,
    /// It is decided what becomes of every object.
    Planning,
    /// Objects are made, step by step; meanwhile volumes.
    Restoring,
    /// Claims are to be Bound and workloads ready.
    Awaiting,
    /// Records are written.
    Recording,
    /// Snapshots and files are removed.
    Deleting,
    /// A backup is looked at.
    Verifying,
    /// An archive is copied to this machine.
    Downloading,
    /// What was restored is asked whether it is what it should be.
    Checking,
    /// What a drill made is removed.
    TakingDown,
}

impl Stage {
    /// Names the stage as a person reads it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Preflight => "checking",
            Self::Collecting => "collecting objects",
            Self::Snapshots => "awaiting snapshots",
            Self::Committing => "committing",
            Self::Opening => "reading the backup",
            Self::Planning => "planning",
            Self::Restoring => "restoring objects",
            Self::Awaiting => "awaiting readiness",
            Self::Recording => "recording",
            Self::Deleting => "deleting",
            Self::Verifying => "verifying",
            Self::Downloading => "downloading",
            Self::Checking => "running the check",
            Self::TakingDown => "taking down",
        }
    }
}

/// Is told what happens. Called from several tasks; must not block.
pub trait Observer: Send + Sync {
    /// Takes note of an event.
    fn observe(&self, event: &Event<'_>);
}

/// Observes nothing.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Observer for Silent {
    fn observe(&self, _event: &Event<'_>) {}
}
