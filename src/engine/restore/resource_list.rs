//! The list of what became of each object, in Velero's words: written at the end of a run, and read by
//! the next one, so that a restore tells what it made in all of its runs.

use std::collections::{BTreeMap, HashMap};

use super::earlier_jobs;
use super::execute::{Execution, Outcome};
use super::identity::places;
use super::plan::{Verdict, api_version};
use super::row::Row;
use crate::engine::context::Context;
use crate::engine::model::name_list::ResourceList;
use crate::engine::model::restore::RestoreRecord;
use crate::engine::store::{Error, RestoreKeys};

/// Objects with their outcome, `shop/web(created)`, by kind, `apps/v1/Deployment`; as it is read.
type Listed = BTreeMap<String, Vec<String>>;

/// The word for an outcome.
fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Created => "created",
        Outcome::Updated | Outcome::Recreated => "updated",
        Outcome::Unchanged | Outcome::Skipped => "skipped",
        Outcome::Differs | Outcome::Failed => "failed",
    }
}

/// An object and what became of it, as an entry of the list has it.
fn read(entry: &str) -> Option<(&str, Outcome)> {
    let made = [Outcome::Created, Outcome::Updated].into_iter();
    let mut read = made.map(|outcome| {
        let name = entry.strip_suffix(&format!("({})", word(outcome)))?;
        Some((name, outcome))
    });
    read.find_map(|read| read)
}

/// What the earlier runs of a restore made or changed, by kind and name.
#[derive(Debug, Default)]
pub(super) struct Earlier(BTreeMap<String, HashMap<String, Outcome>>);

impl Earlier {
    /// Reads the lists of all runs that came to their end, wherever these were kept.
    pub(super) async fn read(context: &Context, record: &RestoreRecord) -> Result<Self, Error> {
        let keys = RestoreKeys(&record.name);
        let mut earlier = Self::default();
        for store in places(context) {
            let found: Option<RestoreRecord> = store.json_if_there(&keys.record()).await?;
            // In another place another restore may have this name.
            if found.is_none_or(|found| found.uid != record.uid) {
                continue;
            }
            for key in store.of_all_runs(&record.name, &keys.resource_list()).await? {
                earlier.take(store.json_gz(&key).await?);
            }
        }
        Ok(earlier)
    }

    /// Takes the list of a run in: what any run made was made by the restore.
    fn take(&mut self, list: Listed) {
        for (kind, entries) in list {
            let made = self.0.entry(kind).or_default();
            for (name, outcome) in entries.iter().filter_map(|it| read(it)) {
                let whole = made.get(name).copied().filter(|_| outcome != Outcome::Created);
                made.insert(name.to_owned(), whole.unwrap_or(outcome));
            }
        }
    }

    /// The names of what was made or changed, of the kinds that are meant.
    pub(super) fn names(&self, is_meant: impl Fn(&str) -> bool) -> impl Iterator<Item = &str> {
        let kinds = self.0.iter().filter(move |(kind, _)| is_meant(kind));
        kinds.flat_map(|(_, made)| made.keys().map(String::as_str))
    }

    fn outcome(&self, kind: &str, name: &str) -> Option<Outcome> {
        self.0.get(kind)?.get(name).copied()
    }
}

impl Execution<'_> {
    /// The list of this restore.
    pub(super) fn resource_list(&self) -> ResourceList {
        let mut list = ResourceList::new();
        for (index, outcome) in self.outcomes() {
            if let Some((kind, name)) = self.place(&self.plan.rows[index]) {
                list.entry(kind).or_default().push(&format!("{name}({})", word(outcome)));
            }
        }
        list
    }

    /// Gives objects that this run found as they should be the outcome that they have in the restore as
    /// a whole: an earlier run made or changed them.
    ///
    /// A run that was killed leaves no list; what it made says so itself.
    pub(super) fn recall(&self, earlier: &Earlier) {
        for (index, outcome) in self.outcomes() {
            let row = &self.plan.rows[index];
            let may_be_earlier = outcome == Outcome::Unchanged || row.reason() == earlier_jobs::RAN;
            if !may_be_earlier {
                continue;
            }
            let place = self.place(row);
            let told = place.and_then(|(kind, name)| earlier.outcome(&kind, &name));
            // The volume of a claim counts only if it has the mark of this restore.
            let is_volume = self.is_for_a_claim(index) && row.verdict != Verdict::Unchanged;
            let is_ours = row.ours || is_volume;
            if let Some(whole) = told.or_else(|| is_ours.then_some(Outcome::Created)) {
                self.correct(index, whole);
            }
        }
    }

    /// The kind and the name of an object in the list.
    fn place(&self, row: &Row<'_>) -> Option<(String, String)> {
        let kind = self.ready.known.get(row.entry.resource())?;
        let id = self.target(row);
        let version = api_version(&id.resource, row.entry.version());
        let name = match &id.namespace {
            Some(namespace) => format!("{namespace}/{}", id.name),
            None => id.name,
        };
        Some((format!("{version}/{}", kind.kind), name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_made_or_changed_is_read_back() {
        assert_eq!(read("shop/migrate(created)"), Some(("shop/migrate", Outcome::Created)));
        assert_eq!(read("system:a(b)(updated)"), Some(("system:a(b)", Outcome::Updated)));
        assert_eq!(read("shop/migrate(failed)"), None);
        assert_eq!(read("shop/migrate(skipped)"), None);
    }

    #[test]
    fn what_any_run_made_or_changed_is_known_whatever_later_ones_say_of_it() {
        let mut earlier = Earlier::default();
        for entries in [
            &["made(created)", "changed(updated)", "late(failed)"][..],
            &["made(updated)", "changed(failed)", "late(updated)"],
            &["made(skipped)", "late(created)"],
        ] {
            let entries = entries.iter().map(ToString::to_string).collect();
            earlier.take(Listed::from([("v1/ConfigMap".to_owned(), entries)]));
        }
        let outcome = |name| earlier.outcome("v1/ConfigMap", name);
        assert_eq!(outcome("made"), Some(Outcome::Created));
        assert_eq!(outcome("changed"), Some(Outcome::Updated));
        assert_eq!(outcome("late"), Some(Outcome::Created));
        assert_eq!(earlier.outcome("v1/Secret", "made"), None);
        assert_eq!(earlier.names(|kind| kind == "v1/ConfigMap").count(), 3);
        assert_eq!(earlier.names(|kind| kind == "v1/Secret").count(), 0);
    }
}
