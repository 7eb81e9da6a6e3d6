//! The selector itself.

use std::collections::BTreeMap;
use std::fmt;

use super::requirement::{Invalid, Requirement};

/// Requirements on labels, all of which must hold. Without any, it selects everything.
///
/// Kept sorted and without doubles: two selectors that say the same in another order are equal.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Selector {
    requirements: Vec<Requirement>,
}

impl Selector {
    /// Selects what meets all of `requirements`.
    pub fn new(requirements: impl IntoIterator<Item = Requirement>) -> Self {
        let mut requirements: Vec<_> = requirements.into_iter().collect();
        requirements.sort();
        requirements.dedup();
        Self { requirements }
    }

    /// What must hold.
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// Whether it selects every object, whatever its labels.
    pub fn is_everything(&self) -> bool {
        self.requirements.is_empty()
    }

    /// Whether an object with these labels is selected.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.requirements.iter().all(|requirement| requirement.matches(labels))
    }

    /// Checks that the selector can be recorded in a backup.
    ///
    /// The JSON form knows no `<` and `>`. To be asked before anything is written.
    pub fn check_storable(&self) -> Result<(), Invalid> {
        self.requirements.iter().try_for_each(Requirement::check_storable)
    }
}

/// As `kubectl -l` and the API's `labelSelector` take it.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, requirement) in self.requirements.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{requirement}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::super::Operator;
    use super::*;

    /// A small world, so that requirements and labels meet often.
    pub(in super::super) fn key() -> impl Strategy<Value = String> {
        prop::sample::select(vec!["app", "in", "example.com/tier"]).prop_map(str::to_owned)
    }

    pub(in super::super) fn value() -> impl Strategy<Value = String> {
        prop::sample::select(vec!["", "a", "notin", "3", "7"]).prop_map(str::to_owned)
    }

    fn operator() -> impl Strategy<Value = Operator> {
        let values = || prop::collection::btree_set(value(), 1..4);
        prop_oneof![
            values().prop_map(Operator::In),
            values().prop_map(Operator::NotIn),
            Just(Operator::Exists),
            Just(Operator::DoesNotExist),
            (-9i64..9).prop_map(Operator::GreaterThan),
            (-9i64..9).prop_map(Operator::LessThan),
        ]
    }

    pub(in super::super) fn selector() -> impl Strategy<Value = Selector> {
        let requirement = (key(), operator())
            .prop_map(|(key, operator)| Requirement::new(key, operator).unwrap());
        prop::collection::vec(requirement, 0..5).prop_map(Selector::new)
    }

    /// Kubernetes' documentation of each operator, word for word.
    fn holds(operator: &Operator, found: Option<&str>) -> bool {
        match (operator, found) {
            (Operator::In(set), Some(found)) => set.contains(found),
            (Operator::NotIn(set), Some(found)) => !set.contains(found),
            (Operator::NotIn(_) | Operator::DoesNotExist, None) | (Operator::Exists, Some(_)) => {
                true
            }
            (Operator::GreaterThan(than), Some(found)) => {
                found.parse::<i64>().is_ok_and(|number| number > *than)
            }
            (Operator::LessThan(than), Some(found)) => {
                found.parse::<i64>().is_ok_and(|number| number < *than)
            }
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(selector in selector()) {
            let text = selector.to_string();
            prop_assert_eq!(text.parse::<Selector>().unwrap(), selector, "{}", text);
        }

        #[test]
        fn a_selector_matches_where_each_of_its_requirements_holds(
            selector in selector(),
            labels in prop::collection::btree_map(key(), value(), 0..3),
        ) {
            let all = selector.requirements().iter().all(|requirement| {
                holds(&requirement.operator, labels.get(&requirement.key).map(String::as_str))
            });
            prop_assert_eq!(selector.matches(&labels), all);
        }

        #[test]
        fn what_is_recorded_reads_back(selector in selector()) {
            prop_assume!(selector.check_storable().is_ok());
            let json = serde_json::to_string(&selector).unwrap();
            prop_assert_eq!(serde_json::from_str::<Selector>(&json).unwrap(), selector, "{}", json);
        }

        #[test]
        fn reading_never_panics(text in "[a-c !=<>(),ä-]{0,16}") {
            drop(text.parse::<Selector>());
        }
    }

    #[test]
    fn order_and_doubles_do_not_matter() {
        let one: Selector = "b=1,a=2,b=1".parse().unwrap();
        assert_eq!(one, "a=2,b=1".parse().unwrap());
        assert_eq!(one.to_string(), "a=2,b=1");
    }

    #[test]
    fn an_empty_selector_selects_everything() {
        let selector: Selector = " ".parse().unwrap();
        assert!(selector.is_everything());
        assert!(selector.matches(&BTreeMap::new()));
        assert_eq!(selector.to_string(), "");
    }
}
