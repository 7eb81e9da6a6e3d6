//! Reading cron expressions.

use jiff::tz::TimeZone;

use super::{Cron, Fields, Form, STAR};
use crate::engine::model::duration::{self, GoDuration};

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const MINUTE: Bounds = Bounds { field: "minute", min: 0, max: 59, names: &[] };
const HOUR: Bounds = Bounds { field: "hour", min: 0, max: 23, names: &[] };
const DAY: Bounds = Bounds { field: "day of the month", min: 1, max: 31, names: &[] };
const MONTH: Bounds = Bounds { field: "month", min: 1, max: 12, names: &MONTHS };
const WEEKDAY: Bounds = Bounds { field: "day of the week", min: 0, max: 6, names: &WEEKDAYS };

/// An expression that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{expression}\" is not a cron expression: {reason}")]
pub struct Error {
    expression: String,
    reason: Reason,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Reason {
    #[error("it has {0} fields instead of 5")]
    Count(usize),
    #[error("\"{0}\" is not a time zone")]
    Zone(String),
    #[error("\"{0}\" is not a time zone")]
    Case(String, String),
    #[error("it names a time zone and nothing else")]
    OnlyZone,
    #[error("\"{0}\" is not a descriptor")]
    Descriptor(String),
    #[error(transparent)]
    Duration(#[from] duration::Error),
    #[error("runs must be at least a second apart")]
    TooOften,
    #[error("\"{part}\" is not a {field}: {why}")]
    Part { part: String, field: &'static str, why: String },
}

impl Error {
    /// What would help.
    pub fn hint(&self) -> String {
        match &self.reason {
            Reason::Zone(_) | Reason::OnlyZone => {
                "name a zone as IANA does, such as CRON_TZ=Europe/Berlin 0 2 * * *".to_owned()
            }
            Reason::Case(_, right) => format!("did you mean \"{right}\"?"),
            Reason::Descriptor(_) => "known are @hourly, @daily (@midnight), @weekly, @monthly, \
                 @yearly (@annually) and @every DURATION"
                .to_owned(),
            Reason::Duration(error) => error.hint(),
            Reason::Part { field, .. } if *field == WEEKDAY.field => {
                "write 0 (Sunday) to 6, or sun to sat".to_owned()
            }
            _ => "write minute, hour, day of the month, month and day of the week, such as \
                 \"0 2 * * *\" for every night at two"
                .to_owned(),
        }
    }
}

/// The values of a field.
struct Bounds {
    field: &'static str,
    min: u32,
    max: u32,
    names: &'static [&'static str],
}

pub(super) fn cron(expression: &str, zone: Option<&str>) -> Result<Cron, Error> {
    read(expression, zone).map_err(|reason| Error { expression: expression.to_owned(), reason })
}

/// The expression without the zone before it.
pub fn without_zone(expression: &str) -> &str {
    split(expression).ok().flatten().map_or(expression, |(_, rest)| rest)
}

/// The fields after the first, which is that of minutes; none if there are no fields.
pub fn without_minutes(expression: &str) -> Option<&str> {
    let expression = without_zone(expression).trim_start();
    let fields = spelled_out(expression).unwrap_or(expression);
    fields.split_once(char::is_whitespace).map(|(_, rest)| rest.trim())
}

/// The zone before an expression, and the rest; none if it names none.
fn split(expression: &str) -> Result<Option<(&str, &str)>, Reason> {
    let prefixed = ["TZ=", "CRON_TZ="].iter().find_map(|it| expression.strip_prefix(it));
    let Some(rest) = prefixed else { return Ok(None) };
    let (zone, rest) = rest.split_once(' ').ok_or(Reason::OnlyZone)?;
    Ok(Some((zone, rest.trim())))
}

/// White space is taken where robfig takes it, so that what is stored is good for Velero, too.
fn read(expression: &str, zone: Option<&str>) -> Result<Cron, Reason> {
    let unprefixed = (zone.unwrap_or("UTC"), expression);
    let (zone, expression) = split(expression)?.unwrap_or(unprefixed);
    let form = match expression.strip_prefix('@') {
        Some(_) => descriptor(expression)?,
        None => Form::Fields(fields(expression)?),
    };
    Ok(Cron { zone: time_zone(zone)?, form })
}

/// Finds a zone by its exact name, as Go and Kubernetes demand it; jiff looks past upper and lower
/// case.
fn time_zone(name: &str) -> Result<TimeZone, Reason> {
    if name.is_empty() {
        return Ok(TimeZone::UTC);
    }
    let zone = TimeZone::get(name).ok().filter(|zone| !zone.is_unknown());
    let zone = zone.ok_or_else(|| Reason::Zone(name.to_owned()))?;
    match zone.iana_name() {
        Some(right) if right != name && right.eq_ignore_ascii_case(name) => {
            Err(Reason::Case(name.to_owned(), right.to_owned()))
        }
        _ => Ok(zone),
    }
}

fn descriptor(text: &str) -> Result<Form, Reason> {
    if let Some(expression) = spelled_out(text) {
        return Ok(Form::Fields(fields(expression)?));
    }
    let every = text.strip_prefix("@every ");
    every.map_or_else(|| Err(Reason::Descriptor(text.to_owned())), self::every)
}

/// The fields that a descriptor stands for.
fn spelled_out(descriptor: &str) -> Option<&'static str> {
    Some(match descriptor {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        _ => return None,
    })
}

/// A span, cut to whole seconds.
fn every(text: &str) -> Result<Form, Reason> {
    let span: GoDuration = text.parse()?;
    let seconds = span.to_std().ok_or(Reason::TooOften)?.as_secs();
    match i64::try_from(seconds) {
        Ok(0) | Err(_) => Err(Reason::TooOften),
        Ok(seconds) => Ok(Form::Every(seconds)),
    }
}

fn fields(expression: &str) -> Result<Fields, Reason> {
    let parts: Vec<&str> = expression.split_whitespace().collect();
    let [minute, hour, day, month, weekday] = parts[..] else {
        return Err(Reason::Count(parts.len()));
    };
    Ok(Fields {
        minute: MINUTE.list(minute)?,
        hour: HOUR.list(hour)?,
        day: DAY.list(day)?,
        month: MONTH.list(month)?,
        weekday: WEEKDAY.list(weekday)?,
    })
}

impl Bounds {
    fn list(&self, text: &str) -> Result<u64, Reason> {
        let mut bits = 0;
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let range = self.range(part).map_err(|why| self.fault(part, why))?;
            bits |= range;
        }
        if bits == 0 { Err(self.fault(text, "it is empty".to_owned())) } else { Ok(bits) }
    }

