//! What is shown while the engine works: a bar on a terminal, plain lines elsewhere.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressState, ProgressStyle};

use super::Screen;
use super::style::{Style, Tone, printable};
pub use super::tally::Clock;
use super::tally::Tally;
use super::timings::Timings;
use crate::engine::clock::pause;
use crate::engine::event::{Event, Observer, Stage};
use crate::engine::report::Problem;

/// How long plain lines stay apart within one stage.
const INTERVAL: Duration = Duration::from_secs(5);
/// How often it is looked whether a plain line is due.
const LOOK: Duration = Duration::from_millis(500);
/// How often the bar is drawn anew, so that its time goes on while nothing happens.
const REDRAW: Duration = Duration::from_millis(200);

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Errors only.
    Quiet,
    /// A line at every change of stage, and every five seconds in between.
    Plain,
    /// A line that is drawn over and over; messages scroll by above it.
    Bar,
}

impl Mode {
    /// What the user wants and the terminal can.
    pub fn choose(quiet: bool, no_progress: bool, is_terminal: bool) -> Self {
        match (quiet, no_progress || !is_terminal) {
            (true, _) => Self::Quiet,
            (false, true) => Self::Plain,
            (false, false) => Self::Bar,
        }
    }
}

/// How far an operation has come, also when it is over.
#[derive(Clone, Debug, Default)]
pub struct Reached(Arc<Mutex<Option<Stage>>>);

impl Reached {
    /// Whether this stage was begun, or one after it.
    pub fn has_come_to(&self, stage: Stage) -> bool {
        self.latest().is_some_and(|latest| latest >= stage)
    }

    fn latest(&self) -> MutexGuard<'_, Option<Stage>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Shows the events of an operation, until it is dropped.
///
/// Counting never waits: only whole lines take a lock, and the bar has a thread of its own, which
/// ends with [`Self::finish`].
pub struct Progress {
    mode: Mode,
    screen: Screen,
    style: Style,
    tally: Arc<Tally>,
    began: Instant,
    /// When the last plain line was printed, in milliseconds since `began`.
    last: AtomicU64,
    reached: Reached,
    timings: Timings,
}

impl Progress {
    /// Shows nothing yet; the first stage begins it.
    pub(super) fn new(
        mode: Mode,
        screen: Screen,
        style: Style,
        clock: Clock,
        timings: Timings,
    ) -> Self {
        let tally = Arc::new(Tally::new(clock));
        let began = tally.now();
        let (last, reached) = (AtomicU64::new(0), Reached::default());
        Self { mode, screen, style, tally, began, last, reached, timings }
    }

    /// Tells how far the operation has come, from now on.
    pub fn reached(&self) -> Reached {
        self.reached.clone()
    }

    /// Carries an operation through, and shows how long it takes even while no event comes.
    pub async fn during<T>(&self, operation: impl Future<Output = T>) -> T {
        let result = tokio::select! {
            result = operation => result,
            never = self.keep_ticking() => match never {},
        };
        self.finish();
        result
    }

    async fn keep_ticking(&self) -> Infallible {
        loop {
            pause(LOOK).await;
            self.tick();
        }
    }

    /// Prints the plain line if the last one is long enough ago.
    fn tick(&self) {
        if self.mode == Mode::Plain && self.tally.elapsed().is_some() && self.is_due() {
            self.screen.print(&format!("{}\n", self.tally.line()));
        }
    }

    /// Ends the last stage and takes the bar away.
    pub fn finish(&self) {
        self.settle();
        self.tally.begin(None);
        if self.mode == Mode::Bar {
            self.screen.bar().disable_steady_tick();
            self.screen.bar().finish_and_clear();
        }
    }

    fn begin(&self, stage: Stage) {
        self.settle();
        self.tally.begin(Some(stage));
        *self.reached.latest() = Some(stage);
        match self.mode {
            Mode::Quiet => {}
            Mode::Plain => {
                self.screen.print(&format!("{}\n", stage.title()));
                self.last.store(self.millis(), Relaxed);
            }
            Mode::Bar => self.draw(),
        }
    }

