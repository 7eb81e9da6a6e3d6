//! The course of a run: it has the lease from its beginning to its end, and both are on record.

use std::pin::pin;
use std::sync::Arc;

use futures::future::{Either, select};
use tokio::sync::Notify;

use super::attempt::{Attempted, Error, turn};
use super::handled::Handled;
use super::lease::{self, Claim, Lease, Taken};
use super::recorder::Recorder;
use super::{earlier, ending};
use crate::engine::backup::{self, Request, Tools};
use crate::engine::context::Context;
use crate::engine::event::Event;
use crate::engine::model::lease::LeaseRecord;
use crate::engine::model::schedule::{ConcurrencyPolicy, RunRecord, RunResult, Schedule};
use crate::engine::report::{Problem, chain};
use crate::engine::store::{self, BackupState, ScheduleKeys};

/// Why a run that nobody began in time has no backup.
const TOO_LATE: &str = "it was not begun within its starting deadline";

/// A run, from when it is named.
#[derive(Clone, Copy, Debug)]
pub(super) struct Course<'a> {
    pub context: &'a Context,
    pub schedule: &'a Schedule,
    pub record: &'a RunRecord,
}

/// What a run has while it works.
struct Turn {
    /// The key of its lease.
    key: String,
    /// The run that it took the lease from.
    from: Option<LeaseRecord>,
    /// Told when the lease is another's.
    lost: Notify,
}

