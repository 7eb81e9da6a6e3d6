//! The end of a drill: namespaces, then persistent volumes, then the volumes themselves.
//!
//! Each is found by the identity of the drill, which its restore has, too, and by nothing else; each step can
//! be repeated by anybody, at any time, until nothing is left.

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
    let work = Work { context: &context, record, deadline: Instant::now() + timeout };
    match work.run().await {
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
    async fn run(&self) -> Result<Vec<Problem>, Error> {
        let catalog = self.context.cluster.catalog().await?;
        if let Some(kind) = catalog.get(&remains::persistent_volumes()) {
            self.let_go(kind).await?;
        }
        let left = self.namespaces(&catalog).await;
        if !left.is_empty() {
            let hint = "its volumes are removed once it is gone, by the next clean-up";
            return Ok(left.into_iter().map(|it| it.with_hint(hint)).collect());
        }
        let mut left = self.persistent_volumes(&catalog).await?;
        left.extend(volumes::remove(self).await);
        if left.is_empty() {
            self.close().await?;
        }
        Ok(left)
    }

    /// Has the volumes that were provisioned for claims of the drill go with them, and no other.
    async fn let_go(&self, kind: &Kind) -> Result<(), Error> {
        for volume in remains::of(self.context, kind, self.record).await? {
            remains::let_go(self.context, kind, &volume).await?;
            if volume.kept == Kept::Taken {
                let id = ItemId::cluster(remains::persistent_volumes(), &volume.name);
                let message = "a claim of the drill took this volume, which was there before; its \
                     policy is Retain now, and the drill may have written to it";
                let problem = Problem::of_item(&id, OPERATION, message);
                self.context.observer.observe(&Event::Warning(&problem));
            }
        }
        Ok(())
    }

    async fn namespaces(&self, catalog: &Catalog) -> Vec<Problem> {
        let Some(kind) = catalog.get(&GroupResource::core("namespaces")) else { return Vec::new() };
        let ends = stream::iter(self.record.namespaces.values()).map(|name| async move {
            let left = match self.namespace(kind, name).await {
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
    async fn namespace(&self, kind: &Kind, name: &str) -> Result<Option<Object>, cluster::Error> {
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
        self.gone(kind, name, uid.as_deref()).await
    }

    /// Waits until this very object is gone; yields it if it stays.
    pub(super) async fn gone(
        &self,
        kind: &Kind,
        name: &str,
        uid: Option<&str>,
    ) -> Result<Option<Object>, cluster::Error> {
        let is_other = |it: &Object| text_at(it, &["metadata", "uid"]) != uid;
        let gone = |it: Option<&Object>| it.is_none_or(is_other).then_some(());
        let cluster = &self.context.cluster;
        if cluster.wait_for(kind, None, name, self.left(), gone).await?.is_some() {
            return Ok(None);
        }
        Ok(Some(cluster.get(kind, None, name).await?.unwrap_or_default()))
    }

    /// How much time is left.
    pub(super) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
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
