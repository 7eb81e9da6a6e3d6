//! Which of a schedule's backups are kept: what is asked, as restic has it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::within::Within;

/// What is kept of a schedule's backups; a backup that one rule keeps stays.
///
/// A number of -1 keeps all; one of 0 is no rule. Without any rule nothing is removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct KeepRules {
    /// The newest so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<i32>,
    /// The newest of each of the newest so many hours that have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hourly: Option<i32>,
    /// The newest of each of the newest so many days that have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub daily: Option<i32>,
    /// The newest of each of the newest so many weeks that have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weekly: Option<i32>,
    /// The newest of each of the newest so many months that have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monthly: Option<i32>,
    /// The newest of each of the newest so many years that have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub yearly: Option<i32>,
    /// All that are not older than this, counted from the newest: `1y5m7d2h`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub within: Option<Within>,
    /// What a later version of bowline has besides; kept as it is, and not run.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl KeepRules {
    /// Whether nothing is asked, so that nothing is removed.
    pub fn is_empty(&self) -> bool {
        let Self { last, hourly, daily, weekly, monthly, yearly, within, rest } = self;
        let counts = [last, hourly, daily, weekly, monthly, yearly];
        let is_empty = counts.into_iter().all(|count| is_no_rule(*count));
        is_empty && within.is_none_or(Within::is_zero) && rest.is_empty()
    }
}

/// Whether a number keeps nothing; restic knows no other negative one than -1.
fn is_no_rule(count: Option<i32>) -> bool {
    count.is_none_or(|count| count == 0 || count < -1)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rules_that_keep_nothing_are_no_rules() {
        let rules = |document| serde_json::from_value::<KeepRules>(document).unwrap();
        assert!(rules(json!({})).is_empty());
        assert!(rules(json!({"last": 0, "daily": -2, "within": "0d"})).is_empty());
        assert!(!rules(json!({"last": 0, "yearly": -1})).is_empty());
        assert!(!rules(json!({"within": "2h"})).is_empty());
    }
}
