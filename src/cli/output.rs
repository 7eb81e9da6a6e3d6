//! Data on stdout, and nothing else there; all other words on stderr.

use std::fmt;
use std::io::{self, Write};

use clap::{Args, ValueEnum};
use serde::Serialize;

/// In which form data is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// For people.
    #[default]
    Table,
    /// One JSON document.
    Json,
    /// One YAML document.
    Yaml,
}

/// The choice of the form, for every command that prints data.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct OutputArgs {
    /// Print data in this form
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: OutputFormat,
}

impl OutputArgs {
    /// Whether people are to read it.
    pub fn is_table(self) -> bool {
        self.output == OutputFormat::Table
    }
}

/// Prints `data` to stdout, as JSON, as YAML or as what `table` makes of it.
///
/// A reader that has gone away (`| head`) is no error: it has what it wanted.
pub fn print<'a, T: Serialize, D: fmt::Display>(
    format: OutputFormat,
    data: &'a T,
    table: impl FnOnce(&'a T) -> D,
) -> io::Result<()> {
    forgive(write(&mut io::stdout().lock(), format, data, table))
}

/// Prints text that is no data, such as a completion script, to stdout.
pub fn print_text(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    forgive(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// Prints a part of a text to stdout as it comes; false once nobody reads it any more.
pub fn print_part(text: &str) -> io::Result<bool> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        other => other.map(|()| true),
    }
}

/// Prints data to stdout piece by piece, until nobody reads it any more.
#[derive(Debug, Default)]
pub struct Pieces {
    is_unread: bool,
}

impl Pieces {
    /// As if nobody read any of it.
    #[cfg(test)]
    pub fn unread() -> Self {
        Self { is_unread: true }
    }

    /// Prints the next piece.
    pub fn print(&mut self, text: &str) -> io::Result<()> {
        if !self.is_unread && !text.is_empty() {
            self.is_unread = !print_part(text)?;
        }
        Ok(())
    }
}

/// Prints what is not data, such as an error, to stderr.
pub fn print_message(text: &str) -> io::Result<()> {
    io::stderr().lock().write_all(text.as_bytes())
}

/// Writes `data` in this form.
pub fn write<'a, T: Serialize, D: fmt::Display>(
    out: &mut impl Write,
    format: OutputFormat,
    data: &'a T,
    table: impl FnOnce(&'a T) -> D,
) -> io::Result<()> {
    // Whole first: nothing half is printed where a value can't be written.
    let text = match format {
        OutputFormat::Table => table(data).to_string(),
        OutputFormat::Json => serde_json::to_string_pretty(data)? + "\n",
        OutputFormat::Yaml => yaml(data)?,
    };
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Long strings stay on their line, as `kubectl` has them.
pub(super) fn yaml(data: &impl Serialize) -> io::Result<String> {
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    serde_saphyr::to_string_with_options(data, options).map_err(io::Error::other)
}

fn forgive(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::*;

    fn written(format: OutputFormat, data: &impl Serialize) -> String {
        let mut out = Vec::new();
        write(&mut out, format, data, |_| "a table\n").unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_form_is_one_document_and_ends_in_a_newline() {
        let data = json!({"name": "nightly", "items": [1, null]});
        assert_eq!(written(OutputFormat::Table, &data), "a table\n");
        assert_eq!(
            written(OutputFormat::Json, &data),
            "{\n  \"items\": [\n    1,\n    null\n  ],\n  \"name\": \"nightly\"\n}\n"
        );
        assert_eq!(written(OutputFormat::Yaml, &data), "items:\n- 1\n- null\nname: nightly\n");
    }

    /// What YAML 1.1 readers, Go's and Python's among them, take for something else.
    #[test]
    fn strings_that_look_like_something_else_are_quoted_in_yaml() {
        for text in [
            "yes",
            "no",
            "on",
            "Off",
            "y",
            "N",
            "true",
            "null",
            "~",
            "",
            "1",
            "012",
            "0x1f",
            "1e3",
            "1_000",
            "0b1",
            "1.5",
            ".inf",
            ".nan",
            "12:30:45",
            "2026-03-01",
            "=",
            "<<",
            "2026-03-01T02:00:00Z",
            "- a",
            "a: b",
            "a #b",
            "#a",
            " a",
            "a ",
            "&a",
            "*a",
            "!a",
            "%a",
            "@a",
            "`a",
            "{a",
            "[a",
            "|",
            ">",
            "?",
            "---",
            "'a",
            "\"a",
            "a:",
        ] {
            let yaml = written(OutputFormat::Yaml, &BTreeMap::from([("key", text)]));
            let quoted = yaml.starts_with("key: \"") || yaml.starts_with("key: '");
            assert!(quoted, "{text}: {yaml}");
        }
        assert_eq!(written(OutputFormat::Yaml, &json!({"key": "shop"})), "key: shop\n");
    }

    #[test]
    fn yaml_reads_back_as_it_was_written() {
        let data = json!({
            "on": "line\nbreak ", "long": "word ".repeat(60), "number": -1.5, "true": true,
            "empty": {}, "list": [], "nested": [{"a": [["b", "ä\u{1}"]]}], "7": null,
        });
        let yaml = written(OutputFormat::Yaml, &data);
        assert_eq!(serde_saphyr::from_str::<Value>(&yaml).unwrap(), data, "{yaml}");
    }

    /// Takes so many bytes and then has gone away.
    struct Head(usize);

    impl Write for Head {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(self.0);
            self.0 -= taken;
            if taken == 0 { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(taken) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_has_gone_away_is_forgiven_and_a_full_disk_is_not() {
        let result = write(&mut Head(3), OutputFormat::Json, &json!({"a": 1}), |_| "");
        assert_eq!(result.as_ref().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        forgive(result).unwrap();
        assert!(forgive(Err(io::ErrorKind::StorageFull.into())).is_err());
    }

    #[test]
    fn a_value_that_can_not_be_written_leaves_nothing_half() {
        let mut out = Vec::new();
        let key = BTreeMap::from([((1, 2), 3)]);
        assert!(write(&mut out, OutputFormat::Json, &key, |_| "").is_err());
        assert!(out.is_empty());
    }
}
