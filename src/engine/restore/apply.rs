//! Makes one object in the target, whatever it meets there.

use bowline_api::{GroupResource, ItemId};
use serde_json::Value;

use super::error::Cause;
use super::execute::{Execution, Outcome};
use super::owners::Orphan;
use super::plan::{Row, Verdict, kind_of};
use super::prepare::{self, Prepared};
use super::{accounts, compare, jobs, select};
use crate::engine::cluster::{self, Created, Creation};
use crate::engine::model::{Catalog, Kind, Object};
use crate::engine::report::{Problem, chain};

impl Execution<'_> {
    /// Makes one object, or changes it, as the plan says.
    pub(super) async fn restore(
        &self,
        index: usize,
        row: &Row<'_>,
        catalog: &Catalog,
    ) -> Result<(), Cause> {
        if row.ours {
            self.record(index, Outcome::Unchanged);
            return Ok(());
        }
        let target = self.target(row);
        let Some(kind) = kind_of(catalog, &row.entry) else {
            let message = "the target does not serve this kind";
            self.journal.error(Problem::of_item(&target, "create", message));
            self.record(index, Outcome::Failed);
            return Ok(());
        };
        let (_, object) = select::read(self.ready, row.entry)?;
        let prepared = prepare::prepare(&row.entry.id(), object, &self.plan.preparation);
        let outcome = match row.verdict {
            Verdict::Update => self.add_to_account(&kind, &prepared).await?,
            _ => self.create(row, &kind, prepared).await?,
        };
        self.record(index, outcome);
        Ok(())
    }

    async fn create(
        &self,
        row: &Row<'_>,
        kind: &Kind,
        mut prepared: Prepared,
    ) -> Result<Outcome, Cause> {
        let owners = self.owners.resolve(&prepared.owners);
        let orphan = owners.len() < prepared.owners.len();
        if !orphan && !owners.is_empty() {
            set_owners(&mut prepared.object, owners);
        }
        let id = prepared.id;
        jobs::hold(&id, &mut prepared.object);
        let namespace = id.namespace.as_deref();
        let creation = Creation { mark: Some(prepare::RESTORE_UID_LABEL), ..Creation::default() };
        let created =
            self.context.cluster.create(kind, namespace, &prepared.object, &creation).await;
        match self.settle(created, &id)? {
            Some(Created::Created(live)) => {
                self.owners.made(&row.uid, &live);
                if let Some(status) = &prepared.status {
                    self.write_status(kind, &id, status).await?;
                }
                if orphan {
                    let (kind, namespace, name) = (kind.clone(), id.namespace, id.name);
                    self.owners.remember(Orphan { kind, namespace, name, owners: prepared.owners });
                }
                Ok(Outcome::Created)
            }
            Some(Created::Exists) => self.made_meanwhile(row, kind, &id, &prepared.object).await,
            None => Ok(Outcome::Failed),
        }
    }

    /// An error of one object is recorded; a cluster that is gone ends the restore.
    pub(super) fn settle<T>(
        &self,
        result: Result<T, cluster::Error>,
        id: &ItemId,
    ) -> Result<Option<T>, Cause> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_unreachable() => Err(error.into()),
            Err(error) => {
                let problem = Problem::of_item(id, "create", chain(&error));
                self.journal.error(problem.with_status(error.status()));
                Ok(None)
            }
        }
    }

    /// A controller was faster: `default` service accounts, for one, are made with the namespace.
    async fn made_meanwhile(
        &self,
        row: &Row<'_>,
        kind: &Kind,
        id: &ItemId,
        ours: &Object,
    ) -> Result<Outcome, Cause> {
        let live = self.context.cluster.get(kind, id.namespace.as_deref(), &id.name).await?;
        let Some(live) = live else {
            self.journal.error(Problem::of_item(id, "create", "it came and went meanwhile"));
            return Ok(Outcome::Failed);
        };
        self.owners.made(&row.uid, &live);
        let differences = compare::differences(id, ours, &live);
        if differences.is_empty() {
            return Ok(Outcome::Unchanged);
        }
        if id.resource == GroupResource::core("serviceaccounts") {
            return self.add(kind, id, accounts::additions(ours, &live)).await;
        }
        if id.resource == GroupResource::core("persistentvolumeclaims") {
            let message = "something else made this claim meanwhile; its data is not the backup's";
            self.journal.error(Problem::of_item(id, "create", message));
            return Ok(Outcome::Failed);
        }
        let message = format!("it was made meanwhile and differs in {}", differences.join(", "));
        self.journal.warn(Problem::of_item(id, "create", message));
        Ok(Outcome::Differs)
    }

    /// Adds to a live service account what the backup's has beyond it.
    async fn add_to_account(&self, kind: &Kind, prepared: &Prepared) -> Result<Outcome, Cause> {
        let id = &prepared.id;
        let live = self.context.cluster.get(kind, id.namespace.as_deref(), &id.name).await?;
        let additions = accounts::additions(&prepared.object, &live.unwrap_or_default());
        self.add(kind, id, additions).await
    }

    async fn add(
        &self,
        kind: &Kind,
        id: &ItemId,
        additions: Option<Value>,
    ) -> Result<Outcome, Cause> {
        let Some(patch) = additions else { return Ok(Outcome::Unchanged) };
        let cluster = &self.context.cluster;
        let patched = cluster.merge_patch(kind, id.namespace.as_deref(), &id.name, &patch).await;
        Ok(self.settle(patched, id)?.map_or(Outcome::Failed, |_| Outcome::Updated))
    }
}

fn set_owners(object: &mut Object, owners: Vec<Value>) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("ownerReferences".to_owned(), Value::Array(owners));
    }
}
