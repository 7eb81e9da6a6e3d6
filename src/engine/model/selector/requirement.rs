//! What a selector asks of one label.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::super::names;

/// The longest value of a label, and the longest name in a key.
const MAX: usize = 63;

/// A demand on one label of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Requirement {
    /// The label's key: `app.kubernetes.io/name`.
    pub key: String,
    /// What must hold for it.
    pub operator: Operator,
}

/// What must hold for a label.
///
/// Equality is a set of one, so that a selector that was recorded and read is equal to itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operator {
    /// It is there and has one of these values.
    In(BTreeSet<String>),
    /// It is absent or has none of these values.
    NotIn(BTreeSet<String>),
    /// It is there.
    Exists,
    /// It is absent.
    DoesNotExist,
    /// It is there and a greater integer.
    GreaterThan(i64),
    /// It is there and a smaller integer.
    LessThan(i64),
}

/// A requirement that no label can be held against.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// The key is not a label's.
    #[error("\"{key}\" is not a label key: {reason}")]
    Key {
        /// The key as given.
        key: String,
        /// The rule it breaks.
        reason: String,
    },
    /// The value is not a label's.
    #[error("\"{value}\" is not a label value: {reason}")]
    Value {
        /// The value as given.
        value: String,
        /// The rule it breaks.
        reason: String,
    },
    /// The JSON form names an operator that does not exist.
    #[error("\"{operator}\" is not an operator")]
    Operator {
        /// The operator as given.
        operator: String,
    },
    /// The JSON form gives values where none belong, or none where some must be.
    #[error("the operator {operator} of \"{key}\" has the wrong number of values")]
    Count {
        /// The label's key.
        key: String,
        /// The operator.
        operator: String,
    },
    /// The JSON form can't hold it.
    #[error("\"{requirement}\" can't be recorded in a backup: its format has no < and >")]
    NotStorable {
        /// The requirement, as typed.
        requirement: String,
    },
}

impl Invalid {
    /// What would help.
    pub fn hint(&self) -> String {
        match self {
            Self::Key { .. } => {
                "a key is a name such as app, or app.kubernetes.io/name with its domain"
            }
            Self::Value { .. } => "a value is a word such as web or v1.2; it may be empty",
            Self::Operator { .. } => "the operators are In, NotIn, Exists and DoesNotExist",
            Self::Count { .. } => "In and NotIn take values, Exists and DoesNotExist take none",
            Self::NotStorable { .. } => "name the values: key in (1,2,3)",
        }
        .to_owned()
    }
}

impl Operator {
    /// The label is there and has this value.
    pub fn equals(value: impl Into<String>) -> Self {
        Self::In(BTreeSet::from([value.into()]))
    }

    /// The label is absent or has another value.
    pub fn not_equals(value: impl Into<String>) -> Self {
        Self::NotIn(BTreeSet::from([value.into()]))
    }
}

impl Requirement {
    /// Demands `operator` of the label `key`, both of which are checked.
    pub fn new(key: impl Into<String>, operator: Operator) -> Result<Self, Invalid> {
        let key = key.into();
        check_key(&key)?;
        match &operator {
            Operator::In(set) | Operator::NotIn(set) => {
                set.iter().try_for_each(|v| check_value(v))?;
            }
            _ => {}
        }
        Ok(Self { key, operator })
    }

