//! The resource list of a backup, held against its archive.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Deserialize;

use super::report::{About, Finding, RECORDS};
use crate::engine::archive::Entry;
use crate::engine::model::names::check_listed;

/// How many objects are named that are missing on one side.
const NAMED: usize = 20;

/// Kinds without which no data comes back.
const LEAD_TO_DATA: [&str; 2] = ["v1/PersistentVolumeClaim", "v1/PersistentVolume"];

/// Names by kind: `apps/v1/Deployment`, and `shop/web`.
pub(super) type ResourceList = BTreeMap<String, Vec<String>>;

/// What of a resource list was not found in the archive yet, and the other way round.
pub(super) struct Names {
    listed: HashMap<String, HashSet<String>>,
    unlisted: Vec<String>,
}

/// What is on one side only.
#[derive(Default)]
pub(super) struct Differences {
    /// Claims and volumes that the archive lacks.
    pub data: Vec<Finding>,
    /// What else it lacks.
    pub lacking: Vec<Finding>,
    /// What the list does not name.
    pub unlisted: Vec<Finding>,
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
    pub(super) fn findings(self) -> Differences {
        let names = |(kind, names): (String, HashSet<String>)| {
            names.into_iter().map(move |name| format!("{kind} {name}"))
        };
        let (data, lacking): (HashMap<_, _>, _) =
            self.listed.into_iter().partition(|(kind, _)| LEAD_TO_DATA.contains(&kind.as_str()));
        let (data, impossible): (Vec<_>, _) =
            data.into_iter().flat_map(names).partition(|it| is_possible(it));
        let lacking = lacking.into_iter().flat_map(names).chain(impossible).collect();
        let lacks = |names| some(names, "the resource list names it, the archive lacks it");
        let unlisted = "the archive holds it, the resource list does not name it";
        Differences {
            data: lacks(data),
            lacking: lacks(lacking),
            unlisted: some(self.unlisted, unlisted),
        }
    }
}

/// Whether an object can be called so: `v1/Pod shop/web`.
fn is_possible(listed: &str) -> bool {
    listed.split_once(' ').is_some_and(|(_, name)| check_listed(name).is_ok())
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
        let told: Vec<_> = names.findings().lacking.into_iter().map(|it| it.name).collect();
        assert_eq!((told.len(), &*told[0], &*told[20]), (21, "v1/Pod shop/p00", "5 more"));
    }
}
