//! What may be different in a backup that Velero made, or in what is called one.

use serde_json::{Map, Value};

use crate::fake_world::World;
use crate::velero_backup::{self, KEYS, edit};

pub(crate) use crate::velero_backup::{backed_up_by_velero as backed_up, edit_document};

/// The first persistent volume of which there is a record, and its snapshot.
pub(crate) async fn recorded(world: &World) -> (String, String) {
    let record = crate::records::snapshots(world).await.swap_remove(0);
    (record.spec.persistent_volume_name, record.status.provider_snapshot_id.unwrap())
}

/// Changes the records of snapshots.
pub(crate) async fn edit_snapshots(world: &World, change: impl FnOnce(&mut Value)) {
    edit(world, &KEYS.volume_snapshots(), change).await;
}

/// Changes the records of volumes.
pub(crate) async fn edit_volumes(world: &World, change: impl FnOnce(&mut Value)) {
    edit(world, &KEYS.volume_info(), change).await;
}

/// Changes the list of all objects.
pub(crate) async fn edit_resource_list(
    world: &World,
    change: impl FnOnce(&mut Map<String, Value>),
) {
    let change = |list: &mut Value| change(list.as_object_mut().unwrap());
    edit(world, &KEYS.resource_list(), change).await;
}

/// Leaves entries of the archive out, by their names.
pub(crate) async fn edit_archive(world: &World, keeps: impl Fn(&str) -> bool + Send + Sync) {
    velero_backup::edit_archive(world, |entries| entries.retain(|(name, _)| keeps(name))).await;
}
