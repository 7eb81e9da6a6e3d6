//! Several runners on one bucket, of which one is stopped in the middle, overtaken and woken.

#![expect(clippy::future_not_send, reason = "a runner and who watches it stay on their thread")]

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::thread::{self, available_parallelism};
use std::time::Duration;

use bowline::engine::clock::{Clock, pause};
use bowline::engine::context::Context;
use bowline::engine::model::schedule::{ConcurrencyPolicy, Run, Schedule};
use bowline::engine::report::Phase;
use bowline::engine::schedule::attempt::{Attempted, Error, Occasion, attempt};
use bowline::engine::schedule::due::Occurrence;
use bowline::engine::schedule::runner::{self, Attendant, Happening, Options};
use bowline::engine::stop::Stop;
use bowline::engine::store::ScheduleKeys;
use futures::FutureExt as _;
use futures::future::LocalBoxFuture;
use futures::task::AtomicWaker;
use jiff::{SignedDuration, Timestamp};
use tokio::runtime;
use tokio::sync::Notify;
use tokio::time::{advance, timeout};

use crate::application::source;
use crate::fake_world::World;
use crate::faults::{Faults, Script};
use crate::scheduled::{clock, faults_of_runs, nightly, process, time, world};

/// How many histories are lived through.
const HISTORIES: u64 = 1_000;
/// How long each takes.
const SPAN: Duration = Duration::from_mins(32);
/// How long a lease stands after it was renewed last, at least.
const SAFE: Duration = Duration::from_secs(80);

/// A runner as somebody who watches it sees it.
pub(crate) struct Seen {
    clock: Clock,
    /// When its runs began and ended, but for those that were left out.
    runs: RefCell<Vec<(Timestamp, Timestamp)>>,
    begun: Cell<Option<Timestamp>>,
    pub(crate) notes: RefCell<Vec<String>>,
}

impl Seen {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, runs: RefCell::default(), begun: Cell::new(None), notes: RefCell::default() }
    }

    fn note(&self, note: String) {
        let mut notes = self.notes.borrow_mut();
        notes.push(note);
        // Where nothing waits no time goes by, and nobody would ever say stop.
        assert!(notes.len() < 1_000, "a runner that does not rest: {:?}", &notes[..9]);
    }
}

impl Attendant for Seen {
    fn observe(&self, happening: &Happening<'_>) {
        match happening {
            Happening::Begins { due, .. } => {
                self.begun.set(Some(self.clock.now()));
                self.note(format!("{} for {}", due.at, due.missed));
            }
            Happening::Ended { result: Ok(Attempted::LeftOut { reason }), .. } => {
                self.note(format!("left out: {reason}"));
            }
            Happening::Ended { result, .. } => {
                if let Err(error) = result {
                    self.note(format!("failed: {error}"));
                }
                let begun = self.begun.take().unwrap_or(Timestamp::MIN);
                self.runs.borrow_mut().push((begun, self.clock.now()));
            }
            Happening::PassedOver { due, result, .. } => {
                if let Err(error) = result {
                    self.note(format!("{error}, after {} others", due.missed));
                }
            }
            Happening::NotRun { reason, .. } => self.note(format!("not run: {reason}")),
            Happening::Unreachable(_) => self.note(format!("unreachable at {}", self.clock.now())),
            Happening::Looked { .. } => {}
            Happening::Stopping { runs } => self.note(format!("stopping with {runs}")),
        }
    }

    fn after_run<'a>(
        &'a self,
        schedule: &'a Schedule,
        _due: Occurrence,
        result: &'a Result<Attempted, Error>,
    ) -> LocalBoxFuture<'a, ()> {
        if let Ok(Attempted::Made(_)) = result {
            self.note(format!("after {}", schedule.name()));
        }
        async {}.boxed_local()
    }
}

/// Stops a process for a while, as the system's own stop does: none of its work goes on.
struct Sleep<'a> {
    faults: &'a Faults,
    /// Before this call.
    call: usize,
    length: Duration,
    began: Cell<Option<Timestamp>>,
    is_over: Cell<bool>,
    fell_asleep: Notify,
    waker: AtomicWaker,
}

impl<'a> Sleep<'a> {
    fn new(faults: &'a Faults, call: usize, length: Duration) -> Self {
        let (began, is_over) = (Cell::new(None), Cell::new(false));
        let (fell_asleep, waker) = (Notify::new(), AtomicWaker::new());
        Self { faults, call, length, began, is_over, fell_asleep, waker }
    }

