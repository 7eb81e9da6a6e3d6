//! What every object in an archive must be.

use std::borrow::Cow;
use std::fmt;

use bowline_api::ItemId;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{Error, path};

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head<'a> {
    #[serde(borrow)]
    api_version: Cow<'a, str>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    metadata: Metadata<'a>,
}

#[derive(serde::Deserialize)]
struct Metadata<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    namespace: Option<Cow<'a, str>>,
}

/// Checks that `json` is the object that `id` names, and tells its version without the group.
///
/// What passes can be parsed into a [`serde_json::Value`] later: it is UTF-8, no deeper than
/// `serde_json`'s limit of 128, with numbers that fit. Writer and reader share this check, so that
/// what was written can be read.
pub(super) fn check(id: &ItemId, json: &[u8]) -> Result<String, Error> {
    let invalid = |source| Error::Json { item: id.to_string(), source };
    serde_json::from_slice::<Whole>(json).map_err(invalid)?;
    let head: Head<'_> = serde_json::from_slice(json).map_err(invalid)?;
    let (group, version) = head.api_version.split_once('/').unwrap_or(("", &head.api_version));
    expect(id, "the API group", &id.resource.group, group)?;
    expect(id, "metadata.name", &id.name, &head.metadata.name)?;
    let namespace = head.metadata.namespace.as_deref().unwrap_or_default();
    expect(id, "metadata.namespace", id.namespace.as_deref().unwrap_or_default(), namespace)?;
    if head.kind.is_empty() {
        return Err(mismatch(id, "kind", "a kind", &head.kind));
    }
    path::check_version(version)
        .map_err(|_| mismatch(id, "apiVersion", "a version", &head.api_version))?;
    Ok(version.to_owned())
}

fn expect(id: &ItemId, field: &'static str, expected: &str, found: &str) -> Result<(), Error> {
    if expected == found { Ok(()) } else { Err(mismatch(id, field, expected, found)) }
}

fn mismatch(id: &ItemId, field: &'static str, expected: &str, found: &str) -> Error {
    // The found text is the archive's; a message needs no more than its beginning.
    let found = found.chars().take(100).collect();
    Error::Mismatch { item: id.to_string(), field, expected: expected.to_owned(), found }
}

/// Any JSON, read to its end and dropped.
///
/// `serde::de::IgnoredAny` will not do: `serde_json` skips it without a depth limit and without
/// looking into strings and numbers.
struct Whole;

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Whole {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while let Some(Self) = items.next_element()? {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self, A::Error> {
        while let Some((Self, Self)) = fields.next_entry()? {}
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_of(text: &str) -> ItemId {
        text.parse().unwrap()
    }

    fn checked(id: &str, json: &str) -> Result<String, String> {
        check(&id_of(id), json.as_bytes()).map_err(|error| match error {
            Error::Mismatch { field, .. } => field.to_owned(),
            Error::Json { source, .. } => source.to_string(),
            other => panic!("{other}"),
        })
    }

    #[test]
    fn an_object_tells_its_version_if_it_is_the_one_that_its_name_says() {
        let deployment = r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"shop"}}"#;
        assert_eq!(checked("deployments.apps/shop/web", deployment), Ok("v1".to_owned()));
        let fails = |id, field: &str| assert_eq!(checked(id, deployment), Err(field.to_owned()));
        fails("deployments.extensions/shop/web", "the API group");
        fails("deployments/shop/web", "the API group");
        fails("deployments.apps/shop/db", "metadata.name");
        fails("deployments.apps/prod/web", "metadata.namespace");
        fails("deployments.apps/web", "metadata.namespace");
    }

    #[test]
    fn a_cluster_scoped_object_may_say_so_in_three_ways() {
        for namespace in ["", r#","namespace":"""#, r#","namespace":null"#] {
            let json = format!(
                r#"{{"apiVersion":"v1","kind":"Node","metadata":{{"name":"a"{namespace}}}}}"#
            );
            assert_eq!(checked("nodes/a", &json), Ok("v1".to_owned()));
        }
    }

    #[test]
    fn an_object_without_kind_or_version_is_refused() {
        let of = |kind: &str, version: &str| {
            let json = format!(
                r#"{{"apiVersion":"{version}","kind":"{kind}","metadata":{{"name":"a"}}}}"#
            );
            checked("nodes/a", &json)
        };
        assert_eq!(of("", "v1"), Err("kind".to_owned()));
        assert_eq!(of("Node", ""), Err("apiVersion".to_owned()));
        let json = r#"{"apiVersion":"v1","metadata":{"name":"a"}}"#;
        assert!(checked("nodes/a", json).unwrap_err().contains("missing field `kind`"));
    }

    #[test]
    fn a_field_given_twice_is_refused() {
        let json =
            r#"{"apiVersion":"v1","kind":"Node","metadata":{"name":"a"},"metadata":{"name":"b"}}"#;
        assert!(checked("nodes/a", json).unwrap_err().contains("duplicate field `metadata`"));
    }

    #[test]
    fn what_a_value_could_not_hold_is_refused() {
        let with = |value: &str| {
            let json = format!(
                r#"{{"apiVersion":"v1","kind":"Node","metadata":{{"name":"a"}},"spec":{value}}}"#
            );
            let refused = checked("nodes/a", &json).is_err();
            assert_eq!(serde_json::from_str::<serde_json::Value>(&json).is_err(), refused);
            refused
        };
        assert!(!with(r#"{"a":[1,-1,1.5,true,null,"\u0041"]}"#));
        assert!(!with(&format!("{}{}", "[".repeat(126), "]".repeat(126))));
        assert!(with(&format!("{}{}", "[".repeat(127), "]".repeat(127))));
        assert!(with("1e999"));
        assert!(with(r#""\ud800""#));
        assert!(with("1} "));
    }
}
