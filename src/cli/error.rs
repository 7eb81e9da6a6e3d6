//! How a failed run is told: what failed, why, and what would help.
//!
//! The engine's errors are plain data. Their causes and hints are put into words here, once.

use std::error::Error;
use std::fmt;

use serde::Serialize;

use super::advice;
use super::exit::Exit;
use super::output::{self, OutputFormat};
use super::style::{Style, Tone, printable};

/// A run that failed.
///
/// Not an [`Error`] itself, so that every error turns into one with `?`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CliError {
    /// What failed, in lower case.
    pub message: String,
    /// Why, from the nearest cause to the farthest.
    pub causes: Vec<String>,
    /// What would help.
    pub hint: Option<String>,
    /// How the program is to end.
    #[serde(rename = "exitCode")]
    pub exit: Exit,
}

impl CliError {
    /// An error without a cause.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { message: message.into(), causes: Vec::new(), hint: None, exit }
    }

    /// An error with all its causes; hint and exit are those of the first error in the chain that
    /// has some.
    pub fn of(error: &(dyn Error + 'static)) -> Self {
        let mut result = Self::new(Exit::Failed, error.to_string());
        let mut next = Some(error);
        while let Some(error) = next {
            if let (None, Some((exit, hint))) = (&result.hint, advice::of(error)) {
                result.hint = Some(hint.into_owned());
                result.exit = exit;
            }
            result.add_cause(error.to_string());
            for refusal in advice::refusals(error) {
                result.add_cause(refusal);
            }
            next = error.source();
        }
        result
    }

    /// Puts the error below a larger failure, of which it is the cause.
    #[must_use]
    pub fn within(mut self, message: impl Into<String>) -> Self {
        let mut outer = Self::new(self.exit, message);
        outer.hint = self.hint.take();
        outer.add_cause(self.message);
        self.causes.into_iter().for_each(|cause| outer.add_cause(cause));
        outer
    }

    /// Says what would help.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says how the program is to end.
    #[must_use]
    pub fn with_exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// The error with all its causes, on one line.
    pub fn chain(&self) -> String {
        let lines = [&self.message].into_iter().chain(&self.causes);
        lines.map(String::as_str).collect::<Vec<_>>().join(": ")
    }

    /// Adds a cause, unless a line above says it already, be it as its last words.
    fn add_cause(&mut self, cause: String) {
        let told = |line: &String| line.ends_with(&cause);
        if !told(&self.message) && !self.causes.iter().any(told) {
            self.causes.push(cause);
        }
    }

    /// Tells the error: to stderr for people, as the run's one document on stdout for programs.
    pub fn tell(&self, format: OutputFormat, style: Style) -> Exit {
        let told = match format {
            OutputFormat::Table => output::print_message(&self.rendered(style)),
            _ => output::print(format, &Document { error: self }, |_| ""),
        };
        // Where even this fails there is no one left to tell; the exit code stays.
        told.map_or(self.exit, |()| self.exit)
    }

    /// The error as lines of text.
    pub(super) fn rendered(&self, style: Style) -> String {
        let causes = self.causes.iter().map(|cause| format!("  cause: {}\n", printable(cause)));
        [
            style.labelled(Tone::Error, "error:", &self.message),
            causes.collect::<Vec<_>>().concat(),
            self.hint.as_deref().map(|hint| style.hint(hint)).unwrap_or_default(),
        ]
        .concat()
    }
}

/// `{"error": {...}}`
#[derive(Serialize)]
struct Document<'a> {
    error: &'a CliError,
}

impl<E: Error + 'static> From<E> for CliError {
    fn from(error: E) -> Self {
        Self::of(&error)
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.rendered(Style::PLAIN).trim_end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::context::{Granted, Right};
    use crate::engine::model::location::Location;
    use crate::engine::{backup, restore};

    #[derive(Debug, thiserror::Error)]
    #[error("{message}")]
    struct Layer {
        message: &'static str,
        source: Option<Box<dyn Error + Send + Sync>>,
    }

    fn layers(messages: &[&'static str]) -> Layer {
        let [message, rest @ ..] = messages else { panic!("at least one") };
        let source = (!rest.is_empty()).then(|| layers(rest).into());
        Layer { message, source }
    }

    #[test]
    fn an_error_is_told_with_its_causes_and_its_hint() {
        let error = CliError::from(layers(&["failed to list pods", "no route", "refused"]))
            .with_hint("is the cluster up?")
            .with_exit(Exit::Unreachable);
        let expected = "\
error: failed to list pods
  cause: no route
  cause: refused
hint: is the cluster up?
";
        assert_eq!(error.rendered(Style::PLAIN), expected);
        assert_eq!(error.to_string(), expected.trim_end());
    }

    #[test]
    fn what_is_said_above_is_not_said_again() {
        let error = CliError::from(layers(&["a: b", "b", "c", "b", "c"]));
        assert_eq!(error.causes, ["c"]);
        let error = error.within("d");
        assert_eq!(
            (error.message.as_str(), &error.causes[..]),
            ("d", &["a: b".into(), "c".into()][..])
        );
    }

    #[test]
    fn advice_is_found_anywhere_in_the_chain() {
        let wrong = "backups".parse::<Location>().unwrap_err();
        let outer = Layer { message: "bad option", source: Some(wrong.into()) };
        let error = CliError::from(outer);
        assert_eq!(error.exit, Exit::Usage);
        assert!(error.hint.unwrap().contains("file:///var/backups"));
        let error = CliError::from(layers(&["full disk"]));
        assert_eq!((error.exit, error.hint), (Exit::Failed, None));
    }

    #[test]
    fn rights_that_are_missing_are_told_with_what_was_said_of_them() {
        let right = |action: &str, reason: Option<&str>| Right {
            action: action.to_owned(),
            granted: Granted::No,
            reason: reason.map(str::to_owned),
        };
        let missing =
            vec![right("create pods", None), right("ec2:CreateTags", Some("no policy allows it"))];
        for error in [
            CliError::from(backup::Error::NotAllowed { missing: missing.clone() }),
            CliError::from(restore::Error::NotAllowed { missing }),
        ] {
            assert_eq!(error.message, "this user may not: create pods, ec2:CreateTags");
            assert_eq!(error.causes, ["ec2:CreateTags: no policy allows it"]);
            assert_eq!(error.exit, Exit::Unreachable);
        }
    }

    #[test]
    fn for_programs_it_is_one_document() {
        let error = CliError::new(Exit::NotFound, "no backup named \"x\"");
        let mut out = Vec::new();
        output::write(&mut out, OutputFormat::Json, &Document { error: &error }, |_| "").unwrap();
        let found: serde_json::Value = serde_json::from_slice(&out).unwrap();
        let expected = serde_json::json!({
            "error": {"message": "no backup named \"x\"", "causes": [], "hint": null, "exitCode": 4}
        });
        assert_eq!(found, expected);
    }

    #[test]
    fn colour_is_on_the_words_that_say_the_same() {
        let style = Style::new(true);
        let text = CliError::new(Exit::Failed, "x\x1b[2J").with_hint("y").rendered(style);
        assert_eq!(text, "\x1b[1;31merror:\x1b[0m x\\u{1b}[2J\n\x1b[1;36mhint:\x1b[0m y\n");
    }
}
