//! A backup as Velero leaves it, and what may be different in one.

use std::io::{Read as _, Write as _};

use bowline::engine::store::BackupKeys;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::application::{backed_up, target};
use crate::fake_world::World;

pub(crate) const KEYS: BackupKeys<'_> = BackupKeys("nightly");

fn pack(content: &[u8]) -> bytes::Bytes {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(content).unwrap();
    packed.finish().unwrap().into()
}

pub(crate) async fn unpacked(world: &World, key: &str) -> Vec<u8> {
    let mut content = Vec::new();
    let packed = world.bucket.read(key).await;
    MultiGzDecoder::new(&packed[..]).read_to_end(&mut content).unwrap();
    content
}

pub(crate) async fn read(world: &World, key: &str) -> Value {
    serde_json::from_slice(&unpacked(world, key).await).unwrap()
}

pub(crate) async fn write(world: &World, key: &str, document: &Value) {
    world.bucket.write(key, pack(document.to_string().as_bytes())).await;
}

pub(crate) async fn edit(world: &World, key: &str, change: impl FnOnce(&mut Value)) {
    let mut document = read(world, key).await;
    change(&mut document);
    write(world, key, &document).await;
}

pub(crate) async fn edit_document(world: &World, change: impl FnOnce(&mut Value)) {
    let mut document: Value =
        serde_json::from_slice(&world.bucket.read(&KEYS.metadata()).await).unwrap();
    change(&mut document);
    world.bucket.write(&KEYS.metadata(), document.to_string().into()).await;
}

type Entries = Vec<(String, Vec<u8>)>;

pub(crate) async fn edit_archive(world: &World, change: impl FnOnce(&mut Entries)) {
    let content = unpacked(world, &KEYS.archive()).await;
    let mut entries = Entries::new();
    for entry in tar::Archive::new(&content[..]).entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        entries.push((entry.path().unwrap().display().to_string(), content));
    }
    change(&mut entries);
    let mut archive = tar::Builder::new(Vec::new());
    for (path, content) in &entries {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o755);
        archive.append_data(&mut header, path, &content[..]).unwrap();
    }
    world.bucket.write(&KEYS.archive(), pack(&archive.into_inner().unwrap())).await;
}

/// A backup that has nothing of bowline's, and a cluster that never saw the application.
pub(crate) async fn of_velero() -> World {
    target(&backed_up_by_velero().await)
}

/// A backup that has nothing of bowline's, and the cluster that it was made of.
pub(crate) async fn backed_up_by_velero() -> World {
    as_velero_leaves_it(backed_up().await).await
}

/// Takes out of a backup what is bowline's.
pub(crate) async fn as_velero_leaves_it(world: World) -> World {
    edit_document(&world, |document| {
        let annotations = document["metadata"]["annotations"].as_object_mut().unwrap();
        annotations.retain(|key, _| !key.starts_with("bowline.io/"));
    })
    .await;
    for key in world.bucket.keys().await {
        if key.contains("/bowline-") {
            world.bucket.delete(&key).await;
        }
    }
    edit(&world, &KEYS.volume_snapshots(), |records| {
        for record in records.as_array_mut().unwrap() {
            record["spec"].as_object_mut().unwrap().remove("bowlineProvider");
        }
    })
    .await;
    for snapshot in world.cloud.snapshots() {
        world.cloud.edit_snapshot(&snapshot.id, |it| {
            it.tags.retain(|key, _| !key.starts_with("bowline.io/"));
        });
    }
    world
}

/// The volume that a claim was bound to.
pub(crate) async fn volume_of(world: &World, claim: &str) -> String {
    let infos = read(world, &KEYS.volume_info()).await;
    let info = infos.as_array().unwrap().iter().find(|it| it["pvcName"] == claim).unwrap();
    info["pvName"].as_str().unwrap().to_owned()
}

/// Takes a claim's record out of a list of Velero's, and gives another in its place.
pub(crate) async fn replace(world: &World, claim: &str, info: Option<Value>) {
    let volume = volume_of(world, claim).await;
    edit(world, &KEYS.volume_snapshots(), |records| {
        let records = records.as_array_mut().unwrap();
        records.retain(|it| it["spec"]["persistentVolumeName"] != volume.as_str());
    })
    .await;
    edit(world, &KEYS.volume_info(), |infos| {
        let infos = infos.as_array_mut().unwrap();
        infos.retain(|it| it["pvName"] != volume.as_str());
        infos.extend(info.map(|mut info| {
            info["pvName"] = json!(volume);
            info["pvcName"] = json!(claim);
            info["pvcNamespace"] = json!("shop");
            info
        }));
    })
    .await;
}
