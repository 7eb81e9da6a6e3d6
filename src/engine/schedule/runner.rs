//! Running what is due, for as long as nobody says stop.
//!
//! One task: the runs that go on are polled by the loop that starts them, so that none outlives it.

#![expect(clippy::future_not_send, reason = "one task has all runs")]

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::{Either, LocalBoxFuture, select};
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use tokio::time::{Instant, timeout};

use super::attempt::{Attempted, Error, Occasion, attempt, pass_over};
use super::due::{Due, Occurrence};
use super::watched::Watched;
use crate::engine::clock::pause;
use crate::engine::context::Context;
use crate::engine::model::schedule::{ConcurrencyPolicy, Schedule};
use crate::engine::stop::Stop;
use crate::engine::{cluster, store};

/// How often the schedules are looked at, at least: what was changed is noticed by then.
const PACE: Duration = Duration::from_mins(1);
/// How soon they are looked at again, at most.
const LEAST: Duration = Duration::from_secs(1);
/// How long is waited after the location could not be read, and twice as long each time it cannot.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// How long is waited at most.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// What is run, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which schedules; all of this cluster if none is named.
    pub names: Vec<String>,
    /// How many backups are made at once.
    pub at_once: usize,
    /// How long what goes on is awaited once a stop is asked for.
    pub grace: Duration,
}

/// What happens while schedules are run.
#[derive(Debug)]
pub enum Happening<'a> {
    /// The schedules were looked at.
    Looked {
        /// How many are run here.
        schedules: usize,
        /// When the next run begins.
        next: Option<Timestamp>,
    },
    /// The location could not be read; it is tried again.
    Unreachable(&'a store::Error),
    /// A schedule is not run.
    NotRun {
        /// The schedule.
        schedule: &'a str,
        /// Why not.
        reason: &'a str,
    },
    /// A run begins.
    Begins {
        /// The schedule.
        schedule: &'a str,
        /// When it was due, and how many earlier ones it stands for.
        due: Occurrence,
    },
    /// A run is over.
    Ended {
        /// The schedule.
        schedule: &'a Schedule,
        /// When it was due, and how many earlier ones it stands for.
        due: Occurrence,
        /// What came of it.
        result: &'a Result<Attempted, Error>,
    },
    /// A run was due, and it was too late to begin it.
    PassedOver {
        /// The schedule.
        schedule: &'a Schedule,
        /// When it was due, and how many earlier ones it stands for.
        due: Occurrence,
        /// What came of it: [`Error::TooLate`] unless another process has recorded it.
        result: &'a Result<Attempted, Error>,
    },
    /// A stop was asked for.
    Stopping {
        /// How many runs go on, and are awaited.
        runs: usize,
    },
}

/// Is told what happens, and does what is to be done after a run.
pub trait Attendant {
    /// Takes note of something.
    fn observe(&self, happening: &Happening<'_>);

    /// Does what is to be done after a run of this schedule: tells of it, and removes what has expired.
    fn after_run<'a>(
        &'a self,
        schedule: &'a Schedule,
        due: Occurrence,
        result: &'a Result<Attempted, Error>,
    ) -> LocalBoxFuture<'a, ()>;
}

/// Runs the schedules of the cluster when they are due, until a stop is asked for; tells the schedules
/// whose runs did not come to their end by then.
///
/// `context` is what the runs work with. Its own stop must be another one than `stop`, so that a run
/// which goes on then comes to its end.
pub async fn run(
    context: &Context,
    options: &Options,
    attendant: &dyn Attendant,
    stop: &Stop,
) -> Result<Vec<String>, cluster::Error> {
    let cluster_uid = context.cluster.uid().await?;
    let _heeding = stop.heed();
    let mut watched = Watched::new(cluster_uid, options.names.clone());
    let mut runner = Runner {
        context,
        options,
        attendant,
        runs: FuturesUnordered::new(),
        going_on: BTreeMap::new(),
        resting: BTreeMap::new(),
    };
    let mut stopped = pin!(stop.quiet());
    let mut failures = 0;
    loop {
        let now = context.clock.now();
        let rest = match watched.look(&context.store, now, attendant).await {
            Ok(found) => {
                failures = 0;
                runner.start(found, now)
            }
            Err(error) => {
                attendant.observe(&Happening::Unreachable(&error));
                failures += 1;
                pause_after(failures)
            }
        };
        tokio::select! {
            biased;
            () = &mut stopped => break,
            () = runner.await_end(rest) => {}
        }
    }
    Ok(runner.wind_up().await)
}

/// How long is waited after so many failures in a row.
fn pause_after(failures: u32) -> Duration {
    let factor = 2_u32.saturating_pow(failures.saturating_sub(1));
    FIRST_PAUSE.saturating_mul(factor).min(LONGEST_PAUSE)
}

