//! How a schedule stands: what it ran, what came of it, when it is due next, and what is missing.

use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};

use super::cron::{self, Cron};
use super::template;
use crate::engine::clock::TOLERANCE;
use crate::engine::model::duration::GoDuration;
use crate::engine::model::schedule::{Run, RunRecord, Schedule};
use crate::engine::report::{Phase, chain};
use crate::engine::store::{BackupState, BackupStore, Error};

/// Of how many runs is told at least, if there are as many.
const TOLD: usize = 10;
/// How many runs are looked at, at most, to find one that made a good backup.
const LOOKED_AT: usize = 100;
/// How many records are read at once.
const READS: usize = 8;
/// How many times that are due are looked at, to tell how far they are apart or how many were missed.
const TIMES: usize = 1_000;
/// Of those, how many tell how far they are apart: a week of them, and more.
const GAPS: usize = 10;
/// How late a backup may be, where a schedule does not say; less if it is due more often.
const GRACE: SignedDuration = SignedDuration::from_hours(1);

/// How a schedule stands.
#[derive(Debug)]
pub struct Standing {
    /// The schedule.
    pub schedule: Schedule,
    /// When it is due, if its expression is one.
    pub cron: Result<Cron, cron::Error>,
    /// Its newest runs, the newest first, with what is known of their backups.
    pub runs: Vec<Seen>,
    /// When the newest run began, of whichever cluster.
    pub last_run: Option<Timestamp>,
    /// When the newest good backup of the schedule's cluster was completed.
    pub last_success: Option<Timestamp>,
    /// When a backup is due next, or was and may still begin within its spread; none while it is
    /// paused, or if it never is.
    pub next: Option<Timestamp>,
    /// How many times were due since the newest run began, and nothing was begun within the spread.
    pub missed: u64,
    /// The longest time between two backups, as the expression has it.
    pub interval: Option<SignedDuration>,
    /// When it stands so.
    pub now: Timestamp,
}

/// A run, and what is there of its backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// What its records say.
    pub run: Run,
    /// Its phase, as far as it has come: the backup's own where that is known better than by the
    /// records.
    pub phase: Phase,
    /// When its backup was completed, if there is one.
    pub completed: Option<Timestamp>,
    /// Whether its backup was there once and is no longer.
    pub is_gone: bool,
}

/// Which backups are good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Good {
    /// Whether those are in which something failed.
    pub partially_failed: bool,
}

impl Good {
    /// Whether a backup that ended so is good.
    pub fn takes(self, phase: Phase) -> bool {
        phase == Phase::Completed || (self.partially_failed && phase == Phase::PartiallyFailed)
    }
}

/// Tells how a schedule stands now.
///
/// Reads its newest runs, and further ones only until a good backup is found, so that it takes as
/// long after years as on the first day.
pub async fn of(
    store: &BackupStore,
    schedule: Schedule,
    now: Timestamp,
) -> Result<Standing, Error> {
    // Their names end in the time, and so are in its order.
    let names = store.schedule_runs(schedule.name()).await?;
    let newest: Vec<_> = names.iter().rev().take(LOOKED_AT).collect();
    let mut runs = Vec::new();
    for names in newest.chunks(TOLD) {
        let read = names.iter().map(|name| seen(store, schedule.name(), name));
        let seen: Vec<_> = stream::iter(read).buffered(READS).try_collect().await?;
        runs.extend(seen.into_iter().flatten());
        if own(&runs, &schedule, now).any(|seen| seen.is_good(Good::default())) {
            break;
        }
    }
    runs.sort_by(|a, b| order(&b.run.record).cmp(&order(&a.run.record)));
    Ok(Standing::new(schedule, runs, now))
}

/// The runs of the cluster whose schedule it is.
///
/// One in the future is of a clock that was wrong, and stands for nothing: until then nobody would miss
/// a backup.
fn own<'a>(
    runs: &'a [Seen],
    schedule: &'a Schedule,
    now: Timestamp,
) -> impl Iterator<Item = &'a Seen> {
    let uid = &schedule.bowline.cluster_uid;
    let records = runs.iter().filter(move |seen| seen.run.record.cluster_uid == *uid);
    records.filter(move |seen| seen.run.record.start_timestamp <= now)
}

fn order(record: &RunRecord) -> (Timestamp, &str) {
    (record.start_timestamp, &record.backup)
}

/// Looks whether a run's backup is there, and what came of it: a run that was killed may have been
/// finished by another command, and a backup may have been deleted.
async fn seen(store: &BackupStore, schedule: &str, backup: &str) -> Result<Option<Seen>, Error> {
    let Some(run) = store.schedule_run(schedule, backup).await? else { return Ok(None) };
    let recorded = run.result.as_ref().and_then(|result| result.phase);
    let state = store.backup(backup).await?;
    let (phase, completed) = match &state {
        Some(BackupState::Committed(backup)) => {
            (backup.phase(), backup.status.completion_timestamp)
        }
        Some(BackupState::Deleting) => (Phase::Deleting, None),
        _ if run.result.is_some() => (recorded.unwrap_or(Phase::Failed), None),
        _ => (Phase::Incomplete, None),
    };
    let is_gone = state.is_none() && recorded.is_some_and(|it| it != Phase::Failed);
    Ok(Some(Seen { run, phase, completed, is_gone }))
}

impl Seen {
    /// Whether it made a backup that is there and good.
    pub fn is_good(&self, good: Good) -> bool {
        self.completed.is_some() && good.takes(self.phase)
    }

    /// How long it took.
    fn duration(&self) -> Option<SignedDuration> {
        Some(self.completed?.duration_since(self.run.record.start_timestamp))
    }

