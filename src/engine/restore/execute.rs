//! Carries the plan out, step by step; within a step several objects at once.

use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bowline_api::{GroupResource, ItemId};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::Instant;

use super::claims::{HOW_TO_MEND, claims};
use super::error::Cause;
use super::gate::Gate;
use super::owners::Owners;
use super::plan::{Plan, Turn, Verdict, kind_of};
use super::preflight::{Ready, Request};
use super::remarks::Remarks;
use super::room::Room;
use super::row::Row;
use super::{jobs, namespaces, registrations};
use crate::engine::clock::pause;
use crate::engine::cluster::{Creation, Object};
use crate::engine::context::Context;
use crate::engine::context::hooks::Tally;
use crate::engine::journal::Journal;
use crate::engine::model::Catalog;
use crate::engine::model::kinds::Step;
use crate::engine::report::{ItemCounts, Problem};

/// How long it may take until a definition is established, or the next one of several.
const ESTABLISHED: Duration = Duration::from_mins(1);
/// How often it is asked whether the target serves a kind.
const INTERVAL: Duration = Duration::from_millis(200);

/// Steps that are not taken in turn: volumes come as they are ready, registrations together with
/// their backends, or after all workloads.
const ELSEWHERE: [Step; 3] = [Step::Volumes, Step::Registrations, Step::LateRegistrations];

/// What became of an object, in the words of Velero's resource list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Created,
    Updated,
    Recreated,
    Unchanged,
    Differs,
    Skipped,
    Failed,
}

impl Outcome {
    /// Whether a new object was made.
    pub(super) fn is_made(self) -> bool {
        matches!(self, Self::Created | Self::Recreated)
    }

    /// What the log says of it; nothing of what it tells as a problem anyway.
    fn word(self) -> Option<&'static str> {
        match self {
            Self::Created => Some("created"),
            Self::Updated => Some("updated"),
            Self::Recreated => Some("deleted and made anew"),
            Self::Unchanged => Some("unchanged"),
            Self::Skipped => Some("skipped"),
            Self::Differs | Self::Failed => None,
        }
    }

    /// Whether the object is another than before.
    pub(super) fn is_changed(self) -> bool {
        self.is_made() || self == Self::Updated
    }
}

/// What carrying out a plan needs, and what comes of it.
#[derive(Debug)]
pub(super) struct Execution<'a> {
    pub context: &'a Context,
    pub journal: &'a Journal,
    pub request: &'a Request,
    pub ready: &'a Ready,
    pub plan: &'a Plan<'a>,
    pub owners: Owners,
    /// The steps that are done, for those who wait for one.
    pub done: watch::Sender<Option<Step>>,
    /// Claims, as they were backed up, that nothing may start on: something else made them.
    pub lost: Mutex<BTreeSet<ItemId>>,
    pub gate: Gate,
    pub remarks: Remarks,
    /// Whether everybody who has the location can read of this restore.
    pub is_recorded: bool,
    /// How many hooks were run.
    pub hooks: Tally,
    /// How many requests followed those that make objects.
    pub follow_ups: AtomicU64,
    /// Whether workloads are scaled down, or about to be.
    pub is_quiet: AtomicBool,
    /// The rows of the persistent volumes of claims that get one.
    for_claims: HashSet<usize>,
    /// Room for objects that are being made.
    pub room: Room,
    /// What became of each row.
    outcomes: Mutex<Vec<Option<Outcome>>>,
}

impl<'a> Execution<'a> {
    pub(super) fn new(
        context: &'a Context,
        journal: &'a Journal,
        request: &'a Request,
        ready: &'a Ready,
        plan: &'a Plan<'a>,
    ) -> Self {
        let owners = Owners::new(plan, &ready.catalog);
        let (done, _) = watch::channel(None);
        let gate = Gate::new(request.terminating_timeout);
        let (lost, outcomes) = (Mutex::default(), Mutex::new(vec![None; plan.rows.len()]));
        let is_recorded = true;
        Self {
            context,
            journal,
            request,
            ready,
            plan,
            owners,
            done,
            gate,
            remarks: Remarks::default(),
            lost,
            is_recorded,
            hooks: Tally::default(),
            follow_ups: AtomicU64::default(),
            is_quiet: AtomicBool::new(false),
            for_claims: plan.claims.iter().map(|claim| claim.volume_row).collect(),
            room: Room::default(),
            outcomes,
        }
    }

