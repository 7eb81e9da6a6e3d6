//! What is printed as it comes, in each of the forms: a header, many items, a footer.

use std::io;
use std::sync::Arc;

use serde::Serialize;

use super::error::CliError;
use super::exit::Exit;
use super::output::{OutputFormat, Pieces};
use super::progress::Progress;
use super::streamed::Streamed;

/// How people are shown it.
pub trait Lines {
    /// What comes first.
    type Header: Serialize;
    /// What there are many of.
    type Item: Serialize;
    /// What comes last.
    type Footer: Serialize;

    /// Takes the header; returns what is to be printed now.
    fn begin(&mut self, header: Self::Header) -> String;
    /// Takes an item; returns what is to be printed now.
    fn item(&mut self, item: Self::Item) -> String;
    /// What is left to be printed of the items.
    fn rest(&mut self) -> String;
    /// What comes after all items.
    fn end(&mut self, footer: &Self::Footer) -> String;
}

/// Prints in the form that was asked for, without ever holding all of it.
#[derive(Debug)]
pub struct Page<L> {
    progress: Arc<Progress>,
    out: Pieces,
    lines: L,
    /// In place of the lines.
    document: Option<Streamed>,
    has_begun: bool,
}

impl<L: Lines + Default> Page<L> {
    /// A page of which nothing is printed yet.
    pub fn new(format: OutputFormat, progress: &Arc<Progress>) -> Self {
        Self {
            progress: Arc::clone(progress),
            out: Pieces::default(),
            lines: L::default(),
            document: Streamed::new(format),
            has_begun: false,
        }
    }

    /// Prints what comes first. No progress is drawn from here on.
    pub fn begin(&mut self, header: L::Header) -> io::Result<()> {
        self.progress.finish();
        self.has_begun = true;
        let text = match &self.document {
            Some(document) => document.begin(&header)?,
            None => self.lines.begin(header),
        };
        self.out.print(&text)
    }

    /// Prints an item, or keeps it until the lines of some can be aligned.
    pub fn item(&mut self, item: L::Item) -> io::Result<()> {
        let text = match &mut self.document {
            Some(document) => document.item(&item)?,
            None => self.lines.item(item),
        };
        self.out.print(&text)
    }

    /// Prints what comes last.
    pub fn end(mut self, footer: &L::Footer) -> io::Result<()> {
        let text = match &self.document {
            Some(document) => document.end(footer)?,
            None => self.lines.rest() + &self.lines.end(footer),
        };
        self.out.print(&text)
    }

    /// Ends a page that broke off, so that what was printed is one document still.
    pub fn fail(mut self, error: CliError) -> Result<Exit, CliError> {
        let last = self.last_words(&error)?;
        self.out.print(&last)?;
        match self.document {
            Some(_) if self.has_begun => Ok(error.exit),
            _ => Err(error),
        }
    }

    /// What is printed yet of a page that broke off.
    fn last_words(&mut self, error: &CliError) -> io::Result<String> {
        match &self.document {
            Some(document) if self.has_begun => document.end(&Broken { error }),
            None if self.has_begun => Ok(self.lines.rest()),
            _ => Ok(String::new()),
        }
    }
}

/// What a document ends with that broke off: as one of a run that failed before it printed anything.
#[derive(Serialize)]
struct Broken<'a> {
    error: &'a CliError,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::screen::Screen;
    use super::super::style::Style;
    use super::super::timings::Timings;
    use super::*;
    use crate::cli::progress::Mode;

    #[derive(Default)]
    struct Words(Vec<u8>);

    #[derive(Serialize)]
    struct Of {
        of: u8,
    }

    impl Lines for Words {
        type Header = Of;
        type Item = u8;
        type Footer = u8;

        fn begin(&mut self, _: Of) -> String {
            String::new()
        }

        fn item(&mut self, item: u8) -> String {
            self.0.push(item);
            String::new()
        }

        fn rest(&mut self) -> String {
            self.0.drain(..).map(|item| item.to_string() + "\n").collect()
        }

        fn end(&mut self, _: &u8) -> String {
            String::new()
        }
    }

    fn page(format: OutputFormat) -> Page<Words> {
        let clock = Arc::new(std::time::Instant::now);
        let progress =
            Progress::new(Mode::Quiet, Screen::stderr(), Style::PLAIN, clock, Timings::new());
        // Keeps what is printed off the test's own stdout.
        Page { out: Pieces::unread(), ..Page::new(format, &Arc::new(progress)) }
    }

    #[test]
    fn what_broke_off_before_anything_was_printed_is_an_error_as_any_other() {
        for format in [OutputFormat::Table, OutputFormat::Json, OutputFormat::Yaml] {
            let error = CliError::new(Exit::NotFound, "no such backup");
            assert_eq!(page(format).fail(error.clone()).unwrap_err(), error);
        }
    }

    #[test]
    fn what_broke_off_in_the_middle_is_one_document_that_says_so() {
        let error = CliError::new(Exit::Interrupted, "interrupted");
        let told = json!({"message": "interrupted", "causes": [], "hint": null, "exitCode": 130});
        for format in [OutputFormat::Json, OutputFormat::Yaml] {
            let mut page = page(format);
            page.begin(Of { of: 2 }).unwrap();
            page.item(7).unwrap();
            let mut text = Streamed::new(format).unwrap();
            let first = text.begin(&Of { of: 2 }).unwrap() + &text.item(&7).unwrap();
            let whole = first + &page.last_words(&error).unwrap();
            let found: Value = match format {
                OutputFormat::Json => serde_json::from_str(&whole).unwrap(),
                _ => serde_saphyr::from_str(&whole).unwrap(),
            };
            assert_eq!(found, json!({"of": 2, "items": [7], "error": told}), "{whole}");
            // Told already: nobody prints it again.
            assert_eq!(page.fail(error.clone()), Ok(Exit::Interrupted));
        }
    }

    #[test]
    fn a_table_that_broke_off_shows_what_was_kept_back_and_then_the_error() {
        let error = CliError::new(Exit::Interrupted, "interrupted");
        let mut page = page(OutputFormat::Table);
        page.begin(Of { of: 2 }).unwrap();
        page.item(7).unwrap();
        assert_eq!(page.last_words(&error).unwrap(), "7\n");
        assert_eq!(page.fail(error.clone()), Err(error));
    }
}
