//! What a bucket says of a backup and of a restore.

use std::collections::BTreeMap;
use std::io::Read as _;

use bowline::engine::model::volume::{NativeSnapshot, VolumeInfo};
use bowline::engine::store::{BackupKeys, RestoreKeys};
use flate2::read::MultiGzDecoder;

use crate::fake_world::World;

/// All objects of the backup, as `apps/v1/Deployment shop/web`.
pub(crate) async fn objects(world: &World) -> Vec<String> {
    lines(world, &BackupKeys("nightly").resource_list()).await
}

/// All objects of the restore, as `apps/v1/Deployment shop/web(created)`.
pub(crate) async fn outcomes(world: &World, restore: &str) -> Vec<String> {
    lines(world, &RestoreKeys(restore).resource_list()).await
}

async fn lines(world: &World, key: &str) -> Vec<String> {
    let list: BTreeMap<String, Vec<String>> = world.backups().json_gz(key).await.unwrap();
    let line = |kind: &str, name: &String| format!("{kind} {name}");
    list.iter().flat_map(|(kind, names)| names.iter().map(move |name| line(kind, name))).collect()
}

/// The records of all snapshots.
pub(crate) async fn snapshots(world: &World) -> Vec<NativeSnapshot> {
    world.backups().json_gz(&BackupKeys("nightly").volume_snapshots()).await.unwrap()
}

/// The record of the volume of a claim.
pub(crate) async fn volume(world: &World, claim: &str) -> VolumeInfo {
    let key = BackupKeys("nightly").volume_info();
    let all: Vec<VolumeInfo> = world.backups().json_gz(&key).await.unwrap();
    all.into_iter().find(|volume| volume.pvc_name.as_deref() == Some(claim)).unwrap()
}

/// The log, unpacked.
pub(crate) async fn log(world: &World) -> String {
    let packed = world.bucket.read(&BackupKeys("nightly").logs()).await;
    let mut text = String::new();
    MultiGzDecoder::new(&packed[..]).read_to_string(&mut text).unwrap();
    text
}
