//! How the values of flags are read. What is refused here never gets further.

use std::collections::BTreeSet;
use std::error::Error;
use std::num::NonZeroU16;

use crate::engine::model::duration::GoDuration;
use crate::engine::model::filter::Order;
use crate::engine::model::names;
use crate::engine::model::restore::ResourceModifier;
use crate::engine::model::schedule::VolumePolicies;
use crate::engine::model::selector::{Operator, Requirement, Selector, Selectors};

type Boxed = Box<dyn Error + Send + Sync>;

/// Reads a duration longer than nothing.
pub(super) fn positive(text: &str) -> Result<GoDuration, Boxed> {
    duration(text, |nanos| nanos > 0, "must be longer than nothing")
}

/// Reads a duration that may be nothing.
pub(super) fn not_negative(text: &str) -> Result<GoDuration, Boxed> {
    duration(text, |nanos| nanos >= 0, "must not be less than nothing")
}

/// Reads how many of something there may be: one at least.
pub(super) fn count(text: &str) -> Result<NonZeroU16, Boxed> {
    text.parse().map_err(|_| format!("must be a whole number from 1 to {}", u16::MAX).into())
}

/// Reads the name of a namespace.
pub(super) fn namespace(text: &str) -> Result<String, Boxed> {
    names::check_label(text)?;
    Ok(text.to_owned())
}

/// Reads a label, `key=value`.
///
/// A label is well-formed if a selector can ask for it.
pub(super) fn label(text: &str) -> Result<(String, String), Boxed> {
    let (key, value) = pair(text, "=", "KEY=VALUE")?;
    Requirement::new(key.clone(), Operator::In(BTreeSet::from([value.clone()])))?;
    Ok((key, value))
}

/// Reads an annotation, `key=value`; a key is well-formed as a label's is.
///
/// Those of `bowline.io` bind a backup's files to its document, and are nobody's to give.
pub(super) fn annotation(text: &str) -> Result<(String, String), Boxed> {
    let (key, value) = pair(text, "=", "KEY=VALUE")?;
    Requirement::new(key.clone(), Operator::Exists)?;
    if key.starts_with("bowline.io/") {
        return Err(format!("\"{key}\" is bowline's own").into());
    }
    Ok((key, value))
}

/// Reads where policies are.
pub(super) fn policy_config_map(text: &str) -> Result<VolumePolicies, Boxed> {
    let (namespace, name) = config_map(text)?;
    Ok(VolumePolicies::ConfigMap { namespace, name })
}

/// Reads where resource modifiers are.
pub(super) fn modifier_config_map(text: &str) -> Result<ResourceModifier, Boxed> {
    let (namespace, name) = config_map(text)?;
    Ok(ResourceModifier { kind: "configmap".to_owned(), namespace, name })
}

/// Reads which `ConfigMap` is meant: `namespace/name`, or a name in Velero's namespace.
fn config_map(text: &str) -> Result<(String, String), Boxed> {
    let (namespace, name) = text.split_once('/').unwrap_or(("velero", text));
    names::check_label(namespace)?;
    names::check_subdomain(name)?;
    Ok((namespace.to_owned(), name.to_owned()))
}

/// Reads a mapping, `from:to`.
pub(super) fn mapping(text: &str) -> Result<(String, String), Boxed> {
    pair(text, ":", "FROM:TO")
}

/// Reads an option of a location, `key=value`; the value may be empty.
pub(super) fn option(text: &str) -> Result<(String, String), Boxed> {
    pair(text, "=", "KEY=VALUE")
}

/// Reads a mapping of zones, `old:new`.
pub(super) fn zone_mapping(text: &str) -> Result<(String, String), Boxed> {
    let (old, new) = pair(text, ":", "OLD:NEW")?;
    if new.is_empty() {
        Err(format!("\"{text}\" names no new zone").into())
    } else {
        Ok((old, new))
    }
}

/// Reads a mapping of storage classes, `old:new`.
pub(super) fn class_mapping(text: &str) -> Result<(String, String), Boxed> {
    let (old, new) = pair(text, ":", "OLD:NEW")?;
    names::check_subdomain(&new)?;
    Ok((old, new))
}

/// Reads a mapping of images, `old=new`.
pub(super) fn image_mapping(text: &str) -> Result<(String, String), Boxed> {
    let (old, new) = pair(text, "=", "OLD=NEW")?;
    if new.is_empty() {
        Err(format!("\"{text}\" names no new image").into())
    } else {
        Ok((old, new))
    }
}

