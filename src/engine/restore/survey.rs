//! What a backup holds, as far as somebody needs to know before a restore of it is asked for.

use std::collections::{BTreeMap, BTreeSet};

use bowline_api::GroupResource;

use super::claims::claims;
use super::error::Error;
use super::open::{self, Opened};
use super::parts::Wanted;
use crate::engine::model::Object;
use crate::engine::model::backup::Backup;
use crate::engine::model::fields::text_at;
use crate::engine::model::volume::NativeSnapshot;
use crate::engine::store::BackupStore;

/// What a backup holds.
#[derive(Clone, Debug)]
pub struct Survey {
    /// Its document.
    pub backup: Backup,
    /// Every namespace that it holds, or holds something of.
    pub namespaces: BTreeSet<String>,
    /// Its snapshots that can be restored.
    pub snapshots: Vec<NativeSnapshot>,
    /// The persistent volumes of its claims, and the namespaces of these.
    claimed: BTreeMap<String, BTreeSet<String>>,
}

impl Survey {
    /// The snapshots of what is claimed in a namespace that is meant: a restore of these makes volumes
    /// of no others.
    pub fn snapshots_in(
        &self,
        is_meant: impl Fn(&String) -> bool,
    ) -> impl Iterator<Item = &NativeSnapshot> {
        self.snapshots.iter().filter(move |it| {
            let namespaces = self.claimed.get(&it.spec.persistent_volume_name);
            namespaces.is_some_and(|namespaces| namespaces.iter().any(&is_meant))
        })
    }
}

/// Reads what a backup holds; one that is not good, or damaged, is an error.
pub async fn survey(store: &BackupStore, name: &str) -> Result<Survey, Error> {
    let opened = open::open(store, name, &Wanted::Claims).await?;
    let namespaces = GroupResource::core("namespaces");
    let of_entry = opened.contents.entries().filter_map(|entry| {
        let own = (*entry.resource() == namespaces).then(|| entry.name());
        own.or_else(|| entry.namespace()).map(str::to_owned)
    });
    let mut snapshots: Vec<_> = opened.snapshots.values().cloned().collect();
    snapshots.retain(|it| it.snapshot_id().is_some());
    snapshots.sort_by(|a, b| a.spec.persistent_volume_name.cmp(&b.spec.persistent_volume_name));
    let (namespaces, claimed) = (of_entry.collect(), claimed(&opened)?);
    Ok(Survey { namespaces, snapshots, claimed, backup: opened.backup })
}

/// By the claims themselves, which a restore goes by, too; what is told of volumes may lack some.
fn claimed(opened: &Opened) -> Result<BTreeMap<String, BTreeSet<String>>, Error> {
    let mut claimed = BTreeMap::<_, BTreeSet<_>>::new();
    for entry in opened.contents.entries().filter(|entry| *entry.resource() == claims()) {
        let json = opened.contents.read(entry).map_err(|source| {
            let name = opened.backup.metadata.name.clone();
            Error::ArchiveDamaged { name, source }
        })?;
        let claim: Object = serde_json::from_slice(&json).unwrap_or_default();
        if let Some(volume) = text_at(&claim, &["spec", "volumeName"]) {
            let namespace = entry.namespace().unwrap_or_default().to_owned();
            claimed.entry(volume.to_owned()).or_default().insert(namespace);
        }
    }
    Ok(claimed)
}
