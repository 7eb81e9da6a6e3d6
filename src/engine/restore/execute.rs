//! Carries the plan out, step by step; within a step several objects at once.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bowline_api::{GroupResource, ItemId};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::json;
use tokio::sync::watch;

use super::claims::{HOW_TO_MEND, claims};
use super::error::Cause;
use super::owners::{Orphan, Owners, adopt};
use super::plan::{Plan, Row, Verdict, kind_of};
use super::preflight::{Ready, Request};
use super::prepare::{self};
use super::select;
use super::{jobs, registrations};
use crate::engine::clock::pause;
use crate::engine::cluster::{Creation, Object};
use crate::engine::context::Context;
use crate::engine::journal::Journal;
use crate::engine::model::Catalog;
use crate::engine::model::kinds::Step;
use crate::engine::report::{ItemCounts, Problem, chain};

/// How long a definition may take to be established.
const ESTABLISHED: Duration = Duration::from_mins(1);
/// How often it is asked whether the target serves a kind.
const INTERVAL: Duration = Duration::from_millis(200);

/// Steps that are not simply taken in turn: volumes come as they are ready, and what the API server
/// calls, or what only such a backend serves, after all workloads.
const LATER: [Step; 3] = [Step::Volumes, Step::Registrations, Step::Aggregated];

/// What became of an object, in the words of Velero's resource list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Created,
    Updated,
    Unchanged,
    Differs,
    Skipped,
    Failed,
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
    outcomes: Mutex<BTreeMap<usize, Outcome>>,
}

impl<'a> Execution<'a> {
    pub(super) fn new(
        context: &'a Context,
        journal: &'a Journal,
        request: &'a Request,
        ready: &'a Ready,
        plan: &'a Plan<'a>,
    ) -> Self {
        let owners = Owners::new(plan, plan.wanted_owners());
        let (done, _) = watch::channel(None);
        let outcomes = Mutex::default();
        Self { context, journal, request, ready, plan, owners, done, outcomes }
    }

    /// Carries out all steps in order.
    pub(super) async fn steps(&self) -> Result<(), Cause> {
        let mut catalog = self.ready.catalog.clone();
        self.report_plan();
        self.complete_statuses().await?;
        self.bare_namespaces().await?;
        for step in Step::ALL.into_iter().filter(|step| !LATER.contains(step)) {
            let made = self.step(step, &catalog).await?;
            if step == Step::Definitions && made > 0 {
                catalog = self.established(&catalog).await?;
            }
            self.relink().await?;
            // Nobody listens where no volume is restored.
            self.done.send_replace(Some(step));
        }
        Ok(())
    }

    /// Does what must wait until workloads are ready.
    pub(super) async fn finish(&self) -> Result<(), Cause> {
        registrations::install(self).await?;
        jobs::release(self).await?;
        self.relink().await?;
        self.report_orphans();
        Ok(())
    }

    /// Notes what became of an object.
    pub(super) fn record(&self, row: usize, outcome: Outcome) {
        let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        outcomes.insert(row, outcome);
        drop(outcomes);
        self.journal.item(&self.plan.rows[row].entry.id());
    }

