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
    /// A list of one scope names a kind of the other.
    #[error("\"{word}\" is {}", other_scope(*namespaced))]
    OtherScope {
        /// The name as given.
        word: String,
        /// Whether the kind's objects live in namespaces.
        namespaced: bool,
    },
    /// Lists of both sets were given, which mean different things by what they leave out.
    #[error("{old} cannot be used with {new}")]
    MixedSets {
        /// The flag of the older set.
        old: &'static str,
        /// The flag of the newer one.
        new: &'static str,
    },
    /// A kind was named of which nothing ever comes back.
    #[error("\"{word}\" is never restored: {reason}")]
    NeverRestored {
        /// The name as given.
        word: String,
        /// Why.
        reason: &'static str,
    },
    /// A kind was named whose status never comes back.
    #[error("the status of \"{word}\" is never restored: {reason}")]
    StatusNeverRestored {
        /// The name as given.
        word: String,
        /// Why.
        reason: &'static str,
    },
    /// The order of objects is not written as one.
    #[error("\"{text}\" does not say which objects are first: {reason}")]
    Order {
        /// The part of the text that is wrong.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
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
            Self::OtherScope { namespaced: true, .. } => {
                "name it with --include-namespace-scoped-resources or \
                 --exclude-namespace-scoped-resources"
            }
            Self::OtherScope { .. } => {
                "name it with --include-cluster-scoped-resources or \
                 --exclude-cluster-scoped-resources"
            }
            Self::MixedSets { .. } => {
                "give either the lists for all resources, or those for cluster-scoped and \
                 namespace-scoped ones"
            }
            Self::NeverRestored { .. } => "leave it out of --include-resources",
            Self::StatusNeverRestored { .. } => "leave it out of --status-include-resources",
            Self::Order { .. } => {
                "write for example pods=shop/db-0,shop/db-1;persistentvolumes=pv-1"
            }
        }
        .to_owned()
    }
}

fn other_scope(namespaced: bool) -> &'static str {
    if namespaced {
        "not cluster-scoped, its objects live in namespaces"
    } else {
        "cluster-scoped, its objects live in no namespace"
    }
}
