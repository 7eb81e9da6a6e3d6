//! What a backup holds, as far as somebody needs to know before a restore of it is asked for.

use std::collections::BTreeSet;

use bowline_api::GroupResource;

use super::error::Error;
use super::open;
use crate::engine::model::backup::Backup;
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
}

/// Reads what a backup holds; one that is not good, or damaged, is an error.
pub async fn survey(store: &BackupStore, name: &str) -> Result<Survey, Error> {
    let opened = open::open(store, name).await?;
    let namespaces = GroupResource::core("namespaces");
    let of_entry = opened.contents.entries().filter_map(|entry| {
        let own = (*entry.resource() == namespaces).then(|| entry.name());
        own.or_else(|| entry.namespace()).map(str::to_owned)
    });
    let mut snapshots: Vec<_> = opened.snapshots.values().cloned().collect();
    snapshots.retain(|it| it.snapshot_id().is_some());
    snapshots.sort_by(|a, b| a.spec.persistent_volume_name.cmp(&b.spec.persistent_volume_name));
    Ok(Survey { namespaces: of_entry.collect(), snapshots, backup: opened.backup })
}
