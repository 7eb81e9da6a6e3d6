//! Faults while a backup is made.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use bowline_testkit::Output;
use futures::{StreamExt as _, stream};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};

use super::case::Case;
use super::deletions;
use super::machine::Machine;
use super::message::{errors_with_hints, one_error};
use super::site::{NAMESPACE, Site, all_claims, claims_of};
use crate::application::completed;
use crate::written::layout;

/// How many backups are made at once.
const AT_ONCE: usize = 3;
/// The region of a bucket that does not tell is the account's. What is listed late are the pieces of the
/// log, to be cleared away.
const OPTIONAL: [&str; 2] = ["HeadBucket", "ListObjectsV2 RefusedLater"];

/// A namespace without claims whose archive is uploaded in parts, and how many objects that takes.
const MUCH: &str = "much";
const OBJECTS: usize = 14;
const BYTES: usize = 700 << 10;

/// A backup of claims.
pub(super) async fn meet_faults(site: &Site) {
    let machine = Machine::new(site);
    completed(&machine.back_up("plain").await);
    let made = all_claims(NAMESPACE);
    let cases = Case::all(&machine).into_iter().filter(Case::is_certain);
    let runs = cases.map(|case| meet(site, case, NAMESPACE, &made));
    stream::iter(runs).buffer_unordered(AT_ONCE).collect::<()>().await;
}

/// A backup that is uploaded in parts. Its other calls are those of any backup.
pub(super) async fn of_much_meet_faults(site: &Site) {
    make_much(site).await;
    let (machine, any) = (Machine::new(site), Machine::new(site));
    completed(&any.back_up("any").await);
    completed(&back_up(&machine, "much", MUCH, &[]).await);
    let known: BTreeSet<String> = Case::all(&any).iter().map(Case::name).collect();
    let cases = Case::all(&machine).into_iter().filter(|case| !known.contains(&case.name()));
    let cases: Vec<_> = cases.collect();
    assert!(cases.iter().any(|case| case.name().starts_with("uploadpart")), "{cases:?}");
    for case in cases {
        meet(site, case, MUCH, &[]).await;
    }
}

/// Makes more than a part of an upload holds, of what cannot be packed.
async fn make_much(site: &Site) {
    let client = site.cluster.client().await.unwrap();
    let namespace: Namespace =
        serde_json::from_value(json!({ "metadata": { "name": MUCH } })).unwrap();
    let post = PostParams::default();
    Api::all(client.clone()).create(&post, &namespace).await.unwrap();
    let maps = Api::<ConfigMap>::namespaced(client, MUCH);
    for number in 0..OBJECTS {
        let mut map = ConfigMap::default();
        map.metadata.name = Some(format!("much-{number}"));
        let bytes = ByteString(noise(number as u64));
        map.binary_data = Some(BTreeMap::from([("noise".to_owned(), bytes)]));
        maps.create(&post, &map).await.unwrap();
    }
}

/// The same for the same seed (xorshift).
fn noise(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.take(BYTES / 8).flatten().collect()
}

async fn back_up(machine: &Machine<'_>, name: &str, namespace: &str, options: &[&str]) -> Output {
    let namespaces = format!("--include-namespaces={namespace}");
    machine.back_up_with(name, &[&[namespaces.as_str()], options].concat()).await
}

/// Makes a backup in which something goes wrong, and then one in which nothing does.
async fn meet(site: &Site, case: Case, namespace: &str, claims: &[String]) {
    let (machine, name) = (Machine::new(site), case.name());
    let struck = case.befall(&machine);
    let output = back_up(&machine, &name, namespace, &[]).await;
    assert!(struck.hits() > 0, "no call met {case}");
    machine.heal();
    let code = case.exit(machine.has_written(), &OPTIONAL);
    assert_eq!(output.code, Some(code), "{case}: {}{}", output.stdout, output.stderr);
    let snapshots = site.snapshots(&name).await;
    let taken = claims_of(&name, &snapshots);
    match code {
        0 => {
            completed(&output);
            assert_eq!(taken, claims, "{case}");
        }
        3 => is_partly_failed(&name, &output.json(), &snapshots),
        _ => {
            one_error(&name, &output, code);
            assert_eq!(taken, Vec::<String>::new(), "{case}");
            let report = made_as_the_hint_says(&machine, &name, namespace, &output).await;
            assert_eq!(claims_of(&name, &site.snapshots(&name).await), claims, "{case}");
            is_whole(site, &name, &report);
        }
    }
    if let 0 | 3 = code {
        is_whole(site, &name, &output.json());
    }
    no_upload_is_left(&machine, &case).await;
}

/// Makes a backup that broke off, of which nothing is left, or nothing that counts as one.
async fn made_as_the_hint_says(
    machine: &Machine<'_>,
    name: &str,
    namespace: &str,
    output: &Output,
) -> Value {
    let left = machine.site.files(&format!("backups/{name}"));
    let replace = output.stdout.contains("--replace-incomplete");
    assert!(replace || left.is_empty(), "{name}: {left:?}");
    assert!(!left.contains("velero-backup.json"), "{name}: {left:?}");
    let options: &[&str] = if replace { &["--replace-incomplete"] } else { &[] };
    completed(&back_up(machine, name, namespace, options).await)
}

/// Checks that no parts wait to be put together; what nobody knew of goes with its backup.
async fn no_upload_is_left(machine: &Machine<'_>, case: &Case) {
    let directory = format!("backups/{}", case.name());
    if !machine.site.has_uploads(&directory).await {
        return;
    }
    assert!(case.loses_an_upload(), "{case} left an upload behind");
    deletions::is_completed(&machine.delete(&case.name()).await);
    assert!(!machine.site.has_uploads(&directory).await, "{case}");
}

/// Checks that a backup says of each snapshot whether there is one.
pub(super) fn is_partly_failed(case: &str, report: &Value, snapshots: &BTreeMap<String, String>) {
    assert_eq!(report["phase"], "PartiallyFailed", "{case}");
    errors_with_hints(case, report);
    let volumes = report["volumes"].as_array().unwrap();
    let ids = volumes.iter().filter_map(|volume| volume["snapshotId"].as_str());
    assert_eq!(ids.collect::<BTreeSet<_>>(), snapshots.keys().map(String::as_str).collect());
    let failed = volumes.iter().filter(|volume| volume["state"] == "failed").count();
    assert_eq!((failed, failed + snapshots.len()), (count(&report["errors"]), volumes.len()));
}

/// Checks that all files of a backup are there, and say what its report does.
pub(super) fn is_whole(site: &Site, name: &str, report: &Value) {
    let asked = report["volumes"].as_array().unwrap().iter().any(|it| it["provider"] == "aws");
    let own = |file: &&str| file.replace("provider-local", "provider-aws").replace("NAME", name);
    let files = layout::BACKUP.iter().map(own);
    let expected = files.filter(|file| asked || !file.contains("provider-aws")).collect();
    assert_eq!(site.files(&format!("backups/{name}")), expected, "{name}");
    let document = fs::read(site.path(&format!("backups/{name}/velero-backup.json"))).unwrap();
    let document: Value = serde_json::from_slice(&document).unwrap();
    assert_eq!(document["status"]["phase"], report["phase"], "{name}");
    assert_eq!(document["metadata"]["uid"], report["uid"], "{name}");
}

fn count(list: &Value) -> usize {
    list.as_array().unwrap().len()
}
