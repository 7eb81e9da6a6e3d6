//! The next time that fits: robfig's walk from month to minute, clock changes included.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use super::{Fields, STAR};

/// How many years ahead a time is looked for.
const YEARS: i16 = 5;
const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;

/// A moment, and what clocks in the zone show then.
struct Moment<'a> {
    zone: &'a TimeZone,
    second: i64,
    shown: DateTime,
}

/// The next time that fits after this one, in whole minutes of the zone.
pub(super) fn after(fields: &Fields, zone: &TimeZone, after: Timestamp) -> Option<Timestamp> {
    let mut moment = Moment::at(zone, after.as_second() + 1)?;
    let last = moment.shown.year() + YEARS;
    // Once something was moved on, all that is smaller begins anew.
    let mut moved = false;
    while moment.shown.year() <= last {
        if moment.month(fields, &mut moved)?
            && moment.day(fields, &mut moved)?
            && moment.hour(fields, &mut moved)?
            && moment.minute(fields, &mut moved)?
            && moment.whole(&mut moved)?
        {
            return Timestamp::from_second(moment.second).ok();
        }
    }
    None
}

/// Each finds the next value that fits; false if the next larger one is another by then.
impl<'a> Moment<'a> {
    fn at(zone: &'a TimeZone, second: i64) -> Option<Self> {
        let time = Timestamp::from_second(second).ok()?;
        Some(Self { zone, second, shown: zone.to_datetime(time) })
    }

    fn month(&mut self, fields: &Fields, moved: &mut bool) -> Option<bool> {
        while !has(fields.month, self.shown.month()) {
            if !std::mem::replace(moved, true) {
                self.set(self.shown.date().first_of_month().into())?;
            }
            self.set(self.shown.checked_add(Span::new().months(1)).ok()?)?;
            if self.shown.month() == 1 {
                return Some(false);
            }
        }
        Some(true)
    }

    fn day(&mut self, fields: &Fields, moved: &mut bool) -> Option<bool> {
        while !self.is_day(fields) {
            if !std::mem::replace(moved, true) {
                self.set(self.shown.date().into())?;
            }
            self.tomorrow()?;
            // Midnight may be another hour where clocks are changed at midnight.
            match i64::from(self.shown.hour()) {
                0 => {}
                hour @ 13.. => self.pass((24 - hour) * HOUR)?,
                hour => self.pass(-hour * HOUR)?,
            }
            if self.shown.day() == 1 {
                return Some(false);
            }
        }
        Some(true)
    }

    /// Moves to the next day; over one that the zone left out, where robfig's walk has no end.
    fn tomorrow(&mut self) -> Option<()> {
        let (today, shown) = (self.second, self.shown);
        for days in 1.. {
            self.set(shown.checked_add(Span::new().days(days)).ok()?)?;
            if self.second > today {
                break;
            }
        }
        Some(())
    }

    fn is_day(&self, fields: &Fields) -> bool {
        let day = has(fields.day, self.shown.day());
        let weekday = has(fields.weekday, self.shown.weekday().to_sunday_zero_offset());
        if (fields.day | fields.weekday) & STAR != 0 { day && weekday } else { day || weekday }
    }

    fn hour(&mut self, fields: &Fields, moved: &mut bool) -> Option<bool> {
        while !has(fields.hour, self.shown.hour()) {
            if !std::mem::replace(moved, true) {
                self.set(self.shown.date().at(self.shown.hour(), 0, 0, 0))?;
            }
            self.pass(HOUR)?;
            if self.shown.hour() == 0 {
                return Some(false);
            }
        }
        Some(true)
    }

    fn minute(&mut self, fields: &Fields, moved: &mut bool) -> Option<bool> {
        while !has(fields.minute, self.shown.minute()) {
            if !std::mem::replace(moved, true) {
                self.pass(-self.second.rem_euclid(MINUTE))?;
            }
            self.pass(MINUTE)?;
            if self.shown.minute() == 0 {
                return Some(false);
            }
        }
        Some(true)
    }

    /// The same for seconds, of which only 0 fits.
    fn whole(&mut self, moved: &mut bool) -> Option<bool> {
        let seconds = i64::from(self.shown.second());
        if seconds == 0 {
            return Some(true);
        }
        *moved = true;
        self.pass(MINUTE - seconds)?;
        Some(false)
    }

    /// Moves on by so many seconds that pass.
    fn pass(&mut self, seconds: i64) -> Option<()> {
        *self = Self::at(self.zone, self.second.checked_add(seconds)?)?;
        Some(())
    }

    /// Moves to what clocks show; as Go resolves what they show never or twice.
    fn set(&mut self, shown: DateTime) -> Option<()> {
        let as_utc = TimeZone::UTC.to_timestamp(shown).ok()?.as_second();
        let offset = |second| {
            let time = Timestamp::from_second(second).ok()?;
            Some(i64::from(self.zone.to_offset(time).seconds()))
        };
        let second = match offset(as_utc)? {
            0 => as_utc,
            guess => as_utc - offset(as_utc - guess)?,
        };
        *self = Self::at(self.zone, second)?;
        Some(())
    }
}

fn has(bits: u64, value: i8) -> bool {
    u32::try_from(value).is_ok_and(|value| bits & (1 << value) != 0)
}

#[cfg(test)]
mod tests {
    use crate::engine::schedule::Cron;

    fn next(expression: &str, after: &str) -> String {
        let cron = Cron::parse(expression, None).unwrap();
        cron.next(after.parse().unwrap()).map_or_else(String::new, |time| time.to_string())
    }

    #[test]
    fn the_next_time_is_after_the_given_one() {
        assert_eq!(next("0 2 * * *", "2026-11-22T02:00:00Z"), "2026-11-23T02:00:00Z");
        assert_eq!(next("0 2 * * *", "2026-11-22T01:59:59.5Z"), "2026-11-22T02:00:00Z");
        assert_eq!(next("*/15 9-17 * * mon-fri", "2026-11-20T17:45:00Z"), "2026-11-23T09:00:00Z");
        assert_eq!(next("0 0 29 2 *", "2026-11-22T00:00:00Z"), "2028-02-29T00:00:00Z");
        assert_eq!(next("0 0 30 2 *", "2026-11-22T00:00:00Z"), "");
        assert_eq!(next("@every 1h30m", "2026-11-22T00:00:10Z"), "2026-11-22T01:30:10Z");
    }

    #[test]
    fn both_days_count_where_one_is_a_star_and_either_otherwise() {
        assert_eq!(next("0 0 13 * 5", "2026-11-22T00:00:00Z"), "2026-11-27T00:00:00Z");
        assert_eq!(next("0 0 13 * *", "2026-11-22T00:00:00Z"), "2026-12-13T00:00:00Z");
        assert_eq!(next("0 0 */2 * 5", "2026-11-22T00:00:00Z"), "2026-11-23T00:00:00Z");
    }

    #[test]
    fn an_hour_that_is_left_out_is_left_out_and_one_that_comes_twice_comes_twice() {
        let night = "CRON_TZ=Europe/Berlin 30 2 * * *";
        assert_eq!(next(night, "2026-03-28T12:00:00Z"), "2026-03-30T00:30:00Z");
        assert_eq!(next(night, "2026-10-24T12:00:00Z"), "2026-10-25T00:30:00Z");
        assert_eq!(next(night, "2026-10-25T00:30:00Z"), "2026-10-25T01:30:00Z");
    }
}
