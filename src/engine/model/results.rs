//! Warnings and errors as Velero records them: `<name>-results.gz`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::engine::report::{Problem, Scope};

/// The results of a backup or a restore.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct BackupResults {
    /// What is missing.
    pub errors: Messages,
    /// What is odd.
    pub warnings: Messages,
}

/// Messages by what they are about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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

/// What an error may be about.
#[derive(Clone, Debug, Default)]
pub struct Subject<'a> {
    /// The namespace it is in; none if it is in none.
    pub namespace: Option<&'a str>,
    /// The names of objects.
    pub names: BTreeSet<&'a str>,
    /// What tells of it wherever it stands in a message: a volume's id, `shop/data-0`.
    pub marks: Vec<&'a str>,
}

impl BackupResults {
    /// The errors about a subject, each once, without the form that Velero gives them.
    pub fn errors_about(&self, subject: &Subject<'_>) -> Vec<String> {
        let errors = &self.errors;
        let namespace = subject.namespace.and_then(|it| errors.namespaces.get(it));
        let all =
            errors.velero.iter().chain(&errors.cluster).chain(namespace.into_iter().flatten());
        let mut found: Vec<String> = Vec::new();
        for message in all.map(|message| Message::parse(message)) {
            if message.is_about(subject) && !found.contains(&message.text) {
                found.push(message.text);
            }
        }
        found
    }

    /// The results of a backup, in the words that Velero takes from the lines of its log.
    pub fn of_backup(warnings: &[Problem], errors: &[Problem]) -> Self {
        let error = |problem: &Problem| as_logged(problem, &problem.failure(), &problem.message);
        let warning = |problem: &Problem| as_logged(problem, &problem.message, "");
        Self { errors: Messages::new(errors, error), warnings: Messages::new(warnings, warning) }
    }

    /// The results of a restore, whose messages Velero writes as they are.
    pub fn of_restore(warnings: &[Problem], errors: &[Problem]) -> Self {
        let text = |problem: &Problem| problem.to_string();
        Self { errors: Messages::new(errors, text), warnings: Messages::new(warnings, text) }
    }
}

/// A message of Velero's: ` resource: /pods name: /db-0 message: /it failed error: /why`.
struct Message<'a> {
    name: Option<&'a str>,
    text: String,
}

impl<'a> Message<'a> {
    /// Its parts are in this order, and each may be absent; any other text stands for itself.
    fn parse(message: &'a str) -> Self {
        let (head, error) = split(message, " error: /");
        let (head, told) = split(head, " message: /");
        let (_, name) = split(head, " name: /");
        let text = match (told, error) {
            (Some(told), Some(error)) => format!("{told}: {error}"),
            (Some(text), None) | (None, Some(text)) => text.to_owned(),
            (None, None) => message.trim().to_owned(),
        };
        Self { name, text }
    }

    fn is_about(&self, subject: &Subject<'_>) -> bool {
        self.name.is_some_and(|name| subject.names.contains(name))
            || subject.marks.iter().any(|mark| holds(&self.text, mark))
    }
}

fn split<'a>(text: &'a str, key: &str) -> (&'a str, Option<&'a str>) {
    text.split_once(key).map_or((text, None), |(head, value)| (head, Some(value)))
}

/// Whether a text holds a word as a whole: `vol-1` is not in `vol-12`.
fn holds(text: &str, word: &str) -> bool {
    let is_inner = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '/');
    !word.is_empty()
        && text.match_indices(word).any(|(start, _)| {
            let before = text[..start].chars().next_back();
            let mut after = text[start + word.len()..].chars();
            let ends = match after.next() {
                // A full stop ends a sentence; within a name something follows it.
                Some('.') => !after.next().is_some_and(is_inner),
                next => !next.is_some_and(is_inner),
            };
            ends && !before.is_some_and(is_inner)
        })
}

impl Messages {
    /// How many there are.
    pub fn count(&self) -> usize {
        let namespaced = self.namespaces.values().map(Vec::len).sum::<usize>();
        self.velero.len() + self.cluster.len() + namespaced
    }

