//! How long something stays, in years, months, days and hours, as restic writes it: `1y5m7d2h`.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};
use serde::{Deserialize, Serialize};

/// The highest number before a unit: more hours than that are longer than any calendar.
const MOST: u32 = 9_999_999;

/// A span of the calendar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Within {
    years: u32,
    months: u32,
    days: u32,
    hours: u32,
}

/// A text that is no such span.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not a span of time: {reason}")]
pub struct Error {
    text: String,
    reason: String,
}

impl Error {
    /// What would help.
    pub fn hint(&self) -> String {
        "write years, months, days and hours, such as 1y5m7d2h, 30d or 36h (m is a month)"
            .to_owned()
    }
}

impl Within {
    /// Whether it has no length.
    pub fn is_zero(self) -> bool {
        self == Self::default()
    }

    /// The time so long before another one, on the calendar of a zone; none if that is before all
    /// calendars.
    ///
    /// As Go's `AddDate` has it, which restic uses: a day that its month does not have is counted on
    /// from there, so that a month before March 31st is March 3rd.
    pub fn before(self, time: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let local = time.to_zoned(zone.clone()).datetime();
        let date = self.days_before(self.months_before(local.date())?)?;
        let moved = zone.to_ambiguous_zoned(date.to_datetime(local.time())).compatible().ok()?;
        let hours = SignedDuration::from_hours(i64::from(self.hours));
        moved.timestamp().checked_sub(hours).ok()
    }

    fn months_before(self, date: Date) -> Option<Date> {
        let months = i64::from(self.years) * 12 + i64::from(self.months);
        let moved = date.first_of_month().checked_sub(Span::new().try_months(months).ok()?).ok()?;
        moved.checked_add(Span::new().days(i64::from(date.day()) - 1)).ok()
    }

    fn days_before(self, date: Date) -> Option<Date> {
        date.checked_sub(Span::new().try_days(i64::from(self.days)).ok()?).ok()
    }
}

impl fmt::Display for Within {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [(self.years, "y"), (self.months, "m"), (self.days, "d"), (self.hours, "h")];
        if self.is_zero() {
            return f.write_str("0h");
        }
        let mut parts = parts.into_iter().filter(|(number, _)| *number > 0);
        parts.try_for_each(|(number, unit)| write!(f, "{number}{unit}"))
    }
}

impl FromStr for Within {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let fail = |reason: String| Error { text: text.to_owned(), reason };
        if text.is_empty() {
            return Err(fail("it is empty".to_owned()));
        }
        let mut parts = [None; 4];
        let mut rest = text;
        while !rest.is_empty() {
            let (number, place, after) = term(rest).map_err(fail)?;
            if parts[place].replace(number).is_some() {
                return Err(fail(format!("it has \"{}\" twice", UNITS[place])));
            }
            rest = after;
        }
        let [years, months, days, hours] = parts.map(Option::unwrap_or_default);
        Ok(Self { years, months, days, hours })
    }
}

/// The units, the longest first.
const UNITS: [char; 4] = ['y', 'm', 'd', 'h'];

/// A number, the place of its unit, and what follows.
fn term(text: &str) -> Result<(u32, usize, &str), String> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    if number.is_empty() {
        return Err(format!("\"{text}\" does not begin with a number"));
    }
    let mut rest = rest.chars();
    let unit = rest.next().ok_or("it lacks a unit")?;
    let place = UNITS.iter().position(|known| *known == unit);
    let place = place.ok_or_else(|| format!("there is no unit \"{unit}\""))?;
    let number = number.parse().ok().filter(|number| *number <= MOST);
    Ok((number.ok_or("it is too long")?, place, rest.as_str()))
}

impl TryFrom<String> for Within {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Within> for String {
    fn from(within: Within) -> Self {
        within.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within(text: &str) -> Within {
        text.parse().unwrap()
    }

    #[test]
    fn a_span_is_written_as_restic_writes_it() {
        for (text, shown) in [
            ("1y5m7d2h", "1y5m7d2h"),
            ("2h7d", "7d2h"),
            ("030d", "30d"),
            ("0d", "0h"),
            ("9999999h", "9999999h"),
        ] {
            assert_eq!(within(text).to_string(), shown);
            assert_eq!(within(shown), within(text));
        }
        assert_eq!(serde_json::to_string(&within("7d")).unwrap(), "\"7d\"");
    }

    #[test]
    fn what_is_no_span_is_refused_with_its_fault() {
        for (text, reason) in [
            ("", "it is empty"),
            ("7", "it lacks a unit"),
            ("7w", "there is no unit \"w\""),
            ("d", "\"d\" does not begin with a number"),
            ("-7d", "\"-7d\" does not begin with a number"),
            ("1d2d", "it has \"d\" twice"),
            ("99999999999h", "it is too long"),
            ("10000000h", "it is too long"),
            ("1d 2h", "\" 2h\" does not begin with a number"),
        ] {
            let error = text.parse::<Within>().unwrap_err();
            assert_eq!(error.reason, reason, "{text}");
        }
    }

    /// What Go's `AddDate` and `Add` make of the same.
    #[test]
    fn days_that_a_month_does_not_have_are_counted_on_as_in_go() {
        for (time, span, before) in [
            ("2026-03-31T12:00:00Z", "1m", "2026-03-03T12:00:00Z"),
            ("2024-02-29T12:00:00Z", "1y", "2023-03-01T12:00:00Z"),
            ("2026-01-15T00:30:00Z", "2m", "2025-11-15T00:30:00Z"),
            ("2026-03-31T12:00:00Z", "1m3d", "2026-02-28T12:00:00Z"),
            ("2026-12-31T23:00:00Z", "1y5m7d2h", "2025-07-24T21:00:00Z"),
        ] {
            let expected: Timestamp = before.parse().unwrap();
            let time = time.parse().unwrap();
            assert_eq!(within(span).before(time, &TimeZone::UTC), Some(expected), "{time} {span}");
        }
        assert_eq!(within("9999999d").before(Timestamp::UNIX_EPOCH, &TimeZone::UTC), None);
        assert_eq!(within("9999999m").before(Timestamp::UNIX_EPOCH, &TimeZone::UTC), None);
    }

    #[test]
    fn a_day_is_one_of_the_calendar_and_an_hour_is_not() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        // The clocks went forward on March 29th, 2026.
        let noon: Timestamp = "2026-03-29T10:00:00Z".parse().unwrap();
        let day: Timestamp = "2026-03-28T11:00:00Z".parse().unwrap();
        let hours: Timestamp = "2026-03-28T10:00:00Z".parse().unwrap();
        assert_eq!(within("1d").before(noon, &berlin), Some(day));
        assert_eq!(within("24h").before(noon, &berlin), Some(hours));
    }
}