    /// Carries out all steps in order.
    pub(super) async fn steps(&self) -> Result<(), Cause> {
        let mut catalog = self.ready.catalog.clone();
        let mut defined = self.defined();
        self.report_plan();
        self.complete_statuses().await?;
        for step in Step::ALL.into_iter().filter(|step| !ELSEWHERE.contains(step)) {
            if self.needs(step, &defined) {
                defined.clear();
                catalog = self.established(&catalog).await?;
            }
            catalog = self.take(step, catalog).await?;
            self.relink().await?;
            // Nobody listens where no volume is restored.
            self.done.send_replace(Some(step));
        }
        Ok(())
    }

    /// Takes a step; gives back what the target serves after it.
    async fn take(&self, step: Step, mut catalog: Catalog) -> Result<Catalog, Cause> {
        match step {
            Step::Namespaces => {
                namespaces::await_ends(self).await?;
                self.bare_namespaces().await?;
            }
            Step::Backends => registrations::in_rounds(self, &catalog).await?,
            Step::Aggregated => catalog = self.registered(catalog).await?,
            _ => {}
        }
        let is_now = |row: &Row<'_>| row.step == step && step != Step::Backends;
        self.make(is_now, &catalog).await?;
        Ok(catalog)
    }

    /// The kinds whose definitions this run makes, or an interrupted one made: they may not be
    /// established yet.
    fn defined(&self) -> BTreeSet<GroupResource> {
        let rows = self.plan.rows.iter().filter(|row| row.step == Step::Definitions);
        let rows = rows.filter(|row| row.is_applied() || row.ours);
        rows.filter_map(|row| row.entry.name().parse().ok()).collect()
    }

    /// Whether a step is the first for which definitions must be established. Until then the server
    /// takes them in while other objects are made, which takes it a second or more.
    fn needs(&self, step: Step, defined: &BTreeSet<GroupResource>) -> bool {
        let is_one = |row: &Row<'_>| row.step == step && defined.contains(row.entry.resource());
        !defined.is_empty()
            && step > Step::Definitions
            && (step >= Step::CustomResources || self.plan.rows.iter().any(is_one))
    }

    /// Does what must wait until workloads are ready.
    pub(super) async fn finish(&self) -> Result<(), Cause> {
        registrations::late(self).await?;
        jobs::release(self).await?;
        self.relink_last().await
    }

    /// Notes what became of an object; the log has a line for each.
    pub(super) fn record(&self, index: usize, outcome: Outcome) {
        self.correct(index, outcome);
        let row = &self.plan.rows[index];
        if let Some(word) = outcome.word() {
            let reason = if row.reason().is_empty() { "" } else { ": " };
            let text = format!("{word}{reason}{}", row.reason());
            self.journal.log_about(&self.target(row), &text);
        }
        self.journal.item(&row.entry.id());
    }