/// Reads a workload, `namespace/name`.
pub(super) fn workload(text: &str) -> Result<String, Boxed> {
    let (namespace, name) = pair(text, "/", "NAMESPACE/NAME")?;
    names::check_label(&namespace)?;
    names::check_subdomain(&name)?;
    Ok(text.to_owned())
}

/// Reads the number of an account of AWS.
pub(super) fn account(text: &str) -> Result<String, Boxed> {
    if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(text.to_owned())
    } else {
        Err(format!("\"{text}\" is not the number of an account: that has 12 digits").into())
    }
}

/// Reads a selector that can be recorded.
pub(super) fn selector(text: &str) -> Result<Selector, Boxed> {
    let selector: Selector = text.parse()?;
    selector.check_storable()?;
    Ok(selector)
}

/// Reads selectors that can be recorded, joined by ` or `.
pub(super) fn selectors(text: &str) -> Result<Selectors, Boxed> {
    let selectors: Selectors = text.parse()?;
    selectors.check_storable()?;
    Ok(selectors)
}

/// Reads which objects are taken first.
pub(super) fn order(text: &str) -> Result<Order, Boxed> {
    Ok(text.parse()?)
}

fn duration(text: &str, holds: fn(i64) -> bool, rule: &str) -> Result<GoDuration, Boxed> {
    let duration: GoDuration = text.parse()?;
    if holds(duration.as_nanos()) { Ok(duration) } else { Err(format!("{text} {rule}").into()) }
}

fn pair(text: &str, separator: &str, form: &str) -> Result<(String, String), Boxed> {
    match text.split_once(separator) {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(format!("\"{text}\" is not of the form {form}").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_not_positive_but_not_negative_either() {
        assert!(positive("1ns").is_ok() && not_negative("0").is_ok());
        assert_eq!(positive("0s").unwrap_err().to_string(), "0s must be longer than nothing");
        let error = not_negative("-1s").unwrap_err();
        assert_eq!(error.to_string(), "-1s must not be less than nothing");
    }

    #[test]
    fn a_label_has_a_key_and_perhaps_a_value() {
        let read = |text| label(text).map_err(|error| error.to_string());
        assert_eq!(read("a.b/c=d").unwrap(), ("a.b/c".to_owned(), "d".to_owned()));
        assert_eq!(read("a=").unwrap(), ("a".to_owned(), String::new()));
        assert_eq!(read("a").unwrap_err(), "\"a\" is not of the form KEY=VALUE");
        assert_eq!(read("=a").unwrap_err(), "\"=a\" is not of the form KEY=VALUE");
        assert!(read("a=b c").unwrap_err().contains("is not a label value"));
        assert!(read("a b=c").unwrap_err().contains("is not a label key"));
    }

    #[test]
    fn an_annotation_has_a_key_that_is_free_and_any_text() {
        let read = |text| annotation(text).map_err(|error| error.to_string());
        let expected = ("a/b".to_owned(), "any text = this".to_owned());
        assert_eq!(read("a/b=any text = this").unwrap(), expected);
        assert!(read("a b=c").unwrap_err().contains("is not a label key"));
        assert_eq!(
            read("bowline.io/archive-size=1").unwrap_err(),
            "\"bowline.io/archive-size\" is bowline's own"
        );
    }

    #[test]
    fn a_mapping_of_zones_has_two_sides() {
        let read = |text| zone_mapping(text).map_err(|error| error.to_string());
        assert_eq!(read("a:b").unwrap(), ("a".to_owned(), "b".to_owned()));
        assert_eq!(read("a").unwrap_err(), "\"a\" is not of the form OLD:NEW");
        assert_eq!(read("a:").unwrap_err(), "\"a:\" names no new zone");
    }

    #[test]
    fn an_account_has_twelve_digits() {
        assert_eq!(account("012345678901").unwrap(), "012345678901");
        for bad in ["", "12345678901", "1234567890123", "12345678901x", "١٢٣٤٥٦"] {
            assert!(account(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_selector_that_no_record_can_hold_is_refused() {
        assert!(selector("app in (a,b),!c").is_ok());
        assert!(selector("n>3").unwrap_err().to_string().contains("can't be recorded"));
        assert!(selectors("a or b").is_ok());
        assert!(selectors("a or n>3").unwrap_err().to_string().contains("can't be recorded"));
    }
}
