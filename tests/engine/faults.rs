//! Scripted faults: what goes wrong with the calls of one process, and when.

use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bowline::engine::clock::pause;
use tokio::sync::Notify;

/// What goes wrong. Calls that change something are counted from 0 across store, snapshotter and
/// cluster; calls that only read are not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Script {
    /// Nothing.
    Sound,
    /// The process is killed when it makes this call, which has no effect any more.
    KilledBefore(usize),
    /// The process is killed when it makes the first call of these words.
    KilledAt(&'static str),
    /// From this call on nothing can be reached, reads included.
    CutOffFrom(usize),
    /// This call fails, once, and has no effect.
    Fails(usize),
    /// This call has its effect, and its reply is lost.
    LosesReply(usize),
    /// This call has no effect and no end.
    Hangs(usize),
    /// This call is not carried out before the process is released.
    Waits(usize),
    /// Every read takes a minute.
    Slow,
}

/// How a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It was not carried out.
    Refused,
    /// It was carried out, but the caller cannot know.
    ReplyLost,
}

/// The faults of one process.
#[derive(Clone, Debug)]
pub(crate) struct Faults {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    script: Script,
    state: Mutex<State>,
    killed: Notify,
    waiting: Notify,
    released: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// The calls so far, in words.
    calls: Vec<String>,
    struck: bool,
}

enum Turn {
    Go,
    Refuse,
    LoseReply,
    Never,
    Wait,
}

impl Faults {
    pub(crate) fn new(script: Script) -> Self {
        let notify = Notify::new;
        let (killed, waiting, released) = (notify(), notify(), notify());
        let state = Mutex::default();
        Self { shared: Arc::new(Shared { script, state, killed, waiting, released }) }
    }

    /// The changing calls so far.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.state().calls.clone()
    }

    /// How many changing calls there were so far.
    pub(crate) fn count(&self) -> usize {
        self.state().calls.len()
    }

    /// Whether the scripted fault has happened.
    pub(crate) fn struck(&self) -> bool {
        self.state().struck
    }

    /// The call that the fault struck, in words.
    pub(crate) fn victim(&self) -> String {
        let (Script::KilledBefore(call)
        | Script::CutOffFrom(call)
        | Script::Fails(call)
        | Script::LosesReply(call)
        | Script::Waits(call)
        | Script::Hangs(call)) = self.shared.script
        else {
            return "nothing".to_owned();
        };
        self.state().calls.get(call).cloned().unwrap_or_default()
    }

    /// Waits until the process is killed.
    pub(crate) async fn killed(&self) {
        self.shared.killed.notified().await;
    }

    /// Waits until the process waits.
    pub(crate) async fn waiting(&self) {
        self.shared.waiting.notified().await;
    }

    /// Lets the process go on that waits.
    pub(crate) fn release(&self) {
        self.shared.released.notify_one();
    }

    /// Lets everything be reached again, until the next call that changes something.
    pub(crate) fn mend(&self) {
        self.state().struck = false;
    }

    /// Makes a call that changes something, as far as the script lets it.
    pub(crate) async fn change<T: Send, E: Send>(
        &self,
        call: String,
        effect: impl Future<Output = Result<T, E>> + Send,
        error: impl FnOnce(Failure) -> E + Send,
    ) -> Result<T, E> {
        // Processes that run at once take turns.
        tokio::task::yield_now().await;
        match self.turn(call) {
            Turn::Go => effect.await,
            Turn::Wait => {
                self.shared.released.notified().await;
                effect.await
            }
            Turn::Refuse => Err(error(Failure::Refused)),
            Turn::LoseReply => {
                drop(effect.await?);
                Err(error(Failure::ReplyLost))
            }
            Turn::Never => pending().await,
        }
    }

    /// Makes a call that only reads, as far as the script lets it.
    pub(crate) async fn read<E: Send>(&self, error: impl FnOnce() -> E + Send) -> Result<(), E> {
        match (self.struck(), self.shared.script) {
            (true, Script::KilledBefore(_) | Script::KilledAt(_)) => pending().await,
            (true, Script::CutOffFrom(_)) => Err(error()),
            (_, Script::Slow) => {
                pause(Duration::from_mins(1)).await;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn turn(&self, call: String) -> Turn {
        let mut state = self.state();
        let number = state.calls.len();
        let is_killed = match self.shared.script {
            Script::KilledBefore(first) => number >= first,
            Script::KilledAt(words) => state.struck || call == words,
            _ => false,
        };
        state.calls.push(call);
        let turn = match self.shared.script {
            _ if is_killed => Turn::Never,
            Script::Hangs(victim) if number == victim => Turn::Never,
            Script::CutOffFrom(first) if number >= first => Turn::Refuse,
            Script::Fails(victim) if number == victim => Turn::Refuse,
            Script::LosesReply(victim) if number == victim => Turn::LoseReply,
            Script::Waits(victim) if number == victim => Turn::Wait,
            _ => Turn::Go,
        };
        state.struck |= !matches!(turn, Turn::Go);
        drop(state);
        if is_killed {
            self.shared.killed.notify_one();
        }
        if matches!(turn, Turn::Wait) {
            self.shared.waiting.notify_one();
        }
        turn
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