    fn fault(&self, part: &str, why: String) -> Reason {
        Reason::Part { part: part.to_owned(), field: self.field, why }
    }

    /// `*`, `5`, `1-5`, and each with a step: `*/15`, `5/15` (to the end), `1-30/10`.
    fn range(&self, part: &str) -> Result<u64, String> {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (part, None),
        };
        if step.is_some_and(|step| step.contains('/')) {
            return Err("it has more than one \"/\"".to_owned());
        }
        let ends: Vec<&str> = range.split('-').collect();
        let is_star = matches!(ends[0], "*" | "?");
        let (start, mut end) = match ends[..] {
            _ if is_star => (self.min, self.max),
            [one] => (self.value(one)?, self.value(one)?),
            [first, last] => (self.value(first)?, self.value(last)?),
            _ => return Err("it has more than one \"-\"".to_owned()),
        };
        let by = step.map_or(Ok(1), number)?;
        if step.is_some() && ends.len() == 1 {
            end = self.max;
        }
        self.check(start, end, by)?;
        let step_by = usize::try_from(by).unwrap_or(usize::MAX);
        let bits = (start..=end).step_by(step_by).fold(0, |bits, value| bits | 1 << value);
        Ok(if is_star && by == 1 { bits | STAR } else { bits })
    }

    fn check(&self, start: u32, end: u32, step: u32) -> Result<(), String> {
        let Self { min, max, .. } = self;
        if start < *min || end > *max {
            return Err(format!("it must be {min} to {max}"));
        }
        if start > end {
            return Err("it ends before it begins".to_owned());
        }
        if step == 0 { Err("a step must not be 0".to_owned()) } else { Ok(()) }
    }

    fn value(&self, text: &str) -> Result<u32, String> {
        let named = self.names.iter().position(|name| text.eq_ignore_ascii_case(name));
        match named.and_then(|place| u32::try_from(place).ok()) {
            Some(place) => Ok(self.min + place),
            None => number(text),
        }
    }
}

fn number(text: &str) -> Result<u32, String> {
    match text.parse::<i64>() {
        Ok(number @ 0..) => Ok(u32::try_from(number).unwrap_or(u32::MAX)),
        _ => Err(format!("\"{text}\" is not a number")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_expression_is_told_with_its_field_and_a_hint() {
        let told = |expression| {
            let error = cron(expression, None).unwrap_err();
            format!("{error}; {}", error.hint())
        };
        assert_eq!(
            told("0 2 * * 7"),
            "\"0 2 * * 7\" is not a cron expression: \"7\" is not a day of the week: it must be 0 \
             to 6; write 0 (Sunday) to 6, or sun to sat"
        );
        assert!(told("0 2 * *").contains("it has 4 fields instead of 5"));
        assert!(told("CRON_TZ=Europe/Berlin").contains("nothing else"));
        assert!(told("CRON_TZ=Mars/Base 0 2 * * *").contains("\"Mars/Base\" is not a time zone"));
        assert!(told("CRON_TZ=Local 0 2 * * *").contains("\"Local\" is not a time zone"));
        assert!(told("CRON_TZ=europe/berlin @daily").contains("did you mean \"Europe/Berlin\"?"));
        assert!(told(", 2 * * *").contains("\",\" is not a minute: it is empty"));
        assert!(told("@every 999ms").contains("at least a second apart"));
        assert!(told("@every -1h").contains("at least a second apart"));
        assert!(told("@fortnightly").contains("@every DURATION"));
        assert!(told("@every 0s").contains("at least a second apart"));
        assert!(told("@every 1d").contains("720h"));
        for bad in ["60 * * * *", "5-1 * * * *", "*/0 * * * *", "1/2/3 * * * *", "1-2-3 * * * *"] {
            assert!(cron(bad, None).is_err(), "{bad}");
        }
    }
}
