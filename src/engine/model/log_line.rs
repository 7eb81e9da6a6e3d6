//! A line of a log, as Velero writes them: logrus' text form.

use jiff::Timestamp;

/// What a line is about, by key, in the order of the keys.
pub type Fields<'a> = std::collections::BTreeMap<&'a str, &'a str>;

/// Writes a line without its line break: `time="…" level=info msg="…" backup=velero/nightly`.
pub fn line(time: Timestamp, level: &str, message: &str, fields: &Fields<'_>) -> String {
    let time = time.to_string();
    let first = [("time", time.as_str()), ("level", level), ("msg", message)];
    let rest = fields.iter().map(|(key, value)| (*key, *value));
    let parts = first.into_iter().chain(rest).map(|(key, value)| format!("{key}={}", text(value)));
    parts.collect::<Vec<_>>().join(" ")
}

/// A value: bare where it is but letters, digits and what is common in names, else quoted.
fn text(value: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || "-._/@^+".contains(c);
    if value.chars().all(is_bare) { value.to_owned() } else { quoted(value) }
}

/// Quotes as Go's `%q` does. What could act on a terminal is written out.
fn quoted(value: &str) -> String {
    let mut text = String::with_capacity(value.len() + 2);
    text.push('"');
    for c in value.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            c if is_printable(c) => text.push(c),
            c => text.push_str(&escaped(c)),
        }
    }
    text.push('"');
    text
}

fn is_printable(c: char) -> bool {
    c == '\'' || c.escape_debug().count() == 1
}

fn escaped(c: char) -> String {
    let code = u32::from(c);
    match code {
        0..0x80 => format!("\\x{code:02x}"),
        0x80..0x1_0000 => format!("\\u{code:04x}"),
        _ => format!("\\U{code:08x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_plain_word_is_quoted_as_go_quotes_it() {
        for (value, expected) in [
            ("", ""),
            ("shop/data-0", "shop/data-0"),
            ("v1@x^+.y_z", "v1@x^+.y_z"),
            ("two words", "\"two words\""),
            ("a:1", "\"a:1\""),
            ("it's \"so\" \\ ä", "\"it's \\\"so\\\" \\\\ ä\""),
            ("a\nb\tc\rd", "\"a\\nb\\tc\\rd\""),
            ("\u{1b}[2J\0", "\"\\x1b[2J\\x00\""),
            ("\u{9b}\u{202e}\u{e0001}", "\"\\u009b\\u202e\\U000e0001\""),
        ] {
            assert_eq!(text(value), expected);
        }
    }

    #[test]
    fn the_fields_come_in_order_after_time_level_and_message() {
        let fields = Fields::from([("name", "x"), ("backup", "velero/b"), ("error", "no way")]);
        let time = "2026-03-01T02:00:00Z".parse().unwrap();
        assert_eq!(
            line(time, "error", "failed", &fields),
            "time=\"2026-03-01T02:00:00Z\" level=error msg=failed backup=velero/b error=\"no way\" name=x"
        );
    }
}
