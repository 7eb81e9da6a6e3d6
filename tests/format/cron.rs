//! Cron expressions, against what the library says that Velero uses.
//!
//! `fixtures/cron.txt` is written by `tests/testenv/cron`, where its form is told.

use bowline::engine::schedule::Cron;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

const TABLE: &str = include_str!("fixtures/cron.txt");

fn rows() -> impl Iterator<Item = Vec<&'static str>> {
    TABLE.lines().filter(|line| !line.starts_with('#')).map(row)
}

/// Times are the last columns; an expression may have tabs itself.
fn row(line: &'static str) -> Vec<&'static str> {
    let is_answer = |text: &str| {
        matches!(text, "error" | "never" | "hangs") || text.parse::<Timestamp>().is_ok()
    };
    let mut columns: Vec<&str> = line.rsplitn(6, '\t').take_while(|it| is_answer(it)).collect();
    let answers: usize = columns.iter().map(|it| it.len() + 1).sum();
    columns.push(&line[..line.len() - answers]);
    columns.reverse();
    columns
}

#[test]
fn all_expressions_are_due_when_velero_finds_them_due() {
    let mut faults = Vec::new();
    let mut count = 0;
    for row in rows() {
        count += 1;
        let (expression, expected) = (row[0], &row[1..]);
        let expected = if has_empty_list(expression) { &["error"] } else { expected };
        let found = match Cron::parse(expression, None) {
            Err(_) => vec!["error".to_owned()],
            Ok(cron) => answers(&cron, expected),
        };
        if found != expected {
            faults.push(format!("{expression:?}: {expected:?}, but {found:?}"));
        }
    }
    assert!(count > 2700, "{count} rows");
    assert!(faults.is_empty(), "{} of {count}:\n{}", faults.len(), faults.join("\n"));
}

/// Whether a field is a list of nothing, which is due never there, and refused here.
fn has_empty_list(expression: &str) -> bool {
    expression.split_whitespace().any(|field| field.bytes().all(|byte| byte == b','))
}

/// What comes after the first of these times, in as many steps; where the library hangs, anything
/// later is right.
fn answers(cron: &Cron, expected: &[&str]) -> Vec<String> {
    let Ok(mut time) = expected[0].parse::<Timestamp>() else { return vec!["accepted".to_owned()] };
    let mut found = vec![time.to_string()];
    for expected in &expected[1..] {
        let Some(next) = cron.next(time) else {
            found.push("never".to_owned());
            break;
        };
        assert!(next > time);
        found.push(if *expected == "hangs" { "hangs".to_owned() } else { next.to_string() });
        time = next;
    }
    found
}

#[test]
fn a_zone_that_is_given_beside_the_expression_is_the_same_as_one_in_it() {
    let mut seen = 0;
    for row in rows() {
        let Some((zone, rest)) = row[0].strip_prefix("CRON_TZ=").and_then(|it| it.split_once(' '))
        else {
            continue;
        };
        let (Ok(inside), Ok(beside)) = (Cron::parse(row[0], None), Cron::parse(rest, Some(zone)))
        else {
            continue;
        };
        seen += 1;
        assert_eq!(inside, beside, "{row:?}");
    }
    assert!(seen > 500, "{seen} expressions");
}

#[test]
fn zones_are_known_on_a_machine_that_has_none() {
    let bundled = TimeZoneDatabase::bundled();
    let mut seen = 0;
    for row in rows() {
        let (Ok(cron), Ok(start)) =
            (Cron::parse(row[0], None), row.get(1).map_or("", |it| it).parse())
        else {
            continue;
        };
        let Some(name) = cron.zone().iana_name() else { continue };
        seen += 1;
        let same = bundled.get(name).unwrap().to_datetime(start) == cron.zone().to_datetime(start);
        assert!(same, "{row:?}");
    }
    assert!(seen > 2000, "{seen} times");
}

/// The values of a field, and whether it is a star.
#[derive(Clone, Debug)]
struct Field {
    values: Vec<i8>,
    is_star: bool,
}

fn field(min: i8, max: i8) -> impl Strategy<Value = Field> {
    let star = Just(Field { values: (min..=max).collect(), is_star: true });
    let list = prop::collection::vec(min..=max, 1..4);
    prop_oneof![star, list.prop_map(|values| Field { values, is_star: false })]
}

impl Field {
    fn text(&self) -> String {
        let values = self.values.iter().map(ToString::to_string);
        if self.is_star { "*".to_owned() } else { values.collect::<Vec<_>>().join(",") }
    }

    fn has(&self, value: i8) -> bool {
        self.values.contains(&value)
    }
}

/// Whether clocks in the zone show a minute that fits.
fn fits(fields: &[Field; 5], zone: &TimeZone, time: Timestamp) -> bool {
    let [minute, hour, day, month, weekday] = fields;
    let shown = zone.to_datetime(time);
    let is_day = day.has(shown.day());
    let is_weekday = weekday.has(shown.weekday().to_sunday_zero_offset());
    let either = !(day.is_star || weekday.is_star) && (is_day || is_weekday);
    minute.has(shown.minute())
        && hour.has(shown.hour())
        && month.has(shown.month())
        && (either || is_day && is_weekday)
}

/// Clocks that are changed at midnight, or by half an hour, are missing: there the library errs.
const ZONES: [(&str, [i64; 2]); 4] = [
    ("UTC", [1_711_846_800, 1_730_000_000]),
    ("Europe/Berlin", [1_711_846_800, 1_761_440_400]),
    ("Europe/London", [1_711_846_800, 1_761_440_400]),
    ("America/New_York", [1_710_054_000, 1_730_613_600]),
];
const DAYS: i64 = 4;

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]
    #[test]
    fn the_next_time_fits_and_nothing_before_it_does(
        fields in (field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 6)),
        place in 0..ZONES.len(),
        change in 0..2_usize,
        distance in -2 * 86_400..86_400_i64,
    ) {
        let fields: [Field; 5] = fields.into();
        let (name, changes) = ZONES[place];
        let expression = fields.each_ref().map(Field::text).join(" ");
        let cron = Cron::parse(&expression, Some(name)).unwrap();
        let start = Timestamp::from_second(changes[change] + distance).unwrap();
        let next = cron.next(start);
        let zone = cron.zone();
        prop_assert!(next.is_none_or(|next| next > start && fits(&fields, zone, next)));
        let minute = SignedDuration::from_mins(1);
        let mut time = Timestamp::from_second(start.as_second().div_euclid(60) * 60).unwrap();
        for _ in 0..DAYS * 24 * 60 {
            time += minute;
            if next.is_some_and(|next| time >= next) {
                break;
            }
            prop_assert!(!fits(&fields, zone, time), "{expression} {name} {start}: {time}, not {next:?}");
        }
    }
}
