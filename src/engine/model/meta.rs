//! The part of an object that decisions need.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The label of objects, and namespaces, that no backup takes.
const EXCLUDE_LABEL: &str = "velero.io/exclude-from-backup";

/// An object's metadata, as far as filters and relations look at it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Meta {
    /// Its name.
    pub name: String,
    /// Its namespace; none for cluster-scoped objects.
    pub namespace: Option<String>,
    /// What tells it from an earlier object of the same name.
    pub uid: String,
    /// Its labels.
    #[serde(deserialize_with = "null_as_default")]
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    #[serde(deserialize_with = "null_as_default")]
    pub annotations: BTreeMap<String, String>,
    /// Set while it is being deleted.
    pub deletion_timestamp: Option<String>,
    /// What owns it.
    #[serde(deserialize_with = "null_as_default")]
    pub owner_references: Vec<OwnerReference>,
}

/// A reference from an object to what owns it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OwnerReference {
    /// The group and version of the owner: `apps/v1`.
    pub api_version: String,
    /// The kind of the owner.
    pub kind: String,
    /// The name of the owner.
    pub name: String,
    /// The owner's identity.
    pub uid: String,
    /// Whether this owner manages the object.
    pub controller: bool,
}

impl Meta {
    /// The owner that manages the object.
    pub fn controller(&self) -> Option<&OwnerReference> {
        self.owner_references.iter().find(|owner| owner.controller)
    }

    /// Whether it asks to be left out of every backup.
    pub fn is_excluded(&self) -> bool {
        self.has_label(EXCLUDE_LABEL, "true")
    }

    /// Whether the object carries this label with this value.
    pub fn has_label(&self, key: &str, value: &str) -> bool {
        self.labels.get(key).is_some_and(|found| found == value)
    }
}

fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