    async fn during<T>(&self, clock: Clock, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|context| {
            if self.faults.count() <= self.call || self.is_over.get() {
                return work.as_mut().poll(context);
            }
            self.waker.register(context.waker());
            if self.began.get().is_none() {
                self.began.set(Some(clock.now()));
                self.fell_asleep.notify_one();
            }
            Poll::Pending
        })
        .await
    }

    /// Wakes it when its time has come.
    async fn wake(&self) {
        self.fell_asleep.notified().await;
        pause(self.length).await;
        self.end();
    }

    fn end(&self) {
        self.is_over.set(true);
        self.waker.wake();
    }
}

/// Numbers that look like chance, and are the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn skewed(clock: Clock, seconds: i64) -> Clock {
    match clock {
        Clock::Counted { from, since } => {
            Clock::Counted { from: from + SignedDuration::from_secs(seconds), since }
        }
        other => other,
    }
}

pub(crate) fn options() -> Options {
    Options { names: Vec::new(), at_once: 1, grace: Duration::from_mins(30) }
}

/// All runs on record.
async fn runs(world: &World) -> Vec<Run> {
    let store = world.backups();
    let mut runs = Vec::new();
    for name in store.schedule_runs("nightly").await.unwrap() {
        runs.push(store.schedule_run("nightly", &name).await.unwrap().unwrap());
    }
    runs
}

/// Lives through a history; gives what is wrong with it.
async fn live(seed: u64, start: &World) -> Vec<String> {
    let mut chance = Chance(seed);
    let (clock, world) = (clock(), start.copy().await);
    world.bucket.go_by(clock);
    let policies =
        [ConcurrencyPolicy::Forbid, ConcurrencyPolicy::Forbid, ConcurrencyPolicy::Replace];
    let policy = policies[usize::try_from(chance.below(3)).unwrap()];
    let mut schedule = nightly(&world, policy);
    // Little is enough: what matters is when it is written.
    schedule.spec.template.included_resources = vec!["persistentvolumeclaims".to_owned()];
    world.backups().create_schedule(&schedule).await.unwrap();
    world.cloud.be_slow(usize::try_from(chance.below(4)).unwrap());
    let skew = i64::try_from(chance.below(120)).unwrap() - 60;
    let (first, faults) = process(&world, Script::Sound, skewed(clock, skew));
    let (second, _) = process(&world, Script::Sound, clock);
    let call = usize::try_from(chance.below(90)).unwrap();
    let length = Duration::from_secs(chance.below(900));
    let sleep_of_first = Sleep::new(&faults, call, length);
    let (ones, others) = (Seen::new(clock), Seen::new(clock));
    let stop = Stop::default();
    let options = options();
    let both = async {
        tokio::join!(
            sleep_of_first.during(clock, runner::run(&first, &options, &ones, &stop)),
            runner::run(&second, &options, &others, &stop),
        )
    };
    let end = async {
        pause(SPAN).await;
        stop.ask();
        // A process that sleeps is woken, so that it comes to its end.
        sleep_of_first.end();
    };
    let wake = timeout(SPAN, sleep_of_first.wake());
    let ((one, other), (), _) = tokio::join!(both, end, wake);
    one.unwrap();
    other.unwrap();
    let mut faults = faults_of_times(&world, &ones, &others, &sleep_of_first).await;
    // What was left in the middle is settled by whoever comes next.
    advance(Duration::from_secs(121)).await;
    let last = attempt(&second, &schedule, Occasion::Asked).await;
    if !matches!(last, Ok(Attempted::Made(_))) {
        faults.push(format!("the last run: {last:?}"));
    }
    faults.extend(faults_of_runs(&world).await);
    if !faults.is_empty() {
        faults.push(format!("{policy:?}, asleep at {call} for {length:?}, skew {skew}"));
        faults.extend(ones.notes.take().into_iter().map(|note| format!("one: {note}")));
        faults.extend(others.notes.take().into_iter().map(|note| format!("other: {note}")));
    }
    faults
}

