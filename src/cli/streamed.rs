//! One document with a long list in it, written as it comes.

use std::io;

use serde::Serialize;
use serde_json::Value;

use super::output::{OutputFormat, yaml};

/// A document whose list of `items` is never in memory as a whole.
///
/// What it makes reads as [`super::output::print`] would have written it, fields in the order of
/// header, items and footer.
#[derive(Debug)]
pub struct Streamed {
    form: Form,
    items: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Json,
    Yaml,
}

impl Streamed {
    /// A document in this form; none for people.
    pub fn new(format: OutputFormat) -> Option<Self> {
        let form = match format {
            OutputFormat::Table => return None,
            OutputFormat::Json => Form::Json,
            OutputFormat::Yaml => Form::Yaml,
        };
        Some(Self { form, items: 0 })
    }

    /// The fields before the list.
    pub fn begin(&self, header: &impl Serialize) -> io::Result<String> {
        Ok(match self.form {
            Form::Json => format!("{{\n{}  \"items\": [", fields(header)?),
            Form::Yaml => yaml(header)? + "items:",
        })
    }

    /// An element of the list.
    pub fn item(&mut self, item: &impl Serialize) -> io::Result<String> {
        let is_first = self.items == 0;
        self.items += 1;
        Ok(match self.form {
            Form::Json => {
                let text = serde_json::to_string_pretty(item)?;
                let separator = if is_first { "" } else { "," };
                format!("{separator}\n    {}", text.replace('\n', "\n    "))
            }
            Form::Yaml => (if is_first { "\n" } else { "" }).to_owned() + &yaml(&[item])?,
        })
    }

    /// The fields after the list.
    pub fn end(&self, footer: &impl Serialize) -> io::Result<String> {
        let is_empty = self.items == 0;
        Ok(match self.form {
            Form::Json => {
                let fields = fields(footer)?;
                let end = if is_empty { "" } else { "\n  " };
                let fields = fields.strip_suffix(",\n").map(|it| format!(",\n{it}"));
                format!("{end}]{}\n}}\n", fields.unwrap_or_default())
            }
            Form::Yaml => (if is_empty { " []\n" } else { "" }).to_owned() + &yaml(footer)?,
        })
    }
}

/// The fields of an object as lines of a pretty document, each with a comma behind it.
fn fields(object: &impl Serialize) -> io::Result<String> {
    let text = serde_json::to_string_pretty(object)?;
    let inner = text.strip_prefix("{\n").and_then(|text| text.strip_suffix("\n}"));
    match inner {
        Some(inner) => Ok(format!("{inner},\n")),
        None if serde_json::from_str::<Value>(&text)?.is_object() => Ok(String::new()),
        None => Err(io::Error::other("not an object")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::output::write;

    fn written(format: OutputFormat, header: &Value, items: &[Value], footer: &Value) -> String {
        let mut document = Streamed::new(format).unwrap();
        let mut text = document.begin(header).unwrap();
        for item in items {
            text += &document.item(item).unwrap();
        }
        text + &document.end(footer).unwrap()
    }

    #[test]
    fn it_reads_as_if_it_had_been_written_as_a_whole() {
        let items = [json!({"n": [1, {"a": "x\ny"}], "deep": {"e": {}}}), json!("text"), json!({})];
        let whole = |items: &[Value]| json!({"a": {"b": []}, "items": items, "z": 1});
        for items in [&items[..], &items[..1], &[]] {
            for format in [OutputFormat::Json, OutputFormat::Yaml] {
                let mut expected = Vec::new();
                write(&mut expected, format, &whole(items), |_| "").unwrap();
                let found = written(format, &json!({"a": {"b": []}}), items, &json!({"z": 1}));
                assert_eq!(found, String::from_utf8(expected).unwrap());
            }
        }
    }

    #[test]
    fn a_header_or_a_footer_may_have_no_fields() {
        let text = written(OutputFormat::Json, &json!({}), &[json!(1)], &json!({}));
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), json!({"items": [1]}));
        assert!(Streamed::new(OutputFormat::Json).unwrap().begin(&json!(1)).is_err());
    }
}
