//! One entry of an include or exclude list.

use globset::{GlobBuilder, GlobMatcher};

use super::Error;

/// A name, or a pattern of names, in Velero's syntax: `*`, `?`, `[abc]`.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    text: String,
    /// None for a plain name.
    glob: Option<GlobMatcher>,
}

impl Pattern {
    pub(super) fn new(text: &str) -> Result<Self, Error> {
        let fail = |reason| Error::Pattern { pattern: text.to_owned(), reason };
        fault(text).map_or(Ok(()), |reason| Err(fail(reason)))?;
        let glob = if is_glob(text) {
            let glob = GlobBuilder::new(text).literal_separator(false).build();
            Some(glob.map_err(|error| fail(error.kind().to_string()))?.compile_matcher())
        } else {
            None
        };
        Ok(Self { text: text.to_owned(), glob })
    }

    /// Whether it matches every name.
    pub(super) fn is_everything(&self) -> bool {
        self.text == "*"
    }

    /// The name, unless it is a pattern.
    pub(super) fn literal(&self) -> Option<&str> {
        self.glob.is_none().then_some(self.text.as_str())
    }

    /// The pattern as given.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn matches(&self, name: &str) -> bool {
        self.glob.as_ref().map_or(self.text == name, |glob| glob.is_match(name))
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

/// Whether the text holds any character that makes it more than a name.
pub(super) fn is_glob(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// What is wrong with a pattern.
///
/// Negation, alternatives and `**` mean different things to different readers, Velero's included,
/// which would find other objects than we did: they are refused.
fn fault(text: &str) -> Option<String> {
    if text.is_empty() {
        return Some("it is empty".to_owned());
    }
    if text.contains("**") {
        return Some("\"**\" is not supported, one * matches any characters".to_owned());
    }
    let mut class: Option<usize> = None;
    for c in text.chars() {
        class = match (c, class) {
            ('[', None) => Some(0),
            (']', Some(0)) => return Some("\"[]\" matches nothing".to_owned()),
            (']', None) => return Some("\"]\" has no \"[\" before it".to_owned()),
            ('a'..='z' | '0'..='9' | '-' | '.', Some(length)) => Some(length + 1),
            (']', Some(_)) | ('a'..='z' | '0'..='9' | '-' | '.' | '*' | '?', None) => None,
            _ => return Some(odd(c, class.is_some())),
        };
    }
    class.map(|_| "\"[\" is not closed".to_owned())
}

fn odd(c: char, in_class: bool) -> String {
    match c {
        'A'..='Z' => "names are in lower case".to_owned(),
        '*' | '?' | '[' if in_class => format!("'{c}' can't stand between [ and ]"),
        '!' | '^' => "negation is not supported, use the other list".to_owned(),
        '|' | '(' | ')' | '{' | '}' | ',' => "alternatives are not supported".to_owned(),
        _ => format!("no name holds '{c}'"),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Matches as simply as can be: no classes but `[...]` of single letters.
    pub(in super::super) fn naive(pattern: &str, name: &str) -> bool {
        let Some(first) = pattern.chars().next() else { return name.is_empty() };
        let rest = &pattern[1..];
        match (first, name.chars().next()) {
            ('*', head) => naive(rest, name) || (head.is_some() && naive(pattern, &name[1..])),
            ('[', Some(head)) => {
                let (class, rest) = rest.split_once(']').unwrap();
                class.contains(head) && naive(rest, &name[1..])
            }
            (c, Some(head)) => (c == '?' || c == head) && naive(rest, &name[1..]),
            (_, None) => false,
        }
    }

    /// Patterns over few letters, so that they often match.
    pub(in super::super) fn pattern() -> impl Strategy<Value = String> {
        "([ab-]|[?]|[*][ab]|\\[[ab]{1,2}\\]){1,4}[*]?"
    }

    pub(in super::super) fn name() -> impl Strategy<Value = String> {
        "[ab][ab-]{0,4}"
    }

    proptest! {
        #[test]
        fn a_pattern_matches_what_the_naive_matcher_matches(
            pattern in pattern(),
            name in name(),
        ) {
            let compiled = Pattern::new(&pattern).unwrap();
            prop_assert_eq!(compiled.matches(&name), naive(&pattern, &name));
        }

        #[test]
        fn no_text_makes_a_pattern_panic(text in "[ab\\[\\]*?.,!^{}()|\\\\ä-]{0,8}") {
            drop(Pattern::new(&text));
        }
    }

    #[test]
    fn stars_cross_dots_and_dashes() {
        for (pattern, name, expected) in [
            ("*.apps", "deployments.apps", true),
            ("*.apps", "apps", false),
            ("*.k8s.io", "ingresses.networking.k8s.io", true),
            ("team-*", "team-a-b", true),
            ("team-[0-3]", "team-2", true),
            ("team-[0-3]", "team-4", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a.c", "abc", false),
        ] {
            assert_eq!(Pattern::new(pattern).unwrap().matches(name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn what_other_readers_understand_otherwise_is_refused_with_a_reason() {
        for (pattern, reason) in [
            ("", "empty"),
            ("a**", "\"**\" is not supported"),
            ("a|b", "alternatives"),
            ("(a)", "alternatives"),
            ("{a,b}", "alternatives"),
            ("a,b", "alternatives"),
            ("!a", "negation"),
            ("[!a]", "negation"),
            ("[^a]", "negation"),
            ("[]", "matches nothing"),
            ("[a", "not closed"),
            ("a]", "no \"[\" before it"),
            ("[[a]]", "can't stand between"),
            ("[*]", "can't stand between"),
            ("[b-a]", "range"),
            ("Shop", "lower case"),
            ("a b", "no name holds ' '"),
            ("a\\*", "no name holds '\\'"),
        ] {
            let error = Pattern::new(pattern).unwrap_err();
            assert!(error.to_string().contains(reason), "{error}");
        }
    }
}
