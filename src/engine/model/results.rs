//! Warnings and errors as Velero records them: `<name>-results.gz`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::engine::report::{Problem, Scope};

/// The results of a backup or a restore.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BackupResults {
    /// What is missing.
    pub errors: Messages,
    /// What is odd.
    pub warnings: Messages,
}

/// Messages by what they are about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Messages {
    /// About the run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub velero: Vec<String>,
    /// About cluster-scoped objects.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cluster: Vec<String>,
    /// About objects in namespaces, by namespace.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub namespaces: BTreeMap<String, Vec<String>>,
}

impl BackupResults {
    /// Sorts problems as Velero does.
    pub fn new(warnings: &[Problem], errors: &[Problem]) -> Self {
        Self { errors: Messages::new(errors), warnings: Messages::new(warnings) }
    }
}

impl Messages {
    fn new(problems: &[Problem]) -> Self {
        let mut messages = Self::default();
        for problem in problems {
            let text = problem.to_string();
            match (problem.scope, &problem.namespace) {
                (Scope::Namespace, Some(namespace)) => {
                    messages.namespaces.entry(namespace.clone()).or_default().push(text);
                }
                (Scope::Cluster, _) => messages.cluster.push(text),
                _ => messages.velero.push(text),
            }
        }
        messages
    }
}
