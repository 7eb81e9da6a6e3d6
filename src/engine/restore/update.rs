//! Changes what is there and differs, as the plan says.

use bowline_api::{GroupResource, ItemId};

use super::compare::Compared;
use super::error::Cause;
use super::execute::{Execution, Outcome};
use super::prepare::Prepared;
use super::row::Row;
use super::wording::told;
use super::{autoscaled, compare, fixed, judgement, merge, quiesce, recreate};
use crate::engine::cluster::Object;
use crate::engine::model::Kind;
use crate::engine::model::fields::text_at;
use crate::engine::report::Problem;

/// How often an object that somebody else changes at the same moment is looked at again.
const ATTEMPTS: u32 = 5;

/// What is found where the plan says that something differs.
pub(super) enum Met {
    /// Nothing.
    Absent,
    /// What the backup holds.
    Same,
    /// The object that was compared, which differs in what the plan says, or in a part of it.
    AsPlanned { live: Object, differing: Vec<String> },
    /// Something that the plan does not speak of: in words.
    Changed(String),
}

impl Execution<'_> {
    /// Changes a live object into what the backup holds, where it differs, and nowhere else.
    pub(super) async fn update(
        &self,
        row: &Row<'_>,
        kind: &Kind,
        mut prepared: Prepared,
    ) -> Result<Outcome, Cause> {
        let id = prepared.id.clone();
        for attempt in 1.. {
            let (live, differing) = match self.meet(row, kind, &mut prepared).await? {
                Met::AsPlanned { live, differing } => (live, differing),
                // The reply to our own patch was lost.
                Met::Same if attempt > 1 => return Ok(Outcome::Updated),
                Met::Same => return Ok(Outcome::Unchanged),
                Met::Absent => {
                    return Ok(self.not_updated(&id, "it was deleted since it was compared"));
                }
                Met::Changed(how) => return Ok(self.not_updated(&id, how)),
            };
            if let Some(why) = fixed::obstacle(&id, &prepared.object, &live, &differing) {
                return Ok(self.not_updated(&id, why));
            }
            let patch = merge::patch(&id.resource, &prepared.object, &live, &differing);
            let mut patch = match patch {
                Ok(patch) => patch,
                Err(why) => return Ok(self.not_updated(&id, why)),
            };
            quiesce::keep_down(&live, &mut patch);
            let cluster = &self.context.cluster;
            let namespace = id.namespace.as_deref();
            match cluster.merge_patch(kind, namespace, &id.name, &patch).await {
                Ok(_) => return Ok(Outcome::Updated),
                Err(error) if error.is_unreachable() => return Err(error.into()),
                Err(error) if error.is_conflict() && attempt < ATTEMPTS => {}
                Err(error) => {
                    let problem = Problem::of_item(&id, "update", told(&id.resource, &error));
                    let mut problem = problem.with_status(error.status());
                    problem.hint = recreates(&id.resource, error.status()).map(str::to_owned);
                    self.journal.error(problem);
                    return Ok(Outcome::Failed);
                }
            }
        }
        Ok(Outcome::Failed)
    }

    /// Looks at what the plan speaks of, right before it is changed: nobody's work is overwritten that
    /// the plan did not see.
    pub(super) async fn meet(
        &self,
        row: &Row<'_>,
        kind: &Kind,
        prepared: &mut Prepared,
    ) -> Result<Met, Cause> {
        let id = &prepared.id;
        let live = match self.context.cluster.get(kind, id.namespace.as_deref(), &id.name).await {
            Ok(live) => live,
            Err(error) if error.is_unreachable() => return Err(error.into()),
            Err(error) => return Ok(Met::Changed(told(&id.resource, &error))),
        };
        let Some(live) = live else { return Ok(Met::Absent) };
        if text_at(&live, &["metadata", "uid"]) != row.live_uid() {
            return Ok(Met::Changed("another one took its place since it was compared".to_owned()));
        }
        let targets = &self.plan.preparation.autoscaled;
        autoscaled::keep_replicas(targets, id, &mut prepared.object, &live);
        let Compared { differences, marks } = compare::compared(id, &prepared.object, &live);
        let differing = compare::pointers(&differences);
        let both = differing.iter().zip(&marks);
        let new = both.filter(|(_, mark)| !row.has_seen(mark));
        let new: Vec<String> = new.map(|(pointer, _)| pointer.clone()).collect();
        Ok(match (differing.is_empty(), new.is_empty()) {
            (true, _) => Met::Same,
            (false, true) => Met::AsPlanned { live, differing },
            (false, false) => Met::Changed(format!(
                "it was changed since it was compared: in {}",
                compare::named(&new)
            )),
        })
    }

    pub(super) fn not_updated(&self, id: &ItemId, message: impl Into<String>) -> Outcome {
        let problem = Problem::of_item(id, "update", message);
        self.journal.error(problem.with_hint("look at the plan again, then restore it again"));
        Outcome::Failed
    }
}

/// What would help where the server refuses a change.
fn recreates(resource: &GroupResource, status: Option<u16>) -> Option<&'static str> {
    (status == Some(422) && recreate::is_listed(resource)).then_some(judgement::RECREATE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_holds_fast_may_be_made_anew_if_it_is_listed() {
        let service = "services".parse().unwrap();
        assert_eq!(recreates(&service, Some(422)), Some(judgement::RECREATE));
        assert_eq!(recreates(&service, Some(403)), None);
        assert_eq!(recreates(&"widgets.example.com".parse().unwrap(), Some(422)), None);
    }
}