    /// Leaves a line behind for a stage that counted something or took its time.
    fn settle(&self) {
        let Some(elapsed) = self.tally.elapsed() else { return };
        self.tally.note(&self.timings);
        if self.mode != Mode::Quiet && (self.tally.has_counts() || elapsed >= INTERVAL) {
            self.screen.print(&format!("{}\n", self.tally.line()));
        }
    }

    fn draw(&self) {
        let (bar, tally) = (self.screen.bar(), Arc::clone(&self.tally));
        let line = move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
            // What does not get drawn now is drawn next time.
            out.write_str(&tally.line()).unwrap_or_default();
        };
        let template = ProgressStyle::with_template("{spinner} {line}");
        let style = template.unwrap_or_else(|_| ProgressStyle::default_spinner());
        bar.set_style(style.tick_chars("|/-\\ ").with_key("line", line));
        bar.reset();
        self.screen.show_bar();
        bar.enable_steady_tick(REDRAW);
    }

    /// Whether a line is due; true for only one of several tasks that ask at once.
    fn is_due(&self) -> bool {
        let (now, last) = (self.millis(), self.last.load(Relaxed));
        u128::from(now.saturating_sub(last)) >= INTERVAL.as_millis()
            && self.last.compare_exchange(last, now, Relaxed, Relaxed).is_ok()
    }

    fn millis(&self) -> u64 {
        let passed = self.tally.now().saturating_duration_since(self.began);
        u64::try_from(passed.as_millis()).unwrap_or(u64::MAX)
    }

    fn say(&self, text: &str) {
        if self.mode != Mode::Quiet {
            self.screen.print(&format!("{}\n", printable(text)));
        }
    }

    fn tell(&self, tone: Tone, word: &str, problem: &Problem) {
        let mut text = self.style.labelled(tone, word, &problem.to_string());
        if let Some(hint) = &problem.hint {
            text += &self.style.hint(hint);
        }
        self.screen.print(&text);
    }
}

