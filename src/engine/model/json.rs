//! JSON from a source that is not trusted.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// How much of a key a message shows.
const SHOWN: usize = 60;

/// Checks that a text is JSON that all readers take for the same document.
///
/// It is UTF-8, no deeper than `serde_json`'s limit of 128, its numbers fit, nothing follows it, and
/// no object has a key twice: of two values one reader takes the first and another the last. What
/// passes can be parsed into a [`serde_json::Value`].
pub fn check(text: &[u8]) -> Result<(), serde_json::Error> {
    serde_json::from_slice::<Whole>(text).map(|Whole| ())
}

/// A structure that is read from an object, and from nothing else.
///
/// Serde would read `["v1", "Pod", ...]` into it, too, as a list of its fields.
#[derive(Debug)]
pub struct Fields<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Fields<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor(PhantomData))
    }
}

struct FieldsVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for FieldsVisitor<T> {
    type Value = Fields<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Fields<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(fields)).map(Fields)
    }
}

/// Any JSON, read to its end and dropped.
///
/// `serde::de::IgnoredAny` will not do: `serde_json` skips it without a depth limit and without
/// looking into strings and numbers.
struct Whole;

#[derive(serde::Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(transparent)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

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
        let mut keys = Vec::new();
        while let Some((key, Self)) = fields.next_entry::<Key<'de>, Self>()? {
            keys.push(key);
        }
        keys.sort_unstable();
        match keys.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => {
                let shown: String = pair[0].0.chars().take(SHOWN).collect();
                Err(A::Error::custom(format_args!("duplicate field {shown:?}")))
            }
            None => Ok(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn fault(text: &str) -> Option<String> {
        check(text.as_bytes()).err().map(|error| error.to_string())
    }

    #[test]
    fn what_a_value_could_not_hold_is_refused() {
        for (text, good) in [
            (r#"{"a":[1,-1,1.5,true,null,"\u0041"]}"#, true),
            (&format!("{}{}", "[".repeat(127), "]".repeat(127)), true),
            (&format!("{}{}", "[".repeat(128), "]".repeat(128)), false),
            ("1e999", false),
            (r#""\ud800""#, false),
            ("1} ", false),
            ("[1,]", false),
            ("{\"a\":1,}", false),
            ("NaN", false),
            ("\u{feff}{}", false),
            ("\"\t\"", false),
            ("", false),
        ] {
            assert_eq!(fault(text).is_none(), good, "{text}");
            assert_eq!(serde_json::from_str::<Value>(text).is_ok(), good, "{text}");
        }
        assert!(check(b"\"\xff\"").is_err());
    }

    #[test]
    fn a_key_that_is_there_twice_is_refused_at_any_depth_and_however_it_is_written() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"b":[{"c":{"a":1,"x":2,"a":3}}]}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"":1,"":2}"#,
        ] {
            assert!(fault(text).is_some_and(|it| it.contains("duplicate field")), "{text}");
        }
        assert_eq!(fault(r#"{"a":{"a":1},"b":{"a":1},"A":2}"#), None);
        let long = "k".repeat(10_000);
        let message = fault(&format!(r#"{{"{long}":1,"{long}":2}}"#)).unwrap();
        assert!(message.len() < 200, "{message}");
    }

    #[test]
    fn a_list_of_fields_is_no_object() {
        #[derive(Debug, serde::Deserialize)]
        struct Name<'a> {
            #[serde(borrow)]
            name: Cow<'a, str>,
        }
        let read = |text| serde_json::from_str::<Fields<Name<'_>>>(text).map(|it| it.0.name);
        assert_eq!(read(r#"{"name":"web","more":1}"#).unwrap(), "web");
        for text in [r#"["web"]"#, "null", "\"web\"", "[]", "7"] {
            let message = read(text).unwrap_err().to_string();
            assert!(message.contains("expected an object"), "{message}");
        }
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(6, 64, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(".{0,4}", inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_from_a_value_passes(value in any_value()) {
            prop_assert_eq!(fault(&value.to_string()), None);
        }
    }
}
