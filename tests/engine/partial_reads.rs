//! Of a big backup a restore reads what it needs, and all of it where that is not certain.

use std::collections::BTreeSet;
use std::io::Read as _;

use bowline::engine::archive::Writer;
use bowline::engine::model::backup::annotations;
use bowline::engine::report::Phase;
use bowline::engine::restore::{self, PlanDocument, Request, survey};
use bowline::engine::store::{BackupKeys, Digest, Digests};
use bowline_api::{ItemId, ObjectStore as _};
use bowline_local::MemoryStore;
use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use futures::TryStreamExt as _;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::application::{backed_up, backup, object, restore, source, target};
use crate::fake_cluster::FakeCluster;
use crate::fake_world::{Reads, World};
use crate::faults::Script;

const KEYS: BackupKeys<'_> = BackupKeys("nightly");

/// Text of this length that packs to half of it.
pub(crate) fn noise(seed: u64, length: usize) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        format!("{state:016x}")
    };
    let mut text: String = (0..length.div_ceil(16)).map(|_| next()).collect();
    text.truncate(length);
    text
}

/// Adds what makes a namespace's objects lie apart from those of others.
pub(crate) fn add_ballast(cluster: &FakeCluster, namespace: &str, seed: u64) {
    let ballast = json!({"data": {"noise": noise(seed, 150_000)}});
    cluster.add(object("v1", "ConfigMap", namespace, "ballast", &ballast));
}

/// A backup of the application, and of ten other namespaces that are larger.
async fn big() -> World {
    let world = source();
    for number in 0..10 {
        let name = format!("tenant-{number}");
        world.cluster.add(json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": name}}));
        add_ballast(&world.cluster, &name, number);
    }
    let mut request = backup();
    request.spec.included_namespaces = Vec::new();
    assert_eq!(world.back_up(&request).await.unwrap().errors, []);
    world
}

fn of_shop() -> Request {
    let mut request = restore("rescue");
    request.spec.included_namespaces = vec!["shop".to_owned()];
    request
}

async fn plan(world: &World, request: &Request) -> Result<PlanDocument, restore::Error> {
    world.start(Script::Sound).engine.plan_restore(request).await
}

/// What was read of the archive while something was done.
fn reads(world: &World) -> Reads {
    world.bucket.reads(&KEYS.archive())
}

/// The size of a file of the backup.
async fn size(world: &World, key: &str) -> usize {
    world.bucket.read(key).await.len()
}

/// Puts files into the backup as if they had been written with it.
async fn rewrite(world: &World, files: Vec<(String, Vec<u8>)>) {
    let mut digests: Digests = world.backups().json(&KEYS.digests()).await.unwrap();
    let mut document: Value =
        serde_json::from_slice(&world.bucket.read(&KEYS.metadata()).await).unwrap();
    let noted = &mut document["metadata"]["annotations"];
    for (key, content) in files {
        let digest = Digest::of(&content);
        if key == KEYS.archive() {
            noted[annotations::ARCHIVE_SHA256] = json!(digest.sha256);
        }
        let name = key.rsplit('/').next().unwrap().to_owned();
        digests.files.insert(name, digest);
        world.bucket.write(&key, content.into()).await;
    }
    let content = serde_json::to_vec(&digests).unwrap();
    noted[annotations::DIGESTS_SHA256] = json!(Digest::of(&content).sha256);
    world.bucket.write(&KEYS.digests(), content.into()).await;
    world.bucket.write(&KEYS.metadata(), document.to_string().into()).await;
}

fn packed(text: &str) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    std::io::Write::write_all(&mut gzip, text.as_bytes()).unwrap();
    gzip.finish().unwrap()
}

fn unpacked(content: &[u8]) -> String {
    let mut text = String::new();
    GzDecoder::new(content).read_to_string(&mut text).unwrap();
    text
}

/// Changes the index, and has the backup vouch for that.
async fn edit_index(world: &World, change: impl Fn(&mut Value)) {
    let text = unpacked(&world.bucket.read(&KEYS.index()).await);
    let line = |line: &str| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        change(&mut line);
        format!("{line}\n")
    };
    let index = packed(&text.lines().map(line).collect::<String>());
    rewrite(world, vec![(KEYS.index(), index)]).await;
}

