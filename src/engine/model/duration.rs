//! Durations as Go writes them: `720h0m0s`, `1.5h`, `100ms`.
//!
//! Velero's files and the annotations of its hooks hold nothing else. Reading and writing follow
//! Go's `time.ParseDuration` and `time.Duration.String` to the last nanosecond.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

const MICROSECOND: u64 = 1_000;
const MILLISECOND: u64 = 1_000 * MICROSECOND;
const SECOND: u64 = 1_000 * MILLISECOND;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// Every unit that Go knows, in nanoseconds. Both letters for micro (U+00B5, U+03BC) are in use.
const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", MICROSECOND),
    ("µs", MICROSECOND),
    ("μs", MICROSECOND),
    ("ms", MILLISECOND),
    ("s", SECOND),
    ("m", MINUTE),
    ("h", HOUR),
];

/// A span of time in whole nanoseconds, as Go's `time.Duration`; it may be negative.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct GoDuration(i64);

/// A text that is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not a duration: {reason}")]
pub struct Error {
    text: String,
    reason: String,
}

impl Error {
    /// What would help.
    pub fn hint(&self) -> String {
        "write hours, minutes and seconds, such as 720h, 1h30m or 90s (a day is 24h)".to_owned()
    }
}

impl GoDuration {
    /// A span of so many nanoseconds.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// The span in nanoseconds.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// The longest span, 292 years, stands for anything longer.
    pub fn from_std(duration: Duration) -> Self {
        Self(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
    }

    /// The span as a [`Duration`]; none if it is negative.
    pub fn to_std(self) -> Option<Duration> {
        u64::try_from(self.0).ok().map(Duration::from_nanos)
    }

    /// The span as times are moved by.
    pub const fn to_signed(self) -> SignedDuration {
        SignedDuration::from_nanos(self.0)
    }
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.unsigned_abs();
        let sign = if self.0 < 0 { "-" } else { "" };
        let text = match nanos {
            0 => "0s".to_owned(),
            1..MICROSECOND => format!("{sign}{nanos}ns"),
            MICROSECOND..MILLISECOND => format!("{sign}{}µs", decimal(nanos, MICROSECOND)),
            MILLISECOND..SECOND => format!("{sign}{}ms", decimal(nanos, MILLISECOND)),
            _ => format!("{sign}{}", clock(nanos)),
        };
        f.pad(&text)
    }
}

/// Hours, minutes and seconds, the larger ones only where there are any.
fn clock(nanos: u64) -> String {
    let seconds = decimal(nanos % MINUTE, SECOND);
    let (hours, minutes) = (nanos / HOUR, nanos % HOUR / MINUTE);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{seconds}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

/// So many nanoseconds as a number of `unit`, which is a power of ten, without trailing zeros.
fn decimal(nanos: u64, unit: u64) -> String {
    let (whole, rest) = (nanos / unit, nanos % unit);
    if rest == 0 {
        return whole.to_string();
    }
    let width = unit.ilog10() as usize;
    format!("{whole}.{}", format!("{rest:0width$}").trim_end_matches('0'))
}

impl FromStr for GoDuration {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let fail = |reason: String| Error { text: text.to_owned(), reason };
        let (negative, body) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        if body == "0" {
            return Ok(Self(0));
        }
        if body.is_empty() {
            return Err(fail("it is empty".to_owned()));
        }
        let nanos = magnitude(body).map_err(fail)?;
        signed(nanos, negative).map(Self).ok_or_else(|| fail(TOO_LONG.to_owned()))
    }
}

const TOO_LONG: &str = "it is longer than 292 years";

fn signed(nanos: u64, negative: bool) -> Option<i64> {
    if negative { 0i64.checked_sub_unsigned(nanos) } else { i64::try_from(nanos).ok() }
}

/// The sum of all terms, at most 2^63 nanoseconds.
fn magnitude(mut rest: &str) -> Result<u64, String> {
    let mut total = 0u64;
    while !rest.is_empty() {
        let (nanos, after) = term(rest)?;
        total = total.saturating_add(nanos);
        rest = after;
    }
    (total <= 1 << 63).then_some(total).ok_or_else(|| TOO_LONG.to_owned())
}

