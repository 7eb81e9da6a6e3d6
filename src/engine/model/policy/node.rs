//! A value in a document that knows where it is.

use std::collections::BTreeMap;

use serde_json::Value;

use super::error::Fault;
use crate::engine::model::filter::closest;

/// A value and its place.
#[derive(Clone, Debug)]
pub(in crate::engine::model) struct Node<'a> {
    path: String,
    value: &'a Value,
    /// Whose form the document has to have, as a hint.
    form: &'static str,
}

/// Reads a text of YAML, which must be one document.
pub(in crate::engine::model) fn document(yaml: &str) -> Result<Value, Fault> {
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_str_with_options(yaml, options).map_err(|error| {
        let reason = error.to_string().lines().collect::<Vec<_>>().join(" ");
        Fault { path: String::new(), reason, hint: "it must be one YAML document".to_owned() }
    })
}

impl<'a> Node<'a> {
    /// The document itself.
    pub(in crate::engine::model) fn root(value: &'a Value, form: &'static str) -> Self {
        Self { path: String::new(), value, form }
    }

    /// What stands here.
    pub(in crate::engine::model) fn value(&self) -> &'a Value {
        self.value
    }

    /// Something is wrong here.
    pub(in crate::engine::model) fn fault(
        &self,
        reason: impl Into<String>,
        hint: impl Into<String>,
    ) -> Fault {
        Fault { path: self.path.clone(), reason: reason.into(), hint: hint.into() }
    }

    /// The fields of a map, all of which must be known.
    pub(in crate::engine::model) fn fields(
        &self,
        known: &[&str],
    ) -> Result<BTreeMap<&'a str, Self>, Fault> {
        let fields = self.entries()?;
        if let Some((key, node)) = fields.iter().find(|(key, _)| !known.contains(*key)) {
            let hint = match closest(key, known.iter().copied()) {
                Some(similar) => format!("did you mean \"{similar}\"?"),
                None => format!("there is: {}", known.join(", ")),
            };
            return Err(node.fault("there is no such field", hint));
        }
        Ok(fields)
    }

    /// The entries of a map, whatever their keys.
    pub(in crate::engine::model) fn entries(&self) -> Result<BTreeMap<&'a str, Self>, Fault> {
        let Value::Object(map) = self.value else { return Err(self.other_kind("a map")) };
        Ok(map.iter().map(|(key, value)| (key.as_str(), self.below(key, value))).collect())
    }

    fn below(&self, key: &str, value: &'a Value) -> Self {
        let separator = if self.path.is_empty() { "" } else { "." };
        Self { path: format!("{}{separator}{key}", self.path), value, form: self.form }
    }

    /// The texts of a map.
    pub(in crate::engine::model) fn texts_by_key(&self) -> Result<BTreeMap<String, String>, Fault> {
        let entries = self.entries()?;
        if entries.is_empty() {
            return Err(self.empty());
        }
        let text = |(key, node): (&str, Self)| Ok((key.to_owned(), node.text()?.to_owned()));
        entries.into_iter().map(text).collect()
    }

    /// The elements of a list.
    pub(in crate::engine::model) fn elements(&self) -> Result<Vec<Self>, Fault> {
        let Value::Array(list) = self.value else { return Err(self.other_kind("a list")) };
        let element = |(index, value)| Self {
            path: format!("{}[{index}]", self.path),
            value,
            form: self.form,
        };
        Ok(list.iter().enumerate().map(element).collect())
    }

    /// What the elements of a list say, of which there must be some.
    pub(in crate::engine::model) fn all<T>(
        &self,
        read: impl Fn(&Self) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let elements = self.elements()?;
        if elements.is_empty() {
            return Err(self.empty());
        }
        elements.iter().map(read).collect()
    }

    /// A text that is not empty.
    ///
    /// A number is none: of `1.10` nothing would be left but 1.1.
    pub(in crate::engine::model) fn text(&self) -> Result<&'a str, Fault> {
        match self.value {
            Value::String(text) if text.is_empty() => Err(self.empty()),
            Value::String(text) => Ok(text),
            Value::Number(_) | Value::Bool(_) => {
                Err(self.fault("it must be text", "put it in quotes"))
            }
            _ => Err(self.other_kind("text")),
        }
    }

    /// Whether nothing stands here, be it in a map or a list.
    pub(in crate::engine::model) fn is_empty(&self) -> bool {
        match self.value {
            Value::Null => true,
            Value::Object(map) => map.is_empty(),
            Value::Array(list) => list.is_empty(),
            _ => false,
        }
    }

    fn empty(&self) -> Fault {
        self.fault("it is empty", "leave it out if it shall ask for nothing")
    }

    fn other_kind(&self, wanted: &str) -> Fault {
        let found = match self.value {
            Value::Null => {
                return self.fault(format!("it must be {wanted}, and is empty"), self.form);
            }
            Value::Object(_) => "a map",
            Value::Array(_) => "a list",
            Value::String(_) => "text",
            Value::Number(_) => "a number",
            Value::Bool(_) => "true or false",
        };
        self.fault(format!("it must be {wanted}, not {found}"), self.form)
    }
}
