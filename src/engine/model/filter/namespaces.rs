//! Filtering by namespace.

use super::Error;
use super::pattern::Pattern;

/// Which namespaces are meant. By default all.
///
/// What is excluded is out, whatever else is said; an empty include list includes everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamespaceFilter {
    includes: Vec<Pattern>,
    excludes: Vec<Pattern>,
}

impl NamespaceFilter {
    /// Reads both lists: names, or patterns with `*`, `?` and `[abc]`.
    pub fn new(includes: &[String], excludes: &[String]) -> Result<Self, Error> {
        let read =
            |list: &[String]| list.iter().map(|text| Pattern::new(text)).collect::<Result<_, _>>();
        let filter = Self { includes: read(includes)?, excludes: read(excludes)? };
        if filter.excludes.iter().any(Pattern::is_everything) {
            return Err(Error::ExcludesEverything);
        }
        let both = filter.literals().find(|name| filter.is_excluded(name)).map(str::to_owned);
        both.map_or(Ok(filter), |name| Err(Error::Contradiction { name }))
    }

    /// Whether this namespace is meant.
    pub fn includes(&self, namespace: &str) -> bool {
        let included = self.includes.is_empty() || any(&self.includes, namespace);
        included && !self.is_excluded(namespace)
    }

    /// Whether the exclude list holds this namespace.
    pub fn is_excluded(&self, namespace: &str) -> bool {
        any(&self.excludes, namespace)
    }

    /// Whether nothing is filtered: no excludes, and no includes or `*` among them.
    pub fn is_everything(&self) -> bool {
        let all = self.includes.is_empty() || self.includes.iter().any(Pattern::is_everything);
        all && self.excludes.is_empty()
    }

    /// Whether all namespaces that are meant are named, so that no other one is ever meant.
    pub fn is_fixed(&self) -> bool {
        !self.includes.is_empty() && self.includes.iter().all(|it| it.literal().is_some())
    }

    /// The included names that are no patterns, which must exist, or were mistyped.
    pub fn literals(&self) -> impl Iterator<Item = &str> {
        self.includes.iter().filter_map(Pattern::literal)
    }

    /// An included pattern that matches none of `names`, if there is one.
    pub fn unmatched<'a>(&self, names: &(impl Iterator<Item = &'a str> + Clone)) -> Option<&str> {
        let patterns = self.includes.iter().filter(|pattern| !pattern.is_everything());
        let mut patterns = patterns.filter(|pattern| pattern.literal().is_none());
        let is_unmatched = |pattern: &&Pattern| !names.clone().any(|name| pattern.matches(name));
        patterns.find(is_unmatched).map(Pattern::text)
    }
}

fn any(patterns: &[Pattern], name: &str) -> bool {
    patterns.iter().any(|pattern| pattern.matches(name))
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::super::pattern::tests::{naive, name, pattern};
    use super::*;

    pub(in super::super) fn filter(includes: &[&str], excludes: &[&str]) -> NamespaceFilter {
        try_filter(includes, excludes).unwrap()
    }

    fn try_filter(includes: &[&str], excludes: &[&str]) -> Result<NamespaceFilter, Error> {
        let owned = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        NamespaceFilter::new(&owned(includes), &owned(excludes))
    }

    proptest! {
        #[test]
        fn a_name_is_included_where_some_include_and_no_exclude_matches(
            includes in prop::collection::vec(pattern(), 0..3),
            excludes in prop::collection::vec(pattern(), 0..3),
            name in name(),
        ) {
            let hit = |list: &[String]| list.iter().any(|pattern| naive(pattern, &name));
            let Ok(filter) = NamespaceFilter::new(&includes, &excludes) else {
                return Ok(()); // a contradiction, which has a test of its own
            };
            let expected = (includes.is_empty() || hit(&includes)) && !hit(&excludes);
            prop_assert_eq!(filter.includes(&name), expected);
            prop_assert!(!filter.is_everything() || expected);
        }
    }

    #[test]
    fn only_a_filter_that_can_leave_nothing_out_is_everything() {
        assert!(NamespaceFilter::default().is_everything());
        assert!(filter(&["*"], &[]).is_everything());
        assert!(filter(&["shop", "*"], &[]).is_everything());
        assert!(!filter(&["shop"], &[]).is_everything());
        assert!(!filter(&[], &["shop"]).is_everything());
        assert!(!filter(&["*"], &["nothing-matches-*"]).is_everything());
    }

    #[test]
    fn the_names_that_must_exist_are_the_included_ones_without_patterns() {
        let filter = filter(&["shop", "team-*", "kube-system"], &["dev"]);
        assert_eq!(filter.literals().collect::<Vec<_>>(), ["shop", "kube-system"]);
    }

    #[test]
    fn a_pattern_that_matches_no_name_is_found() {
        let filter = filter(&["shop", "*", "team-*", "dev-?"], &[]);
        assert_eq!(filter.unmatched(&["team-a", "dev-1"].into_iter()), None);
        assert_eq!(filter.unmatched(&["team-a", "dev-10"].into_iter()), Some("dev-?"));
    }

    #[test]
    fn lists_that_leave_nothing_over_are_refused() {
        assert_eq!(try_filter(&[], &["*"]), Err(Error::ExcludesEverything));
        for excludes in ["shop", "sh*"] {
            let error = try_filter(&["shop"], &[excludes]).unwrap_err();
            assert_eq!(error.to_string(), "\"shop\" is both included and excluded");
        }
        try_filter(&["sh*"], &["shop"]).unwrap();
    }
}