    /// Replaces what became of an object in this run by what became of it in all runs together.
    pub(super) fn correct(&self, index: usize, outcome: Outcome) {
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner)[index] = Some(outcome);
    }

    /// What became of an object so far.
    pub(super) fn outcome(&self, index: usize) -> Option<Outcome> {
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner)[index]
    }

    /// The objects that something became of, and what.
    pub(super) fn outcomes(&self) -> impl Iterator<Item = (usize, Outcome)> {
        let outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let outcomes = outcomes.into_iter().enumerate();
        outcomes.filter_map(|(index, outcome)| Some((index, outcome?)))
    }

    /// An object that was made needs another request.
    pub(super) fn follow_up(&self) {
        self.follow_ups.fetch_add(1, Relaxed);
    }

    /// Counts the outcomes.
    pub(super) fn counts(&self) -> ItemCounts {
        let missing = &self.plan.missing;
        let planned = (self.plan.rows.len() + missing.len()) as u64;
        let refused = missing.iter().filter(|it| it.verdict == Verdict::Refuse).count() as u64;
        let skipped = missing.len() as u64 - refused;
        let mut counts = ItemCounts { planned, skipped, failed: refused, ..Default::default() };
        self.outcomes().for_each(|(_, outcome)| outcome.count(&mut counts));
        counts
    }

    /// The name in the target of a row.
    pub(super) fn target(&self, row: &Row<'_>) -> ItemId {
        self.plan.preparation.target(&row.entry.id())
    }

    /// What the archive does not hold cannot come back.
    fn report_missing(&self) {
        for missing in &self.plan.missing {
            let target = self.plan.preparation.target(&missing.id);
            let problem = Problem::of_item(&target, "plan", missing.reason.clone());
            match missing.verdict {
                Verdict::Refuse => {
                    self.journal.error(problem.with_hint("another backup may hold it"));
                }
                _ => self.journal.warn(problem),
            }
        }
    }

    /// What the plan leaves as it is has its outcome already.
    fn report_plan(&self) {
        self.report_missing();
        for (index, row) in self.plan.rows.iter().enumerate() {
            let target = self.target(row);
            match row.verdict {
                Verdict::Create | Verdict::Update | Verdict::Recreate | Verdict::Reattach => {}
                Verdict::Unchanged => self.record(index, Outcome::Unchanged),
                Verdict::Skip => self.record(index, Outcome::Skipped),
                Verdict::Differs => {
                    let problem = Problem::of_item(&target, "compare", row.reason());
                    let hint = row.hint().map_or_else(|| hint(&target), str::to_owned);
                    self.journal.warn(problem.with_hint(hint));
                    self.record(index, Outcome::Differs);
                }
                // Told as an error of the claim that it is for.
                Verdict::Refuse if self.is_for_a_claim(index) => {}
                Verdict::Refuse => {
                    let mut problem = Problem::of_item(&target, "plan", row.reason());
                    let in_the_way = row.live_uid().map(|_| hint(&target));
                    problem.hint = row.hint().map(str::to_owned).or(in_the_way);
                    self.journal.error(problem);
                    self.record(index, Outcome::Failed);
                }
            }
            if row.ours {
                self.remember_unlinked(index, row);
            }
        }
    }

    /// Whether it is the persistent volume of a claim that gets one.
    pub(super) fn is_for_a_claim(&self, row: usize) -> bool {
        self.for_claims.contains(&row)
    }

    async fn bare_namespaces(&self) -> Result<(), Cause> {
        let resource = GroupResource::core("namespaces");
        let Some(kind) = self.ready.catalog.get(&resource) else { return Ok(()) };
        for name in self.plan.bare_namespaces.iter().filter(|name| !self.gate.bars(name)) {
            let creation = Creation::default();
            let object = bare_namespace(name);
            let created = self.context.cluster.create(kind, None, &object, &creation).await;
            self.settle(created, &ItemId::cluster(resource.clone(), name))?;
        }
        Ok(())
    }

    /// Makes the objects of the plan that are due.
    pub(super) async fn make(
        &self,
        is_due: impl Fn(&Row<'_>) -> bool + Send + Sync,
        catalog: &Catalog,
    ) -> Result<(), Cause> {
        for turn in Turn::ALL {
            let rows = self.plan.rows.iter().enumerate();
            let rows = rows.filter(|(_, row)| is_due(row) && row.turn == turn);
            let rows = rows.filter(|(_, row)| row.is_applied());
            stream::iter(rows)
                .map(|(index, row)| self.restore(index, row, catalog))
                .buffer_unordered(self.context.limits.creates)
                .try_collect::<()>()
                .await?;
        }
        Ok(())
    }

    /// Waits until the definitions can be used, and reads what the target serves then.
    async fn established(&self, catalog: &Catalog) -> Result<Catalog, Cause> {
        let rows =
            self.plan.rows.iter().filter(|row| row.step == Step::Definitions && row.is_made());
        let until = Mutex::new(Instant::now() + ESTABLISHED);
        let kinds: Vec<Option<GroupResource>> = stream::iter(rows)
            .map(|row| self.established_by(&until, row, catalog))
            .buffered(self.context.limits.creates)
            .try_collect()
            .await?;
        self.serving(&kinds.into_iter().flatten().collect::<Vec<_>>()).await
    }

    /// Waits until a definition can be used, for so long as one after the other gets there.
    async fn established_by(
        &self,
        until: &Mutex<Instant>,
        row: &Row<'_>,
        catalog: &Catalog,
    ) -> Result<Option<GroupResource>, Cause> {
        let Some(kind) = kind_of(catalog, &row.entry) else { return Ok(None) };
        let name = row.entry.name();
        let established =
            |object: Option<&Object>| object.filter(|o| is_established(o)).map(|_| ());
        let deadline = || *until.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let before = deadline();
            let left = before.saturating_duration_since(Instant::now());
            let waited = self.context.cluster.wait_for(&kind, None, name, left, established).await;
            let Some(waited) = self.settle_as("await", waited, &row.entry.id())? else {
                return Ok(None);
            };
            if waited.is_some() {
                let later = Instant::now() + ESTABLISHED;
                *until.lock().unwrap_or_else(PoisonError::into_inner) = later;
                return Ok(name.parse().ok());
            }
            if deadline() <= before {
                let message = format!("not established within {} s", ESTABLISHED.as_secs());
                self.journal.error(Problem::of_item(&row.entry.id(), "await", message));
                return Ok(None);
            }
        }
    }

    /// Waits until the aggregated APIs answer whose objects come next.
    async fn registered(&self, catalog: Catalog) -> Result<Catalog, Cause> {
        let rows = self.plan.rows.iter();
        let rows = rows.filter(|it| it.step == Step::Aggregated && it.verdict == Verdict::Create);
        let kinds: BTreeSet<GroupResource> = rows
            .map(|row| row.entry.resource())
            .filter(|kind| !self.gate.lacks_api(&kind.group))
            .cloned()
            .collect();
        if kinds.is_empty() {
            return Ok(catalog);
        }
        self.serving(&Vec::from_iter(kinds)).await
    }

    /// Reads what the target serves, once these kinds are a part of it.
    ///
    /// A server lists a kind only some time after its definition is established, above all one that
    /// has just started; the servers of one cluster do so one after the other.
    async fn serving(&self, kinds: &[GroupResource]) -> Result<Catalog, Cause> {
        let mut waited = Duration::ZERO;
        loop {
            let catalog = self.context.cluster.catalog().await?;
            let served = kinds.iter().all(|kind| catalog.get(kind).is_some());
            if served || waited >= ESTABLISHED {
                return Ok(catalog);
            }
            pause(INTERVAL).await;
            waited += INTERVAL;
        }
    }
}

