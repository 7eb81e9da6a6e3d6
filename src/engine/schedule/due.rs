//! Whether a run is due, and for how many it stands. Pure: the time is given.

use jiff::{SignedDuration, Timestamp};

use super::Cron;
use crate::engine::model::digest;
use crate::engine::model::duration::GoDuration;
use crate::engine::model::schedule::Schedule;

/// How many times that went by without a run are counted; so many, or more.
pub const MOST_COUNTED: u64 = 10_000;

/// When a schedule's runs are due, and what is known of them.
#[derive(Clone, Copy, Debug)]
pub struct Timetable<'a> {
    /// When it is due.
    pub cron: &'a Cron,
    /// From when on.
    pub since: Timestamp,
    /// The due time that was handled last, of those that are not in the future.
    ///
    /// One in the future is of a clock that was wrong. Were it believed, nothing would be due until
    /// then; as it is, that one time is not due again once it comes.
    pub handled: Option<Timestamp>,
    /// How late a run may begin.
    pub deadline: Option<SignedDuration>,
    /// How long after the due time it begins.
    pub offset: SignedDuration,
}

/// Whether a run is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Not yet; when the next one is to begin, if ever.
    Later(Option<Timestamp>),
    /// It is.
    Now(Occurrence),
    /// It was, and it is too late to begin it.
    TooLate(Occurrence),
}

/// A time at which a run is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// The time.
    pub at: Timestamp,
    /// How many earlier times it stands for, which went by without a run.
    pub missed: u64,
}

impl<'a> Timetable<'a> {
    /// The times of a schedule.
    pub fn of(schedule: &Schedule, cron: &'a Cron, handled: Option<Timestamp>) -> Self {
        let terms = &schedule.bowline;
        Self {
            cron,
            since: terms.since,
            handled,
            deadline: terms.starting_deadline.map(GoDuration::to_signed),
            offset: place(schedule),
        }
    }

    /// Whether a run is due now: after an outage the newest alone, which stands for all of them.
    pub fn decide(&self, now: Timestamp) -> Due {
        let last = self.handled.map_or(self.since, |handled| handled.max(self.since));
        let Some(at) = self.newest(last, now - self.offset) else {
            return Due::Later(self.cron.next(last).map(|next| next + self.offset));
        };
        let occurrence = Occurrence { at, missed: self.missed(last, at) };
        let is_late = |deadline| now > at + self.offset + deadline;
        if self.deadline.is_some_and(is_late) {
            Due::TooLate(occurrence)
        } else {
            Due::Now(occurrence)
        }
    }

    /// The newest due time after `last` that is not after `until`.
    fn newest(&self, last: Timestamp, until: Timestamp) -> Option<Timestamp> {
        let first = self.cron.next(last).filter(|first| *first <= until)?;
        if let Some(period) = self.cron.period() {
            let steps = (until.as_second() - first.as_second()) / period;
            return Timestamp::from_second(first.as_second() + steps * period).ok();
        }
        let next = |second| {
            let next = self.cron.next(Timestamp::from_second(second).ok()?)?;
            (next <= until).then_some(next)
        };
        // The later we begin, the later is the next one; so the last beginning with a next one that
        // has come is found by halves, however long nobody looked.
        let (mut newest, mut found, mut beyond) = (first, first.as_second(), until.as_second());
        while beyond - found > 1 {
            let middle = found + (beyond - found) / 2;
            match next(middle) {
                Some(time) => (newest, found) = (time, middle),
                None => beyond = middle,
            }
        }
        Some(next(found).map_or(newest, |time| time.max(newest)))
    }

    /// How many times came before this one and after the last that was handled.
    fn missed(&self, last: Timestamp, at: Timestamp) -> u64 {
        let mut times = std::iter::successors(self.cron.next(last), |time| self.cron.next(*time));
        let counted = usize::try_from(MOST_COUNTED).unwrap_or(usize::MAX);
        times.by_ref().take_while(|time| *time < at).take(counted).count() as u64
    }
}

/// How long after its due times a schedule's runs begin: each has a place of its own within the
/// spread, and keeps it.
pub(super) fn place(schedule: &Schedule) -> SignedDuration {
    offset(&schedule.metadata.uid, schedule.bowline.spread.map(GoDuration::to_signed))
}

