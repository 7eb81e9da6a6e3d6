//! Why a text is no location.

use std::path::Path;

use super::directory;

/// A text that is no location.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A path, not a URL.
    #[error("\"{text}\" is a path, not a URL")]
    Path {
        /// The path as given.
        text: String,
    },
    /// Not a URL of a place that we know.
    #[error("\"{text}\" is not a location: {reason}")]
    Url {
        /// The URL as given, without credentials and options.
        text: String,
        /// What is wrong with it.
        reason: String,
        /// What would help.
        hint: String,
    },
    /// A location that needs a part which was left out of this program.
    #[error("this build has no S3 support")]
    NoS3,
}

pub(super) const EXAMPLE: &str =
    "write the absolute path of a directory, such as file:///var/backups";

impl Error {
    /// What would help.
    pub fn hint(&self) -> String {
        match self {
            Self::Path { text } => match directory::url(Path::new(text)) {
                Some(url) => format!("write {url}"),
                None => EXAMPLE.to_owned(),
            },
            Self::Url { hint, .. } => hint.clone(),
            Self::NoS3 => "use a directory, such as file:///var/backups".to_owned(),
        }
    }
}

/// What is wrong with a part of a URL, and what would help.
#[derive(Debug)]
pub(super) struct Fault {
    pub reason: String,
    pub hint: String,
}

impl Fault {
    pub(super) fn new(reason: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { reason: reason.into(), hint: hint.into() }
    }

    /// The fault as an error of the whole URL.
    pub(super) fn of(self, text: &str) -> Error {
        Error::Url { text: text.to_owned(), reason: self.reason, hint: self.hint }
    }
}
