//! The resource list of a backup, held against its archive.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Deserialize;

use super::report::{About, Finding, RECORDS};
use crate::engine::archive::Entry;

/// How many objects are named that are missing on one side.
const NAMED: usize = 20;

/// Names by kind: `apps/v1/Deployment`, and `shop/web`.
pub(super) type ResourceList = BTreeMap<String, Vec<String>>;

/// What of a resource list was not found in the archive yet, and the other way round.
pub(super) struct Names {
    listed: HashMap<String, HashSet<String>>,
    unlisted: Vec<String>,
}

/// What an object says it is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kind {
    api_version: String,
    kind: String,
}

impl Names {
    pub(super) fn of(list: ResourceList) -> Self {
        let listed = list.into_iter().map(|(kind, names)| (kind, names.into_iter().collect()));
        Self { listed: listed.collect(), unlisted: Vec::new() }
    }

    /// Takes note of an object of the archive.
    pub(super) fn see(&mut self, entry: &Entry<'_>, json: &[u8]) {
        // The reader has checked that it is an object.
        let Ok(Kind { api_version, kind }) = serde_json::from_slice(json) else { return };
        let kind = format!("{api_version}/{kind}");
        let name = match entry.namespace() {
            Some(namespace) => format!("{namespace}/{}", entry.name()),
            None => entry.name().to_owned(),
        };
        if !self.listed.get_mut(&kind).is_some_and(|names| names.remove(&name)) {
            self.unlisted.push(entry.id().to_string());
        }
    }

    /// What is in one of them only.
    pub(super) fn findings(self) -> Vec<Finding> {
        let names = |(kind, names): (String, HashSet<String>)| {
            names.into_iter().map(move |name| format!("{kind} {name}"))
        };
        let listed: Vec<String> = self.listed.into_iter().flat_map(names).collect();
        let lacking = some(listed, "the resource list names it, the archive lacks it");
        let unlisted =
            some(self.unlisted, "the archive holds it, the resource list does not name it");
        lacking.into_iter().chain(unlisted).collect()
    }
}

/// The first of many, in order, and how many more there are.
fn some(mut names: Vec<String>, message: &str) -> Vec<Finding> {
    names.sort_unstable();
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    let of = |name| Finding::of(RECORDS.0, About::Object, name, message);
    let mut findings: Vec<Finding> = names.into_iter().map(of).collect();
    if more > 0 {
        findings.push(of(format!("{more} more")));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_the_first_are_named_and_the_rest_is_counted() {
        let list = (0..25).map(|number| format!("shop/p{number:02}")).collect();
        let names = Names::of([("v1/Pod".to_owned(), list)].into());
        let told: Vec<_> = names.findings().into_iter().map(|it| it.name).collect();
        assert_eq!((told.len(), &*told[0], &*told[20]), (21, "v1/Pod shop/p00", "5 more"));
    }
}