impl Course<'_> {
    /// Makes the backup, unless another run is in its place.
    pub(super) async fn make(&self, request: &Request) -> Result<Attempted, Error> {
        let by_force = self.policy() == ConcurrencyPolicy::Replace;
        self.in_turn(by_force, async |turn| self.back_up(request, turn).await).await
    }

    /// Records that nobody began it in time.
    pub(super) async fn pass_over(&self) -> Result<Attempted, Error> {
        let record = || async {
            if let Some(left_out) = self.left_out_as_handled().await? {
                return Ok(left_out);
            }
            self.context.store.begin_run(self.record).await.map_err(Error::Location)?;
            let result = self.without_backup(TOO_LATE.to_owned());
            self.end(&result).await.map_err(Error::Location)?;
            let (schedule, due) = (self.record.schedule.clone(), self.record.due);
            let due = due.unwrap_or(self.record.start_timestamp);
            Err(Error::TooLate { schedule, due })
        };
        self.in_turn(false, async |_| record().await).await
    }

    fn policy(&self) -> ConcurrencyPolicy {
        self.schedule.bowline.concurrency_policy
    }

    /// Does something while it has the lease, which is renewed for as long as that takes.
    async fn in_turn(
        &self,
        by_force: bool,
        work: impl AsyncFnOnce(&Turn) -> Result<Attempted, Error>,
    ) -> Result<Attempted, Error> {
        let claim = Claim::of(self.record, by_force);
        let key = self.lease_key();
        let taken = lease::take(&self.context.store, &key, &claim).await;
        let (mut lease, from) = match taken.map_err(Error::Location)? {
            Taken::Ours { lease, from } => (lease, from),
            Taken::Held(other) => return Ok(held(&other)),
        };
        let turn = Turn { key, from, lost: Notify::new() };
        let done = while_kept(&mut lease, &turn.lost, work(&turn)).await;
        self.give_back(lease).await;
        done
    }

    /// The schedule's lease; where runs may go on beside each other, each has its own.
    fn lease_key(&self) -> String {
        let keys = ScheduleKeys(&self.record.schedule);
        match self.policy() {
            ConcurrencyPolicy::Allow => keys.run_lease(&turn(self.record)),
            ConcurrencyPolicy::Forbid | ConcurrencyPolicy::Replace => keys.lease(),
        }
    }

    /// Gives the lease back; if that fails it runs out.
    async fn give_back(&self, lease: Lease<'_>) {
        let remove = self.policy() == ConcurrencyPolicy::Allow;
        if let Err(error) = lease.give_back(remove).await {
            tracing::warn!("the lease was not given back, and runs out: {}", chain(&error));
        }
    }

    async fn back_up(&self, request: &Request, turn: &Turn) -> Result<Attempted, Error> {
        let Self { context, record, .. } = *self;
        let from = turn.from.as_ref().map(|from| from.uid.as_str());
        earlier::settle(context, record, from).await.map_err(Error::Location)?;
        if let Some(left_out) = self.left_out_as_handled().await? {
            return Ok(left_out);
        }
        context.store.begin_run(record).await.map_err(Error::Location)?;
        // Who took it over before this was on record knows nothing of it.
        if let Some(by) = self.taken_over(turn).await.map_err(Error::Location)? {
            return Err(self.end_taken_over(by).await);
        }
        let recorder = Arc::new(Recorder::new(&context.observer, context.clock, &record.backup));
        let observed = Context { observer: Arc::<Recorder>::clone(&recorder), ..context.clone() };
        let made = backup::create_unless(&observed, request, turn.lost.notified());
        match Box::pin(made).await {
            Ok(report) => {
                self.end_with_backup().await;
                Ok(Attempted::Made(Box::new(report)))
            }
            Err(error) => Err(self.end_without(error, &recorder, turn).await),
        }
    }

    /// Where the time for which it is due has a run, that one counts.
    async fn left_out_as_handled(&self) -> Result<Option<Attempted>, Error> {
        let Some(due) = self.record.due else { return Ok(None) };
        let (store, now) = (&self.context.store, self.context.clock.now());
        let newest = Handled::default().newest(store, &self.record.schedule, now).await;
        let is_handled = newest.map_err(Error::Location)?.is_some_and(|newest| newest >= due);
        let reason = || format!("the run that was due at {due} was begun by another process");
        Ok(is_handled.then(|| Attempted::LeftOut { reason: reason() }))
    }

    /// Who took the lease over; none if it is still ours.
    async fn taken_over(&self, turn: &Turn) -> Result<Option<String>, store::Error> {
        let found = self.context.store.lease(&turn.key).await?.map(|found| found.record);
        let is_ours = found.as_ref().is_some_and(|found| found.uid == self.record.uid);
        let by = || found.map_or_else(|| "nobody".to_owned(), |found| told(&found));
        Ok((!is_ours).then(by))
    }

    /// Records the end of a run that made its backup; if that fails the next run does.
    async fn end_with_backup(&self) {
        let Self { context, record, .. } = *self;
        let recorded = async {
            let found = context.store.backup(&record.backup).await?;
            let Some(BackupState::Committed(backup)) = found else { return Ok(()) };
            self.end(&ending::with(&backup, &record.uid, context.clock.now())).await
        };
        if let Err(error) = recorded.await {
            self.warn("record the end of the run", &error);
        }
    }

    /// Records the end of a run that made no backup, and its log.
    ///
    /// It has no end while something of it is left: the next run finishes or clears that first.
    async fn end_without(&self, error: backup::Error, recorder: &Recorder, turn: &Turn) -> Error {
        let record = self.record;
        // Packing into memory does not fail.
        let log = recorder.log(&chain(&error)).unwrap_or_default();
        let logged = self.context.store.write_run_log(&record.schedule, &record.backup, log).await;
        if let Err(error) = logged {
            self.warn("record the log of the run", &error);
        }
        let is_left = match &error {
            backup::Error::Unfinished { .. } => true,
            backup::Error::Broken { .. } => !self.is_cleared().await,
            _ => false,
        };
        if let Ok(Some(by)) = self.taken_over(turn).await {
            return self.end_taken_over(by).await;
        }
        let result = self.without_backup(chain(&error));
        if !is_left && let Err(error) = self.end(&result).await {
            self.warn("record the end of the run", &error);
        }
        Error::Backup(Box::new(error))
    }

    /// Whether nothing of its backup is left, also not what it wrote after another run had cleared
    /// it: nobody else writes below its name.
    async fn is_cleared(&self) -> bool {
        let left = backup::discard(&Tools::of(self.context), &self.record.backup).await;
        left.is_ok_and(|left| left.is_empty())
    }

    /// Records the end of a run in whose place another one is.
    async fn end_taken_over(&self, by: String) -> Error {
        let RunRecord { schedule, backup, .. } = self.record.clone();
        let error = Error::TakenOver { schedule, backup, by };
        let result = self.without_backup(chain(&error));
        // That one settles it, too, and clears what is left of it.
        if let Err(error) = self.end(&result).await {
            self.warn("record the end of the run", &error);
        }
        error
    }

    fn without_backup(&self, error: String) -> RunResult {
        ending::without(&self.record.uid, error, self.context.clock.now())
    }

    async fn end(&self, result: &RunResult) -> Result<(), store::Error> {
        self.context.store.end_run(self.record, result).await
    }

    fn warn(&self, action: &str, error: &store::Error) {
        let problem = Problem::of_run(action, chain(error));
        self.context.observer.observe(&Event::Warning(&problem));
    }
}

/// Works to the end, and renews the lease meanwhile; tells the work when it is another's.
async fn while_kept<T>(lease: &mut Lease<'_>, lost: &Notify, work: impl Future<Output = T>) -> T {
    let (work, keeping) = (pin!(work), pin!(lease.keep()));
    match select(work, keeping).await {
        Either::Left((done, _)) => done,
        Either::Right(((), work)) => {
            lost.notify_one();
            work.await
        }
    }
}

fn held(other: &LeaseRecord) -> Attempted {
    Attempted::LeftOut { reason: format!("another run goes on: {}", told(other)) }
}

/// A run and who makes it.
fn told(lease: &LeaseRecord) -> String {
    format!("{} by {}", lease.backup, lease.holder)
}
