//! Reading the configuration file. What it holds is all understood, or it is refused.

use std::fs;
use std::io::ErrorKind;
use std::ops::Range;
use std::path::Path;

use toml_edit::{Document, Item, TableLike, Value};

use super::{Config, Error, Named};
use crate::engine::model::filter::closest;
use crate::engine::model::location::{KEYS, Location};
use crate::engine::model::names::check_backup;

const TOP_KEYS: [&str; 2] = ["default", "locations"];

impl Config {
    /// Reads the file; one that does not exist is empty.
    pub(in crate::cli) fn read(path: &Path) -> Result<Self, Error> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            other => other.map_err(|source| Error::File {
                operation: "read",
                path: path.to_owned(),
                source,
            })?,
        };
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, Error> {
        let reader = Reader { path, text };
        let document = Document::parse(text).map_err(|error| {
            let reason = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
            reader.invalid(error.span(), reason, "write it as TOML: key = \"value\"")
        })?;
        reader.check_keys(document.as_table(), &TOP_KEYS)?;
        let locations = reader.locations(document.get("locations"))?;
        let default = document.get("default").map(|item| reader.default(item, &locations));
        let default = default.transpose()?;
        let document = document.into_mut();
        Ok(Self { path: path.to_owned(), document, locations, default })
    }
}