    /// Whether these labels meet it.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let found = labels.get(&self.key);
        let number = || found.and_then(|value| value.parse::<i64>().ok());
        match &self.operator {
            Operator::In(values) => found.is_some_and(|value| values.contains(value)),
            Operator::NotIn(values) => found.is_none_or(|value| !values.contains(value)),
            Operator::Exists => found.is_some(),
            Operator::DoesNotExist => found.is_none(),
            Operator::GreaterThan(than) => number().is_some_and(|number| number > *than),
            Operator::LessThan(than) => number().is_some_and(|number| number < *than),
        }
    }

    pub(super) fn check_storable(&self) -> Result<(), Invalid> {
        match self.operator {
            Operator::GreaterThan(_) | Operator::LessThan(_) => {
                Err(Invalid::NotStorable { requirement: self.to_string() })
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.key;
        match &self.operator {
            Operator::In(values) => match only(values) {
                Some(value) => write!(f, "{key}={value}"),
                None => write!(f, "{key} in ({})", joined(values)),
            },
            Operator::NotIn(values) => match only(values) {
                Some(value) => write!(f, "{key}!={value}"),
                None => write!(f, "{key} notin ({})", joined(values)),
            },
            Operator::Exists => f.write_str(key),
            Operator::DoesNotExist => write!(f, "!{key}"),
            Operator::GreaterThan(than) => write!(f, "{key}>{than}"),
            Operator::LessThan(than) => write!(f, "{key}<{than}"),
        }
    }
}

/// The value of a set of one.
fn only(values: &BTreeSet<String>) -> Option<&String> {
    values.first().filter(|_| values.len() == 1)
}

fn joined(values: &BTreeSet<String>) -> String {
    values.iter().map(String::as_str).collect::<Vec<_>>().join(",")
}

/// A key is a name, with a DNS subdomain and a slash before it where it is not the user's own.
pub(super) fn check_key(key: &str) -> Result<(), Invalid> {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(p, n)| (Some(p), n));
    let fault = prefix
        .and_then(|prefix| names::check_subdomain(prefix).err())
        .map(|invalid| format!("its prefix {}", invalid.reason))
        .or_else(|| name.is_empty().then(|| "its name must not be empty".to_owned()))
        .or_else(|| fault(name));
    fault.map_or(Ok(()), |reason| Err(Invalid::Key { key: key.to_owned(), reason }))
}

/// A value may be empty; otherwise it obeys the rule for the names of keys.
pub(super) fn check_value(value: &str) -> Result<(), Invalid> {
    let reason = fault(value);
    reason.map_or(Ok(()), |reason| Err(Invalid::Value { value: value.to_owned(), reason }))
}

fn fault(text: &str) -> Option<String> {
    let ends_well = |c: char| c.is_ascii_alphanumeric();
    if text.len() > MAX {
        return Some(format!("it must be at most {MAX} characters, not {}", text.len()));
    }
    let odd = |c: &char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.');
    if let Some(c) = text.chars().find(odd) {
        return Some(format!("it must hold only letters, digits, '-', '_' and '.', not '{c}'"));
    }
    let good = text.is_empty() || (text.starts_with(ends_well) && text.ends_with(ends_well));
    (!good).then(|| "it must begin and end with a letter or a digit".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_name_with_an_optional_domain() {
        for good in ["app", "App_1.x", "app.kubernetes.io/name", &"x".repeat(63)] {
            check_key(good).unwrap();
        }
        for bad in ["", "/", "a/", "/a", "A.b/c", "a/b/c", "-a", "a-", "ä", &"x".repeat(64)] {
            assert!(check_key(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_value_may_be_empty() {
        for good in ["", "v1.2_x-Y", &"x".repeat(63)] {
            check_value(good).unwrap();
        }
        for bad in ["a b", "a/b", ".a", "a.", &"x".repeat(64)] {
            assert!(check_value(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn greater_and_smaller_leave_the_number_itself_out() {
        let matches = |operator, value: &str| {
            let labels = BTreeMap::from([("n".to_owned(), value.to_owned())]);
            Requirement::new("n", operator).unwrap().matches(&labels)
        };
        let greater = ["2", "3", "4"].map(|value| matches(Operator::GreaterThan(3), value));
        let smaller = ["2", "3", "4"].map(|value| matches(Operator::LessThan(3), value));
        assert_eq!((greater, smaller), ([false, false, true], [true, false, false]));
    }

    #[test]
    fn a_value_that_is_no_integer_is_neither_greater_nor_smaller() {
        let labels = BTreeMap::from([("n".to_owned(), "many".to_owned())]);
        for operator in [Operator::GreaterThan(0), Operator::LessThan(0)] {
            assert!(!Requirement::new("n", operator).unwrap().matches(&labels));
        }
    }
}
