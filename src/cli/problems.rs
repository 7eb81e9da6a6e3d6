//! Warnings and errors for people: by namespace, one line each.

use std::collections::BTreeMap;
use std::fmt;

use super::style::printable;
use crate::engine::report::{Problem, Scope};

/// How many lines of one group are shown.
const MOST: usize = 100;

/// What problems are about, in the order in which they are told.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Group<'a> {
    Run,
    Cluster,
    Namespace(&'a str),
}

impl<'a> Group<'a> {
    fn of(problem: &'a Problem) -> Self {
        match (problem.scope, &problem.namespace) {
            (Scope::Namespace, Some(namespace)) => Self::Namespace(namespace),
            (Scope::Cluster, _) => Self::Cluster,
            _ => Self::Run,
        }
    }
}

impl fmt::Display for Group<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run => f.write_str("Run"),
            Self::Cluster => f.write_str("Cluster"),
            Self::Namespace(name) => write!(f, "Namespace {}", printable(name)),
        }
    }
}

/// The lines of a section about problems, by what they are about; empty if there are none.
pub(super) fn lines(problems: &[Problem]) -> String {
    let mut groups: BTreeMap<Group<'_>, Vec<&Problem>> = BTreeMap::new();
    for problem in problems {
        groups.entry(Group::of(problem)).or_default().push(problem);
    }
    groups.iter().map(|(group, problems)| block(group, problems)).collect()
}

/// The sections of a report about its errors and, after them, its warnings.
pub(super) fn sections(errors: &[Problem], warnings: &[Problem]) -> String {
    let section = |(title, problems): (&str, &[Problem])| match lines(problems) {
        lines if lines.is_empty() => lines,
        lines => format!("{title}:\n{lines}\n"),
    };
    [("Errors", errors), ("Warnings", warnings)].into_iter().map(section).collect()
}

fn block(group: &Group<'_>, problems: &[&Problem]) -> String {
    let shown = problems.iter().take(MOST);
    let shown: Vec<_> = shown.map(|it| format!("    {}\n", printable(&line(it)))).collect();
    let rest = match problems.len().saturating_sub(MOST) {
        0 => String::new(),
        more => format!("    and {more} more; -o json lists all of them\n"),
    };
    format!("  {group}:\n{}{rest}", shown.concat())
}

/// What, which, doing what, with which answer, why, and what helps.
fn line(problem: &Problem) -> String {
    let Problem { resource, name, operation, status, message, hint, .. } = problem;
    let subject: Vec<&str> = [resource, name].into_iter().filter_map(|it| it.as_deref()).collect();
    let subject = Some(subject.join(" ")).filter(|subject| !subject.is_empty());
    let status = status.map(|status| status.to_string());
    // Most messages of a server say it themselves.
    let status = status.filter(|status| !message.contains(status));
    let parts = [subject, operation.clone(), status, Some(message.trim().to_owned())];
    let told = parts.into_iter().flatten().collect::<Vec<_>>().join(": ");
    match hint {
        Some(hint) => format!("{told}; hint: {hint}"),
        None => told,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(id: &str, message: &str) -> Problem {
        Problem::of_item(&id.parse().unwrap(), "create", message)
    }

    #[test]
    fn problems_are_told_by_namespace_with_all_that_is_known_of_each() {
        let problems = [
            of("deployments.apps/shop/web", "403 forbidden: no").with_status(Some(403)),
            of("pods/bar/b", "it\x1b[2J broke").with_status(Some(500)).with_hint("mend it"),
            of("clusterroles.rbac.authorization.k8s.io/admin", "refused"),
            Problem::of_run("record", "not kept"),
        ];
        let expected = "  Run:
    record: not kept
  Cluster:
    clusterroles.rbac.authorization.k8s.io admin: create: refused
  Namespace bar:
    pods b: create: 500: it\\u{1b}[2J broke; hint: mend it
  Namespace shop:
    deployments.apps web: create: 403 forbidden: no
";
        assert_eq!(lines(&problems), expected);
        assert_eq!(lines(&[]), "");
    }

    #[test]
    fn of_very_many_the_first_are_told_and_the_others_counted() {
        let problems = vec![of("pods/shop/a", "no"); MOST + 7];
        let text = lines(&problems);
        assert_eq!(text.lines().count(), MOST + 2);
        assert!(text.ends_with("    and 7 more; -o json lists all of them\n"), "{text}");
    }
}
