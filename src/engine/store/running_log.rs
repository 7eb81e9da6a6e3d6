//! The log of an operation that still runs, in pieces that anybody with the bucket can read.
//!
//! See `docs/design/0008-running-logs.md`.

use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, join, select};
use tokio::sync::{Mutex, Notify};

use super::backup_store::{BackupStore, Error, SideFile};
use super::layout::{BackupKeys, RestoreKeys, piece};
use crate::engine::clock::pause;
use crate::engine::journal::Journal;
use crate::engine::report::chain;

/// How far apart two pieces are at least.
const PACE: Duration = Duration::from_secs(5);

/// Writes what a journal has to say into the bucket, every few seconds and if there is anything new.
///
/// Nothing that fails here harms the operation: its log is written whole at its end.
#[derive(Debug)]
pub struct RunningLog<'a> {
    store: &'a BackupStore,
    journal: &'a Journal,
    /// What the keys of its pieces start with.
    prefix: String,
    /// The work has ended.
    ended: Notify,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The number of the last piece that is there for certain.
    last: u32,
    /// A piece that may have been written or not.
    unsent: Option<SideFile>,
    /// No more pieces are to be written.
    is_closed: bool,
    /// A failure has been told.
    has_failed: bool,
}

impl<'a> RunningLog<'a> {
    /// The log of an attempt to make a backup.
    pub fn of_backup(store: &'a BackupStore, journal: &'a Journal, name: &str, uid: &str) -> Self {
        Self::new(store, journal, BackupKeys(name).running_log(uid))
    }

    /// The log of a restore.
    pub fn of_restore(store: &'a BackupStore, journal: &'a Journal, name: &str, uid: &str) -> Self {
        Self::new(store, journal, RestoreKeys(name).running_log(uid))
    }

    fn new(store: &'a BackupStore, journal: &'a Journal, prefix: String) -> Self {
        Self { store, journal, prefix, ended: Notify::new(), state: Mutex::default() }
    }

    /// Writes pieces for as long as the work goes on; none is on its way any more afterwards.
    pub async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        let work = async {
            let done = work.await;
            self.ended.notify_one();
            done
        };
        join(work, self.write_pieces()).await.0
    }

    /// Writes no more pieces, and removes those that are there: the log is written whole.
    pub async fn close(&self) {
        // Held until all are gone: another piece may be on its way.
        let mut state = self.state.lock().await;
        state.is_closed = true;
        if let Err(error) = self.store.remove_all(&self.prefix).await {
            tracing::debug!("the pieces of the log could not be removed: {}", chain(&error));
        }
        drop(state);
    }

    /// Writes at once what no piece has yet, as nobody will write the log whole.
    pub async fn write_rest(&self) {
        let is_unsent = self.state.lock().await.unsent.is_some();
        self.write_piece().await;
        if is_unsent {
            self.write_piece().await;
        }
    }

    async fn write_pieces(&self) {
        loop {
            let (rest, end) = (pin!(pause(PACE)), pin!(self.ended.notified()));
            if let Either::Right(_) = select(rest, end).await {
                return;
            }
            self.write_piece().await;
        }
    }

    async fn write_piece(&self) {
        let mut state = self.state.lock().await;
        if let Err(error) = self.write_next(&mut state).await
            && !state.has_failed
        {
            state.has_failed = true;
            tracing::debug!("a piece of the log could not be written: {}", chain(&error));
        }
        drop(state);
    }

    /// Writes what is new, or once more what may not have been written.
    async fn write_next(&self, state: &mut State) -> Result<(), Error> {
        if state.is_closed {
            return Ok(());
        }
        let Some(mut file) = self.unsent(state) else { return Ok(()) };
        loop {
            file.key = piece(&self.prefix, state.last + 1);
            state.unsent = Some(file.clone());
            if self.create(&file).await? {
                break;
            }
            state.last = self.store.last_piece(&self.prefix).await?;
        }
        state.last += 1;
        state.unsent = None;
        Ok(())
    }

    /// Writes a piece; false where another has its key.
    async fn create(&self, file: &SideFile) -> Result<bool, Error> {
        match self.store.create(file).await {
            // Ours with its reply lost, or another run's of the same attempt.
            Err(error) if error.is_already_exists() => {
                Ok(self.store.bytes(&file.key).await? == file.content)
            }
            other => other.map(|()| true),
        }
    }

    fn unsent(&self, state: &mut State) -> Option<SideFile> {
        if let Some(file) = state.unsent.take() {
            return Some(file);
        }
        let packed = self.journal.take_recent();
        (!packed.is_empty()).then(|| SideFile { key: String::new(), content: packed.into() })
    }
}
