//! The end of a drill: namespaces, then persistent volumes, then the volumes themselves. What cannot be
//! taken down keeps nothing but what it needs itself.
//!
//! Each is found by the identity of the drill, which its restore has, too, and by nothing else; each step can
//! be repeated by anybody, at any time, until nothing is left.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bowline_api::{GroupResource, ItemId};
use futures::{StreamExt as _, stream};
use tokio::time::Instant;

use super::remains::{self, Kept};
use super::volumes;
use crate::engine::cluster::{self, Deletion, Object};
use crate::engine::context::Context;
use crate::engine::event::{Event, Stage};
use crate::engine::model::drill::{DRILL_LABEL, DrillRecord, TakenDown};
use crate::engine::model::fields::{maps_at, text_at};
use crate::engine::model::{Catalog, Kind};
use crate::engine::report::{Problem, chain};
use crate::engine::stop::Stop;
use crate::engine::store;

/// What the words of every problem of this kind begin with.
pub(super) const OPERATION: &str = "take down";

/// How much of the time is not for namespaces, so that one that stays does not cost what follows.
const FOR_VOLUMES: Duration = Duration::from_mins(1);

/// What takes a drill down.
pub(super) struct Work<'a> {
    pub context: &'a Context,
    pub record: &'a DrillRecord,
    pub deadline: Instant,
}

/// Takes a drill down, and waits until nothing is left of it; what is, is named.
///
/// Once begun it does not stop when asked to: it is the end already.
pub(super) async fn take_down(
    context: &Context,
    record: &DrillRecord,
    timeout: Duration,
) -> Vec<Problem> {
    context.observer.observe(&Event::Stage(Stage::TakingDown));
    let context = unstoppable(context);
    let deadline = Instant::now() + timeout;
    let work = Work { context: &context, record, deadline };
    match work.run(deadline - FOR_VOLUMES.min(timeout / 4)).await {
        Ok(left) => left,
        Err(error) => vec![Problem::of_run(OPERATION, error.to_string())],
    }
}

/// The same, heeding no stop.
fn unstoppable(context: &Context) -> Context {
    let stop = Stop::default();
    let cluster = context.cluster.clone().heeding(&stop);
    let observer = Arc::clone(&context.observer);
    Context { cluster, observer, stop, ..context.clone() }
}

