//! Gives objects back what a POST cannot carry: owners with new UIDs, and who manages their fields.

use std::borrow::Cow;

use futures::{TryStreamExt as _, stream};
use serde_json::Value;

use super::error::Cause;
use super::execute::Execution;
use super::links;
use super::owners::{Known, Unlinked, words};
use super::plan::kind_of;
use super::prepare::Prepared;
use super::row::Row;
use super::wording::told;
use crate::engine::cluster::{self, Object};
use crate::engine::model::Kind;
use crate::engine::report::Problem;

/// How often an object that somebody else changes at the same moment is tried again.
const ATTEMPTS: u32 = 5;

/// The owners of an object, as far as it can have them.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// References to owners that are there and stay.
    pub references: Vec<Value>,
    /// The recorded UID of an owner that is yet to be made.
    pub awaits: Option<String>,
    /// Owners that are not there, in words.
    absent: Vec<String>,
    /// Owners that cannot be looked at, in words.
    unknown: Vec<String>,
}

/// An object that was made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Made<'a> {
    pub row: usize,
    pub kind: &'a Kind,
    pub prepared: &'a Prepared,
}

impl Execution<'_> {
    /// Looks at the owners of an object, live: one that is gone, another by now, or being deleted
    /// would take the object along.
    pub(super) async fn standing(&self, owners: &[Value]) -> Result<Standing, Cause> {
        let mut standing = Standing::default();
        for reference in owners {
            let old = reference["uid"].as_str().unwrap_or_default();
            let Some(known) = self.owners.find(old) else {
                standing.awaits = Some(old.to_owned());
                standing.absent.push(format!("{} was not restored", words(reference)));
                continue;
            };
            match self.is_alive(&known).await {
                Ok(true) => standing.references.push(known.renew(reference)),
                Ok(false) => {
                    standing.absent.push(format!("{} is gone or going", words(reference)));
                }
                Err(error) if error.is_unreachable() => return Err(error.into()),
                Err(error) => standing.unknown.push(format!(
                    "{} cannot be looked at ({})",
                    words(reference),
                    told(&known.id.resource, &error)
                )),
            }
        }
        Ok(standing)
    }

    /// Whether an owner is there and stays; read once in a step.
    async fn is_alive(&self, known: &Known) -> Result<bool, cluster::Error> {
        if self.owners.is_alive(&known.uid) {
            return Ok(true);
        }
        let (namespace, name) = (known.id.namespace.as_deref(), &known.id.name);
        self.follow_up();
        let live = self.context.cluster.get(&known.kind, namespace, name).await?;
        let is_alive = live.is_some_and(|live| links::is_alive(&live, &known.uid));
        if is_alive {
            self.owners.saw_alive(&known.uid);
        }
        Ok(is_alive)
    }

    /// Gives objects what they lack, as soon as their owners are there.
    pub(super) async fn relink(&self) -> Result<(), Cause> {
        self.link_all(false).await
    }

    /// Gives the last objects what they lack, as far as it can be had, and names what cannot.
    pub(super) async fn relink_last(&self) -> Result<(), Cause> {
        self.link_all(true).await
    }

    async fn link_all(&self, last: bool) -> Result<(), Cause> {
        self.owners.forget_who_is_alive();
        stream::iter(self.owners.take(last).into_iter().map(Ok::<_, Cause>))
            .try_for_each_concurrent(self.context.limits.creates, |unlinked| async move {
                self.link_later(unlinked, last).await
            })
            .await?;
        self.owners.forget_who_is_alive();
        Ok(())
    }

    async fn link_later(&self, unlinked: Unlinked, last: bool) -> Result<(), Cause> {
        let row = &self.plan.rows[unlinked.row];
        let prepared = self.plan.prepared(self.ready, row)?;
        if prepared.owners.is_empty() && prepared.managed_fields.is_none() {
            return Ok(());
        }
        let standing = self.standing(&prepared.owners).await?;
        if standing.awaits.is_some() && !last {
            self.owners.remember(Unlinked { awaits: standing.awaits, ..unlinked });
            return Ok(());
        }
        let made = Made { row: unlinked.row, kind: &unlinked.kind, prepared: &prepared };
        self.link(&made, &standing, None, last).await
    }

    /// Patches what an object lacks into it, and tells which owners it does not get.
    ///
    /// What fails is tried again at the end of each step: a webhook may have to convert the object,
    /// and come up later.
    pub(super) async fn link(
        &self,
        made: &Made<'_>,
        standing: &Standing,
        live: Option<&Object>,
        last: bool,
    ) -> Result<(), Cause> {
        match self.patch_links(made, &standing.references, live).await {
            Ok(()) => self.tell_absent(made.prepared, standing),
            Err(error) if error.is_unreachable() => return Err(error.into()),
            Err(error) if last => {
                let id = &made.prepared.id;
                let problem = Problem::of_item(id, "set owners", told(&id.resource, &error));
                self.journal.error(problem.with_status(error.status()));
            }
            Err(_) => {
                let (row, kind) = (made.row, made.kind.clone());
                self.owners.remember(Unlinked { row, kind, awaits: None });
            }
        }
        Ok(())
    }

    /// Tells which owners an object does not get, although the plan meant it to.
    fn tell_absent(&self, prepared: &Prepared, standing: &Standing) {
        let problem = |owner: &String| {
            let message = format!("its owner {owner}; the reference is dropped");
            Problem::of_item(&prepared.id, "set owners", message)
        };
        standing.absent.iter().for_each(|owner| self.journal.warn(problem(owner)));
        standing.unknown.iter().for_each(|owner| self.journal.error(problem(owner)));
    }

    /// Patches a live object, read anew where it was changed meanwhile.
    async fn patch_links(
        &self,
        made: &Made<'_>,
        owners: &[Value],
        mut live: Option<&Object>,
    ) -> Result<(), cluster::Error> {
        let Made { kind, prepared, .. } = *made;
        let (cluster, id) = (&self.context.cluster, &prepared.id);
        let namespace = id.namespace.as_deref();
        let mut attempt = 1;
        loop {
            let known = if let Some(live) = live.take() {
                Some(Cow::Borrowed(live))
            } else {
                self.follow_up();
                cluster.get(kind, namespace, &id.name).await?.map(Cow::Owned)
            };
            let managers = prepared.managed_fields.as_ref();
            let patch = known.and_then(|live| links::patch(&live, owners, managers));
            let Some(patch) = patch else { return Ok(()) };
            self.follow_up();
            match cluster.merge_patch(kind, namespace, &id.name, &patch).await {
                Err(error) if error.is_conflict() && attempt < ATTEMPTS => attempt += 1,
                result => return result.map(drop),
            }
        }
    }

    /// An interrupted run made the object, perhaps without its owners and managers.
    pub(super) fn remember_unlinked(&self, index: usize, row: &Row<'_>) {
        if let Some(kind) = kind_of(&self.ready.catalog, &row.entry) {
            let kind = kind.into_owned();
            self.owners.remember(Unlinked { row: index, kind, awaits: None });
        }
    }
}
