//! Makes one object in the target, whatever it meets there.

use std::borrow::Cow;

use bowline_api::{GroupResource, ItemId};
use serde_json::Value;

use super::error::Cause;
use super::execute::{Execution, Outcome};
use super::owners::Unlinked;
use super::plan::{Verdict, kind_of};
use super::prepare::{self, Prepared};
use super::relink::Made;
use super::row::Row;
use super::wording::{self, told};
use super::{compare, jobs, made_first, node_ports, remarks, select};
use crate::engine::cluster::{self, Created};
use crate::engine::model::{Catalog, Kind, Object};
use crate::engine::report::Problem;

impl Execution<'_> {
    /// Makes one object, or changes it, as the plan says.
    pub(super) async fn restore(
        &self,
        index: usize,
        row: &Row<'_>,
        catalog: &Catalog,
    ) -> Result<(), Cause> {
        let outcome = self.carry_out(index, row, catalog).await?;
        self.conclude(index, row, outcome);
        Ok(())
    }

    async fn carry_out(
        &self,
        index: usize,
        row: &Row<'_>,
        catalog: &Catalog,
    ) -> Result<Outcome, Cause> {
        if row.ours {
            return Ok(Outcome::Unchanged);
        }
        let target = self.target(row);
        let Some(kind) = kind_of(catalog, &row.entry) else {
            let message = "the target does not serve this kind";
            return Ok(self.failed(Problem::of_item(&target, "create", message)));
        };
        if !self.admits(row, &kind, &target).await? {
            return Ok(Outcome::Failed);
        }
        // Until here it may have waited for long, and held nothing.
        let _room = self.room.of(row.entry.size()).await;
        let (_, object) = select::read(self.ready, row.entry)?;
        if let Some(problem) = self.held_back(row, &target, &object) {
            return Ok(self.failed(problem));
        }
        let prepared = prepare::prepare(&row.entry.id(), object, &self.plan.preparation);
        if let Some(fault) = prepared.fault {
            return Ok(self.failed(Problem::of_item(&target, "prepare", fault)));
        }
        let remark = remarks::of(row.verdict, &prepared);
        let is_account = prepared.id.resource == GroupResource::core("serviceaccounts");
        let outcome = match row.verdict {
            Verdict::Update if is_account => self.add_to_account(row, &kind, &prepared).await,
            Verdict::Update => self.update(row, &kind, prepared).await,
            _ if made_first::is_reserved(&prepared) => {
                self.make_claim(index, row, &kind, &prepared).await
            }
            Verdict::Recreate => self.recreate(index, row, &kind, prepared).await,
            _ => self.create(index, row, &kind, &prepared).await,
        }?;
        if outcome.is_changed() {
            self.remark(&target, remark);
        }
        Ok(outcome)
    }

    fn failed(&self, problem: Problem) -> Outcome {
        self.journal.error(problem);
        Outcome::Failed
    }

    pub(super) async fn create(
        &self,
        index: usize,
        row: &Row<'_>,
        kind: &Kind,
        prepared: &Prepared,
    ) -> Result<Outcome, Cause> {
        match self.post(index, row, kind, prepared).await? {
            Some(Created::Created(_)) => Ok(Outcome::Created),
            Some(Created::Exists) => self.made_meanwhile(row, kind, prepared).await,
            None => Ok(Outcome::Failed),
        }
    }

    /// Sends one object, with those of its owners that are known; none if it was refused, which is told.
    pub(super) async fn post(
        &self,
        index: usize,
        row: &Row<'_>,
        kind: &Kind,
        prepared: &Prepared,
    ) -> Result<Option<Created>, Cause> {
        let (id, mut object) = (&prepared.id, Cow::Borrowed(&prepared.object));
        let standing = self.standing(&prepared.owners).await?;
        if standing.awaits.is_none() && !standing.references.is_empty() {
            set_owners(object.to_mut(), standing.references.clone());
        }
        if jobs::is_job(&id.resource) {
            jobs::hold(id, object.to_mut());
        }
        let created = node_ports::create(self, row, kind, id, &mut object).await?;
        if let Some(Created::Created(live)) = &created {
            self.owners.made(row.uid(), kind, id, live);
            if let Some(uid) = standing.awaits {
                let (kind, awaits) = (kind.clone(), Some(uid));
                self.owners.remember(Unlinked { row: index, kind, awaits });
            } else {
                let made = Made { row: index, kind, prepared };
                self.link(&made, &standing, Some(live), false).await?;
            }
            if let Some(status) = &prepared.status {
                self.write_status(kind, id, status).await?;
            }
        }
        Ok(created)
    }

    /// An error of one object is recorded; a cluster that is gone ends the restore.
    pub(super) fn settle<T>(
        &self,
        result: Result<T, cluster::Error>,
        id: &ItemId,
    ) -> Result<Option<T>, Cause> {
        self.settle_as("create", result, id)
    }

    /// As [`Self::settle`], where something else was tried than to make it.
    pub(super) fn settle_as<T>(
        &self,
        operation: &'static str,
        result: Result<T, cluster::Error>,
        id: &ItemId,
    ) -> Result<Option<T>, Cause> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_unreachable() => Err(error.into()),
            Err(error) => {
                let problem = Problem::of_item(id, operation, told(&id.resource, &error));
                let hint = wording::hint(&id.resource, &error);
                self.journal.error(Problem { hint, ..problem.with_status(error.status()) });
                Ok(None)
            }
        }
    }

    /// A controller was faster: `default` service accounts, for one, are made with the namespace.
    async fn made_meanwhile(
        &self,
        row: &Row<'_>,
        kind: &Kind,
        prepared: &Prepared,
    ) -> Result<Outcome, Cause> {
        let (id, ours) = (&prepared.id, &prepared.object);
        self.follow_up();
        let live = self.context.cluster.get(kind, id.namespace.as_deref(), &id.name).await;
        let Some(live) = self.settle(live, id)? else { return Ok(Outcome::Failed) };
        let Some(live) = live else {
            self.journal.error(Problem::of_item(id, "create", "it came and went meanwhile"));
            return Ok(Outcome::Failed);
        };
        self.owners.made(row.uid(), kind, id, &live);
        let differences = compare::differences(id, ours, &live);
        if differences.is_empty() {
            return Ok(Outcome::Unchanged);
        }
        if id.resource == GroupResource::core("serviceaccounts") {
            return self.complete_account(row, kind, prepared, &live).await;
        }
        if id.resource == GroupResource::core("persistentvolumeclaims") {
            let message = "something else made this claim meanwhile; its data is not the backup's";
            self.journal.error(Problem::of_item(id, "create", message));
            return Ok(Outcome::Failed);
        }
        let message = format!(
            "it was made meanwhile and differs in {}",
            compare::named(&compare::pointers(&differences))
        );
        self.journal.warn(Problem::of_item(id, "create", message));
        Ok(Outcome::Differs)
    }

    /// Adds to a live service account what the backup's has beyond it, or changes it as the plan says.
    async fn add_to_account(
        &self,
        row: &Row<'_>,
        kind: &Kind,
        prepared: &Prepared,
    ) -> Result<Outcome, Cause> {
        let id = &prepared.id;
        let live = self.context.cluster.get(kind, id.namespace.as_deref(), &id.name).await;
        let Some(live) = self.settle(live, id)? else { return Ok(Outcome::Failed) };
        self.complete_account(row, kind, prepared, &live.unwrap_or_default()).await
    }
}

fn set_owners(object: &mut Object, owners: Vec<Value>) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("ownerReferences".to_owned(), Value::Array(owners));
    }
}