    /// What became of each object.
    pub(super) fn outcomes(&self) -> BTreeMap<usize, Outcome> {
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts the outcomes.
    pub(super) fn counts(&self) -> ItemCounts {
        let missing = &self.plan.missing;
        let planned = (self.plan.rows.len() + missing.len()) as u64;
        let refused = missing.iter().filter(|it| it.verdict == Verdict::Refuse).count() as u64;
        let skipped = missing.len() as u64 - refused;
        let mut counts = ItemCounts { planned, skipped, failed: refused, ..Default::default() };
        for outcome in self.outcomes().values() {
            match outcome {
                Outcome::Created => counts.created += 1,
                Outcome::Updated => counts.updated += 1,
                Outcome::Unchanged => counts.unchanged += 1,
                Outcome::Differs | Outcome::Skipped => counts.skipped += 1,
                Outcome::Failed => counts.failed += 1,
            }
        }
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
                Verdict::Create | Verdict::Update | Verdict::Reattach => {}
                Verdict::Unchanged => self.record(index, Outcome::Unchanged),
                Verdict::Skip => self.record(index, Outcome::Skipped),
                Verdict::Differs => {
                    let problem = Problem::of_item(&target, "compare", row.reason.clone());
                    self.journal.warn(problem.with_hint(hint(&target)));
                    self.record(index, Outcome::Differs);
                }
                // Told as an error of the claim that it is for.
                Verdict::Refuse if self.is_for_a_claim(index) => {}
                Verdict::Refuse => {
                    let mut problem = Problem::of_item(&target, "plan", row.reason.clone());
                    let in_the_way = row.live_uid.as_ref().map(|_| hint(&target));
                    problem.hint = row.hint.map(str::to_owned).or(in_the_way);
                    self.journal.error(problem);
                    self.record(index, Outcome::Failed);
                }
            }
            if row.ours {
                self.remember_unlinked(row);
            }
        }
    }

    /// Whether it is the persistent volume of a claim that gets one.
    fn is_for_a_claim(&self, row: usize) -> bool {
        self.plan.claims.iter().any(|claim| claim.volume_row == row)
    }

    async fn bare_namespaces(&self) -> Result<(), Cause> {
        let resource = GroupResource::core("namespaces");
        let Some(kind) = self.ready.catalog.get(&resource) else { return Ok(()) };
        for name in &self.plan.bare_namespaces {
            let object =
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            let object = object.as_object().cloned().unwrap_or_default();
            let creation = Creation::default();
            let created = self.context.cluster.create(kind, None, &object, &creation).await;
            self.settle(created, &ItemId::cluster(resource.clone(), name))?;
        }
        Ok(())
    }

    async fn step(&self, step: Step, catalog: &Catalog) -> Result<usize, Cause> {
        let mut done = 0;
        for first in [true, false] {
            let rows = self.plan.rows.iter().enumerate();
            let rows = rows.filter(|(_, row)| row.step == step && row.first == first);
            let rows =
                rows.filter(|(_, row)| matches!(row.verdict, Verdict::Create | Verdict::Update));
            done += stream::iter(rows)
                .map(|(index, row)| self.restore(index, row, catalog))
                .buffer_unordered(self.context.limits.creates)
                .try_fold(0, async |count, ()| Ok(count + 1))
                .await?;
        }
        Ok(done)
    }

    /// Waits until the definitions of this step can be used, and reads what the target serves then.
    async fn established(&self, catalog: &Catalog) -> Result<Catalog, Cause> {
        let mut kinds = Vec::new();
        let rows =
            self.plan.rows.iter().filter(|row| row.step == Step::Definitions && row.is_made());
        for row in rows {
            let Some(kind) = kind_of(catalog, &row.entry) else { continue };
            let name = row.entry.name();
            let established =
                |object: Option<&Object>| object.filter(|o| is_established(o)).map(|_| ());
            let waited = self.context.cluster.wait_for(&kind, None, name, ESTABLISHED, established);
            if waited.await?.is_none() {
                let message = format!("not established within {} s", ESTABLISHED.as_secs());
                self.journal.error(Problem::of_item(&row.entry.id(), "await", message));
                continue;
            }
            kinds.extend(name.parse::<GroupResource>());
        }
        self.serving(&kinds).await
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

    /// Gives objects their owners back, as soon as these are there.
    async fn relink(&self) -> Result<(), Cause> {
        for (orphan, owners) in self.owners.adoptable() {
            match adopt(&self.context.cluster, &orphan, &owners).await {
                Ok(()) => {}
                Err(error) if error.is_unreachable() => return Err(error.into()),
                Err(error) => {
                    self.journal.error(Problem::of_item(&orphan.id(), "set owners", chain(&error)));
                }
            }
        }
        Ok(())
    }

    fn report_orphans(&self) {
        for orphan in self.owners.left() {
            let names = orphan.owners.iter().filter_map(|owner| owner.get("name")?.as_str());
            let names = names.collect::<Vec<_>>().join(", ");
            let message = format!("its owner {names} was not restored; the reference is dropped");
            self.journal.warn(Problem::of_item(&orphan.id(), "set owners", message));
        }
    }

    /// An interrupted run made the object, perhaps without its owners.
    fn remember_unlinked(&self, row: &Row<'_>) {
        let Some(kind) = kind_of(&self.ready.catalog, &row.entry) else { return };
        let Ok((_, object)) = select::read(self.ready, row.entry) else { return };
        let prepared = prepare::prepare(&row.entry.id(), object, &self.plan.preparation);
        if !prepared.owners.is_empty() {
            let (kind, namespace, name) =
                (kind.into_owned(), prepared.id.namespace, prepared.id.name);
            self.owners.remember(Orphan { kind, namespace, name, owners: prepared.owners });
        }
    }
}

/// What to do about an object that is in the way.
fn hint(target: &ItemId) -> String {
    if target.resource == claims() {
        format!("it was left as it is; to have the backup's, {HOW_TO_MEND}")
    } else {
        "it was left as it is; delete it to have the backup's".to_owned()
    }
}

impl Orphan {
    fn id(&self) -> ItemId {
        ItemId {
            resource: self.kind.resource.clone(),
            namespace: self.namespace.clone(),
            name: self.name.clone(),
        }
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
