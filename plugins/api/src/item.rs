//! The names of things in a cluster.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A kind of object by its plural name and API group, without a version: `deployments.apps`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GroupResource {
    /// The API group; empty for the core group.
    pub group: String,
    /// The plural name, in lower case: `deployments`.
    pub resource: String,
}

impl GroupResource {
    /// Names the resource `resource` of `group` (empty for the core group).
    pub fn new(group: impl Into<String>, resource: impl Into<String>) -> Self {
        Self { group: group.into(), resource: resource.into() }
    }

    /// Names a resource of the core group.
    pub fn core(resource: impl Into<String>) -> Self {
        Self::new("", resource)
    }
}

impl fmt::Display for GroupResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.resource)?;
        if self.group.is_empty() { Ok(()) } else { write!(f, ".{}", self.group) }
    }
}

impl FromStr for GroupResource {
    type Err = InvalidItemId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (resource, group) = text.split_once('.').unwrap_or((text, ""));
        if resource.is_empty() || text.ends_with('.') || text.contains('/') {
            return Err(InvalidItemId { text: text.to_owned() });
        }
        Ok(Self::new(group, resource))
    }
}

impl TryFrom<String> for GroupResource {
    type Error = InvalidItemId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<GroupResource> for String {
    fn from(resource: GroupResource) -> Self {
        resource.to_string()
    }
}

/// One object of a cluster. The key of everything: plans, archives, reports.
///
/// Written as `resource/name` or `resource/namespace/name`; none of the parts can hold a slash.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ItemId {
    /// What kind of object it is.
    pub resource: GroupResource,
    /// The namespace it lives in; none for cluster-scoped objects.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl ItemId {
    /// Names an object that lives in a namespace.
    pub fn namespaced(
        resource: GroupResource,
        namespace: impl Into<String>,
        name: impl Into<String>,
    ) -> Self {
        Self { resource, namespace: Some(namespace.into()), name: name.into() }
    }

    /// Names a cluster-scoped object.
    pub fn cluster(resource: GroupResource, name: impl Into<String>) -> Self {
        Self { resource, namespace: None, name: name.into() }
    }
}

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{}/{namespace}/{}", self.resource, self.name),
            None => write!(f, "{}/{}", self.resource, self.name),
        }
    }
}

impl FromStr for ItemId {
    type Err = InvalidItemId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split('/').collect();
        if parts.iter().any(|part| part.is_empty()) {
            return Err(InvalidItemId { text: text.to_owned() });
        }
        match parts[..] {
            [resource, name] => Ok(Self::cluster(resource.parse()?, name)),
            [resource, namespace, name] => Ok(Self::namespaced(resource.parse()?, namespace, name)),
            _ => Err(InvalidItemId { text: text.to_owned() }),
        }
    }
}

impl TryFrom<String> for ItemId {
    type Error = InvalidItemId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ItemId> for String {
    fn from(id: ItemId) -> Self {
        id.to_string()
    }
}

/// A text that names no resource and no object.
#[derive(Debug, thiserror::Error)]
#[error("\"{text}\" is not of the form resource.group[/namespace]/name")]
pub struct InvalidItemId {
    text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_id_reads_back_as_it_was_written() {
        for text in [
            "pods/shop/web-0",
            "deployments.apps/shop/web",
            "clusterroles.rbac.authorization.k8s.io/system:node",
        ] {
            assert_eq!(text.parse::<ItemId>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_text_with_an_empty_or_a_fourth_part_is_no_item_id() {
        for text in ["", "pods", "pods/", "pods//x", "/shop/x", "pods/a/b/c", "deployments./a/b"] {
            assert!(text.parse::<ItemId>().is_err(), "{text}");
        }
    }
}