/// Why it cannot even be told what is left.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("the cluster cannot be asked what is left: {}", chain(.0))]
    Cluster(#[from] cluster::Error),
    #[error("the location cannot be used: {}", chain(.0))]
    Location(#[from] store::Error),
}

impl Work<'_> {
    /// Namespaces are awaited until that time first, and again once all that could go without them has
    /// gone.
    async fn run(&self, until: Instant) -> Result<Vec<Problem>, Error> {
        let catalog = self.context.cluster.catalog().await?;
        let held = self.let_go(kind(&catalog, "persistentvolumes")?).await?;
        let mut left = self.remove(&catalog, &held, until).await?;
        if !left.is_empty() {
            left = self.remove(&catalog, &held, self.deadline).await?;
        }
        if left.is_empty() {
            self.close().await?;
        }
        Ok(left)
    }

    /// Removes what can be; yields what is left.
    async fn remove(
        &self,
        catalog: &Catalog,
        held: &BTreeMap<String, Problem>,
        until: Instant,
    ) -> Result<Vec<Problem>, Error> {
        let mut left = self.namespaces(kind(catalog, "namespaces")?, held, until).await;
        left.extend(held.values().cloned());
        match self.persistent_volumes(catalog).await {
            Ok((volumes, in_use)) => {
                left.extend(volumes);
                left.extend(volumes::remove(self, &in_use).await);
            }
            Err(error) => left.push(Problem::of_run(OPERATION, error.to_string())),
        }
        Ok(left)
    }

    /// Has the volumes that were provisioned for claims of the drill go with them, and no other; yields
    /// the namespaces for whose volumes that failed. These have to stay: somebody's volume could go
    /// with them.
    async fn let_go(&self, kind: &Kind) -> Result<BTreeMap<String, Problem>, Error> {
        let mut held = BTreeMap::new();
        for volume in remains::of(self.context, kind, self.record).await? {
            let id = ItemId::cluster(remains::persistent_volumes(), &volume.name);
            if let Err(error) = remains::let_go(self.context, kind, &volume).await {
                let message = format!("its policy cannot be changed: {}", chain(&error));
                let hint = format!("namespace {} stays until it can be", volume.claim.namespace);
                let problem = Problem::of_item(&id, OPERATION, message).with_hint(hint);
                held.insert(volume.claim.namespace, problem);
            } else if volume.kept == Kept::Taken {
                let message = "a claim of the drill took this volume, which was there before; its \
                     policy is Retain now, and the drill may have written to it";
                let problem = Problem::of_item(&id, OPERATION, message);
                self.context.observer.observe(&Event::Warning(&problem));
            }
        }
        Ok(held)
    }

    /// Deletes the namespaces, but for those that have to stay, and waits for their end.
    async fn namespaces(
        &self,
        kind: &Kind,
        held: &BTreeMap<String, Problem>,
        until: Instant,
    ) -> Vec<Problem> {
        let names = self.record.namespaces.values().filter(|name| !held.contains_key(*name));
        let ends = stream::iter(names).map(|name| async move {
            let left = match self.namespace(kind, name, until).await {
                Ok(None) => return None,
                Ok(Some(live)) => stays(&live),
                Err(error) => chain(&error),
            };
            let id = ItemId::cluster(GroupResource::core("namespaces"), name);
            Some(Problem::of_item(&id, OPERATION, left))
        });
        let ends = ends.buffer_unordered(self.context.limits.creates);
        ends.filter_map(async |left| left).collect().await
    }

    /// Deletes a namespace of this drill and waits for its end; yields it if it stays.
    async fn namespace(
        &self,
        kind: &Kind,
        name: &str,
        until: Instant,
    ) -> Result<Option<Object>, cluster::Error> {
        let cluster = &self.context.cluster;
        let Some(live) = cluster.get(kind, None, name).await? else { return Ok(None) };
        if text_at(&live, &["metadata", "labels", DRILL_LABEL]) != Some(&self.record.uid) {
            // Somebody else's, by now: not ours to touch.
            return Ok(None);
        }
        let uid = text_at(&live, &["metadata", "uid"]).map(str::to_owned);
        if text_at(&live, &["metadata", "deletionTimestamp"]).is_none() {
            let deletion = Deletion { uid: uid.as_deref(), ..Deletion::default() };
            cluster.delete(kind, None, name, &deletion).await?;
        }
        self.gone(kind, name, uid.as_deref(), until).await
    }

    /// Waits until this very object is gone; yields it if it is still there at that time.
    pub(super) async fn gone(
        &self,
        kind: &Kind,
        name: &str,
        uid: Option<&str>,
        until: Instant,
    ) -> Result<Option<Object>, cluster::Error> {
        let is_other = |it: &Object| text_at(it, &["metadata", "uid"]) != uid;
        let gone = |it: Option<&Object>| it.is_none_or(is_other).then_some(());
        let cluster = &self.context.cluster;
        if cluster.wait_for(kind, None, name, left_until(until), gone).await?.is_some() {
            return Ok(None);
        }
        Ok(Some(cluster.get(kind, None, name).await?.unwrap_or_default()))
    }

    /// How much time is left.
    pub(super) fn left(&self) -> Duration {
        left_until(self.deadline)
    }

    /// Writes down that nothing is left, and removes what only a restore that goes on would need.
    async fn close(&self) -> Result<(), Error> {
        let store = &self.context.store;
        store.remove_restore(&self.record.restore).await?;
        let mark = TakenDown {
            uid: self.record.uid.clone(),
            timestamp: self.context.clock.now(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        Ok(store.mark_down(self.record, &mark).await?)
    }
}

fn left_until(time: Instant) -> Duration {
    time.saturating_duration_since(Instant::now())
}

/// Finds a core kind. A cluster that does not tell of it has not said that nothing of it is left.
pub(super) fn kind<'c>(catalog: &'c Catalog, resource: &str) -> Result<&'c Kind, Error> {
    let resource = GroupResource::core(resource);
    let not_served = || cluster::Error::NotServed { request: format!("get {resource}") };
    Ok(catalog.get(&resource).ok_or_else(not_served)?)
}

/// What holds a namespace that is being deleted.
fn stays(live: &Object) -> String {
    let conditions = maps_at(live, &["status", "conditions"]);
    let holds = conditions.filter(|it| text_at(it, &["status"]) == Some("True"));
    let said: Vec<&str> = holds.filter_map(|it| text_at(it, &["message"])).collect();
    match said[..] {
        [] => "it is still being deleted".to_owned(),
        _ => format!("it is still being deleted: {}", said.join("; ")),
    }
}