    /// Sorts problems by what they are about.
    fn new(problems: &[Problem], text: impl Fn(&Problem) -> String) -> Self {
        let mut messages = Self::default();
        for problem in problems {
            let text = text(problem);
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

/// ` resource: /pods name: /db-0 message: /… error: /…`, without what is not there.
fn as_logged(problem: &Problem, message: &str, error: &str) -> String {
    let (resource, name) = (problem.resource.as_deref(), problem.name.as_deref());
    let parts = [
        ("resource", resource.unwrap_or_default()),
        ("name", name.unwrap_or_default()),
        ("message", message),
        ("error", error),
    ];
    let parts = parts.into_iter().filter(|(_, value)| !value.is_empty());
    parts.map(|(key, value)| format!(" {key}: /{value}")).collect::<Vec<_>>().concat()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn problems() -> Vec<Problem> {
        let claim = "persistentvolumeclaims/shop/data-0".parse().unwrap();
        let class = "storageclasses.storage.k8s.io/fast".parse().unwrap();
        vec![
            Problem::of_item(&claim, "snapshot", "no such volume"),
            Problem::of_item(&class, "archive", "too large"),
            Problem::of_run("list", "denied"),
        ]
    }

    #[test]
    fn the_results_of_a_backup_are_worded_and_grouped_as_velero_s() {
        let results = BackupResults::of_backup(&problems()[2..], &problems());
        let expected = json!({
            "errors": {
                "velero": [" message: /failed to list error: /denied"],
                "cluster": [" resource: /storageclasses.storage.k8s.io name: /fast \
                            message: /failed to archive error: /too large"],
                "namespaces": {"shop": [" resource: /persistentvolumeclaims name: /data-0 \
                                        message: /failed to snapshot error: /no such volume"]},
            },
            "warnings": {"velero": [" message: /denied"]},
        });
        assert_eq!(json!(results), expected);
    }

    #[test]
    fn the_results_of_a_restore_are_plain_text_in_the_same_groups() {
        let results = BackupResults::of_restore(&[], &problems());
        let expected = json!({
            "errors": {
                "velero": ["denied"],
                "cluster": ["storageclasses.storage.k8s.io/fast: too large"],
                "namespaces": {"shop": ["persistentvolumeclaims/shop/data-0: no such volume"]},
            },
            "warnings": {},
        });
        assert_eq!(json!(results), expected);
    }

    fn results(errors: &[&str]) -> BackupResults {
        let velero = errors.iter().map(ToString::to_string).collect();
        let errors = Messages { velero, ..Messages::default() };
        BackupResults { errors, ..BackupResults::default() }
    }

    fn about<'a>(names: &[&'a str], marks: &[&'a str]) -> Subject<'a> {
        Subject {
            namespace: Some("shop"),
            names: names.iter().copied().collect(),
            marks: marks.to_vec(),
        }
    }

    #[test]
    fn an_error_is_about_the_object_that_velero_names() {
        let velero = results(&[
            " resource: /pods name: /db-0 message: /Error backing up item error: /no such volume",
            " name: /other message: /denied",
        ]);
        let found = velero.errors_about(&about(&["db-0"], &[]));
        assert_eq!(found, ["Error backing up item: no such volume"]);
        assert_eq!(velero.errors_about(&about(&["other"], &[])), ["denied"]);
        assert_eq!(velero.errors_about(&about(&["db"], &["db-0"])), [""; 0]);
    }

    #[test]
    fn an_error_is_about_whatever_it_mentions_as_a_whole_word() {
        let ours = results(&[
            "persistentvolumeclaims/shop/data-0: the disk is broken",
            "The volume 'vol-1' is gone.",
            "vol-12 is busy",
            "throttled while asking for vol-3.",
        ]);
        let found = |mark| ours.errors_about(&about(&[], &[mark]));
        assert_eq!(found("vol-1"), ["The volume 'vol-1' is gone."]);
        assert_eq!(found("vol-3"), ["throttled while asking for vol-3."]);
        assert_eq!(found("shop/data-0"), [""; 0]);
        assert_eq!(found("persistentvolumeclaims/shop/data-0").len(), 1);
        assert_eq!(found(""), [""; 0]);
    }

    #[test]
    fn an_error_in_another_namespace_is_about_something_else() {
        let mut results = results(&[]);
        let message = || vec![" name: /db-0 message: /denied".to_owned()];
        results.errors.namespaces.insert("other".to_owned(), message());
        assert_eq!(results.errors_about(&about(&["db-0"], &[])), [""; 0]);
        results.errors.namespaces.insert("shop".to_owned(), message());
        assert_eq!(results.errors_about(&about(&["db-0"], &[])), ["denied"]);
    }
}
