//! The one place through which every object goes into the archive, once.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use bowline_api::{GroupResource, ItemId};
use futures::channel::mpsc::UnboundedSender;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::actions;
use super::claim::Claim;
use super::error::Cause;
use super::preflight::Ready;
use super::volumes;
use crate::engine::archive::{self, Writer};
use crate::engine::cluster::Listed;
use crate::engine::journal::Journal;
use crate::engine::model::name_list::{NameList, ResourceList};
use crate::engine::model::relations::{self, Relation};
use crate::engine::model::volume::PersistentVolumeInfo;
use crate::engine::model::{Kind, Meta};
use crate::engine::report::{Problem, chain};

/// Takes objects in: each once, written to the archive, its relations remembered.
pub(super) struct Intake<'a> {
    pub ready: &'a Ready,
    pub journal: &'a Journal,
    pub writer: Writer,
    pub claims: UnboundedSender<Claim>,
    pub taken: Taken,
}

/// What was taken so far, as far as later stages need it.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// A digest of each object's name, and of each further version; 16 bytes each.
    seen: HashSet<u128>,
    pub names: ResourceList,
    /// How many of these are further versions of others.
    versions: u64,
    /// Objects that taken ones need, but for those that were there before these.
    pub related: BTreeSet<ItemId>,
    pub namespaces: BTreeSet<String>,
    /// Namespace and name of every service account.
    pub accounts: BTreeSet<(String, String)>,
    /// What is recorded of every persistent volume, by its name.
    pub volumes: BTreeMap<String, PersistentVolumeInfo>,
}