/// No time was run twice, none was forgotten, and none beside another, but by who slept.
async fn faults_of_times(
    world: &World,
    ones: &Seen,
    others: &Seen,
    asleep: &Sleep<'_>,
) -> Vec<String> {
    let mut faults = Vec::new();
    let made = |run: &Run| run.result.as_ref().is_some_and(|it| it.phase == Some(Phase::Completed));
    let runs = runs(world).await;
    let mut dues: Vec<_> =
        runs.iter().filter(|run| made(run)).filter_map(|it| it.record.due).collect();
    let counted = dues.len();
    dues.sort_unstable();
    dues.dedup();
    let slept_over = asleep.began.get().is_some() && asleep.length > SAFE;
    if counted > dues.len() + usize::from(slept_over) {
        faults.push(format!("{counted} backups for {dues:?}"));
    }
    let stands_for: u64 = runs.iter().map(|run| run.record.missed).sum();
    if dues.is_empty() || (dues.len() as u64 + stands_for < 3 && !slept_over) {
        faults.push(format!("only {dues:?} were run, and {stands_for} are counted"));
    }
    for (begin, end) in ones.runs.borrow().iter() {
        for (other, its_end) in others.runs.borrow().iter() {
            let is_beside = begin < its_end && other < end;
            let woke_late =
                asleep.began.get().is_some_and(|at| slept_over && *begin <= at && at <= *end);
            if is_beside && !woke_late {
                faults.push(format!("{begin} to {end} beside {other} to {its_end}"));
            }
        }
    }
    faults
}

/// Lives through every so many histories, each in a time of its own.
fn live_through(seeds: impl Iterator<Item = u64>) {
    let start = source();
    for seed in seeds {
        let mut time = runtime::Builder::new_current_thread();
        let time = time.enable_time().start_paused(true).build().unwrap();
        let faults = time.block_on(Box::pin(live(seed, &start)));
        assert_eq!(faults, [""; 0], "history {seed}");
    }
}

#[test]
fn runners_that_are_stopped_overtaken_and_woken_mix_no_backups_and_run_no_time_twice() {
    let threads = available_parallelism().unwrap();
    thread::scope(|scope| {
        for first in (0..HISTORIES).take(threads.get()) {
            scope.spawn(move || live_through((first..HISTORIES).step_by(threads.get())));
        }
    });
}

/// Runs a schedule in a process that is asked to stop after a while.
async fn run_for(context: &Context, seen: &Seen, span: Duration) {
    let cut_off = run_with(&options(), context, seen, span).await;
    assert_eq!(cut_off, [""; 0]);
}

