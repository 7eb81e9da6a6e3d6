//! Ages and sizes as people read them.

use jiff::{SignedDuration, Timestamp};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

/// How long before `now` it was, as `kubectl get` says it: `45s`, `5m30s`, `3d4h`.
///
/// A clock that is ahead by more than a second makes it `<invalid>`, there as here.
pub fn age(then: Timestamp, now: Timestamp) -> String {
    let passed = now.duration_since(then);
    if passed <= SignedDuration::from_secs(-2) {
        return "<invalid>".to_owned();
    }
    span(passed.as_secs().unsigned_abs() * u64::from(passed.is_positive()))
}

/// So many seconds, in one or two units, as `kubectl` says it.
#[expect(clippy::cast_possible_wrap, reason = "2^63 seconds are beyond any clock")]
pub fn span(seconds: u64) -> String {
    let seconds = seconds as i64;
    let two = |large: i64, large_name: char, small: i64, small_name: char| {
        let (count, rest) = (seconds / large, seconds % large / small);
        if rest == 0 {
            format!("{count}{large_name}")
        } else {
            format!("{count}{large_name}{rest}{small_name}")
        }
    };
    match seconds {
        ..120 => format!("{seconds}s"),
        120..600 => two(MINUTE, 'm', 1, 's'),
        600..10_800 => format!("{}m", seconds / MINUTE),
        10_800..28_800 => two(HOUR, 'h', MINUTE, 'm'),
        28_800..172_800 => format!("{}h", seconds / HOUR),
        172_800..691_200 => two(DAY, 'd', HOUR, 'h'),
        691_200..63_072_000 => format!("{}d", seconds / DAY),
        63_072_000..252_288_000 => two(YEAR, 'y', DAY, 'd'),
        _ => format!("{}y", seconds / YEAR),
    }
}

/// So many of something: `1 error`, `2 errors`.
pub fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// A size in bytes, in binary units: `512 B`, `3.4 MiB`.
#[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut size = count as f64 / 1024.0;
    let mut unit = 0;
    // What would be shown as 1024.0 is 1.0 of the next unit.
    while size >= 1023.95 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cases of apimachinery's own test of `HumanDuration`.
    #[test]
    fn spans_are_written_as_kubectl_writes_them() {
        for (seconds, expected) in [
            (0, "0s"),
            (1, "1s"),
            (70, "70s"),
            (119, "119s"),
            (120, "2m"),
            (190, "3m10s"),
            (599, "9m59s"),
            (600, "10m"),
            (47 * 60, "47m"),
            (10_799, "179m"),
            (3 * 3600, "3h"),
            (5 * 3600 + 20 * 60, "5h20m"),
            (47 * 3600, "47h"),
            (2 * 86_400, "2d"),
            (3 * 86_400 + 4 * 3600, "3d4h"),
            (8 * 86_400, "8d"),
            (371 * 86_400, "371d"),
            (2 * 365 * 86_400, "2y"),
            (3 * 365 * 86_400 + 5 * 86_400, "3y5d"),
            (9 * 365 * 86_400, "9y"),
        ] {
            assert_eq!(span(seconds), expected);
        }
    }

    #[test]
    fn an_age_is_counted_from_now_and_never_negative() {
        let now: Timestamp = "2026-03-01T02:00:00Z".parse().unwrap();
        let ago = |text: &str| age(text.parse().unwrap(), now);
        assert_eq!(ago("2026-03-01T01:54:30Z"), "5m30s");
        assert_eq!(ago("2026-02-25T22:00:00Z"), "3d4h");
        assert_eq!(ago("2026-03-01T02:00:01.5Z"), "0s");
        assert_eq!(ago("2026-03-01T02:00:02Z"), "<invalid>");
    }

    #[test]
    fn one_is_not_many() {
        assert_eq!(
            [0, 1, 2].map(|count| counted(count, "error")),
            ["0 errors", "1 error", "2 errors"]
        );
    }

    #[test]
    fn sizes_have_one_decimal_from_a_kibibyte_on() {
        for (count, expected) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (1_048_575, "1.0 MiB"),
            (3_565_158, "3.4 MiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(bytes(count), expected);
        }
    }
}