/// The text of the file, to tell lines.
struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Reader<'_> {
    fn locations(&self, item: Option<&Item>) -> Result<Vec<Named>, Error> {
        let Some(item) = item else { return Ok(Vec::new()) };
        let table = self.table(item, "locations")?;
        table.iter().map(|(name, item)| self.location(name, item)).collect()
    }

    fn location(&self, name: &str, item: &Item) -> Result<Named, Error> {
        let here = item.span();
        check_backup(name)
            .map_err(|error| self.invalid(here.clone(), error.to_string(), &error.hint()))?;
        let table = self.table(item, &format!("locations.{name}"))?;
        let keys: Vec<&str> = std::iter::once("url").chain(KEYS).collect();
        self.check_keys(table, &keys)?;
        let Some(url) = table.get("url") else {
            let reason = format!("location \"{name}\" has no url");
            return Err(self.invalid(here, reason, "add url = \"s3://bucket/prefix\""));
        };
        let options = table.iter().filter(|(key, _)| *key != "url");
        let options: Vec<_> = options
            .map(|(key, item)| Ok((key.to_owned(), self.text(key, item)?)))
            .collect::<Result<_, Error>>()?;
        let location = Location::with_options(&self.text("url", url)?, &options);
        let (path, line) = (self.path.to_owned(), self.line(url.span().or(here)));
        let fail = |source| {
            let source = Box::new(source);
            Error::InvalidLocation { path, line, name: name.to_owned(), source }
        };
        Ok(Named { name: name.to_owned(), location: location.map_err(fail)? })
    }

    fn default(&self, item: &Item, locations: &[Named]) -> Result<String, Error> {
        let name = self.text("default", item)?;
        if locations.iter().any(|named| named.name == name) {
            return Ok(name);
        }
        let names = locations.iter().map(|named| named.name.as_str());
        let hint = match closest(&name, names) {
            Some(similar) => format!("did you mean \"{similar}\"?"),
            None => format!("add [locations.{name}]"),
        };
        Err(self.invalid(item.span(), format!("there is no location \"{name}\""), &hint))
    }

    fn check_keys(&self, table: &dyn TableLike, known: &[&str]) -> Result<(), Error> {
        let Some((key, item)) = table.iter().find(|(key, _)| !known.contains(key)) else {
            return Ok(());
        };
        let span = table.get_key_value(key).and_then(|(key, _)| key.span());
        let hint = match closest(key, known.iter().copied()) {
            Some(similar) => format!("did you mean \"{similar}\"?"),
            None => format!("there are {}", known.join(", ")),
        };
        Err(self.invalid(span.or_else(|| item.span()), format!("there is no key \"{key}\""), &hint))
    }

    fn table<'t>(&self, item: &'t Item, name: &str) -> Result<&'t dyn TableLike, Error> {
        item.as_table_like().ok_or_else(|| {
            let reason = format!("\"{name}\" is not a table");
            self.invalid(item.span(), reason, "write [locations.NAME], and below it url = \"...\"")
        })
    }

    /// A value as an option of a URL would have it.
    fn text(&self, key: &str, item: &Item) -> Result<String, Error> {
        match item.as_value() {
            Some(Value::String(text)) => Ok(text.value().clone()),
            Some(Value::Boolean(boolean)) => Ok(boolean.value().to_string()),
            Some(Value::Integer(number)) => Ok(number.value().to_string()),
            _ => {
                let reason = format!("\"{key}\" is not a text");
                Err(self.invalid(item.span(), reason, &format!("write {key} = \"...\"")))
            }
        }
    }

    fn invalid(&self, span: Option<Range<usize>>, reason: String, hint: &str) -> Error {
        let (path, line) = (self.path.to_owned(), self.line(span));
        Error::Invalid { path, line, reason, hint: hint.to_owned() }
    }

    fn line(&self, span: Option<Range<usize>>) -> usize {
        let before = span.and_then(|span| self.text.get(..span.start)).unwrap_or_default();
        before.matches('\n').count() + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, Error> {
        Config::parse(Path::new("/c.toml"), text)
    }

    fn refusal(text: &str) -> (String, String) {
        let error = read(text).unwrap_err();
        let cause = std::error::Error::source(&error).map(|it| format!(": {it}"));
        (format!("{error}{}", cause.unwrap_or_default()), error.advice().1.into_owned())
    }

    #[test]
    fn locations_have_names_and_one_may_be_the_default() {
        let config = read(
            "default = \"lab\"\n\
             [locations.lab]\nurl = \"s3://bucket/x?profile=p\"\ns3ForcePathStyle = true\n\
             [locations]\nhere = {url = \"file:///var\"}\n",
        )
        .unwrap();
        assert_eq!(config.default.as_deref(), Some("lab"));
        let lab = config.location("lab").unwrap().to_string();
        assert_eq!(lab, "s3://bucket/x?s3ForcePathStyle=true&profile=p");
        assert_eq!(config.location("here").unwrap().to_string(), "file:///var");
        assert!(read("").unwrap().locations.is_empty());
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_line() {
        for (text, expected, hint) in [
            (
                "\ndefalt = \"x\"",
                "/c.toml:2: there is no key \"defalt\"",
                "did you mean \"default\"?",
            ),
            ("x =", "/c.toml:1: ", "TOML"),
            ("locations = 3", "/c.toml:1: \"locations\" is not a table", "[locations.NAME]"),
            ("[locations]\nlab = 3", "/c.toml:2: \"locations.lab\" is not a table", "url"),
            ("[locations.lab]\n", "/c.toml:1: location \"lab\" has no url", "add url"),
            ("[locations.lab]\nurl = []", "/c.toml:2: \"url\" is not a text", "url = \"...\""),
            (
                "[locations.lab]\nurl = \"s3://bucket\"\nregoin = \"r\"",
                "/c.toml:3: there is no key \"regoin\"",
                "did you mean \"region\"?",
            ),
            (
                "[locations.lab]\nurl = \"s3://bucket?region=r\"\nregion = \"r\"",
                "/c.toml:2: location \"lab\" is not valid: \"s3://bucket\" is not a location: \
                 option \"region\" is given twice",
                "keep one of them",
            ),
            (
                "[locations.\"a:b\"]\nurl = \"file:///x\"",
                "/c.toml:1: \"a:b\" is not a valid name",
                "",
            ),
            (
                "default = \"lap\"\n[locations.lab]\nurl = \"file:///x\"",
                "/c.toml:1: there is no location \"lap\"",
                "did you mean \"lab\"?",
            ),
        ] {
            let (found, found_hint) = refusal(text);
            assert!(found.starts_with(expected), "{text}: {found}");
            assert!(found_hint.contains(hint), "{text}: {found_hint}");
        }
    }
}
