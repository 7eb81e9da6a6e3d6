//! The records beside a backup's and a restore's document: how they are read and told.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::lookup::failed;
use crate::cli::description::Description;
use crate::cli::error::CliError;
use crate::cli::style::printable;
use crate::engine::model::results::{BackupResults, Messages};
use crate::engine::report::chain;
use crate::engine::store::{BackupStore, Error};

/// The names of objects by version and kind, `apps/v1/Deployment`.
pub(super) type ResourceList = BTreeMap<String, Vec<String>>;

/// Reads records one by one, and remembers those that are damaged.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    store: &'a BackupStore,
    /// Files that could not be read, and why.
    pub damaged: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(store: &'a BackupStore) -> Self {
        Self { store, damaged: Vec::new() }
    }

    /// Reads a packed document; one that is absent is empty.
    pub(super) async fn packed<T>(&mut self, key: &str) -> Result<T, CliError>
    where
        T: DeserializeOwned + Default,
    {
        let read = self.store.json_gz(key).await;
        self.unless_damaged(read)
    }

    /// Reads a document; one that is absent is empty.
    pub(super) async fn plain<T>(&mut self, key: &str) -> Result<T, CliError>
    where
        T: DeserializeOwned + Default,
    {
        let read = self.store.json_if_there(key).await;
        self.unless_damaged(read.map(Option::unwrap_or_default))
    }

    /// What was read; what is damaged does not keep the rest from being told.
    pub(super) fn unless_damaged<T: Default>(
        &mut self,
        read: Result<T, Error>,
    ) -> Result<T, CliError> {
        match read {
            Err(error) if error.is_damage() => {
                self.damaged.push(chain(&error));
                Ok(T::default())
            }
            other => other.map_err(failed),
        }
    }
}

/// Adds what went wrong and what was odd, by what it is about.
pub(super) fn describe_results(text: &mut Description, results: &BackupResults) {
    describe_messages(text, "Errors", &results.errors);
    describe_messages(text, "Warnings", &results.warnings);
}

fn describe_messages(text: &mut Description, title: &str, messages: &Messages) {
    let Messages { velero, cluster, namespaces } = messages;
    let groups = [("Velero".to_owned(), velero), ("Cluster".to_owned(), cluster)].into_iter();
    let namespaced = namespaces.iter().map(|(name, it)| (format!("Namespace {name}"), it));
    let groups = groups.chain(namespaced).filter(|(_, messages)| !messages.is_empty());
    let lines: String = groups.map(|(name, messages)| block(&name, "", messages)).collect();
    if !lines.is_empty() {
        text.section(title, &lines);
    }
}

/// Adds the names of all objects by kind.
pub(super) fn describe_resources(text: &mut Description, resources: &ResourceList) {
    let lines: String = resources.iter().map(|(kind, names)| block(kind, "- ", names)).collect();
    if !lines.is_empty() {
        text.section("Resource list", &lines);
    }
}

fn block(title: &str, bullet: &str, lines: &[String]) -> String {
    let lines = lines.iter().map(|line| format!("    {bullet}{}\n", printable(line.trim())));
    format!("  {}:\n{}", printable(title), lines.collect::<String>())
}

/// A text of a record, by its path; numbers and the like, too. Absent is empty.
pub(super) fn text_of(record: &Value, path: &str) -> String {
    match record.pointer(path) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// The descriptions of several things, one below the other.
pub(super) fn apart<T>(items: &[T], text: impl Fn(&T) -> Description) -> String {
    let texts: Vec<_> = items.iter().map(|item| text(item).to_string()).collect();
    texts.join("\n\n")
}