/// One number with its unit, in nanoseconds, and what follows it.
fn term(text: &str) -> Result<(u64, &str), String> {
    let (whole, rest) = digits(text);
    let (fraction, rest) = rest.strip_prefix('.').map_or(("", rest), digits);
    if whole.is_empty() && fraction.is_empty() {
        return Err(format!("\"{text}\" does not begin with a number"));
    }
    let end = rest.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    let unit = unit(name)?;
    let whole: u64 = if whole.is_empty() { Ok(0) } else { whole.parse() }
        .map_err(|_overflow| TOO_LONG.to_owned())?;
    Ok((whole.saturating_mul(unit).saturating_add(part(fraction, unit)), rest))
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

fn unit(name: &str) -> Result<u64, String> {
    let known = UNITS.iter().find(|(known, _)| *known == name);
    known.map(|(_, nanos)| *nanos).ok_or_else(|| match name {
        "" => "it lacks a unit".to_owned(),
        _ => format!("there is no unit \"{name}\""),
    })
}

/// The digits after the point, of one `unit`, in nanoseconds.
///
/// Go computes this in floating point and drops digits that no longer fit an integer, and so do we.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the rounding is Go's; the value is positive and below one hour"
)]
fn part(fraction: &str, unit: u64) -> u64 {
    let (mut value, mut scale) = (0u64, 1f64);
    for digit in fraction.bytes().map(|byte| u64::from(byte - b'0')) {
        match value.checked_mul(10).and_then(|tens| tens.checked_add(digit)) {
            Some(next) if next <= 1 << 63 => (value, scale) = (next, scale * 10.0),
            _ => break,
        }
    }
    (value as f64 * (unit as f64 / scale)) as u64
}

impl TryFrom<String> for GoDuration {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<GoDuration> for String {
    fn from(duration: GoDuration) -> Self {
        duration.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nanos(text: &str) -> i64 {
        text.parse::<GoDuration>().unwrap().as_nanos()
    }

    /// The cases of Go's own test of `Duration.String`.
    #[test]
    fn durations_are_written_as_go_writes_them() {
        for (text, nanos) in [
            ("0s", 0),
            ("1ns", 1),
            ("1.1µs", 1_100),
            ("2.2ms", 2_200_000),
            ("3.3s", 3_300_000_000),
            ("4m5s", 245_000_000_000),
            ("4m5.001s", 245_001_000_000),
            ("5h6m7.001s", 18_367_001_000_000),
            ("8m0.000000001s", 480_000_000_001),
            ("720h0m0s", 2_592_000_000_000_000),
            ("-1m30s", -90_000_000_000),
            ("2562047h47m16.854775807s", i64::MAX),
            ("-2562047h47m16.854775808s", i64::MIN),
        ] {
            assert_eq!(GoDuration::from_nanos(nanos).to_string(), text);
        }
    }

    /// The cases of Go's own test of `ParseDuration`.
    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, expected) in [
            ("0", 0),
            ("-0", 0),
            ("5s", 5_000_000_000),
            ("-5s", -5_000_000_000),
            ("+5s", 5_000_000_000),
            ("5.s", 5_000_000_000),
            (".5s", 500_000_000),
            ("1.004s", 1_004_000_000),
            ("100.00100s", 100_001_000_000),
            ("12µs", 12_000),
            ("12μs", 12_000),
            ("12us", 12_000),
            ("1.5h", 5_400_000_000_000),
            ("-1.5h", -5_400_000_000_000),
            ("1h15m30.918273645s", 4_530_918_273_645),
            ("52763797000ns", 52_763_797_000),
            ("0.3333333333333333333h", 1_200_000_000_000),
            ("9007199254740993ns", 9_007_199_254_740_993),
            ("9223372036s854ms775us807ns", i64::MAX),
            ("-9223372036854775808ns", i64::MIN),
            ("0.100000000000000000000h", 360_000_000_000),
            ("0.830103483285477580700h", 2_988_372_539_827),
        ] {
            assert_eq!(nanos(text), expected, "{text}");
        }
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for text in [
            "",
            "3",
            "-",
            "s",
            ".",
            "-.",
            ".s",
            "+.s",
            "1d",
            "1 h",
            "1h ",
            "١s",
            "3000000h",
            "9223372036854775808ns",
            "-9223372036854775809ns",
            "9223372036854ms775us808ns",
            "99999999999999999999h",
            "1h-1m",
        ] {
            assert!(text.parse::<GoDuration>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_error_names_the_fault_and_the_hint_the_way() {
        let error = "30d".parse::<GoDuration>().unwrap_err();
        assert_eq!(error.to_string(), "\"30d\" is not a duration: there is no unit \"d\"");
        assert!(error.hint().contains("a day is 24h"));
        let error = "30".parse::<GoDuration>().unwrap_err();
        assert!(error.to_string().ends_with("it lacks a unit"));
    }

    #[test]
    fn json_holds_the_text() {
        let duration = GoDuration::from_std(Duration::from_mins(90));
        assert_eq!(serde_json::to_string(&duration).unwrap(), "\"1h30m0s\"");
        assert_eq!(serde_json::from_str::<GoDuration>("\"1.5h\"").unwrap(), duration);
        assert!(serde_json::from_str::<GoDuration>("90").is_err());
        assert_eq!(duration.to_std(), Some(Duration::from_mins(90)));
        assert_eq!(GoDuration::from_nanos(-1).to_std(), None);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(nanos in any::<i64>(), shift in 0u32..64) {
            let duration = GoDuration::from_nanos(nanos >> shift);
            prop_assert_eq!(duration.to_string().parse::<GoDuration>().unwrap(), duration);
        }

        #[test]
        fn reading_never_panics(text in "[-+]?[0-9.µnumsh ]{0,24}") {
            drop(text.parse::<GoDuration>());
        }
    }
}
