use std::collections::BTreeMap;

use bowline_api::{GroupResource, ItemId};
use globset::{GlobBuilder, GlobMatcher};
use regex::Regex;
use serde_json::Value;

use crate::engine::model::selector::Selector;

/// What must hold of an object, all of it.
#[derive(Clone, Debug)]
pub struct Conditions {
    pub(super) resources: Resources,
    /// Where it was, if it was in a namespace; empty for anywhere.
    pub(super) namespaces: Vec<GlobMatcher>,
    pub(super) name: Option<Regex>,
    pub(super) labels: Option<Selector>,
    /// What must stand where.
    pub(super) matches: Vec<(String, Value)>,
}

/// Which kinds are meant.
#[derive(Clone, Debug)]
pub(super) struct Resources {
    text: String,
    /// None for all kinds.
    pattern: Option<GlobMatcher>,
}

/// What Velero's documentation has for every kind of every group.
const EVERYTHING: &str = "*.*";

impl Resources {
    /// Reads a pattern of `deployments.apps`. Its `*` stops at a dot: alone it means the core group.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let pattern = (text != EVERYTHING).then(|| glob(&text.replace('.', "/"))).transpose()?;
        Ok(Self { text: text.to_owned(), pattern })
    }

    fn matches(&self, resource: &GroupResource) -> bool {
        let path = resource.to_string().replace('.', "/");
        self.pattern.as_ref().is_none_or(|pattern| pattern.is_match(path))
    }
}

/// Reads a pattern whose `*` stops at a slash.
pub(super) fn glob(text: &str) -> Result<GlobMatcher, String> {
    let glob = GlobBuilder::new(text).literal_separator(true).build();
    glob.map(|glob| glob.compile_matcher()).map_err(|error| error.kind().to_string())
}

impl Conditions {
    /// Which kinds are meant, as given.
    pub fn resources(&self) -> &str {
        &self.resources.text
    }

    /// Whether they may hold of an object that is called this in the backup.
    pub fn may_hold(&self, id: &ItemId) -> bool {
        let namespace = id.namespace.as_ref().filter(|_| !self.namespaces.is_empty());
        self.resources.matches(&id.resource)
            && namespace.is_none_or(|name| self.namespaces.iter().any(|it| it.is_match(name)))
            && self.name.as_ref().is_none_or(|name| name.is_match(&id.name))
    }

    /// Whether they hold of an object, as it would be restored without any rule.
    pub fn hold(&self, id: &ItemId, object: &Value) -> bool {
        self.may_hold(id)
            && self.labels.as_ref().is_none_or(|selector| selector.matches(&labels(object)))
            && self.matches.iter().all(|(path, value)| object.pointer(path) == Some(value))
    }
}

fn labels(object: &Value) -> BTreeMap<String, String> {
    let labels = object.pointer("/metadata/labels").and_then(Value::as_object);
    let labels = labels.into_iter().flatten();
    labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}
