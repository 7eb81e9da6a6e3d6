//! Quantities as Kubernetes writes them: `10Gi`, `1.5T`, `100M`, `5e9`.

use std::fmt;
use std::str::FromStr;

/// How many parts of a unit are told apart, as in Kubernetes: 10⁹.
const NANO: u128 = 1_000_000_000;

/// An amount that is not negative, compared by its value.
#[derive(Clone, Debug)]
pub struct Quantity {
    nanos: u128,
    text: String,
}

impl Quantity {
    /// Whether it is nothing.
    pub fn is_zero(&self) -> bool {
        self.nanos == 0
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A text that is no quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a quantity such as 10Gi")]
pub struct Invalid(String);

impl FromStr for Quantity {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match nanos(text) {
            Some(nanos) => Ok(Self { nanos, text: text.to_owned() }),
            None => Err(Invalid(text.to_owned())),
        }
    }
}

/// The amount in billionths, rounded up as Kubernetes does; none if it is no quantity or too large.
fn nanos(text: &str) -> Option<u128> {
    let text = text.strip_prefix('+').unwrap_or(text);
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.contains('.') || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let digits: u128 = [whole, fraction].concat().parse().ok()?;
    let (factor, divisor) = scale(suffix)?;
    let divisor = divisor.checked_mul(ten_to(fraction.len())?)?;
    Some(digits.checked_mul(factor)?.div_ceil(divisor))
}

/// What a number with this suffix is multiplied with and divided by to be billionths.
fn scale(suffix: &str) -> Option<(u128, u128)> {
    const BINARY: [&str; 6] = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    const DECIMAL: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
    if let Some(power) = BINARY.iter().position(|it| *it == suffix) {
        return Some((NANO << (10 * (power + 1)), 1));
    }
    if let Some(power) = DECIMAL.iter().position(|it| *it == suffix) {
        return Some((ten_to(3 * power)?, 1));
    }
    let exponent = suffix.strip_prefix(['e', 'E'])?;
    let (negative, digits) = match exponent.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, exponent.strip_prefix('+').unwrap_or(exponent)),
    };
    let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    let power = ten_to(digits.parse().ok().filter(|_| all_digits)?)?;
    if negative { Some((NANO, power)) } else { Some((NANO.checked_mul(power)?, 1)) }
}

fn ten_to(power: usize) -> Option<u128> {
    10_u128.checked_pow(u32::try_from(power).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<u128> {
        text.parse().ok().map(|quantity: Quantity| quantity.nanos)
    }

    #[test]
    fn suffixes_are_those_of_kubernetes() {
        for (text, expected) in [
            ("0", 0),
            ("1", NANO),
            ("+1", NANO),
            ("100m", NANO / 10),
            ("1n", 1),
            ("1u", 1000),
            ("1k", 1000 * NANO),
            ("1Ki", 1024 * NANO),
            ("1.5Gi", 3 * 512 * 1024 * 1024 * NANO),
            (".5", NANO / 2),
            ("5.", 5 * NANO),
            ("10E", 10 * NANO * 10_u128.pow(18)),
            ("12e6", 12_000_000 * NANO),
            ("12E+6", 12_000_000 * NANO),
            ("5e-1", NANO / 2),
            ("1Ei", NANO << 60),
            ("0.0000000001", 1),
        ] {
            assert_eq!(read(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_quantity_or_too_large_is_refused() {
        let long = "9".repeat(60);
        for text in [
            "", "Gi", "-1", "1gi", "1GiB", "1K", "1 Gi", ".", "1.2.3", "1e", "1e+-1", "1e99", &long,
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn the_same_amount_is_equal_however_it_is_written() {
        let quantity = |text: &str| text.parse::<Quantity>().unwrap();
        assert_eq!(quantity("1Gi"), quantity("1024Mi"));
        assert!(quantity("1G") < quantity("1Gi"));
        assert!(quantity("0Gi").is_zero() && !quantity("1n").is_zero());
    }
}
