//! Owner references, put back with the owners' new UIDs.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use super::plan::Plan;
use crate::engine::cluster::{self, Cluster, Object};
use crate::engine::model::Kind;

/// Who owns what, across the change of all UIDs.
#[derive(Debug)]
pub(super) struct Owners {
    /// UIDs in the archive that some object refers to.
    wanted: HashSet<String>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// New UIDs by those in the archive.
    known: HashMap<String, String>,
    orphans: Vec<Orphan>,
}

/// An object that was made before its owners.
#[derive(Debug)]
pub(super) struct Orphan {
    pub kind: Kind,
    pub namespace: Option<String>,
    pub name: String,
    /// The references as they were backed up.
    pub owners: Vec<Value>,
}

impl Owners {
    /// Starts with what the plan knows of objects that exist already.
    pub(super) fn new(plan: &Plan<'_>, wanted: HashSet<String>) -> Self {
        let live = plan.rows.iter().filter(|row| row.is_made());
        let known = live.filter_map(|row| Some((row.uid.clone(), row.live_uid.clone()?)));
        let state = State { known: known.collect(), orphans: Vec::new() };
        Self { wanted, state: Mutex::new(state) }
    }

    /// An object was made: what refers to its old UID may now refer to the new one.
    pub(super) fn made(&self, old: &str, object: &Object) {
        let uid = object.get("metadata").and_then(|metadata| metadata.get("uid")?.as_str());
        if let Some(uid) = uid.filter(|_| self.wanted.contains(old)) {
            self.state().known.insert(old.to_owned(), uid.to_owned());
        }
    }

    /// The references with new UIDs; those whose owner is not known (yet) are missing.
    pub(super) fn resolve(&self, owners: &[Value]) -> Vec<Value> {
        let state = self.state();
        let renew = |owner: &Value| {
            let uid = state.known.get(owner.get("uid")?.as_str()?)?;
            let mut renewed = owner.clone();
            renewed["uid"] = json!(uid);
            // Blocking needs rights on the owner's finalizers that a restore may not have.
            Some(renewed)
        };
        owners.iter().filter_map(renew).collect()
    }

    /// An object was made while not all of its owners are known.
    pub(super) fn remember(&self, orphan: Orphan) {
        self.state().orphans.push(orphan);
    }

    /// Takes the objects whose owners are all known by now.
    pub(super) fn adoptable(&self) -> Vec<(Orphan, Vec<Value>)> {
        let orphans = std::mem::take(&mut self.state().orphans);
        let mut ready = Vec::new();
        for orphan in orphans {
            let owners = self.resolve(&orphan.owners);
            if owners.len() == orphan.owners.len() {
                ready.push((orphan, owners));
            } else {
                self.remember(orphan);
            }
        }
        ready
    }

    /// Takes the objects that wait for an owner that did not come back.
    pub(super) fn left(&self) -> Vec<Orphan> {
        std::mem::take(&mut self.state().orphans)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How often an object that somebody else changes at the same moment is tried again.
const ATTEMPTS: u32 = 5;

/// Gives an object its owners back, unless it was deleted meanwhile or has owners already.
pub(super) async fn adopt(
    cluster: &Cluster,
    orphan: &Orphan,
    owners: &[Value],
) -> Result<(), cluster::Error> {
    let namespace = orphan.namespace.as_deref();
    let mut attempt = 1;
    loop {
        let Some(live) = cluster.get(&orphan.kind, namespace, &orphan.name).await? else {
            return Ok(());
        };
        let metadata = live.get("metadata").cloned().unwrap_or_default();
        if metadata.get("ownerReferences").is_some() {
            return Ok(());
        }
        let version = metadata.get("resourceVersion").cloned().unwrap_or_default();
        let patch = json!({"metadata": {"ownerReferences": owners, "resourceVersion": version}});
        match cluster.merge_patch(&orphan.kind, namespace, &orphan.name, &patch).await {
            Err(error) if error.is_conflict() && attempt < ATTEMPTS => attempt += 1,
            result => return result.map(|_| ()),
        }
    }
}