/// The same; gives the schedules whose runs were cut off.
pub(crate) async fn run_with(
    options: &Options,
    context: &Context,
    seen: &Seen,
    span: Duration,
) -> Vec<String> {
    let stop = Stop::default();
    let end = async {
        pause(span).await;
        stop.ask();
    };
    let (ended, ()) = tokio::join!(runner::run(context, options, seen, &stop), end);
    ended.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_runner_runs_what_is_due_and_catches_up_once_after_an_outage() {
    let (clock, world) = (clock(), world(clock()));
    world.backups().create_schedule(&nightly(&world, ConcurrencyPolicy::Forbid)).await.unwrap();
    let (context, _) = process(&world, Script::Sound, clock);
    run_for(&context, &Seen::new(clock), Duration::from_mins(31)).await;
    let dues = |runs: Vec<Run>| -> Vec<_> {
        runs.iter().map(|run| (run.record.due.unwrap(), run.record.missed)).collect()
    };
    let first = ["2026-03-01T00:10:00Z", "2026-03-01T00:20:00Z", "2026-03-01T00:30:00Z"];
    assert_eq!(dues(runs(&world).await), first.map(|at| (time(at), 0)));
    advance(Duration::from_hours(24 * 124)).await;
    run_for(&context, &Seen::new(clock), Duration::from_secs(30)).await;
    let all = dues(runs(&world).await);
    assert_eq!(all[3..], [(time("2026-07-03T00:30:00Z"), 10_000)]);
    assert_eq!(faults_of_runs(&world).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_is_asked_to_stop_lets_its_run_come_to_its_end() {
    let (clock, world) = (clock(), world(clock()));
    world.backups().create_schedule(&nightly(&world, ConcurrencyPolicy::Forbid)).await.unwrap();
    world.cloud.be_slow(5);
    let (context, _) = process(&world, Script::Sound, clock);
    let seen = Seen::new(clock);
    run_for(&context, &seen, Duration::from_secs(602)).await;
    let notes = seen.notes.take();
    assert_eq!(notes, ["2026-03-01T00:10:00Z for 0", "stopping with 1", "after nightly"]);
    assert_eq!(faults_of_runs(&world).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_not_awaited_any_longer_is_named_and_settled_by_the_next_one() {
    let (clock, world) = (clock(), world(clock()));
    let schedule = nightly(&world, ConcurrencyPolicy::Forbid);
    world.backups().create_schedule(&schedule).await.unwrap();
    world.cloud.be_slow(100_000);
    let (context, _) = process(&world, Script::Sound, clock);
    let options = Options { grace: Duration::from_secs(5), ..options() };
    let seen = Seen::new(clock);
    let cut_off = run_with(&options, &context, &seen, Duration::from_secs(602)).await;
    assert_eq!(cut_off, ["nightly"]);
    world.cloud.be_done();
    advance(Duration::from_secs(121)).await;
    let (context, _) = process(&world, Script::Sound, clock);
    let next = attempt(&context, &schedule, Occasion::Asked).await;
    assert!(matches!(next, Ok(Attempted::Made(_))), "{next:?}");
    assert_eq!(faults_of_runs(&world).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_too_late_fails_once_whoever_looks() {
    let (clock, world) = (clock(), world(clock()));
    let mut schedule = nightly(&world, ConcurrencyPolicy::Forbid);
    schedule.bowline.starting_deadline = Some("1m".parse().unwrap());
    world.backups().create_schedule(&schedule).await.unwrap();
    advance(Duration::from_mins(25)).await;
    let both = [Seen::new(clock), Seen::new(clock)];
    for seen in &both {
        let (context, _) = process(&world, Script::Sound, clock);
        run_for(&context, seen, Duration::from_mins(2)).await;
    }
    let [first, second] = both.map(|seen| seen.notes.take());
    let late = "schedule \"nightly\" made no backup for 2026-03-01T00:20:00Z: it was not begun \
                within its starting deadline, after 1 others";
    assert_eq!(first, [late, "stopping with 0"]);
    assert_eq!(second, ["stopping with 0"]);
    let runs = runs(&world).await;
    assert!(matches!(&runs[..], [run] if run.record.missed == 1), "{runs:?}");
}

#[tokio::test(start_paused = true)]
async fn a_damaged_record_of_a_run_keeps_neither_its_schedule_nor_another_from_running() {
    let (clock, world) = (clock(), world(clock()));
    world.backups().create_schedule(&nightly(&world, ConcurrencyPolicy::Forbid)).await.unwrap();
    let damaged = ScheduleKeys("nightly").run("nightly-20260301000500-0a1b2c");
    world.bucket.write(&damaged, "{".into()).await;
    let (context, _) = process(&world, Script::Sound, clock);
    let seen = Seen::new(clock);
    run_for(&context, &seen, Duration::from_mins(21)).await;
    let run = |minute| [format!("2026-03-01T00:{minute}:00Z for 0"), "after nightly".to_owned()];
    let expected = [run(10).to_vec(), run(20).to_vec(), vec!["stopping with 0".to_owned()]];
    assert_eq!(seen.notes.take(), expected.concat());
}

#[tokio::test(start_paused = true)]
async fn what_is_paused_another_clusters_or_not_understood_is_not_run_and_is_told_once() {
    let (clock, world) = (clock(), world(clock()));
    let store = world.backups();
    for (name, reason) in [("paused", 0), ("foreign", 1), ("odd", 2), ("nightly", 3)] {
        let mut schedule = nightly(&world, ConcurrencyPolicy::Forbid);
        name.clone_into(&mut schedule.metadata.name);
        match reason {
            0 => schedule.spec.paused = true,
            1 => "elsewhere".clone_into(&mut schedule.bowline.cluster_uid),
            2 => "every day".clone_into(&mut schedule.spec.schedule),
            _ => {}
        }
        store.create_schedule(&schedule).await.unwrap();
    }
    let (context, _) = process(&world, Script::Sound, clock);
    let seen = Seen::new(clock);
    run_for(&context, &seen, Duration::from_mins(15)).await;
    let mut notes = seen.notes.take();
    let told = notes.extract_if(.., |note| note.starts_with("not run")).collect::<Vec<_>>();
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(notes, ["2026-03-01T00:10:00Z for 0", "after nightly", "stopping with 0"]);
    for name in ["paused", "foreign", "odd"] {
        assert_eq!(store.schedule_runs(name).await.unwrap(), [""; 0], "{name}");
    }
}
