//! What differs, as people and programs read it.

use std::collections::BTreeMap;
use std::io;

use bowline_api::ItemId;
use serde::Serialize;
use serde_json::Value;

use super::super::error::Error;
use crate::engine::model::difference::Difference;

/// What is compared.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DiffHeader {
    /// The backup.
    pub from: String,
    /// The other backup; `null` for the cluster.
    pub to: Option<String>,
}

/// An object that is not the same on both sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Change {
    /// What became of it.
    pub change: ChangeKind,
    /// The group and resource.
    pub resource: String,
    /// The namespace.
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
    /// The fields that changed.
    pub fields: Vec<ChangedField>,
}

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// Only the other backup, or the cluster, has it.
    Added,
    /// Only the backup has it.
    Removed,
    /// Both have it, and it is not the same.
    Changed,
}

impl ChangeKind {
    /// The word that is printed.
    pub fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        }
    }
}

/// A field that changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ChangedField {
    /// The field, as a JSON pointer (RFC 6901), in which an entry of a list is named by what tells it
    /// from the others where something does: `/spec/containers[name=web]/image`.
    pub path: String,
    /// What the backup holds there; `null`: nothing. Never a value of a Secret.
    pub from: Value,
    /// What the other side holds there; `null`: nothing. Never a value of a Secret.
    pub to: Value,
}

impl From<Difference> for ChangedField {
    fn from(Difference { path, backup: from, cluster: to }: Difference) -> Self {
        Self { path, from, to }
    }
}

/// What it comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct DiffFooter {
    /// How many objects were `added`, `removed`, `changed`, and are the `same`.
    pub counts: BTreeMap<&'static str, u64>,
    /// What could not be compared, and why.
    pub not_compared: Vec<NotCompared>,
}

/// Something that could not be compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NotCompared {
    /// A resource or an API group.
    pub name: String,
    /// Why not.
    pub reason: String,
}

/// Takes what differs as it is found, in the order of resource, namespace and name.
pub trait DiffReader: Send {
    /// Takes what comes before all objects; called once.
    fn begin(&mut self, header: DiffHeader) -> io::Result<()>;

    /// Takes the next object that is not the same.
    fn change(&mut self, change: Change) -> io::Result<()>;
}

impl Change {
    /// Where it comes among those of its kind.
    pub(super) fn place(&self) -> (Option<&str>, &str) {
        (self.namespace.as_deref(), &self.name)
    }

    fn new(change: ChangeKind, id: ItemId, fields: Vec<Difference>) -> Self {
        Self {
            change,
            resource: id.resource.to_string(),
            namespace: id.namespace,
            name: id.name,
            fields: fields.into_iter().map(ChangedField::from).collect(),
        }
    }
}

impl DiffFooter {
    /// Whether nothing differs, as far as it was compared.
    pub fn is_same(&self) -> bool {
        self.counts.iter().all(|(word, count)| *word == SAME || *count == 0)
    }

    /// Counts objects in that are the same.
    pub(super) fn count_same(&mut self, objects: u64) {
        if objects > 0 {
            *self.counts.entry(SAME).or_insert(0) += objects;
        }
    }

    /// Counts an object in, and tells it if it is not the same.
    pub(super) fn take(
        &mut self,
        finding: Finding,
        reader: &mut dyn DiffReader,
    ) -> Result<(), Error> {
        match finding {
            Finding::Ignored => Ok(()),
            Finding::Same => {
                self.count_same(1);
                Ok(())
            }
            Finding::Different(change) => {
                *self.counts.entry(change.change.word()).or_insert(0) += 1;
                reader.change(change).map_err(Error::Shown)
            }
        }
    }
}

/// What came of comparing one object.
#[derive(Debug)]
pub(super) enum Finding {
    /// It is not compared.
    Ignored,
    /// It is the same on both sides.
    Same,
    /// It is not.
    Different(Change),
}

impl Finding {
    /// An object that one side has.
    pub(super) fn of_one_side(change: ChangeKind, id: ItemId) -> Self {
        Self::Different(Change::new(change, id, Vec::new()))
    }

    /// An object that both sides have.
    pub(super) fn of_fields(id: ItemId, fields: Vec<Difference>) -> Self {
        if fields.is_empty() {
            return Self::Same;
        }
        Self::Different(Change::new(ChangeKind::Changed, id, fields))
    }
}

/// What objects without a difference are counted under.
const SAME: &str = "same";