impl Intake<'_> {
    /// Takes an object that a list or a look-up found, unless it is not wanted or was taken before.
    pub(super) async fn take(&mut self, kind: &Kind, listed: &Listed) -> Result<(), Cause> {
        let meta = &listed.meta;
        if meta.is_excluded() {
            return Ok(());
        }
        let id = identity(kind, meta);
        if meta.deletion_timestamp.is_some() {
            self.pass_by(&id, listed);
            return Ok(());
        }
        if !self.taken.seen.insert(digest(&id)) {
            return Ok(());
        }
        let changed = self.look_at(&id, listed);
        let json = changed.as_deref().unwrap_or(&listed.json);
        match self.writer.append(&id, &kind.version, json).await {
            Ok(()) => self.taken.note(kind, &id),
            Err(error) if error.is_of_item() => self.refuse(&id, &error),
            Err(error) => return Err(error.into()),
        }
        self.journal.item(&id);
        Ok(())
    }

    /// Takes an object that was taken before in another version, too.
    pub(super) async fn take_version(&mut self, kind: &Kind, listed: &Listed) -> Result<(), Cause> {
        let id = identity(kind, &listed.meta);
        let is_wanted = listed.meta.deletion_timestamp.is_none() && self.taken.has(&id);
        if !is_wanted || !self.taken.seen.insert(version_digest(kind, &id)) {
            return Ok(());
        }
        match self.writer.append_version(&id, &kind.version, &listed.json).await {
            Ok(()) => self.taken.note_version(kind, &id),
            Err(error) if error.is_of_item() => self.refuse(&id, &error),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Takes an object in another version than the preferred one, in which it cannot be had.
    pub(super) async fn take_instead(&mut self, kind: &Kind, listed: &Listed) -> Result<(), Cause> {
        let id = identity(kind, &listed.meta);
        if self.taken.has(&id) || !self.ready.filters.includes_item(kind, &listed.meta) {
            return Ok(());
        }
        self.taken.seen.insert(version_digest(kind, &id));
        self.take(kind, listed).await
    }

    /// Leaves out an object that is being deleted.
    ///
    /// A bound claim stays for as long as a pod uses it, and with it data that nobody would miss in
    /// time: its volume is taken care of as one that cannot be had.
    fn pass_by(&mut self, id: &ItemId, listed: &Listed) {
        if id.resource != GroupResource::core("persistentvolumeclaims") {
            return;
        }
        let Ok(object) = serde_json::from_slice(&listed.json) else { return };
        let claim = Claim::read(&listed.meta, &object);
        if claim.matters() && self.taken.seen.insert(digest(id)) {
            // The receiver lives as long as the collection does.
            drop(self.claims.unbounded_send(claim));
        }
    }

    fn refuse(&self, id: &ItemId, error: &archive::Error) {
        self.journal.error(Problem::of_item(id, "archive", chain(error)));
    }

    /// Looks into the objects whose content matters here; most are passed on unread.
    fn look_at(&mut self, id: &ItemId, listed: &Listed) -> Option<Vec<u8>> {
        let cleaner = actions::of(&id.resource);
        let related = relations::has_relations(&id.resource);
        let volume = id.resource == GroupResource::core("persistentvolumes");
        if cleaner.is_none() && !related && !volume {
            return None;
        }
        let object: Map<String, Value> = serde_json::from_slice(&listed.json).ok()?;
        if related {
            self.taken.relate(relations::relations(id, &object));
        }
        if id.resource == GroupResource::core("persistentvolumeclaims") {
            let claim = Claim::read(&listed.meta, &object);
            // The receiver lives as long as the collection does.
            drop(self.claims.unbounded_send(claim));
        }
        if volume {
            self.taken.volumes.insert(id.name.clone(), volumes::info(&Value::Object(object)));
            return None;
        }
        cleaner.map(|clean| Value::Object(clean(object)).to_string().into_bytes())
    }
}

impl Taken {
    /// Whether an object was taken already.
    pub(super) fn has(&self, id: &ItemId) -> bool {
        self.seen.contains(&digest(id))
    }

    /// How many objects were taken.
    pub(super) fn count(&self) -> u64 {
        self.names.values().map(NameList::count).sum::<u64>() - self.versions
    }

    /// Whether objects of this kind were taken.
    pub(super) fn has_any(&self, kind: &Kind) -> bool {
        self.names.contains_key(&listed_kind(kind))
    }

    /// The objects of a kind that were not taken in another version.
    pub(super) fn lacking(&self, kind: &Kind, version: &Kind) -> Vec<ItemId> {
        let names =
            |kind: &Kind| self.names.get(&listed_kind(kind)).into_iter().flat_map(NameList::iter);
        let known: BTreeSet<String> = names(version).collect();
        let id = |name: String| {
            let (namespace, name) = match name.split_once('/') {
                Some((namespace, name)) => (Some(namespace.to_owned()), name.to_owned()),
                None => (None, name),
            };
            ItemId { resource: kind.resource.clone(), namespace, name }
        };
        names(kind).filter(|name| !known.contains(name)).map(id).collect()
    }

    /// Velero lists every version of an object.
    fn note_version(&mut self, kind: &Kind, id: &ItemId) {
        self.versions += 1;
        self.note(kind, id);
    }

    fn relate(&mut self, relations: Vec<Relation>) {
        for relation in relations {
            match relation {
                Relation::Item(id) => !self.has(&id) && self.related.insert(id),
                Relation::BindingsOf { namespace, account } => {
                    self.accounts.insert((namespace, account))
                }
            };
        }
    }

    fn note(&mut self, kind: &Kind, id: &ItemId) {
        let name = match &id.namespace {
            Some(namespace) => format!("{namespace}/{}", id.name),
            None => id.name.clone(),
        };
        self.names.entry(listed_kind(kind)).or_default().push(&name);
        if let Some(namespace) = &id.namespace
            && !self.namespaces.contains(namespace)
        {
            self.namespaces.insert(namespace.clone());
        }
    }
}

/// How lists call a kind: `apps/v1/Deployment`.
fn listed_kind(kind: &Kind) -> String {
    format!("{}/{}", kind.api_version(), kind.kind)
}

pub(super) fn identity(kind: &Kind, meta: &Meta) -> ItemId {
    ItemId {
        resource: kind.resource.clone(),
        namespace: meta.namespace.clone().filter(|_| kind.namespaced),
        name: meta.name.clone(),
    }
}

fn digest(id: &ItemId) -> u128 {
    digest_of(&id.to_string())
}

/// The digest of an object in one of its versions: no resource has a space in its name.
fn version_digest(kind: &Kind, id: &ItemId) -> u128 {
    digest_of(&format!("{} {id}", kind.version))
}

fn digest_of(name: &str) -> u128 {
    let hash = Sha256::digest(name.as_bytes());
    hash.iter().take(16).fold(0, |number, byte| (number << 8) | u128::from(*byte))
}