/// The runs of a process.
struct Runner<'a> {
    context: &'a Context,
    options: &'a Options,
    attendant: &'a dyn Attendant,
    /// Those that go on, by schedule.
    runs: FuturesUnordered<LocalBoxFuture<'a, Over>>,
    going_on: BTreeMap<String, usize>,
    /// The schedules of which nothing is tried before that time.
    resting: BTreeMap<String, Instant>,
}

/// A run that is over.
struct Over {
    schedule: String,
    /// Whether nothing was done, so that it is still due: another process may be at it.
    is_left: bool,
}

impl Runner<'_> {
    /// Starts what is due, as far as there is room; tells how long to wait until the next look.
    fn start(&mut self, found: Vec<(Schedule, Due)>, now: Timestamp) -> Duration {
        self.resting.retain(|_, until| *until > Instant::now());
        let schedules = found.len();
        let mut next: Option<Timestamp> = None;
        for (schedule, due) in found {
            match due {
                Due::Later(Some(at)) => next = Some(next.map_or(at, |next| next.min(at))),
                Due::Later(None) => {}
                Due::Now(_) | Due::TooLate(_) if !self.has_room(&schedule) => {}
                Due::Now(due) => self.begin(schedule, due, true),
                Due::TooLate(due) => self.begin(schedule, due, false),
            }
        }
        self.attendant.observe(&Happening::Looked { schedules, next });
        let until = |at: Timestamp| Duration::try_from(at.duration_since(now)).unwrap_or_default();
        next.map_or(PACE, until).clamp(LEAST, PACE)
    }

    /// Whether a run can begin now. One that replaces another must not wait for its end.
    fn has_room(&self, schedule: &Schedule) -> bool {
        if self.resting.contains_key(schedule.name()) {
            return false;
        }
        let is_free = self.runs.len() < self.options.at_once;
        match (schedule.bowline.concurrency_policy, self.going_on.contains_key(schedule.name())) {
            (ConcurrencyPolicy::Forbid, goes_on) => is_free && !goes_on,
            (ConcurrencyPolicy::Allow, _) => is_free,
            (ConcurrencyPolicy::Replace, goes_on) => is_free || goes_on,
        }
    }

    fn begin(&mut self, schedule: Schedule, due: Occurrence, is_made: bool) {
        *self.going_on.entry(schedule.name().to_owned()).or_default() += 1;
        // Until it is on record the next look finds it due again.
        self.resting.insert(schedule.name().to_owned(), Instant::now() + PACE);
        let (context, attendant) = (self.context, self.attendant);
        self.runs.push(Box::pin(carry_out(context, attendant, schedule, due, is_made)));
    }

    /// Waits until a run is over, but no longer than that.
    async fn await_end(&mut self, rest: Duration) {
        let waited = pin!(pause(rest));
        if self.runs.is_empty() {
            return waited.await;
        }
        if let Either::Left((Some(over), _)) = select(self.runs.next(), waited).await {
            self.end(&over);
        }
    }

    fn end(&mut self, over: &Over) {
        if !over.is_left {
            self.resting.remove(&over.schedule);
        }
        if let Some(count) = self.going_on.get_mut(&over.schedule) {
            *count -= 1;
        }
        self.going_on.retain(|_, count| *count > 0);
    }

    /// Waits for the runs that go on, as long as they are given; tells the schedules of those that did
    /// not come to their end.
    async fn wind_up(mut self) -> Vec<String> {
        self.attendant.observe(&Happening::Stopping { runs: self.runs.len() });
        let grace = self.options.grace;
        if timeout(grace, self.await_all()).await.is_err() {
            // What is held still is released; the runs are finished or cleared by the next ones.
            let context = self.context;
            tokio::select! {
                () = context.holds.close() => {}
                () = self.await_all() => {}
            }
        }
        self.going_on.into_keys().collect()
    }

    async fn await_all(&mut self) {
        while let Some(over) = self.runs.next().await {
            self.end(&over);
        }
    }
}

async fn carry_out(
    context: &Context,
    attendant: &dyn Attendant,
    schedule: Schedule,
    due: Occurrence,
    is_made: bool,
) -> Over {
    let Occurrence { at, missed } = due;
    let name = schedule.name();
    let result = if is_made {
        attendant.observe(&Happening::Begins { schedule: name, due });
        let result = attempt(context, &schedule, Occasion::Due { at, missed }).await;
        attendant.observe(&Happening::Ended { schedule: &schedule, due, result: &result });
        result
    } else {
        let result = pass_over(context, &schedule, due).await;
        attendant.observe(&Happening::PassedOver { schedule: &schedule, due, result: &result });
        result
    };
    attendant.after_run(&schedule, due, &result).await;
    let is_left = !matches!(result, Ok(Attempted::Made(_)));
    Over { schedule: schedule.metadata.name, is_left }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_in_a_row_doubles_the_pause_and_none_is_longer_than_five_minutes() {
        let pauses: Vec<_> = (1..=8).map(|failures| pause_after(failures).as_secs()).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 300, 300]);
        assert_eq!(pause_after(u32::MAX), LONGEST_PAUSE);
    }
}
