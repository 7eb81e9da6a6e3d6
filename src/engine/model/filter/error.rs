//! What can be wrong with a filter.

/// A filter that can't mean what its user wants.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text is no pattern.
    #[error("\"{pattern}\" is not a pattern: {reason}")]
    Pattern {
        /// The pattern as given.
        pattern: String,
        /// The rule it breaks.
        reason: String,
    },
    /// An exclude list leaves nothing over.
    #[error("\"*\" excludes everything")]
    ExcludesEverything,
    /// One name is on both lists.
    #[error("\"{name}\" is both included and excluded")]
    Contradiction {
        /// The name as excluded.
        name: String,
    },
    /// No kind has this name.
    #[error("there is no kind named \"{word}\"")]
    UnknownKind {
        /// The name as given.
        word: String,
        /// The name that was perhaps meant.
        suggestion: Option<String>,
        /// Why the API group in the name is not known just now, where that is so.
        unavailable: Option<String>,
    },
    /// No kind's name matches, so that nothing would be taken.
    #[error("no kind matches \"{pattern}\"")]
    NoMatch {
        /// The pattern as given.
        pattern: String,
    },
}

impl Error {
    /// What would help.
    pub fn hint(&self) -> String {
        const LIST: &str = "\"kubectl api-resources\" lists all kinds";
        match self {
            Self::Pattern { .. } => {
                "a pattern is a name that may hold * (any characters), ? (any one) and [abc] \
                 (one of these); give several as a list"
            }
            Self::ExcludesEverything => "leave the exclude list out, or name what to exclude",
            Self::Contradiction { .. } => "take it off one of the two lists",
            Self::UnknownKind { unavailable: Some(reason), .. } => {
                return format!("its API group does not answer: {reason}");
            }
            Self::UnknownKind { suggestion: Some(suggestion), .. } => {
                return format!("did you mean \"{suggestion}\"? {LIST}");
            }
            Self::UnknownKind { .. } | Self::NoMatch { .. } => LIST,
        }
        .to_owned()
    }
}
