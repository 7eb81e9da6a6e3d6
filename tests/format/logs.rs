//! Logs: the lines that Velero wrote, taken apart and written again.

use bowline::engine::model::log_line::{Fields, line};
use jiff::Timestamp;

use crate::documents::{BACKUPS, file};

/// The keys and values of a line, in its order.
fn parts(mut rest: &str) -> Vec<(String, String)> {
    let mut parts = Vec::new();
    while !rest.is_empty() {
        let (key, value) = rest.split_once('=').unwrap();
        let end = end_of(value);
        let text = if value.starts_with('"') {
            // Go's quotes and JSON's are the same in these lines.
            serde_json::from_str(&value[..end]).unwrap()
        } else {
            value[..end].to_owned()
        };
        parts.push((key.to_owned(), text));
        rest = value[end..].strip_prefix(' ').unwrap_or_default();
    }
    parts
}

/// Where a value ends, quoted or not.
fn end_of(value: &str) -> usize {
    if !value.starts_with('"') {
        return value.find(' ').unwrap_or(value.len());
    }
    let mut is_escaped = false;
    let closes = |(_, c): &(usize, char)| {
        let closes = *c == '"' && !is_escaped;
        is_escaped = *c == '\\' && !is_escaped;
        closes
    };
    value.char_indices().skip(1).find(closes).unwrap().0 + 1
}

#[test]
fn every_line_of_velero_s_logs_is_written_again_as_velero_wrote_it() {
    for backup in BACKUPS {
        let log = String::from_utf8(file(backup, "NAME-logs.gz")).unwrap();
        assert!(log.lines().count() > 300, "{backup}");
        for velero in log.lines() {
            let parts = parts(velero);
            let value = |at: usize| parts[at].1.as_str();
            let time: Timestamp = value(0).parse().unwrap();
            let fields: Fields<'_> =
                parts[3..].iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
            assert_eq!(line(time, value(1), value(2), &fields), velero);
            assert_eq!(fields["backup"], format!("velero/{backup}"));
            assert!(fields["logSource"].contains(".go:"), "{velero}");
        }
    }
}
