//! Cron expressions, with the meaning that they have in Velero: that of robfig/cron v3.
//!
//! Five fields or a descriptor (`@daily`, `@every 6h`), with a time zone before them if need be
//! (`CRON_TZ=Europe/Berlin 0 2 * * *`). Days of the month and of the week are both demanded if one of
//! them is `*`, else either is enough. A time that a change of the clocks leaves out is left out; one
//! that comes twice is due twice if the field of hours leaves it open, as in `0 * * * *`.

mod next;
mod parse;

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub use parse::{Error, without_minutes, without_zone};

/// When something is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    zone: TimeZone,
    form: Form,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    Fields(Fields),
    /// So many seconds after the last time.
    Every(i64),
}

/// The values that a time may have, a bit for each; the highest bit says that all were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fields {
    minute: u64,
    hour: u64,
    day: u64,
    month: u64,
    weekday: u64,
}

/// The bit that says that a field was a star.
const STAR: u64 = 1 << 63;

impl Cron {
    /// Reads an expression; `zone` (IANA; UTC if none) is that of one which names none itself.
    pub fn parse(expression: &str, zone: Option<&str>) -> Result<Self, Error> {
        parse::cron(expression, zone)
    }

    /// When it is due next after this time; none if never within five years.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        match &self.form {
            Form::Every(seconds) => Timestamp::from_second(after.as_second() + seconds).ok(),
            Form::Fields(fields) => next::after(fields, &self.zone, after),
        }
    }

    /// How many seconds apart its times are, if they are counted from one another.
    pub fn period(&self) -> Option<i64> {
        match self.form {
            Form::Every(seconds) => Some(seconds),
            Form::Fields(_) => None,
        }
    }

    /// The minutes of an hour at which it is due; none if its times are counted from one another.
    pub fn minutes(&self) -> Vec<u64> {
        match &self.form {
            Form::Every(_) => Vec::new(),
            Form::Fields(fields) => (0..60).filter(|it| fields.minute & (1 << it) != 0).collect(),
        }
    }

    /// The zone in which it is meant.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }
}
