//! What keeps an object from being made although the plan makes it.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bowline_api::ItemId;
use tokio::time::Instant;

use super::claims::claims;
use super::error::Cause;
use super::execute::{Execution, Outcome};
use super::namespaces::is_dying;
use super::plan::Verdict;
use super::row::Row;
use crate::engine::cluster::{self, Object};
use crate::engine::model::Kind;
use crate::engine::model::kinds::Step;
use crate::engine::report::Problem;

/// What has turned out to be missing while the plan is carried out.
#[derive(Debug)]
pub(super) struct Gate {
    /// How long what is being deleted is awaited.
    patience: Duration,
    /// Until when it is, once something is.
    deadline: OnceLock<Instant>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Namespaces of the target that are still being deleted.
    barred: BTreeSet<String>,
    /// Registrations, by their names in the archive, that were not installed.
    not_installed: BTreeSet<ItemId>,
}

impl Gate {
    /// What is being deleted is awaited for so long, all of it together.
    pub(super) fn new(patience: Duration) -> Self {
        Self { patience, deadline: OnceLock::new(), state: Mutex::default() }
    }

    /// Until when what is being deleted is awaited, counted from the first time that something is.
    pub(super) fn deadline(&self) -> Instant {
        *self.deadline.get_or_init(|| Instant::now() + self.patience)
    }

    /// Nothing is made in this namespace.
    pub(super) fn bar(&self, namespace: &str) {
        self.state().barred.insert(namespace.to_owned());
    }

    /// Whether nothing is made in this namespace.
    pub(super) fn bars(&self, namespace: &str) -> bool {
        self.state().barred.contains(namespace)
    }

    /// What must be shaped by this registration is not made.
    pub(super) fn lacks(&self, registration: ItemId) {
        self.state().not_installed.insert(registration);
    }

    /// Whether an API of this group was not installed.
    pub(super) fn lacks_api(&self, group: &str) -> bool {
        // An APIService is named `VERSION.GROUP`.
        let is_of_group = |id: &ItemId| {
            id.resource.resource == "apiservices"
                && id.name.split_once('.').is_some_and(|(_, found)| found == group)
        };
        self.state().not_installed.iter().any(is_of_group)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The registration without which an object is not made.
    fn missing(&self, row: &Row<'_>) -> Option<ItemId> {
        let shaped_by = row.stage().into_iter().flat_map(|stage| &stage.shaped_by);
        let state = self.state();
        let mut essential = shaped_by.filter(|(_, fails_closed)| *fails_closed);
        essential.find(|(id, _)| state.not_installed.contains(id)).map(|(id, _)| id.clone())
    }
}

impl Execution<'_> {
    /// Whether nothing is in the way of an object; what is, is told, once for each namespace.
    pub(super) async fn admits(
        &self,
        row: &Row<'_>,
        kind: &Kind,
        target: &ItemId,
    ) -> Result<bool, Cause> {
        let is_namespace = target.resource.to_string() == "namespaces";
        let place = if is_namespace { Some(&target.name) } else { target.namespace.as_ref() };
        let obstacle = if place.is_some_and(|namespace| self.gate.bars(namespace)) {
            Some(None)
        } else if let Some(registration) = self.gate.missing(row) {
            Some(Some(self.unshaped(target, &registration)))
        } else if row.dying && !is_namespace {
            match self.settle_as("await", self.is_gone(kind, target).await, target)? {
                Some(true) => None,
                Some(false) => Some(Some(self.undead(target))),
                None => Some(None),
            }
        } else {
            None
        };
        let Some(problem) = obstacle else { return Ok(true) };
        if let Some(problem) = problem {
            self.journal.error(problem);
        }
        Ok(false)
    }

    /// Notes what came of making an object. On a claim that could not be had nothing may start: what
    /// is there in its place, or would be made there, is not the backup's.
    ///
    /// A claim that is merely not changed is the backup's.
    pub(super) fn conclude(&self, index: usize, row: &Row<'_>, outcome: Outcome) {
        let is_claim = *row.entry.resource() == claims();
        if is_claim && outcome == Outcome::Failed && row.verdict != Verdict::Update {
            self.lost.lock().unwrap_or_else(PoisonError::into_inner).insert(row.entry.id());
        }
        self.record(index, outcome);
    }

    fn unshaped(&self, target: &ItemId, registration: &ItemId) -> Problem {
        let message = format!(
            "not created: its pods must be shaped by {registration}, which is not installed"
        );
        Problem::of_item(target, "create", message).with_hint(self.how_to_resume())
    }

    fn undead(&self, target: &ItemId) -> Problem {
        let waited = self.request.terminating_timeout.as_secs();
        let message = format!("the one that is there is still being deleted after {waited} s");
        Problem::of_item(target, "await", message).with_hint(self.how_to_resume())
    }

    /// What completes a restore once the cause of an error is mended.
    pub(super) fn how_to_resume(&self) -> String {
        format!("when the cause is mended, bowline restore resume {}", self.request.name)
    }

    /// Waits until the object that is being deleted is gone, or another has its place.
    async fn is_gone(&self, kind: &Kind, target: &ItemId) -> Result<bool, cluster::Error> {
        let left = self.gate.deadline().saturating_duration_since(Instant::now());
        let gone = |it: Option<&Object>| it.is_none_or(|it| !is_dying(it)).then_some(());
        let namespace = target.namespace.as_deref();
        let cluster = &self.context.cluster;
        Ok(cluster.wait_for(kind, namespace, &target.name, left, gone).await?.is_some())
    }

    /// Whether a volume for a claim in this namespace can be made: waits for the namespace if it is
    /// being deleted.
    pub(super) async fn takes_claims(&self, namespace: &str) -> bool {
        if self.plan.ending.contains(namespace) {
            let mut done = self.done.subscribe();
            let is_open = |step: &Option<Step>| step.is_some_and(|it| it >= Step::Namespaces);
            // An error means that the steps broke off, and this future is dropped with them.
            drop(done.wait_for(is_open).await);
        }
        !self.gate.bars(namespace)
    }
}