    /// Since when the next one is awaited.
    fn due(&self) -> Timestamp {
        let record = &self.run.record;
        record.due.map_or(record.start_timestamp, |due| due.max(record.start_timestamp))
    }
}

impl Standing {
    /// How a schedule with these runs, the newest first, stands at that time.
    pub fn new(schedule: Schedule, runs: Vec<Seen>, now: Timestamp) -> Self {
        let terms = &schedule.bowline;
        let cron = Cron::parse(&schedule.spec.schedule, terms.timezone.as_deref());
        let mut standing = Self {
            cron,
            last_run: runs.first().map(|seen| seen.run.record.start_timestamp),
            runs,
            last_success: None,
            next: None,
            missed: 0,
            interval: None,
            now,
            schedule,
        };
        let newest = standing.newest_good(Good::default());
        standing.last_success = newest.and_then(|seen| seen.completed);
        let Ok(cron) = standing.cron.clone() else { return standing };
        standing.interval = gaps(&cron, now).max();
        if !standing.schedule.spec.paused {
            let begun = standing.own().map(Seen::due).max();
            let since = begun.unwrap_or(Timestamp::MIN).max(standing.schedule.bowline.since);
            let now = now.saturating_sub(standing.spread()).unwrap_or(Timestamp::MIN);
            let passed = times(&cron, since).take(TIMES).take_while(|due| *due <= now);
            standing.missed = passed.count() as u64;
            let next = times(&cron, since).take(TIMES).find(|due| *due > now);
            standing.next = next.or_else(|| cron.next(now));
        }
        standing
    }

    fn own(&self) -> impl Iterator<Item = &Seen> {
        own(&self.runs, &self.schedule, self.now)
    }

    /// Why no backup is made of it, whoever runs it.
    pub fn fault(&self) -> Option<String> {
        let cron = self.cron.as_ref().err().map(ToString::to_string);
        let request = || {
            let request = template::request(&self.schedule, self.schedule.name());
            let template::Error { field, source, .. } = request.err()?;
            Some(format!("{field}: {}", chain(&source)))
        };
        cron.or_else(request).or_else(|| self.ahead())
    }

    /// Why nothing is due of one that a clock which was wrong made or changed.
    fn ahead(&self) -> Option<String> {
        let since = self.schedule.bowline.since;
        let is_ahead = since.duration_since(self.now) > TOLERANCE && !self.schedule.spec.paused;
        is_ahead.then(|| {
            format!(
                "it is in force only from {since} on, by a clock that was wrong: pause and unpause \
                 it"
            )
        })
    }

    /// The newest run of the schedule's cluster whose backup is there and good.
    pub fn newest_good(&self, good: Good) -> Option<&Seen> {
        self.own().find(|seen| seen.is_good(good))
    }

    /// The next times at which it is due.
    pub fn upcoming(&self, count: usize) -> Vec<Timestamp> {
        let Ok(cron) = &self.cron else { return Vec::new() };
        let further = |due: &Timestamp| cron.next(*due);
        std::iter::successors(self.next, further).take(count).collect()
    }

    /// Until when a good backup is awaited; none while it is paused, or if none is ever due.
    ///
    /// That is the time at which one is due after the newest good one was begun (or since the schedule
    /// holds, if that is later), wherever in its spread it is begun, and then as long as it may be late
    /// and as the newest good one took; no longer than until the next one is due, since one that was
    /// killed may have been finished days later.
    pub fn awaited_until(&self, good: Good, grace: Option<Duration>) -> Option<Timestamp> {
        let cron = self.cron.as_ref().ok().filter(|_| !self.schedule.spec.paused)?;
        let newest = self.newest_good(good);
        let since = self.schedule.bowline.since;
        let due = cron.next(newest.map_or(since, |seen| seen.due().max(since)))?;
        let gap = cron.next(due).map_or(SignedDuration::MAX, |next| next.duration_since(due));
        let took = newest.and_then(Seen::duration).unwrap_or_default();
        let took = took.clamp(SignedDuration::ZERO, gap);
        let grace = grace.map_or_else(
            || self.grace(gap),
            |grace| SignedDuration::try_from(grace).unwrap_or(SignedDuration::MAX),
        );
        let late = took.saturating_add(grace).saturating_add(self.spread());
        Some(due.saturating_add(late).unwrap_or(Timestamp::MAX))
    }

    /// Whether a good backup should be there by then, and is not.
    pub fn is_overdue(&self, now: Timestamp, good: Good, grace: Option<Duration>) -> bool {
        self.awaited_until(good, grace).is_some_and(|until| until < now)
    }

    /// How late a backup may be: as late as one may begin, or an hour, or until the next one is due
    /// where that is sooner.
    fn grace(&self, gap: SignedDuration) -> SignedDuration {
        self.schedule
            .bowline
            .starting_deadline
            .map_or_else(|| gap.min(GRACE), GoDuration::to_signed)
    }

    /// How long after its time a run may begin without being late.
    fn spread(&self) -> SignedDuration {
        self.schedule.bowline.spread.map_or(SignedDuration::ZERO, GoDuration::to_signed)
    }
}

/// All times at which it is due after this one.
pub fn times(cron: &Cron, after: Timestamp) -> impl Iterator<Item = Timestamp> {
    std::iter::successors(cron.next(after), |due| cron.next(*due))
}

/// How far apart the next times are at which it is due.
pub fn gaps(cron: &Cron, after: Timestamp) -> impl Iterator<Item = SignedDuration> {
    let due: Vec<_> = times(cron, after).take(GAPS + 1).collect();
    let pairs: Vec<_> = due.windows(2).map(|pair| pair[1].duration_since(pair[0])).collect();
    pairs.into_iter()
}