/// A plan as it is printed, without the UIDs in the names of volumes that it makes.
pub(crate) fn printed(plan: &PlanDocument) -> String {
    let text = serde_json::to_string(plan).unwrap();
    let is_uid = |text: &str| text.bytes().filter(|byte| *byte == b'-').count() == 4;
    let pieces = text.split("bowline-");
    let pieces = pieces.map(|piece| match piece.get(..36) {
        Some(uid) if is_uid(uid) => &piece[36..],
        _ => piece,
    });
    pieces.collect::<Vec<_>>().join("bowline-")
}

#[tokio::test(start_paused = true)]
async fn a_namespace_out_of_many_comes_back_by_a_part_of_the_archive() {
    let source = big().await;
    let world = source.beside(FakeCluster::new("target"));
    let report = world.restore(&of_shop()).await.unwrap();
    assert_eq!((report.phase, report.errors), (Phase::Completed, vec![]));
    assert_eq!(crate::application::faults_of(&source, &world, "shop"), [""; 0]);
    let (read, size) = (reads(&world), size(&world, &KEYS.archive()).await);
    assert_eq!(read.whole, 0);
    assert!(read.ranges > 0 && read.bytes < size / 3, "{read:?} of {size}");
}

#[tokio::test(start_paused = true)]
async fn everything_and_what_is_nearly_everything_comes_back_by_one_pass() {
    for excluded in [vec![], vec!["tenant-1".to_owned()]] {
        let world = target(&big().await);
        let mut request = restore("rescue");
        request.spec.excluded_namespaces = excluded;
        world.restore(&request).await.unwrap();
        let (read, size) = (reads(&world), size(&world, &KEYS.archive()).await);
        assert_eq!(read, Reads { whole: 1, ranges: 0, bytes: size }, "{request:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn which_namespaces_a_backup_holds_is_told_by_its_index_and_what_they_claim_by_the_claims() {
    let world = big().await;
    let survey = survey(&world.backups(), "nightly").await.unwrap();
    assert!(survey.namespaces.contains("shop") && survey.namespaces.contains("tenant-9"));
    assert!(survey.snapshots_in(|namespace| namespace == "shop").count() > 0);
    let (read, size) = (reads(&world), size(&world, &KEYS.archive()).await);
    assert!(read.whole == 0 && read.bytes * 4 < size, "{read:?} of {size}");
    world.bucket.delete(&KEYS.index()).await;
    let by_pass = restore::survey(&world.backups(), "nightly").await.unwrap();
    assert_eq!((by_pass.namespaces, reads(&world).whole), (survey.namespaces, 1));
}

/// A lie, and how a line of the index comes to tell it.
type Lie = (&'static str, fn(&mut Value));

const LIES: &[Lie] = &[
    ("members without digests, as of old", |line| {
        if let Some(member) = line.as_object_mut().filter(|it| it.contains_key("member")) {
            member.remove("sha256");
        }
    }),
    ("other digests", |line| set(line, "member", "sha256", &json!("0".repeat(64)))),
    ("no count of further versions, as of old", |line| {
        if let Some(end) = line.as_object_mut() {
            end.remove("further");
        }
    }),
    ("further versions", |line| set(line, "items", "further", &json!(1))),
    ("another archive's size", |line| set(line, "items", "size", &json!(7))),
    ("an object of another size", |line| replace(line, 2, &json!(7))),
    ("an object of another name", |line| replace(line, 0, &json!("filez"))),
    ("an object of another version", |line| {
        if line["resource"] == "persistentvolumeclaims" {
            line["version"] = json!("v2");
        }
    }),
];

/// Sets a field of the lines that have another one.
fn set(line: &mut Value, with: &str, key: &str, value: &Value) {
    if line.get(with).is_some() {
        line[key] = value.clone();
    }
}

/// Replaces what is said of the claim that the application's deployment mounts.
fn replace(line: &mut Value, at: usize, value: &Value) {
    if line[0] == "files" {
        line[at] = value.clone();
    }
}

#[tokio::test(start_paused = true)]
async fn an_index_that_lies_or_tells_too_little_costs_a_pass_and_nothing_else() {
    let good = big().await;
    let expected = printed(&plan(&target(&good), &of_shop()).await.unwrap());
    assert_eq!(reads(&good).whole, 0);
    for (what, lie) in LIES {
        let world = target(&good.copy().await);
        edit_index(&world, lie).await;
        let plan = plan(&world, &of_shop()).await.unwrap();
        assert_eq!(printed(&plan), expected, "{what}");
        assert_eq!(reads(&world).whole, 1, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_index_that_is_lost_or_damaged_or_anothers_costs_a_pass_and_nothing_else() {
    let good = big().await;
    let expected = printed(&plan(&target(&good), &of_shop()).await.unwrap());
    let other = backed_up().await.bucket.read(&KEYS.index()).await;
    let index = good.bucket.read(&KEYS.index()).await;
    for what in ["lost", "cut", "another's", "another's, vouched for"] {
        let world = target(&good.copy().await);
        match what {
            "lost" => world.bucket.delete(&KEYS.index()).await,
            "cut" => world.bucket.write(&KEYS.index(), index.slice(..index.len() / 2)).await,
            "another's" => world.bucket.write(&KEYS.index(), other.clone()).await,
            _ => rewrite(&world, vec![(KEYS.index(), other.to_vec())]).await,
        }
        let plan = plan(&world, &of_shop()).await.unwrap();
        assert_eq!(printed(&plan), expected, "{what}");
        assert_eq!(reads(&world), Reads { whole: 1, ranges: 0, ..reads(&world) }, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_archive_that_is_damaged_where_it_is_read_is_refused_as_ever() {
    let good = big().await;
    let archive = good.bucket.read(&KEYS.archive()).await;
    let mut flipped = archive.to_vec();
    // The cluster's own objects come first.
    flipped[200] ^= 1;
    let cut = archive.slice(..archive.len() - 9);
    for damaged in [Some(Bytes::from(flipped)), Some(cut), Some(Bytes::new()), None] {
        let [in_part, by_pass] = [good.copy().await, good.copy().await].map(|it| target(&it));
        by_pass.bucket.delete(&KEYS.index()).await;
        let mut errors = BTreeSet::new();
        for world in [in_part, by_pass] {
            match &damaged {
                Some(content) => world.bucket.write(&KEYS.archive(), content.clone()).await,
                None => world.bucket.delete(&KEYS.archive()).await,
            }
            let process = world.start(Script::Sound);
            let error = process.restore(&of_shop()).await.unwrap().unwrap_err();
            assert_eq!(process.faults.calls(), [""; 0]);
            errors.insert(format!("{error:?}"));
        }
        assert_eq!(errors.len(), 1, "{errors:#?}");
        let error = errors.first().unwrap();
        assert!(error.contains("Damaged {"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_for_against_all_expectation_has_the_archive_read_after_all() {
    let world = source();
    for seed in 0..3 {
        let name = format!("tenant-{seed}");
        world.cluster.add(json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": name}}));
        add_ballast(&world.cluster, &name, seed);
    }
    world.cluster.add(json!({"apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition", "metadata": {"name": "datauploads.velero.io"},
        "spec": {"group": "velero.io", "scope": "Namespaced",
            "names": {"plural": "datauploads", "singular": "dataupload", "kind": "DataUpload"},
            "versions": [{"name": "v1", "served": true, "storage": true}]}}));
    let upload = json!({"spec": {"datamover": "the-mover"}});
    world.cluster.add(object("velero.io/v1", "DataUpload", "other", "order", &upload));
    world.cluster.edit("persistentvolumeclaims/shop/files", |claim| {
        claim["metadata"]["annotations"]["velero.io/data-upload-name"] = json!("other/order");
    });
    let mut request = backup();
    request.spec.included_namespaces = Vec::new();
    world.back_up(&request).await.unwrap();
    rewrite(
        &world,
        vec![(KEYS.volume_info(), packed("[]")), (KEYS.volume_snapshots(), packed("[]"))],
    )
    .await;
    let target = target(&world);
    let plan = plan(&target, &of_shop()).await.unwrap();
    let claim = plan.items.iter().find(|it| it.name == "files").unwrap();
    let reason = claim.reason.as_deref().unwrap();
    assert!(reason.contains("the-mover"), "{reason}");
    let read = reads(&target);
    assert_eq!((read.ranges > 0, read.whole), (true, 1));
}

/// The kinds of the big backup.
const KINDS: [(&str, &str, &str); 8] = [
    ("configmaps", "v1", "ConfigMap"),
    ("secrets", "v1", "Secret"),
    ("deployments.apps", "apps/v1", "Deployment"),
    ("services", "v1", "Service"),
    ("serviceaccounts", "v1", "ServiceAccount"),
    ("rolebindings.rbac.authorization.k8s.io", "rbac.authorization.k8s.io/v1", "RoleBinding"),
    ("networkpolicies.networking.k8s.io", "networking.k8s.io/v1", "NetworkPolicy"),
    ("jobs.batch", "batch/v1", "Job"),
];

/// An object of about 1.2 KiB, of which a third is nobody else's.
fn sized(api_version: &str, kind: &str, namespace: &str, name: &str, seed: u64) -> Vec<u8> {
    let managed = json!([{"manager": "helm", "operation": "Update", "apiVersion": api_version,
        "time": "2026-03-01T10:00:00Z", "fieldsType": "FieldsV1",
        "fieldsV1": {"f:metadata": {"f:labels": {".": {}, "f:app.kubernetes.io/name": {},
            "f:app.kubernetes.io/instance": {}, "f:app.kubernetes.io/managed-by": {}},
            "f:annotations": {".": {}, "f:meta.helm.sh/release-name": {}}}}}]);
    let mut it = object(api_version, kind, namespace, name, &json!({"data": noise(seed, 400)}));
    it["metadata"]["uid"] = json!(noise(seed ^ 0xffff_0000, 32));
    it["metadata"]["labels"] = json!({"app.kubernetes.io/name": name,
        "app.kubernetes.io/instance": namespace, "app.kubernetes.io/managed-by": "Helm"});
    it["metadata"]["annotations"] = json!({"meta.helm.sh/release-name": namespace,
        "meta.helm.sh/release-namespace": namespace});
    it["metadata"]["managedFields"] = managed;
    it.to_string().into_bytes()
}

/// An archive with this many objects of each kind in each of a hundred namespaces, and its index.
async fn hundred_namespaces(each: u64) -> (Vec<u8>, Vec<u8>) {
    let store = MemoryStore::new();
    let upload = store.start_upload("archive").await.unwrap();
    let mut writer = Writer::new(upload, Timestamp::UNIX_EPOCH, 2);
    let mut seed = 0;
    for (resource, api_version, kind) in KINDS {
        for namespace in 0..100 {
            for number in 0..each {
                seed += 1;
                let (namespace, name) =
                    (format!("tenant-{namespace:03}"), format!("{}-{number}", kind.to_lowercase()));
                let json = sized(api_version, kind, &namespace, &name, seed);
                let id: ItemId = format!("{resource}/{namespace}/{name}").parse().unwrap();
                writer.append(&id, "v1", &json).await.unwrap();
            }
        }
    }
    let written = writer.finish().await.unwrap();
    let pieces: Vec<Bytes> = store.get("archive").await.unwrap().try_collect().await.unwrap();
    (pieces.concat(), written.index)
}

/// What one namespace out of a hundred may cost, with 20,000 objects, in percent of the archive; of four
/// times as many objects it costs two thirds of that.
const MOST: usize = 7;

#[tokio::test(start_paused = true)]
async fn one_namespace_of_a_hundred_costs_a_few_percent_of_the_bytes() {
    let world = target(&backed_up().await);
    let (archive, index) = hundred_namespaces(25).await;
    let (size, index_size) = (archive.len(), index.len());
    rewrite(
        &world,
        vec![
            (KEYS.archive(), archive),
            (KEYS.index(), index),
            (KEYS.volume_info(), packed("[]")),
            (KEYS.volume_snapshots(), packed("[]")),
        ],
    )
    .await;
    let mut request = restore("rescue");
    request.spec.included_namespaces = vec!["tenant-042".to_owned()];
    let plan = plan(&world, &request).await.unwrap();
    assert_eq!(plan.items.len(), 8 * 25 + 1, "the namespace, too");
    let read = reads(&world);
    assert_eq!(read.whole, 0);
    assert!(read.ranges <= 2 * KINDS.len(), "{read:?}");
    let bytes = read.bytes + index_size;
    assert!(bytes * 100 < size * MOST, "{read:?} and {index_size} of {size}");
}
