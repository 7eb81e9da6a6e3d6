//! Several selectors, of which one must match.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::parse::Error;
use super::requirement::Invalid;
use super::selector::Selector;

/// What stands between two selectors, as Velero's `--or-selector` takes it.
const OR: &str = " or ";

/// Label selectors of which at least one must select an object. Without any, all objects are.
///
/// Kept sorted and without doubles; one that selects everything makes the others pointless.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selectors(Vec<Selector>);

impl Selectors {
    /// Selects what one of `selectors` does.
    pub fn new(selectors: impl IntoIterator<Item = Selector>) -> Self {
        let mut selectors: Vec<Selector> = selectors.into_iter().collect();
        if selectors.iter().any(Selector::is_everything) {
            return Self::default();
        }
        selectors.sort();
        selectors.dedup();
        Self(selectors)
    }

    /// Whether every object is selected, whatever its labels.
    pub fn is_everything(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an object with these labels is selected.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.is_everything() || self.0.iter().any(|selector| selector.matches(labels))
    }

    /// The selectors, none if everything is selected.
    pub fn iter(&self) -> impl Iterator<Item = &Selector> {
        self.0.iter()
    }

    /// What to ask the API for: one list per selector, or one of everything.
    pub fn lists(&self) -> Vec<Option<String>> {
        if self.is_everything() {
            return vec![None];
        }
        self.iter().map(|selector| Some(selector.to_string())).collect()
    }

    /// Checks that each can be recorded in a backup.
    pub fn check_storable(&self) -> Result<(), Invalid> {
        self.iter().try_for_each(Selector::check_storable)
    }
}

impl From<Selector> for Selectors {
    fn from(selector: Selector) -> Self {
        Self::new([selector])
    }
}

/// Reads selectors joined by the literal ` or `, each of which must ask for something.
impl FromStr for Selectors {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut selectors = Vec::new();
        let mut at = 0;
        for part in text.split(OR) {
            let within = |position: usize, reason: String| Error {
                text: text.to_owned(),
                position: text[..at].chars().count() + position,
                reason,
            };
            let selector: Selector =
                part.parse().map_err(|error: Error| within(error.position, error.reason))?;
            if selector.is_everything() {
                return Err(within(1, "expected a label key before and after \"or\"".to_owned()));
            }
            selectors.push(selector);
            at += part.len() + OR.len();
        }
        Ok(Self::new(selectors))
    }
}

/// As `--or-selector` takes it.
impl fmt::Display for Selectors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, selector) in self.iter().enumerate() {
            let or = if index == 0 { "" } else { OR };
            write!(f, "{or}{selector}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::selector::tests::{key, selector, value};
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    proptest! {
        #[test]
        fn an_object_is_selected_where_one_selector_matches_or_there_is_none(
            list in prop::collection::vec(selector(), 0..4),
            labels in prop::collection::btree_map(key(), value(), 0..3),
        ) {
            let one = list.iter().any(|selector| selector.matches(&labels));
            let expected = list.is_empty() || one;
            prop_assert_eq!(Selectors::new(list).matches(&labels), expected);
        }

        #[test]
        fn what_is_written_reads_back(list in prop::collection::vec(selector(), 1..4)) {
            let selectors = Selectors::new(list);
            prop_assume!(!selectors.is_everything());
            let text = selectors.to_string();
            prop_assert_eq!(text.parse::<Selectors>().unwrap(), selectors, "{}", text);
        }

        #[test]
        fn the_lists_of_all_selectors_together_hold_what_is_selected(
            list in prop::collection::vec(selector(), 0..4),
            labels in prop::collection::btree_map(key(), value(), 0..3),
        ) {
            let selectors = Selectors::new(list);
            let listed = selectors.lists().into_iter().any(|list| {
                list.is_none_or(|text| text.parse::<Selector>().unwrap().matches(&labels))
            });
            prop_assert_eq!(listed, selectors.matches(&labels));
        }

        #[test]
        fn reading_never_panics(text in "([a-cä !=<>(),]{0,4}| or |or){0,6}") {
            drop(text.parse::<Selectors>());
        }
    }

    #[test]
    fn selectors_are_joined_by_the_word_or_between_blanks() {
        let selectors: Selectors = "app=web or tier in (a,b),!x".parse().unwrap();
        let lists = ["app=web", "tier in (a,b),!x"].map(|text| Some(text.to_owned()));
        assert_eq!(selectors.lists(), lists);
        assert!(selectors.matches(&labels(&[("app", "web"), ("x", "1")])));
        assert!(selectors.matches(&labels(&[("tier", "b")])));
        assert!(!selectors.matches(&labels(&[("tier", "b"), ("x", "1")])));
        assert_eq!("or=or or xor=1".parse::<Selectors>().unwrap().iter().count(), 2);
    }

    #[test]
    fn an_alternative_that_says_nothing_is_an_error_at_its_place() {
        for (text, position) in [("", 1), ("a or ", 6), (" or a", 1), ("ä or b", 1), ("a or b=", 0)]
        {
            let read = text.parse::<Selectors>();
            match position {
                0 => assert!(read.is_ok(), "{text}"),
                _ => assert_eq!(read.unwrap_err().position, position, "{text}"),
            }
        }
        let error = "a=b or c=d,".parse::<Selectors>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "\"a=b or c=d,\" is not a label selector: at position 12, expected a label key, \
             found the end"
        );
    }

    #[test]
    fn order_and_doubles_do_not_matter() {
        let one: Selectors = "b=1 or a=2 or b=1".parse().unwrap();
        assert_eq!(one, "a=2 or b=1".parse().unwrap());
        assert_eq!(one.to_string(), "a=2 or b=1");
        assert!(Selectors::new([Selector::default(), "a".parse().unwrap()]).is_everything());
        assert_eq!(Selectors::default().lists(), [None]);
    }
}
