//! The form in which Kubernetes and Velero record selectors: `matchLabels` and `matchExpressions`.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use super::requirement::{Invalid, Operator, Requirement};
use super::selector::Selector;

impl TryFrom<LabelSelector> for Selector {
    type Error = Invalid;

    fn try_from(json: LabelSelector) -> Result<Self, Invalid> {
        let labels = json.match_labels.unwrap_or_default().into_iter();
        let labels = labels.map(|(key, value)| Requirement::new(key, Operator::equals(value)));
        let expressions = json.match_expressions.unwrap_or_default().into_iter().map(read);
        Ok(Self::new(labels.chain(expressions).collect::<Result<Vec<_>, _>>()?))
    }
}

fn read(json: LabelSelectorRequirement) -> Result<Requirement, Invalid> {
    let values = json.values.unwrap_or_default();
    let operator = match (json.operator.as_str(), values.is_empty()) {
        ("In", false) => Operator::In(values.into_iter().collect()),
        ("NotIn", false) => Operator::NotIn(values.into_iter().collect()),
        ("Exists", true) => Operator::Exists,
        ("DoesNotExist", true) => Operator::DoesNotExist,
        ("In" | "NotIn" | "Exists" | "DoesNotExist", _) => {
            return Err(Invalid::Count { key: json.key, operator: json.operator });
        }
        _ => return Err(Invalid::Operator { operator: json.operator }),
    };
    Requirement::new(json.key, operator)
}

/// Equality goes into `matchLabels`, as `velero backup create --selector` writes it.
///
/// Of two different values for one key, which nothing can match, both are kept.
impl TryFrom<&Selector> for LabelSelector {
    type Error = Invalid;

    fn try_from(selector: &Selector) -> Result<Self, Invalid> {
        selector.check_storable()?;
        let mut labels = BTreeMap::<String, String>::new();
        let mut expressions = Vec::new();
        for Requirement { key, operator } in selector.requirements() {
            match operator {
                Operator::In(values) if values.len() == 1 && !labels.contains_key(key) => {
                    labels.extend(values.iter().map(|value| (key.clone(), value.clone())));
                }
                operator => expressions.push(expression(key, operator)),
            }
        }
        Ok(Self {
            match_labels: (!labels.is_empty()).then_some(labels),
            match_expressions: (!expressions.is_empty()).then_some(expressions),
        })
    }
}

fn expression(key: &str, operator: &Operator) -> LabelSelectorRequirement {
    let (operator, values) = match operator {
        Operator::In(values) => ("In", values.iter().cloned().collect()),
        Operator::NotIn(values) => ("NotIn", values.iter().cloned().collect()),
        Operator::Exists => ("Exists", Vec::new()),
        Operator::DoesNotExist => ("DoesNotExist", Vec::new()),
        Operator::GreaterThan(than) => ("Gt", vec![than.to_string()]),
        Operator::LessThan(than) => ("Lt", vec![than.to_string()]),
    };
    LabelSelectorRequirement {
        key: key.to_owned(),
        operator: operator.to_owned(),
        values: (!values.is_empty()).then_some(values),
    }
}

impl Serialize for Selector {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        LabelSelector::try_from(self).map_err(ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Selector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        LabelSelector::deserialize(deserializer)?.try_into().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn written(text: &str) -> serde_json::Value {
        serde_json::to_value(text.parse::<Selector>().unwrap()).unwrap()
    }

    #[test]
    fn equality_is_a_label_and_all_else_an_expression() {
        assert_eq!(
            written("app=web,tier in (a,b),x!=1,y notin (c),z,!w"),
            json!({
                "matchLabels": {"app": "web"},
                "matchExpressions": [
                    {"key": "tier", "operator": "In", "values": ["a", "b"]},
                    {"key": "w", "operator": "DoesNotExist"},
                    {"key": "x", "operator": "NotIn", "values": ["1"]},
                    {"key": "y", "operator": "NotIn", "values": ["c"]},
                    {"key": "z", "operator": "Exists"},
                ],
            })
        );
        assert_eq!(written(""), json!({}));
    }

    #[test]
    fn two_values_for_one_key_still_select_nothing() {
        let json = written("a=1,a=2");
        let selector: Selector = serde_json::from_value(json).unwrap();
        for value in ["1", "2"] {
            assert!(!selector.matches(&BTreeMap::from([("a".to_owned(), value.to_owned())])));
        }
    }

    #[test]
    fn a_selector_of_order_can_not_be_recorded() {
        let selector: Selector = "a>1".parse().unwrap();
        let error = selector.check_storable().unwrap_err();
        assert_eq!(
            error.to_string(),
            "\"a>1\" can't be recorded in a backup: its format has no < and >"
        );
        assert!(serde_json::to_string(&selector).is_err());
    }

    #[test]
    fn what_is_not_a_selector_is_refused() {
        for bad in [
            json!({"matchLabels": {"a": "b c"}}),
            json!({"matchExpressions": [{"key": "a", "operator": "In"}]}),
            json!({"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["x"]}]}),
            json!({"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]}),
            json!({"matchExpressions": [{"key": "", "operator": "Exists"}]}),
        ] {
            assert!(serde_json::from_value::<Selector>(bad.clone()).is_err(), "{bad}");
        }
    }
}