fn offset(uid: &str, spread: Option<SignedDuration>) -> SignedDuration {
    let seconds = spread.map_or(0, |spread| spread.as_secs());
    if seconds <= 0 {
        return SignedDuration::ZERO;
    }
    let place = i64::from_str_radix(&digest::short(uid, 15), 16).unwrap_or_default();
    SignedDuration::from_secs(place % seconds)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use proptest::prelude::*;

    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn timetable<'a>(cron: &'a Cron, since: &str) -> Timetable<'a> {
        Timetable {
            cron,
            since: time(since),
            handled: None,
            deadline: None,
            offset: SignedDuration::ZERO,
        }
    }

    fn cron(expression: &str) -> Cron {
        Cron::parse(expression, None).unwrap()
    }

    /// Looks at a timetable at these times, and makes every run that is due; gives what was made.
    fn live(mut table: Timetable<'_>, times: impl Iterator<Item = Timestamp>) -> Vec<Occurrence> {
        let (mut made, mut handled) = (Vec::new(), Vec::new());
        for now in times {
            table.handled = handled.iter().rev().copied().find(|it| *it <= now);
            if let Due::Now(due) = table.decide(now) {
                made.push(due);
                handled.push(due.at);
            }
        }
        made
    }

    fn every(seconds: i64, from: &str, until: &str) -> impl Iterator<Item = Timestamp> {
        let (from, until) = (time(from).as_second(), time(until).as_second());
        (0..=(until - from) / seconds)
            .map(move |step| Timestamp::from_second(from + step * seconds).unwrap())
    }

    #[test]
    fn nothing_is_due_before_the_first_time_after_it_was_made() {
        let cron = cron("0 2 * * *");
        let table = timetable(&cron, "2026-11-22T02:00:00Z");
        let next = Due::Later(Some(time("2026-11-23T02:00:00Z")));
        assert_eq!(table.decide(time("2026-11-22T02:00:00Z")), next);
        assert_eq!(table.decide(time("2026-11-23T01:59:59Z")), next);
        let due = Occurrence { at: time("2026-11-23T02:00:00Z"), missed: 0 };
        assert_eq!(table.decide(time("2026-11-23T02:00:00Z")), Due::Now(due));
    }

    #[test]
    fn an_outage_of_124_days_calls_for_one_run_that_says_how_many_it_stands_for() {
        for (expression, at, missed) in [
            ("0 * * * *", "2026-06-05T10:00:00Z", 124 * 24 - 1 + 10),
            ("30 2 * * *", "2026-06-05T02:30:00Z", 124),
            ("@every 1h", "2026-06-05T10:00:00Z", 124 * 24 - 1 + 10),
            ("* * * * *", "2026-06-05T10:30:00Z", MOST_COUNTED),
        ] {
            let cron = cron(expression);
            let table = timetable(&cron, "2026-02-01T00:00:00Z");
            let after = every(60, "2026-06-05T10:30:10Z", "2026-06-05T10:30:59Z");
            let made = live(table, after);
            assert_eq!(made, [Occurrence { at: time(at), missed }], "{expression}");
        }
    }

    #[test]
    fn a_long_outage_is_looked_through_at_once() {
        let cron = cron("* * * * *");
        let table = timetable(&cron, "2006-01-01T00:00:00Z");
        let began = Instant::now();
        let Due::Now(due) = table.decide(time("2026-01-01T00:00:30Z")) else { panic!("not due") };
        assert_eq!(due.at, time("2026-01-01T00:00:00Z"));
        assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
    }

    #[test]
    fn a_year_of_runs_makes_each_once() {
        let looks = || every(600, "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z");
        for (expression, runs) in [("0 * * * *", 8760), ("30 2 * * *", 365), ("0 3 * * 0", 52)] {
            let cron = cron(expression);
            let made = live(timetable(&cron, "2026-01-01T00:00:00Z"), looks());
            assert_eq!(made.len(), runs, "{expression}");
            assert!(made.iter().all(|due| due.missed == 0), "{expression}");
            assert!(made.is_sorted_by(|one, next| one.at < next.at), "{expression}");
        }
    }

    #[test]
    fn a_clock_that_jumps_back_makes_nothing_twice_and_nobody_waits_for_it() {
        let cron = cron("0 * * * *");
        let table = timetable(&cron, "2026-11-22T00:00:00Z");
        let first = every(600, "2026-11-22T00:00:00Z", "2026-11-22T05:50:00Z");
        let again = every(600, "2026-11-22T02:10:00Z", "2026-11-22T08:00:00Z");
        let made: Vec<_> = live(table, first.chain(again)).iter().map(|due| due.at).collect();
        let hours: Vec<_> = every(3600, "2026-11-22T01:00:00Z", "2026-11-22T08:00:00Z").collect();
        assert_eq!(made, hours);
        // A clock that was a year ahead has handled a time that is still to come.
        let ahead = every(600, "2027-11-22T04:00:00Z", "2027-11-22T04:00:00Z");
        let back = every(600, "2026-11-22T00:00:00Z", "2026-11-22T03:00:00Z");
        let made: Vec<_> = live(table, ahead.chain(back)).iter().map(|due| due.at).collect();
        let hours = every(3600, "2026-11-22T01:00:00Z", "2026-11-22T03:00:00Z");
        assert_eq!(made[1..], hours.collect::<Vec<_>>());
    }

    #[test]
    fn unpausing_and_adopting_fire_nothing() {
        let cron = cron("0 * * * *");
        let table = Timetable {
            handled: Some(time("2026-11-01T00:00:00Z")),
            ..timetable(&cron, "2026-11-22T02:30:00Z")
        };
        let next = Due::Later(Some(time("2026-11-22T03:00:00Z")));
        assert_eq!(table.decide(time("2026-11-22T02:30:01Z")), next);
    }

    #[test]
    fn a_run_that_is_too_late_is_left_out_and_the_next_one_is_not() {
        let cron = cron("0 2 * * *");
        let mut table = timetable(&cron, "2026-11-20T00:00:00Z");
        table.deadline = Some(SignedDuration::from_mins(30));
        let due = Occurrence { at: time("2026-11-22T02:00:00Z"), missed: 2 - 1 + 1 };
        assert_eq!(table.decide(time("2026-11-22T02:30:00Z")), Due::Now(due));
        assert_eq!(table.decide(time("2026-11-22T02:30:01Z")), Due::TooLate(due));
        table.handled = Some(due.at);
        let next = Due::Later(Some(time("2026-11-23T02:00:00Z")));
        assert_eq!(table.decide(time("2026-11-22T02:30:01Z")), next);
    }

    #[test]
    fn a_spread_moves_the_beginning_and_not_the_time() {
        let cron = cron("0 2 * * *");
        let spread = Some(SignedDuration::from_mins(10));
        let offsets: Vec<_> = ["u1", "u2", "u3"].map(|uid| offset(uid, spread)).into();
        assert!(offsets.iter().all(|it| *it < SignedDuration::from_mins(10)), "{offsets:?}");
        assert!(offsets[0] != offsets[1] && offsets[1] != offsets[2], "{offsets:?}");
        assert_eq!(offset("u1", spread), offsets[0], "it keeps its place");
        let offset = SignedDuration::from_mins(7);
        let table = Timetable { offset, ..timetable(&cron, "2026-11-22T00:00:00Z") };
        let at = time("2026-11-22T02:00:00Z");
        assert_eq!(table.decide(at), Due::Later(Some(at + offset)));
        assert_eq!(table.decide(at + offset), Due::Now(Occurrence { at, missed: 0 }));
    }

    proptest! {
        /// Whoever walks from one time to the next comes to the same.
        #[test]
        fn the_newest_time_is_the_one_that_a_walk_comes_to(
            expression in prop::sample::select(vec![
                "*/7 3-5 * * *", "0 2 * * 1", "15 */6 1,15 * *", "@every 37m",
                "CRON_TZ=Europe/Berlin 30 2 * * *", "CRON_TZ=America/New_York 0 1-3 * * *",
            ]),
            begin in 1_790_000_000_i64..1_795_000_000,
            span in 0_i64..20_000_000,
        ) {
            let cron = cron(expression);
            let (since, now) = (begin, begin + span);
            let [since, now] = [since, now].map(|second| Timestamp::from_second(second).unwrap());
            let walk: Vec<_> = std::iter::successors(cron.next(since), |time| cron.next(*time))
                .take_while(|time| *time <= now)
                .collect();
            let table = Timetable { since, ..timetable(&cron, "2026-01-01T00:00:00Z") };
            let expected = walk.last().map(|at| Occurrence { at: *at, missed: walk.len() as u64 - 1 });
            match (table.decide(now), expected) {
                (Due::Now(due), Some(expected)) => prop_assert_eq!(
                    (due.at, due.missed), (expected.at, expected.missed.min(MOST_COUNTED))
                ),
                (Due::Later(next), None) => prop_assert_eq!(next, cron.next(since)),
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }
}