impl Observer for Progress {
    fn observe(&self, event: &Event<'_>) {
        match event {
            Event::Stage(stage) => self.begin(*stage),
            Event::Expect(items) => self.tally.expect(*items),
            Event::Item(_) => self.tally.add_item(),
            Event::Bytes(bytes) => self.tally.add_bytes(*bytes),
            Event::Volume { claim, state } => self.say(&format!("volume {claim}: {state}")),
            Event::Awaiting(what) => self.tally.await_now(what),
            Event::Note(text) => tracing::info!("{text}"),
            Event::Warning(problem) if self.mode != Mode::Quiet => {
                self.tell(Tone::Warning, "warning:", problem);
            }
            Event::Warning(_) => {}
            Event::Error(problem) => self.tell(Tone::Error, "error:", problem),
        }
        self.tick();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Progress").field("mode", &self.mode).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll::{Pending, Ready};

    use bowline_api::{GroupResource, ItemId};

    use super::super::screen::tests::Printed;
    use super::*;

    /// A progress whose clock stands still until it is moved.
    struct Fixture {
        printed: Printed,
        progress: Progress,
        now: Arc<Mutex<Instant>>,
    }

    fn fixture(mode: Mode) -> Fixture {
        let printed = Printed::default();
        let now = Arc::new(Mutex::new(Instant::now()));
        let hand = Arc::clone(&now);
        let clock: Clock = Arc::new(move || *hand.lock().unwrap());
        let screen = Screen::new(printed.clone());
        Fixture {
            printed,
            progress: Progress::new(mode, screen, Style::PLAIN, clock, Timings::new()),
            now,
        }
    }

    impl Fixture {
        fn pass(&self, millis: u64) {
            *self.now.lock().unwrap() += Duration::from_millis(millis);
        }

        fn items(&self, count: u64) {
            let id = ItemId::cluster(GroupResource::core("nodes"), "a");
            (0..count).for_each(|_| self.progress.observe(&Event::Item(&id)));
        }

        /// Everything of one run of a few stages, with all that may come up.
        fn run(self) -> String {
            let problem = Problem::of_run("list", "odd\x1b[2J").with_hint("look");
            self.progress.observe(&Event::Stage(Stage::Preflight));
            self.progress.observe(&Event::Stage(Stage::Collecting));
            self.items(1200);
            self.progress.observe(&Event::Bytes(3_565_158));
            self.pass(4_999);
            self.progress.observe(&Event::Warning(&problem));
            self.pass(1);
            self.items(1);
            self.progress.observe(&Event::Expect(1500));
            self.pass(4_000);
            self.progress.observe(&Event::Stage(Stage::Snapshots));
            self.progress.observe(&Event::Volume { claim: "shop/data", state: "available" });
            self.pass(61_000);
            self.progress.tick();
            self.progress.observe(&Event::Error(&problem));
            self.progress.finish();
            self.printed.text()
        }
    }

    #[test]
    fn plain_lines_come_at_changes_of_stage_and_every_five_seconds() {
        let expected = "\
checking
collecting objects
warning: odd\\u{1b}[2J
hint: look
collecting objects: 1201 items, 3.4 MiB, 5s
collecting objects: 1201/1500 items, 3.4 MiB, 9s
awaiting snapshots
volume shop/data: available
awaiting snapshots: 61s
error: odd\\u{1b}[2J
hint: look
awaiting snapshots: 61s
";
        assert_eq!(fixture(Mode::Plain).run(), expected);
    }

    #[test]
    fn quiet_prints_errors_only() {
        assert_eq!(fixture(Mode::Quiet).run(), "error: odd\\u{1b}[2J\nhint: look\n");
    }

    #[test]
    fn above_the_bar_stay_messages_and_what_each_stage_did() {
        let expected = "\
warning: odd\\u{1b}[2J
hint: look
collecting objects: 1201/1500 items, 3.4 MiB, 9s
volume shop/data: available
error: odd\\u{1b}[2J
hint: look
awaiting snapshots: 61s
";
        assert_eq!(fixture(Mode::Bar).run(), expected);
    }

    #[test]
    fn the_last_stage_is_told_once_however_it_ends() {
        let Fixture { printed, progress, .. } = fixture(Mode::Plain);
        progress.observe(&Event::Stage(Stage::Committing));
        progress.observe(&Event::Bytes(1));
        progress.finish();
        drop(progress);
        assert_eq!(printed.text(), "committing\ncommitting: 1 B, 0s\n");
    }

    #[tokio::test]
    async fn the_time_goes_on_while_nothing_happens() {
        let Fixture { printed, progress, now } = fixture(Mode::Plain);
        progress.observe(&Event::Stage(Stage::Awaiting));
        *now.lock().unwrap() += INTERVAL;
        let has_ticked = || printed.text().lines().count() == 2;
        let silent = std::future::poll_fn(|_| if has_ticked() { Ready(()) } else { Pending });
        let limit = Duration::from_secs(30);
        tokio::time::timeout(limit, progress.during(silent)).await.unwrap();
        let expected = "awaiting readiness\nawaiting readiness: 5s\nawaiting readiness: 5s\n";
        assert_eq!(printed.text(), expected);
    }

    #[test]
    fn how_far_it_came_is_known_when_it_is_over() {
        let Fixture { progress, .. } = fixture(Mode::Quiet);
        let reached = progress.reached();
        assert!(!reached.has_come_to(Stage::Preflight));
        progress.observe(&Event::Stage(Stage::Collecting));
        assert!(!reached.has_come_to(Stage::Snapshots));
        progress.observe(&Event::Stage(Stage::Committing));
        drop(progress);
        assert!(reached.has_come_to(Stage::Snapshots));
    }

    #[test]
    fn many_tasks_count_at_once_and_one_of_them_prints() {
        let fixture = fixture(Mode::Plain);
        fixture.progress.observe(&Event::Stage(Stage::Collecting));
        fixture.pass(5_000);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| fixture.items(1000));
            }
        });
        fixture.progress.finish();
        let text = fixture.printed.text();
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.ends_with("collecting objects: 4000 items, 5s\n"), "{text}");
    }

    #[test]
    fn a_bar_needs_a_terminal_and_quiet_wins_over_all() {
        assert_eq!(Mode::choose(false, false, true), Mode::Bar);
        assert_eq!(Mode::choose(false, false, false), Mode::Plain);
        assert_eq!(Mode::choose(false, true, true), Mode::Plain);
        assert_eq!(Mode::choose(true, false, true), Mode::Quiet);
    }
}
