//! A hostile location changes nothing in the cluster, the cloud or the bucket.

use std::io::{Read as _, Write as _};

use bowline::engine::report::chain;
use bowline::engine::store::BackupKeys;
use bytes::Bytes;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::application::{restore, target};
use crate::fake_world::World;
use crate::faults::Script;
use crate::velero_backup::backed_up_by_velero;

const KEYS: BackupKeys<'static> = BackupKeys("nightly");

/// Tries to restore, and tells why that was refused before anything was changed anywhere.
async fn refusal(world: &World) -> String {
    let target = target(world);
    let (objects, files) = (target.cluster.names_in("shop"), world.bucket.contents().await);
    let process = target.start(Script::Sound);
    let result = process.restore(&restore("rescue")).await.unwrap();
    assert_eq!(process.faults.calls(), [""; 0]);
    assert_eq!(target.cluster.names_in("shop"), objects);
    assert_eq!(world.bucket.contents().await, files);
    assert_eq!(world.cloud.volumes().len(), 0);
    chain(&result.unwrap_err())
}

fn packed(content: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap().into()
}

/// The archive with one more entry at its end.
async fn with_entry(world: &World, kind: u8, name: &str, content: &Value) -> Bytes {
    let archive = world.bucket.read(&KEYS.archive()).await;
    let mut tar = Vec::new();
    MultiGzDecoder::new(&archive[..]).read_to_end(&mut tar).unwrap();
    tar.truncate(tar.len() - 1024);
    let content = content.to_string();
    let mut header = tar::Header::new_ustar();
    header.set_path(name).unwrap();
    header.set_entry_type(tar::EntryType::new(kind));
    header.set_size(if kind == b'0' { content.len() as u64 } else { 0 });
    header.set_cksum();
    tar.extend(header.as_bytes());
    if kind == b'0' {
        tar.extend(content.as_bytes());
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.extend([0; 1024]);
    packed(&tar)
}

fn object(kind: &str, name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "shop"}})
}

#[tokio::test(start_paused = true)]
async fn a_hostile_entry_among_good_ones_keeps_all_of_them_out() {
    let good = backed_up_by_velero().await;
    let place = "resources/secrets/namespaces/shop";
    let own = "resources/configmaps/namespaces/shop/settings.json";
    for (kind, name, content, expected) in [
        (b'2', format!("{place}/a.json"), json!(null), "only regular files are accepted"),
        (b'1', format!("{place}/a.json"), json!(null), "only regular files are accepted"),
        (b'0', format!("{place}/a/b.json"), object("Secret", "b"), "is neither below"),
        (b'0', format!("{place}/a.json"), object("Secret", "b"), r#"metadata.name "b""#),
        (b'0', format!("{place}/a.json"), object("Pod", "a"), r#"kind "Pod" instead of "Secret""#),
        (b'0', own.to_owned(), object("ConfigMap", "settings"), "is there more than once"),
        (b'0', format!("{place}/a.json"), json!(["v1", "Secret"]), "expected an object"),
    ] {
        let world = good.copy().await;
        let archive = with_entry(&world, kind, &name, &content).await;
        world.bucket.write(&KEYS.archive(), archive).await;
        let reason = refusal(&world).await;
        assert!(reason.starts_with("the archive of backup \"nightly\" is damaged: "), "{reason}");
        assert!(reason.contains(expected), "{reason}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_good_entry_more_is_restored() {
    let world = backed_up_by_velero().await;
    let path = "resources/secrets/namespaces/shop/a.json";
    let archive = with_entry(&world, b'0', path, &object("Secret", "a")).await;
    world.bucket.write(&KEYS.archive(), archive).await;
    let target = target(&world);
    target.restore(&restore("rescue")).await.unwrap();
    assert!(target.cluster.find("secrets/shop/a").is_some());
}

#[tokio::test(start_paused = true)]
async fn a_hostile_document_beside_the_archive_keeps_all_out() {
    let good = backed_up_by_velero().await;
    let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
    let twice = r#"[{"spec":{"backupName":"nightly","backupName":"other"}}]"#;
    for key in [KEYS.volume_snapshots(), KEYS.volume_info()] {
        for (content, expected) in [
            (Bytes::from_static(b"not packed"), "invalid gzip header"),
            (packed(b"{}"), "invalid type: map, expected a sequence"),
            (packed(b"[7]"), "invalid type: integer `7`"),
            (packed(deep.as_bytes()), "recursion limit exceeded"),
            (packed(twice.as_bytes()), "duplicate field \"backupName\""),
        ] {
            let world = good.copy().await;
            world.bucket.write(&key, content).await;
            let reason = refusal(&world).await;
            assert!(reason.contains(&key) && reason.contains(expected), "{reason}");
        }
    }
    let world = good.copy().await;
    let document = world.bucket.read(&KEYS.metadata()).await;
    let document = String::from_utf8(document.to_vec()).unwrap();
    let twice = document.replacen('{', r#"{"kind":"Backup","#, 1);
    world.bucket.write(&KEYS.metadata(), twice.into()).await;
    let reason = refusal(&world).await;
    assert!(reason.contains("duplicate field \"kind\""), "{reason}");
}