/// A namespace that the backup does not hold.
pub(super) fn bare_namespace(name: &str) -> Object {
    let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    object.as_object().cloned().unwrap_or_default()
}

/// What to do about an object that is in the way.
fn hint(target: &ItemId) -> String {
    if target.resource == claims() {
        format!("it was left as it is; to have the backup's, {HOW_TO_MEND}")
    } else {
        "it was left as it is; --existing-resource-policy=update or =recreate brings the backup's"
            .to_owned()
    }
}

fn is_established(definition: &Object) -> bool {
    let conditions =
        definition.get("status").and_then(|status| status.get("conditions")?.as_array());
    let holds = |wanted: &str| {
        conditions.into_iter().flatten().any(|condition| {
            condition.get("type") == Some(&json!(wanted))
                && condition.get("status") == Some(&json!("True"))
        })
    };
    holds("Established") && holds("NamesAccepted")
}

#[cfg(test)]
mod tests {
    use super::super::samples::object;
    use super::*;

    #[test]
    fn a_definition_is_established_once_its_names_are_accepted_too() {
        let of = |names: &str, established: &str| {
            let condition = |kind: &str, status: &str| json!({"type": kind, "status": status});
            let conditions =
                [condition("NamesAccepted", names), condition("Established", established)];
            is_established(&object(json!({"status": {"conditions": conditions}})))
        };
        assert!(of("True", "True"));
        assert!(!of("False", "True") && !of("True", "False"));
        assert!(!is_established(&Object::new()));
    }
}
